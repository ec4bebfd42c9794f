# SPDX-License-Identifier: Apache-2.0
"""The metadata service of Amazon's machines (IMDSv2) and of its containers, as their user guides describe it: a token that is
PUT for, the role's name, its keys; without the token nothing."""
import datetime
import http.server
import json
import threading
import time

ROLES = "/latest/meta-data/iam/security-credentials/"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.server.asked.append(("PUT", self.path))
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600 or self.headers.get("X-Forwarded-For"):
            return self.answer(400)
        self.answer(200, self.server.token)

    def do_GET(self):
        server = self.server
        server.asked.append(("GET", self.path))
        if self.path == server.container_path:
            return self.answer(200, json.dumps(server.keys()))
        if self.headers.get("X-aws-ec2-metadata-token") != server.token:
            return self.answer(401)
        if self.path == ROLES:
            return self.answer(200, server.role)
        if self.path == ROLES + server.role:
            return self.answer(200, json.dumps({"Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC", **server.keys()}))
        self.answer(404)


class Service(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, valid_s=3600):
        super().__init__(("127.0.0.1", 0), Handler)
        self.token, self.role, self.container_path, self.valid_s = "AQAEA-token==", "a.role+x", "/v2/credentials/uuid", valid_s
        self.given, self.asked = 0, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def keys(self):
        """Other ones each time."""
        self.given += 1
        until = datetime.datetime.fromtimestamp(time.time() + self.valid_s, datetime.timezone.utc)
        return {"AccessKeyId": f"ASIA{self.given}", "SecretAccessKey": f"secret{self.given}", "Token": f"session/{self.given}+=",
                "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def stop(self):
        self.shutdown()
        self.server_close()
