# SPDX-License-Identifier: Apache-2.0
"""The webhooks of n8n as its documentation and the sources of its webhook handler (packages/cli/src/webhooks) describe them: a fake,
since n8n itself is no test dependency. It answers OPTIONS as n8n does, knows active and test webhooks, and both authentications."""
import base64
import http.server
import json
import threading

PRODUCTION = ("The workflow must be active for a production URL to run successfully. You can activate the workflow using the toggle in the "
              "top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on the canvas (only in the executions list)")
TEST = "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only works for one call after you click this button)"


class Webhook:
    """method; auth: None, ("basic", user, password) or ("header", name, value); answer: a function of the handler, after the
    event was taken over."""

    def __init__(self, method="POST", auth=None, answer=None):
        self.method, self.auth, self.answer = method, auth, answer or (lambda h: h.json(200, {"message": "Workflow was started"}))


class FakeN8n(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.active, self.listening = {}, {}   # path: webhook
        self.gate = None                       # the header and its value that something in front of n8n wants of every request
        self.events, self.asked = [], 0        # what started a workflow; how often OPTIONS was asked
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status, body, kind, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, value):
        self.send(status, json.dumps(value).encode(), "application/json; charset=utf-8")

    def not_found(self, path, webhooks, hint):
        methods = [w.method for p, w in webhooks.items() if p == path]
        if methods:
            return self.json(404, {"code": 404, "message": f"This webhook is not registered for {self.command} requests. Did you mean to make a {methods[0]} request?", "hint": ""})
        return self.json(404, {"code": 404, "message": f'The requested webhook "{self.command} {path}" is not registered.', "hint": hint})

    def options(self, path, webhooks, is_test):
        self.server.asked += 1
        methods = [webhooks[path].method] if path in webhooks else []
        if "Origin" not in self.headers:
            return self.send(204, b"", "application/json")
        if is_test and not methods:
            return self.json(404, {"code": 404, "message": f'The requested webhook "{path}" is not registered.', "hint": TEST})
        return self.send(204, b"", "application/json", Access_Control_Allow_Methods=", ".join(["OPTIONS", *methods]))

    def is_refused(self, auth):
        if auth and auth[0] == "basic":
            given = self.headers.get("Authorization")
            wanted = "Basic " + base64.b64encode(f"{auth[1]}:{auth[2]}".encode()).decode()
            if given != wanted:
                text = b"Authorization data is wrong!" if given else b"Authorization is required!"
                self.send(403 if given else 401, text, "text/plain", WWW_Authenticate='Basic realm="Webhook"')
                return True
        if auth and auth[0] == "header" and self.headers.get(auth[1]) != auth[2]:
            self.send(403, b"Authorization data is wrong!", "text/plain")
            return True
        return False

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.gate and self.headers.get(self.server.gate[0]) != self.server.gate[1]:
            return self.json(401, {"message": "no key"})
        where, _, query = self.path.partition("?")
        head, _, path = where.strip("/").partition("/")
        if head not in ("webhook", "webhook-test"):
            return self.send(404, b"<html>Cannot GET</html>", "text/html")
        is_test = head == "webhook-test"
        webhooks = self.server.listening if is_test else self.server.active
        if self.command == "OPTIONS":
            return self.options(path, webhooks, is_test)
        hook = webhooks.get(path)
        if not hook or hook.method != self.command:
            return self.not_found(path, webhooks, TEST if is_test else PRODUCTION)
        if self.is_refused(hook.auth):
            return None
        if is_test:
            del webhooks[path]   # good for one call
        self.server.events.append((self.command, path, body, query))
        return hook.answer(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any
