# SPDX-License-Identifier: Apache-2.0
"""The kind twilio_messaging beside Twilio's own Python library: the same requests to the same service."""
import json

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from twilio_api import ACCOUNT, KEY, SECRET, SERVICE, TEMPLATE, TOKEN, FakeTwilio

SMS, WHATSAPP = "+15017122661", "+14155238886"


@pytest.fixture
def service():
    fake = FakeTwilio()
    yield fake
    fake.shutdown()
    fake.server_close()


class Connector:
    def __init__(self, tenon, service, **more):
        self.tenon, self.service = tenon, service
        self.settings = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": SMS, "whatsapp_from": WHATSAPP, "base_url": service.url, **more}

    def words(self, command, *more):
        given = {"kind": "twilio_messaging", **{k: v for k, v in self.settings.items() if v is not None}}
        path = self.tenon.folder / "twilio.yaml"
        path.write_text(json.dumps({"connectors": {"sms": given}}))   # JSON is YAML
        return [command, "sms", *more, "--connectors", path]

    def call(self, action, **fields):
        return self.tenon.result(*self.words("call", action, "--input", json.dumps(fields)))["output"]

    def fail(self, action, **fields):
        return self.tenon.error(*self.words("call", action, "--input", json.dumps(fields)))


@pytest.fixture
def sms(tenon, service):
    return Connector(tenon, service)


class Local(TwilioHttpClient):
    """The vendor's client, whose requests go to the fake."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def request(self, method, url, *args, **more):
        return super().request(method, url.replace("https://api.twilio.com", self.url), *args, **more)


@pytest.fixture
def theirs(service):
    return Client(ACCOUNT, TOKEN, http_client=Local(service.url))


SAME = [
    ("send_sms", {"to": "+15558675310", "body": "McAvoy or Stewart? 100% & more = ünïcode 🚲\nline"}, {"to": "+15558675310", "from_": SMS, "body": "McAvoy or Stewart? 100% & more = ünïcode 🚲\nline"}),
    ("send_sms", {"to": "+15558675310", "body": "x", "from": "ACME", "status_callback": "https://me.example/cb?a=1&b=2"},
     {"to": "+15558675310", "from_": "ACME", "body": "x", "status_callback": "https://me.example/cb?a=1&b=2"}),
    ("send_sms", {"to": "+15558675310", "media_urls": ["https://a.example/1.png", "https://a.example/2.png"]},
     {"to": "+15558675310", "from_": SMS, "media_url": ["https://a.example/1.png", "https://a.example/2.png"]}),
    ("send_whatsapp", {"to": "+15558675310", "body": "hi"}, {"to": "whatsapp:+15558675310", "from_": f"whatsapp:{WHATSAPP}", "body": "hi"}),
    ("send_whatsapp", {"to": "whatsapp:+15558675310", "content_sid": TEMPLATE, "content_variables": {"1": "Ada \"A\"", "2": "ü"}},
     {"to": "whatsapp:+15558675310", "from_": f"whatsapp:{WHATSAPP}", "content_sid": TEMPLATE, "content_variables": '{"1": "Ada \\"A\\"", "2": "\\u00fc"}'}),
    ("send_sms", {"to": "+15558675310", "body": "later", "messaging_service_sid": SERVICE, "send_at": "2026-12-24T18:00:00Z"},
     {"to": "+15558675310", "messaging_service_sid": SERVICE, "body": "later", "send_at": "2026-12-24T18:00:00Z", "schedule_type": "fixed"}),
]


@pytest.mark.parametrize("action, ours, oracle", SAME, ids=range(len(SAME)))
def test_requests_are_those_of_the_vendors_library(sms, theirs, service, action, ours, oracle):
    mine = sms.call(action, **ours)
    yours = theirs.messages.create(**oracle)
    first, second = service.requests
    assert first[:2] == second[:2]
    assert service.fields(0) == service.fields(1)
    assert (mine["status"], mine["to"], mine["num_segments"]) == (yours.status, yours.to, yours.num_segments)
    assert theirs.messages(mine["sid"]).fetch().to == mine["to"]
    told = sms.call("message_status", sid=yours.sid)
    assert told["sid"] == yours.sid and told["status"] == yours.status and told["error_code"] is None


@pytest.mark.parametrize("to, code, status, word", [
    ("+15005550001", 21211, "DATA", "number"), ("+15005550002", 21612, "DATA", "sender"), ("+15005550003", 21408, "FORBIDDEN", "Geo permissions"),
    ("+15005550004", 21610, "FORBIDDEN", "START"), ("+15005550009", 21614, "DATA", "mobile"), ("+15005550021", 21608, "FORBIDDEN", "verify"),
])
def test_refused_recipients(sms, theirs, to, code, status, word):
    error = sms.fail("send_sms", to=to, body="x")
    assert (error["code"], error["vendor_code"]) == (status, code) and word in error["remedy"]
    with pytest.raises(TwilioRestException) as refused:
        theirs.messages.create(to=to, from_=SMS, body="x")
    assert refused.value.code == code and refused.value.msg.split(": ", 1)[-1] in error["message"]


@pytest.mark.parametrize("sender, code, status", [("+15005550001", 21212, "CONFIG"), ("+15005550007", 21606, "CONFIG"), ("+15005550008", 21611, "LIMITED")])
def test_refused_senders(sms, sender, code, status):
    error = sms.fail("send_sms", to="+15558675310", body="x", **{"from": sender})
    assert (error["code"], error["vendor_code"]) == (status, code) and error["remedy"]


@pytest.mark.parametrize("action, fields, word", [
    ("send_sms", {"to": "5558675310", "body": "x"}, "telephone number"), ("send_sms", {"to": "+1 555", "body": "x"}, "telephone number"),
    ("send_sms", {"to": "whatsapp:+15558675310", "body": "x"}, "telephone number"), ("send_sms", {"to": "+15558675310"}, "says nothing"),
    ("send_sms", {"to": "+15558675310", "body": ""}, "body"), ("send_sms", {"to": "+15558675310", "body": "x" * 1601}, "body"),
    ("send_sms", {"to": "+15558675310", "body": "x", "content_sid": TEMPLATE}, "template"), ("send_sms", {"body": "x"}, "to"),
    ("send_sms", {"to": "+15558675310", "body": "x", "content_variables": {"1": "a"}}, "template"),
    ("send_sms", {"to": "+15558675310", "content_sid": "HX12"}, "content_sid"), ("send_sms", {"to": "+15558675310", "body": "x", "Body": "y"}, "Body"),
    ("send_whatsapp", {"to": "+15558675310", "content_sid": TEMPLATE, "content_variables": {"1": 1}}, "content_variables"),
    ("send_whatsapp", {"to": "+15558675310", "body": "x", "from": "ACME"}, "from"), ("message_status", {"sid": "SM12/../x"}, "sid"),
    ("call", {}, "no action"),
])
def test_what_is_wrong_is_not_sent(sms, service, action, fields, word):
    error = sms.fail(action, **fields)
    assert error["code"] in ("CONFIG", "NOT_FOUND") and word in error["message"]
    assert service.requests == []


def test_the_service_chooses_where_no_sender_is_named(tenon, service):
    by_service = Connector(tenon, service, **{"from": None, "messaging_service_sid": SERVICE})
    assert by_service.call("send_sms", to="+15558675310", body="x")["messaging_service_sid"] == SERVICE
    assert ("MessagingServiceSid", SERVICE) in service.fields() and not any(k == "From" for k, _ in service.fields())
    error = Connector(tenon, service, **{"from": None}).fail("send_sms", to="+15558675310", body="x")
    assert error["code"] == "CONFIG" and "no sender" in error["message"]


def test_what_was_not_delivered_says_what_to_do(sms, service):
    sid = sms.call("send_whatsapp", to="+15558675310", body="x")["sid"]
    service.messages[sid].update(status="undelivered", error_code=63016, error_message="Failed to send freeform message")
    told = sms.call("message_status", sid=sid)
    assert (told["status"], told["error_code"]) == ("undelivered", 63016) and "content_sid" in told["remedy"]


def test_a_message_is_sent_once(sms, service):
    """Whatever becomes of the answer, and it says so."""
    def close(handler):
        handler.connection.close()

    strange = [lambda h, told=told: h.reply(201, told) for told in ({}, {"status": "queued"}, {"sid": None, "status": None}, [], {"message": "ok"})]
    for broken in (*strange, close, lambda h: h.reply(503, {"message": "upstream"}), lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")):
        service.broken = broken
        del service.requests[:]
        error = sms.fail("send_sms", to="+15558675310", body="x")
        assert "may have been sent" in error["message"] and "log" in error["remedy"] and not error["retryable"]
        assert len(service.requests) == 1
    service.broken = lambda h: h.refuse(429, 20429, "Too many requests")
    error = sms.fail("send_sms", to="+15558675310", body="x")
    assert error["code"] == "LIMITED" and "may have" not in error["message"]


def steps(tenon, connector):
    answer = tenon.json(*connector.words("test"))
    return answer, {s["name"]: s for s in answer["result"]["steps"]}


def test_the_test_says_what_is_wrong(tenon, service):
    answer, walked = steps(tenon, Connector(tenon, service))
    assert answer["ok"] and list(walked) == ["dns", "tcp", "auth", "probe"]
    answer, walked = steps(tenon, Connector(tenon, service, auth="api_key", auth_token=None, api_key_sid=KEY, api_key_secret=SECRET))
    assert answer["ok"], answer
    answer, walked = steps(tenon, Connector(tenon, service, auth_token="wrong-token"))
    assert walked["auth"]["outcome"] == "failed" and answer["error"]["code"] == "UNAUTHENTICATED" and "wrong-token" not in json.dumps(answer)
    service.account = {"status": "suspended", "type": "Full"}
    answer, walked = steps(tenon, Connector(tenon, service))
    assert answer["error"]["code"] == "FORBIDDEN" and "suspended" in walked["probe"]["evidence"]
    service.account = {"status": "active", "type": "Trial"}
    answer, walked = steps(tenon, Connector(tenon, service))
    assert answer["ok"] and walked["probe"]["outcome"] == "warning"
    assert all(r[0] == "GET" for r in service.requests)
    answer, walked = steps(tenon, Connector(tenon, service, account_sid="AC12"))
    assert answer["error"]["code"] == "CONFIG" and "account_sid" in answer["error"]["message"]
