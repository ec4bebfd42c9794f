# SPDX-License-Identifier: Apache-2.0
"""Twilio's messages as its OpenAPI document (2010-04-01) and its page of test credentials describe them: a fake, since the real
one is somebody's account. It takes the parameters that the document names and no others, knows the magic numbers of the test
credentials, and remembers requests."""
import base64
import http.server
import json
import re
import threading
import urllib.parse

ACCOUNT, TOKEN = "AC0123456789abcdef0123456789abcdef", "the-auth-token"
KEY, SECRET = "SK00112233445566778899aabbccddeeff", "the-key-secret"
SERVICE, TEMPLATE = "MG0123456789abcdef0123456789abcdef", "HX0123456789abcdef0123456789abcdef"
CREATE = {"To", "StatusCallback", "ApplicationSid", "MaxPrice", "ProvideFeedback", "Attempt", "ValidityPeriod", "ForceDelivery",
          "ContentRetention", "AddressRetention", "SmartEncoded", "PersistentAction", "TrafficType", "ShortenUrls", "ScheduleType",
          "SendAt", "SendAsMms", "ContentVariables", "RiskCheck", "From", "FallbackFrom", "MessagingServiceSid", "Body", "MediaUrl",
          "ContentSid"}
TO = {"+15005550001": (21211, "Invalid 'To' Phone Number: +1500555XXXX"), "+15005550002": (21612, "The 'To' phone number cannot be reached"),
      "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region"),
      "+15005550004": (21610, "Attempt to send to unsubscribed recipient"), "+15005550009": (21614, "'To' number is not a valid mobile number"),
      "+15005550021": (21608, "The number is unverified. Trial accounts cannot send messages to unverified numbers")}
FROM = {"+15005550001": (21212, "The 'From' number is not a valid phone number"), "+15005550007": (21606, "The From phone number is not a valid, SMS-capable number"),
        "+15005550008": (21611, "This 'From' number has exceeded the maximum number of queued messages")}


class Refused(Exception):
    pass


class FakeTwilio(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.messages, self.account, self.broken = [], {}, {"status": "active", "type": "Full"}, None
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def fields(self, number=-1):
        """The form of a request, as pairs in order of their names."""
        return sorted(self.requests[number][2])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code, message):
        self.reply(status, {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status})

    def check_credentials(self):
        given = self.headers.get("Authorization", "")
        user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":") if given.startswith("Basic ") else ("", "", "")
        return user if (user, password) in ((ACCOUNT, TOKEN), (KEY, SECRET)) else None

    def handle_any(self):
        size = int(self.headers.get("Content-Length", 0))
        form = urllib.parse.parse_qsl(self.rfile.read(size).decode(), keep_blank_values=True, strict_parsing=True) if size else []
        path, _, query = self.path.partition("?")
        self.server.requests.append((self.command, path, form, query))
        if self.server.broken:
            broken, self.close_connection = self.server.broken, True
            return broken(self)
        user = self.check_credentials()
        if not user:
            return self.refuse(401, 20003, "Authenticate")
        head = f"/2010-04-01/Accounts/{ACCOUNT}"
        if (self.command, path) == ("GET", head + ".json"):
            if user == KEY:
                return self.refuse(401, 20003, "Authenticate")
            return self.reply(200, {"sid": ACCOUNT, "friendly_name": "Acme", **self.server.account})
        if (self.command, path) == ("POST", head + "/Messages.json"):
            return self.create(form)
        if (self.command, path) == ("GET", head + "/Messages.json"):
            return self.reply(200, {"messages": list(self.server.messages.values()), "page": 0, "page_size": 1})
        found = re.fullmatch(re.escape(head) + r"/Messages/([A-Z]{2}[0-9a-f]{32})\.json", path)
        if self.command == "GET" and found and found[1] in self.server.messages:
            return self.reply(200, self.server.messages[found[1]])
        return self.refuse(404, 20404, f"The requested resource {path} was not found")

    do_GET = do_POST = handle_any

    def create(self, form):
        fields = dict(form)
        assert self.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert set(fields) <= CREATE, set(fields) - CREATE
        assert all(name == "MediaUrl" for name, _ in form if [n for n, _ in form].count(name) > 1), "a parameter stands there twice"
        channel, _, number = fields["To"].rpartition(":")
        sender = fields.get("From", "").rpartition(":")[2]
        if number in TO:
            return self.refuse(400, *TO[number])
        if sender in FROM:
            return self.refuse(400, *FROM[sender])
        if not sender and "MessagingServiceSid" not in fields:
            return self.refuse(400, 21603, "A 'From' phone number is required.")
        if channel == "whatsapp" and sender and not fields["From"].startswith("whatsapp:"):
            return self.refuse(400, 63007, "Twilio could not find a Channel with the specified From address")
        if len(fields.get("Body", "")) > 1600:
            return self.refuse(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if "ContentSid" in fields and fields["ContentSid"] != TEMPLATE:
            return self.refuse(400, 21655, "The ContentSid is Invalid")
        if "ContentVariables" in fields and not all(isinstance(v, str) for v in json.loads(fields["ContentVariables"]).values()):
            return self.refuse(400, 21656, "The ContentVariables Parameter is invalid")
        sid = f"SM{len(self.server.messages):032x}"
        self.server.messages[sid] = {
            "body": fields.get("Body", ""), "num_segments": "1", "direction": "outbound-api", "from": fields.get("From"), "to": fields["To"],
            "date_updated": "Sat, 21 Nov 2026 10:00:00 +0000", "price": None, "error_message": None, "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
            "account_sid": ACCOUNT, "num_media": str(sum(name == "MediaUrl" for name, _ in form)), "status": "scheduled" if "SendAt" in fields else "queued",
            "messaging_service_sid": fields.get("MessagingServiceSid"), "sid": sid, "date_sent": None,
            "date_created": "Sat, 21 Nov 2026 10:00:00 +0000", "error_code": None, "price_unit": "USD", "api_version": "2010-04-01",
            "subresource_uris": {}}
        return self.reply(201, self.server.messages[sid])
