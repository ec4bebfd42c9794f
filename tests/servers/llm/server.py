# SPDX-License-Identifier: Apache-2.0
"""A service of language models that answers as its cases say: `python server.py PORT`, or Server() in a test.

A case is chosen by the request's model. tests/cases/llm/KIND.txt holds them, one behind the other:

    == NAME                    the model's name is KIND-NAME
    ask: WORDS                 what `tenon chat` is asked with, beside the target (default: hello)
    request: JSON              what the request's body must have, members of objects one by one
    reply: 200 text/event-stream [Header: value] …
    LINES                      the body; `~ cut` drops the connection there, `~ hang` says no more
    tenon: JSON                events, or members of the error
    sdk: NAME                  what the vendor's own client raises; `same`: the same events
"""
import hashlib
import http.server
import json
import math
import pathlib
import shlex
import sys
import threading
import time

CASES = pathlib.Path(__file__).resolve().parents[2] / "cases/llm"
KEY = "sk-good"
DIMENSION = 8


class Case:
    def __init__(self, kind, name):
        self.kind, self.name, self.model = kind, name, f"{kind}-{name}"
        self.ask, self.request, self.status, self.headers, self.body = ["hello"], None, 200, [], []
        self.tenon, self.sdk = None, "same"


def read_cases(kind):
    cases, case, in_body = [], None, False
    for line in (CASES / f"{kind}.txt").read_text().split("\n"):
        word, _, rest = line.partition(": ")
        if line.startswith("== "):
            case, in_body = Case(kind, line[3:]), False
            cases.append(case)
        elif case is None or (not in_body and line.startswith("#")):
            continue
        elif word == "ask":
            case.ask = shlex.split(rest)
        elif word == "request":
            case.request = json.loads(rest)
        elif word == "reply":
            status, *headers = rest.split(" ", 1)
            first, *more = headers[0].split("; ") if headers else ["application/json"]
            case.status, case.headers, in_body = int(status), [("Content-Type", first)], True
            case.headers += [tuple(h.split(": ", 1)) for h in more if ": " in h]
            case.headers[0] = ("Content-Type", "; ".join([first] + [h for h in more if ": " not in h]))
        elif word == "tenon":
            case.tenon, in_body = json.loads(rest), False
        elif word == "sdk":
            case.sdk = rest
        elif in_body:
            case.body.append(line)
    return cases


def vector_of(text, dimension=DIMENSION):
    """The same text has the same vector, of length 1; others have others."""
    seed = hashlib.sha256(text.encode()).digest()
    raw = [seed[i % 32] * 256 + seed[(i * 7 + 3) % 32] - 32768 for i in range(dimension)]
    size = math.sqrt(sum(x * x for x in raw)) or 1
    return [x / size for x in raw]


ERRORS = {
    "openai": lambda status, message, code: {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}},
    "anthropic": lambda status, message, code: {"type": "error", "error": {"type": code, "message": message}},
    "ollama": lambda status, message, code: {"error": message},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def kind(self):
        return "ollama" if self.path.startswith("/api/") else "anthropic" if self.headers.get("anthropic-version") else "openai"

    def send(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message, code):
        self.send(status, ERRORS[self.kind()](status, message, code))

    def is_known(self):
        given = self.headers.get("x-api-key") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given == KEY or (self.kind() == "ollama" and not given):
            return True
        code = {"openai": "invalid_api_key", "anthropic": "authentication_error", "ollama": ""}[self.kind()]
        self.refuse(401, f"Incorrect API key provided: {given[:3]}***.", code)
        return False

    def do_GET(self):
        server = self.server.owner
        if not self.is_known():
            return
        names = sorted(server.cases) + ["embedder"]
        if self.path == "/api/version":
            self.send(200, {"version": "0.12.6"})
        elif self.path == "/api/tags":
            self.send(200, {"models": [{"name": n, "model": n, "modified_at": "2025-06-01T12:00:00.123456789-07:00", "size": 1000 + i}
                                       for i, n in enumerate(reversed(names))]})
        elif self.path.startswith("/v1/models") and self.kind() == "anthropic":
            self.send(200, self.page(names))
        elif self.path == "/v1/models":
            self.send(200, {"object": "list", "data": [{"id": n, "object": "model", "created": 1700000000 + i, "owned_by": "tests"}
                                                      for i, n in enumerate(names)]})
        else:
            self.send_response(404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b"not found")

    def page(self, names):
        """Three at a time, whatever is asked for."""
        after = self.path.partition("after_id=")[2]
        rest = names[names.index(after) + 1:] if after else names
        if self.server.owner.repeats_pages:
            rest = names[:6]
        data = [{"type": "model", "id": n, "display_name": n.title(), "created_at": "2025-06-01T12:00:00Z"} for n in rest[:3]]
        return {"data": data, "has_more": len(rest) > 3, "first_id": data[0]["id"], "last_id": data[-1]["id"]}

    def do_POST(self):
        server = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
        server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if not self.is_known():
            return
        if self.path in ("/v1/embeddings", "/api/embed"):
            self.embed(body)
        elif self.path in ("/v1/chat/completions", "/v1/messages", "/api/chat") and body["model"] in server.cases:
            self.answer(server.cases[body["model"]])
        elif self.path == "/api/show" and (body["model"] in server.cases or body["model"] == "embedder"):
            self.send(200, {"details": {"family": "tests"}, "capabilities": ["completion"]})
        elif self.path in ("/v1/chat/completions", "/v1/messages", "/api/chat", "/api/show"):
            message = {"openai": f"The model `{body['model']}` does not exist or you do not have access to it.",
                       "anthropic": f"model: {body['model']}", "ollama": f"model '{body['model']}' not found"}[self.kind()]
            self.refuse(404, message, {"openai": "model_not_found", "anthropic": "not_found_error", "ollama": ""}[self.kind()])
        else:
            self.do_GET()

    def embed(self, body):
        server = self.server.owner
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        dimension = body.get("dimensions", DIMENSION)
        vectors = [vector_of(t, dimension) for t in texts]
        server.embedded.append(len(texts))
        fault = body["model"]
        if server.fail_embeddings > 0:
            server.fail_embeddings -= 1
            return self.send(503, ERRORS[self.kind()](503, "server busy, please try again", "overloaded"))
        if fault == "one-short":
            vectors.pop()
        elif fault == "other-widths":
            vectors[-1] = vectors[-1][:-1]
        elif fault == "no-numbers":
            vectors[0][0] = "x"
        if self.kind() == "ollama":
            return self.send(200, {"model": fault, "embeddings": vectors, "prompt_eval_count": sum(map(len, texts))})
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        if fault == "shuffled":
            data.reverse()
        elif fault == "twice":
            data[-1]["index"] = 0
        used = sum(map(len, texts))
        self.send(200, {"object": "list", "model": fault, "data": data, "usage": {"prompt_tokens": used, "total_tokens": used}})

    def answer(self, case):
        streams = case.headers[0][1] != "application/json"
        self.send_response(case.status)
        for name, value in case.headers:
            self.send_header(name, value)
        if not streams:
            data = "\n".join(case.body).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in case.body:
            if line == "~ cut":
                self.close_connection = True
                return
            if line == "~ hang":
                self.wfile.flush()
                return self.hang()
            self.chunk((line + "\n").encode())
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, data):
        """In pieces that end anywhere."""
        for at in range(0, len(data), 37):
            piece = data[at:at + 37]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def hang(self):
        """Until the other side goes away: then when that was is noted."""
        self.server.owner.hanging.set()
        self.connection.settimeout(30)
        try:
            while self.connection.recv(1):
                pass
        except OSError:
            pass
        self.server.owner.gone_at = time.monotonic()
        self.server.owner.gone.set()
        self.close_connection = True


class Server:
    def __init__(self, port=0):
        self.cases = {c.model: c for kind in ERRORS for c in read_cases(kind)}
        self.requests, self.embedded, self.fail_embeddings, self.repeats_pages = [], [], 0, False
        self.hanging, self.gone, self.gone_at = threading.Event(), threading.Event(), 0.0
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.http.owner = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    server = Server(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print("ready", server.url, flush=True)
    server.thread.join()
