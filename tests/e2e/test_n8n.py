# SPDX-License-Identifier: Apache-2.0
"""The kind n8n_webhook."""
import contextlib
import json
import socket
import ssl
import time
import urllib.parse

import pytest

from certificates import Authority
from n8n_api import FakeN8n, Webhook
from test_http_faults import Blackhole

EVENT = {"order": 17, "name": "Ada \"Ü\" & co", "lines": [1, 2.50, None], "big": 9007199254740993}
TEXT = '{"order": 17, "price": 2.50, "big": 9007199254740993}'


@pytest.fixture
def n8n():
    fake = FakeN8n()
    yield fake
    fake.shutdown()
    fake.server_close()


@pytest.fixture
def flow(tenon, n8n):
    def words(command, *more, **settings):
        given = {"kind": "n8n_webhook", "production_url": n8n.url + "/webhook/orders", "test_url": n8n.url + "/webhook-test/orders", **settings}
        path = tenon.folder / "n8n.yaml"
        path.write_text(json.dumps({"connectors": {"flow": given}}))
        return [command, "flow", *more, "--connectors", path]
    return words


def fire(tenon, flow, event=None, **settings):
    text = event if isinstance(event, str) else json.dumps(EVENT if event is None else event)
    return tenon.result(*flow("call", "fire", "--input", text, **settings))["output"]


def fail(tenon, flow, **settings):
    return tenon.error(*flow("call", "fire", "--input", "{}", **settings))


def test_an_event_arrives_as_it_is(tenon, n8n, flow):
    n8n.active["orders"] = Webhook()
    assert fire(tenon, flow, TEXT) == {"status": 200, "body": {"message": "Workflow was started"}}
    assert [(e[0], e[2].decode()) for e in n8n.events] == [("POST", TEXT)]   # digit by digit


@pytest.mark.parametrize("kind, sent, got", [
    ("application/json", b'[{"a": 1.50}]', [{"a": 1.5}]), ("text/plain", "gr\u00fcn \"1\"".encode(), 'gr\u00fcn "1"'), ("text/html", b"<p>", "<p>"),
    ("application/json", b"", None), ("application/octet-stream", b"\xff\x00", "\ufffd\x00"),
])
def test_answers_of_any_sort(tenon, n8n, flow, kind, sent, got):
    n8n.active["orders"] = Webhook(answer=lambda h: h.send(201, sent, kind))
    assert fire(tenon, flow) == {"status": 201, "body": got}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_methods_without_a_body_have_a_query(tenon, n8n, flow, method):
    n8n.active["orders"] = Webhook(method)
    fire(tenon, flow, method=method)
    command, _, body, query = n8n.events[0]
    assert (command, body) == (method, b"")
    pairs = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
    assert pairs == {"order": "17", "name": EVENT["name"], "lines": "[1, 2.5, null]", "big": "9007199254740993"}


@pytest.mark.parametrize("auth, settings", [
    (("basic", "ada", "p:w \u00e4"), {"auth": "basic", "username": "ada", "password": "p:w \u00e4"}),
    (("header", "X-API-Key", "the-key"), {"auth": "header", "header_name": "X-API-Key", "header_value": "the-key"}),
])
def test_authentication(tenon, n8n, flow, auth, settings):
    n8n.active["orders"] = Webhook(auth=auth)
    assert fire(tenon, flow, **settings)["status"] == 200
    secret = "password" if auth[0] == "basic" else "header_value"
    for wrong in ({}, {**settings, secret: "wrong-secret"}):
        error = fail(tenon, flow, **wrong)
        assert (error["code"], error["stage"]) == ("UNAUTHENTICATED", "auth") and "wrong-secret" not in json.dumps(error)
        assert ("auth" in error["remedy"]) if not wrong else (list(settings)[1] in error["remedy"])
    assert len(n8n.events) == 1


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Host", "Connection", "Range", "x y"])
def test_headers_that_are_not_for_credentials(tenon, n8n, flow, name):
    n8n.active["orders"] = Webhook()
    error = fail(tenon, flow, auth="header", header_name=name, header_value="5")
    assert (error["code"], error["stage"]) == ("CONFIG", "config") and f"header_name: the header {name}" in error["message"]
    assert not n8n.events


def test_the_test_url_is_good_for_one_call(tenon, n8n, flow):
    n8n.listening["orders"] = Webhook()
    assert fire(tenon, flow, mode="test")["status"] == 200
    error = fail(tenon, flow, mode="test")
    assert error["code"] == "NOT_FOUND" and "Execute workflow" in error["remedy"]


def test_refusals(tenon, n8n, flow):
    error = fail(tenon, flow)
    assert error["code"] == "NOT_FOUND" and "activate" in error["remedy"] and "not registered" in error["message"]
    n8n.active["orders"] = Webhook("PUT")
    error = fail(tenon, flow)
    assert error["code"] == "NOT_FOUND" and "method" in error["remedy"]
    n8n.active["orders"] = Webhook(answer=lambda h: h.json(500, {"message": "Error in workflow"}))
    error = fail(tenon, flow)
    assert error["code"] == "IO" and "Error in workflow" in error["message"] and "executions" in error["remedy"]
    error = fail(tenon, flow, production_url=None)
    assert error["code"] == "CONFIG" and "production_url" in error["message"]
    for url in ("ftp://h/webhook/x", "https://user:pw@h/webhook/x", "http://h/webhook/x?a=1"):
        error = fail(tenon, flow, production_url=url)
        assert error["code"] == "CONFIG" and "production_url" in error["message"] and "pw" not in error["message"]


def test_an_event_is_fired_once(tenon, n8n, flow):
    def drop(h):
        h.close_connection = True
        h.connection.close()

    for answer in (drop, lambda h: h.send(504, b"<h1>Gateway Time-out</h1>", "text/html")):
        n8n.active["orders"] = Webhook(answer=answer)
        del n8n.events[:]
        error = fail(tenon, flow)
        assert "may have been started" in error["message"] and "executions" in error["remedy"] and not error["retryable"]
        assert len(n8n.events) == 1


def test_nobody_waits_where_nobody_wants_to(tenon, n8n, flow):
    def slow(h):
        time.sleep(3)
        h.json(200, {})

    n8n.active["orders"] = Webhook(answer=slow)
    began = time.monotonic()
    assert fire(tenon, flow, wait=False, accept_timeout="300ms") == {"status": None, "body": None}
    assert 0.3 <= time.monotonic() - began < 2.5
    assert len(n8n.events) == 1
    n8n.active["orders"] = Webhook()
    assert fire(tenon, flow, wait=False, accept_timeout="30s") == {"status": 200, "body": None}
    n8n.active.clear()
    assert fail(tenon, flow, wait=False, accept_timeout="30s")["code"] == "NOT_FOUND"   # a refusal is still told


def test_an_event_that_does_not_arrive_is_no_success(tenon, flow):
    """Nobody waits for the workflow's answer; but somebody has to have got the event."""
    quick = {"wait": False, "accept_timeout": "400ms"}
    with contextlib.closing(Blackhole()) as nobody:   # its system answers no more connections
        error = fail(tenon, flow, production_url=f"http://127.0.0.1:{nobody.port}/webhook/x", **quick)
        assert (error["code"], error["stage"]) == ("TIMEOUT", "tcp") and "has not been sent" in error["message"]
    with socket.socket() as deaf:   # the kernel takes what fits into its buffers, and nobody reads
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/webhook/x"
        (tenon.folder / "big.json").write_text(json.dumps({"x": "y" * (7 << 20)}))
        error = tenon.error(*flow("call", "fire", "--input", "@" + str(tenon.folder / "big.json"), production_url=url, **quick))
        assert (error["code"], error["stage"]) == ("TIMEOUT", "query") and "did not arrive whole" in error["message"], error
        assert "may have been started" in error["message"]
        assert fire(tenon, flow, TEXT, production_url=url, **quick) == {"status": None, "body": None}


def test_the_test_starts_nothing(tenon, n8n, flow):
    def walk(**settings):
        answer = tenon.json(*flow("test", **settings))
        return answer, {s["name"]: s for s in answer["result"]["steps"]}

    n8n.active["orders"] = Webhook()
    answer, steps = walk()
    assert answer["ok"] and list(steps) == ["dns", "tcp", "auth", "probe"] and "nothing was started" in steps["probe"]["evidence"]
    answer, steps = walk(method="PUT")
    assert answer["error"]["code"] == "NOT_FOUND" and "method" in answer["error"]["remedy"]
    answer, _ = walk(production_url=n8n.url + "/webhook/other")
    assert answer["error"]["code"] == "NOT_FOUND" and "activate" in answer["error"]["remedy"]
    answer, _ = walk(mode="test")
    assert answer["error"]["code"] == "NOT_FOUND" and "Execute workflow" in answer["error"]["remedy"]
    answer, steps = walk(production_url=n8n.url + "/elsewhere")
    assert not answer["ok"] and steps["probe"]["outcome"] == "failed"
    assert n8n.events == [] and n8n.asked == 4
    n8n.gate = ("X-API-Key", "the-key")
    answer, steps = walk(auth="header", header_name="X-API-Key", header_value="the-key")
    assert answer["ok"] and steps["auth"]["outcome"] == "ok", answer
    answer, steps = walk(auth="header", header_name="X-API-Key", header_value="another")
    assert answer["error"]["code"] == "UNAUTHENTICATED" and steps["auth"]["outcome"] == "failed"
    assert n8n.events == []


def test_a_client_certificate_is_shown(tenon, flow, tmp_path):
    """By the parameters that all kinds over HTTP have."""
    authority = Authority(tmp_path)
    server, server_key = authority.issue("localhost", "IP:127.0.0.1")
    client, client_key = authority.issue("client", "DNS:client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server, server_key)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    fake = FakeN8n(context)
    fake.active["orders"] = Webhook()
    shown = {"production_url": fake.url + "/webhook/orders", "ca": f"$FILE:{authority.path}"}
    assert fail(tenon, flow, **shown)["code"] in ("TLS", "UNREACHABLE")
    assert fire(tenon, flow, **shown, certificate=f"$FILE:{client}", key=f"$FILE:{client_key}")["status"] == 200
    error = fail(tenon, flow, **shown, certificate=f"$FILE:{client}", key=f"$FILE:{server_key}")
    assert error["code"] == "CONFIG" and "key" in error["message"] + error["remedy"]
    fake.shutdown()
    fake.server_close()
