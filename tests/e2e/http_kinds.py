# SPDX-License-Identifier: Apache-2.0
"""Every kind over HTTP, one row each: what tests/e2e/test_http_faults.py asks all of them.

A row says how one request is made of the kind, what its service answers when all is well, and where the kind's errors are
others than the client's own (CASES in test_http_faults.py). The service of a test answers any request on localhost:PORT.
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
    more: int = 0                # requests beside the one that is asked for again
    connector: callable = None   # (url) -> parameters of the connector `it`, beside its kind


BODY = bytes(range(256)) * 64
JSON = b"Content-Type: application/json\r\n"
EVENTS = b"Content-Type: text/event-stream\r\n"


def events(*documents):
    return b"".join(b"event: %s\ndata: %s\n\n" % (d.get("type", "message").encode(), json.dumps(d).encode()) for d in documents)


KINDS = [
    Kind("s3", lambda _, out: ["get", "it:key", out],
         BODY, b'ETag: "v1"\r\n', lambda _, written: written == BODY,
         errors={"no size": ("DATA", "data")},
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
         b'{"name": "' + b"x" * 3000 + b'"}', JSON, lambda stdout, _: "x" * 3000 in stdout,
         errors={"a redirect": ("FORBIDDEN", "tcp")},   # GET is followed
         connector=lambda url: {"base_url": url, "endpoints": {"look": {"path": "/things"}}}),
    Kind("rest_api with tokens", lambda *_: ["call", "it", "look"],
         b'{"access_token": "t", "token_type": "Bearer", "expires_in": 60, "name": "' + b"x" * 3000 + b'"}', JSON,
         lambda stdout, _: "x" * 3000 in stdout, more=1,
         connector=lambda url: {"kind": "rest_api", "base_url": url, "auth": "oauth_client_credentials", "token_url": url + "/token",
                                "client_id": "c", "client_secret": "s", "insecure": url.startswith("http:"), "endpoints": {"look": {"path": "/things"}}}),
    Kind("openai", lambda *_: ["chat", "it", "hello"],
         events(*[{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": why}]}
                  for delta, why in (({"role": "assistant", "content": "hi"}, None), ({}, "stop"))]) + b"data: [DONE]\n\n",
         EVENTS, lambda stdout, _: '"hi"' in stdout, errors={"503 for ever": ("LIMITED", "query"), "a redirect": ("NOT_FOUND", "query")},
         connector=lambda url: {"base_url": url + "/v1", "model": "m", "api_key": "k"}),
    Kind("anthropic", lambda *_: ["chat", "it", "hello"],
         events({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
                                                      "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}),
         EVENTS, lambda stdout, _: '"hi"' in stdout, errors={"503 for ever": ("LIMITED", "query"), "a redirect": ("NOT_FOUND", "query")},
         connector=lambda url: {"base_url": url, "model": "m", "api_key": "k"}),
    Kind("n8n_webhook", lambda *_: ["call", "it", "fire", "--input", '{"a": 1}'],
         b'{"name": "' + b"x" * 3000 + b'"}', JSON, lambda stdout, _: "x" * 3000 in stdout,
         repeats=False, errors={"403": ("UNAUTHENTICATED", "auth")},   # that is how n8n says so
         connector=lambda url: {"production_url": url + "/webhook/orders"}),
    Kind("twilio_messaging", lambda *_: ["call", "it", "send_sms", "--with", "to=+15558675310", "--with", "body=hi"],
         json.dumps({"sid": "SM" + "0" * 32, "account_sid": "AC" + "0" * 32, "status": "queued", "to": "+15558675310", "from": "+15017122661",
                     "body": "hi", "num_segments": "1", "num_media": "0", "error_code": None, "error_message": None, "price": None,
                     "direction": "outbound-api", "date_created": "Sat, 21 Nov 2026 10:00:00 +0000"}).encode(),
         JSON, lambda stdout, _: "SM" + "0" * 32 in stdout, repeats=False,
         connector=lambda url: {"base_url": url, "account_sid": "AC" + "0" * 32, "auth_token": "t" * 32, "from": "+15017122661"}),
]
