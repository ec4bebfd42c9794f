# SPDX-License-Identifier: Apache-2.0
"""Text cases of HTTP APIs, `request expected => reply given`, and a service that plays them strictly: one request after the
other, each with exactly this method, target, headers and body.

    $ read orders:all -n 5          a command of tenon; BASE in it is the service's address
    > GET /v1/orders?page=1         the request that it makes next
    > authorization: Bearer t       all its headers, but those of every request (HOP below)
    >> {"a": 1}                     its body: JSON is compared as JSON, all else as it is
    < 200                           the reply; no line: the connection is closed
    < link: <BASE/v1/orders?page=2>; rel="next"
    << [{"id": 1}]                  its body
    = id                            what the command prints, or
    ! DATA data: second page        how it fails: code, stage, a part of the message; and after | of the remedy
"""
import http.server
import json
import re
import threading

HOP = {"host", "connection", "accept-encoding", "content-length", "user-agent"}


class Exchange:
    def __init__(self, first):
        self.method, self.target = first.split(" ", 1)
        self.headers, self.body = {}, None
        self.status, self.reply_headers, self.reply = None, [], b""

    def differs(self, method, target, headers, body):
        """What is not as expected, or None."""
        seen = {k.lower(): v for k, v in headers.items() if k.lower() not in HOP}
        if (method, target) != (self.method, self.target):
            return f"{method} {target} instead of {self.method} {self.target}"
        if seen != self.headers:
            return f"{target}: headers {seen} instead of {self.headers}"
        expected = (self.body or "").encode()
        if "json" in headers.get("content-type", "") and self.body is not None:
            return None if json.loads(body) == json.loads(expected) else f"{target}: body {body!r} instead of {expected!r}"
        return None if body == expected else f"{target}: body {body!r} instead of {expected!r}"


class Case:
    def __init__(self, name, line, command):
        self.name, self.line, self.command = name, line, command
        self.exchanges, self.output, self.error = [], [], None

    def __str__(self):
        return f"{self.name}:{self.line}"


def take_line(case, sign, text):
    x = case.exchanges[-1] if case.exchanges else None
    if sign == ">" and re.match(r"[A-Z]+ /", text):
        case.exchanges.append(Exchange(text))
    elif sign == ">":
        name, value = text.split(": ", 1)
        x.headers[name.lower()] = value
    elif sign == ">>":
        x.body = text if x.body is None else x.body + "\n" + text
    elif sign == "<" and re.fullmatch(r"\d+", text):
        x.status = int(text)
    elif sign == "<":
        x.reply_headers.append(tuple(text.split(": ", 1)))
    elif sign == "<<":
        x.reply += (b"\n" if x.reply else b"") + text.encode()
    elif sign == "=":
        case.output.append(text)
    elif sign == "!":
        case.error = text
    else:
        raise ValueError(f"{case}: {sign} {text}")


def load(path):
    cases = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        sign, _, text = line.partition(" ")
        if sign == "$":
            cases.append(Case(path.stem, number, text))
        else:
            take_line(cases[-1], sign, text)
    return cases


class Service:
    """Plays the exchanges of one case after the other."""

    def __init__(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                x = service.take(self.command, self.path, self.headers, body)
                if not x or x.status is None:
                    self.close_connection = True
                    return
                reply = x.reply.replace(b"BASE", service.base.encode())
                self.send_response(x.status)
                for name, value in x.reply_headers:
                    self.send_header(name, value.replace("BASE", service.base))
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.left, self.wrong = [], []
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, method, target, headers, body):
        if not self.left:
            self.wrong.append(f"{method} {target} was not expected")
            return None
        x = self.left.pop(0)
        difference = x.differs(method, target, headers, body)
        if len(headers.get_all("user-agent")) != 1:
            difference = f"{target}: not one User-Agent: {headers.get_all('user-agent')}"
        if difference:
            self.wrong.append(difference)
            return None
        return x

    def play(self, case):
        self.left, self.wrong = list(case.exchanges), []

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
