# SPDX-License-Identifier: Apache-2.0
"""Every kind over HTTP, one row each: what tests/e2e/test_http_faults.py asks all of them.

A row says how one request is made of the kind, what its service answers when all is well, and where the kind's errors are
others than the client's own (EXPECTED in test_http_faults.py). The service of a test answers any request on localhost:PORT.
"""
import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    ask: callable                # (url of the service without a slash at its end, a path that may be written) -> words of the command
    good: bytes                  # the body of a good reply …
    headers: bytes = b""         # … and its headers beside Content-Length
    is_answer: callable = None   # (stdout, what was written to the path or None) -> is it what the good reply says?
    errors: dict = dataclasses.field(default_factory=dict)   # case -> (code, stage), or None: it succeeds
    repeats: bool = True         # what passes by itself (500, 503, a reset) is asked for again
    ca: str = "ca"               # the parameter's name
    connector: callable = None   # (url) -> parameters of the connector `it`, beside its kind


BODY = bytes(range(256)) * 64

KINDS = [
    Kind("s3", lambda _, out: ["get", "it:key", out],
         BODY, b'ETag: "v1"\r\n', lambda _, written: written == BODY,
         errors={"503 for ever": ("LIMITED", "query"), "no size": ("DATA", "data")},
         connector=lambda url: {"endpoint": url, "bucket": "b", "region": "us-east-1"}),
    Kind("http", lambda url, out: ["get", f"{url}/key", out],
         BODY, b'ETag: "v1"\r\n', lambda _, written: written == BODY,
         errors={"a redirect": ("FORBIDDEN", "tcp"), "no size": None}, connector=lambda url: {"url": url}),
    Kind("ollama", lambda *_: ["chat", "it", "hello"],
         b'{"model":"m","message":{"role":"assistant","content":"hi"},"done":false}\n'
         b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1}\n',
         b"Content-Type: application/x-ndjson\r\n", lambda stdout, _: '"hi"' in stdout,
         errors={"503 for ever": ("LIMITED", "query"), "a redirect": ("NOT_FOUND", "query")},   # its own words: a full queue; no API there
         connector=lambda url: {"url": url, "model": "m"}),
    Kind("rest_api", lambda *_: ["call", "it", "look"],
         b'{"name": "' + b"x" * 3000 + b'"}', b"Content-Type: application/json\r\n", lambda stdout, _: "x" * 3000 in stdout,
         errors={"a redirect": ("FORBIDDEN", "tcp")},   # GET is followed
         connector=lambda url: {"base_url": url, "endpoints": {"look": {"path": "/things"}}}),
]
