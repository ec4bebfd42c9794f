# SPDX-License-Identifier: Apache-2.0
"""Kinds over HTTP against a network and services that misbehave: a typed error, in time, nothing half-written; what can be
tried again is. The kind under test is s3; what is tried is the client that all share."""
import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from certificates import Authority
from command import TENON

BODY = bytes(range(256)) * 64
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"v1\"\r\n\r\n" % len(BODY)
LISTING = (b'<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>'
           b"<Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>")


def ok(body=BODY, status=b"200 OK", headers=b""):
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\nETag: \"v1\"\r\n" % len(body) + headers + b"\r\n" + body


class Service:
    """Answers each request with the next of its replies (the last again and again): bytes, or a function of the socket."""

    def __init__(self, *replies, context=None):
        self.replies, self.context, self.requests = list(replies), context, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stopping = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            while True:
                request = b""
                while b"\r\n\r\n" not in request:
                    data = client.recv(65536)
                    if not data:
                        return
                    request += data
                number = len(self.requests)
                self.requests.append(request)
                reply = self.replies[min(number, len(self.replies) - 1)]
                if callable(reply):
                    return reply(client, self)
                client.sendall(reply)

    def stop(self):
        self.stopping.set()
        self.listener.close()


def reset(client, _):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def hang(_, service):
    service.stopping.wait(20)


def hang_in_the_middle(client, service):
    client.sendall(HEAD + BODY[:100])
    service.stopping.wait(20)


def reset_in_the_middle(client, service):
    client.sendall(HEAD + BODY[:100])
    time.sleep(0.05)
    reset(client, service)


def close_in_the_middle(client, _):
    client.sendall(HEAD + BODY[:100])
    client.close()


def drip(client, service):
    for byte in HEAD:
        if service.stopping.wait(0.2):
            return
        client.sendall(bytes([byte]))


def run(port, *words, tls=False, timeout="2s", more=()):
    begin = time.monotonic()
    done = subprocess.run([TENON, *words, "--set", "bucket=b", "--set", f"endpoint=http{'s' if tls else ''}://localhost:{port}",
                           "--set", "region=us-east-1", *more, "--timeout", timeout, "--json"],
                          capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout), time.monotonic() - begin


@pytest.fixture
def service():
    made = []

    def make(*replies, context=None):
        made.append(Service(*replies, context=context))
        return made[-1]

    yield make
    for one in made:
        one.stop()


CASES = {
    "accepts and says nothing": ([hang], "TIMEOUT", "query"),
    "hangs in the middle of the body": ([hang_in_the_middle], "TIMEOUT", "data"),
    "one byte now and then": ([drip], "TIMEOUT", "query"),
    "resets at once": ([reset], "UNREACHABLE", "query"),
    "resets in the middle": ([reset_in_the_middle], "UNREACHABLE", "query"),
    "cut short": ([close_in_the_middle], "UNREACHABLE", "query"),
    "closes without a word": ([lambda client, _: client.close()], "UNREACHABLE", "query"),
    "is no HTTP": ([b"220 mail.example.com ESMTP\r\n"], "DATA", "query"),
    "a head without end": ([b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100000], "LIMITED", "data"),
    "500 for ever": ([ok(b"", b"500 Internal Server Error")], "IO", "query"),
    "503 for ever": ([ok(b"", b"503 Service Unavailable")], "LIMITED", "query"),
    "429 for an hour": ([ok(b"", b"429 Too Many", b"Retry-After: 3600\r\n")], "LIMITED", "query"),
    "a redirect": ([ok(b"", b"302 Found", b"Location: http://169.254.169.254/latest/meta-data/\r\n")], "DATA", "query"),
    "another range than asked for": ([ok(BODY, b"206 Partial Content", b"Content-Range: bytes 5-9/99\r\n")], "DATA", "data"),
    "no size": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"], "DATA", "data"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_get_fails_in_time_and_leaves_nothing(service, tmp_path, name):
    replies, code, stage = CASES[name]
    s = service(*replies)
    out = tmp_path / "out"
    document, seconds = run(s.port, "get", "s3://b/key", str(out))
    assert not document["ok"]
    assert (document["error"]["code"], document["error"]["stage"]) == (code, stage), document["error"]
    assert document["error"]["remedy"]
    assert seconds < 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", ["500", "503", "reset", "429"])
def test_what_passes_by_itself_is_tried_again(service, tmp_path, first):
    failure = {"500": ok(b"", b"500 Oh"), "503": ok(b"", b"503 Slow"), "reset": reset, "429": ok(b"", b"429 T", b"Retry-After: 1\r\n")}[first]
    s = service(failure, ok())
    document, seconds = run(s.port, "get", "s3://b/key", str(tmp_path / "out"), timeout="10s")
    assert document["ok"], document
    assert (tmp_path / "out").read_bytes() == BODY
    assert len(s.requests) == 2
    if first == "429":
        assert seconds >= 1


def test_a_put_is_not_repeated_blindly(service, tmp_path):
    (tmp_path / "in").write_bytes(BODY)
    s = service(ok(b"", b"403 Forbidden"))
    document, _ = run(s.port, "put", str(tmp_path / "in"), "s3://b/key")
    assert document["error"]["code"] == "FORBIDDEN"
    assert len(s.requests) == 1


@pytest.mark.parametrize("listing, code", [
    (LISTING, None),
    (b"", "DATA"), (b"<html>a login page</html>", "DATA"), (b"<ListBucketResult>" * 100000, "LIMITED"), (LISTING[:-10], "DATA"),
    (LISTING.replace(b"<IsTruncated>false", b"<IsTruncated>true"), "DATA"),
    (LISTING.replace(b"<Key>k</Key>", b""), "DATA"),
    (LISTING.replace(b"<Key>k", b"<Key>" + b"k" * 100000), "LIMITED"),
    (LISTING.replace(b"<Size>1<", b"<Size>-1<"), "DATA"),
    (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + LISTING, "DATA"),
], ids=["good", "empty", "a page", "deep", "cut short", "without a token", "without a key", "a long key", "a strange size", "with a document type"])
def test_listings_that_are_none(service, listing, code):
    s = service(ok(listing))
    document, seconds = run(s.port, "ls", "s3://b", "--objects")
    assert (document["error"]["code"] if not document["ok"] else None) == code, document
    assert seconds < 3


def test_a_listing_without_end_is_bounded(service):
    page = LISTING.replace(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")
    s = service(ok(page))
    document, _ = run(s.port, "ls", "s3://b", "--objects")
    assert document["error"]["code"] == "DATA"   # the same token again would go on for ever
    assert len(s.requests) == 2


# ---- Certificates ----


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def context_of(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


BAD = {
    "expired": ("renewed", lambda a, _: a.issue("expired", "DNS:localhost", days=0)),
    "another host's": ("host name", lambda a, _: a.issue("other.example", "DNS:other.example")),
    "of a CA that is not trusted": ("CA", lambda _, folder: Authority(folder, "Stranger").issue("localhost", "DNS:localhost")),
    "self-signed": ("CA", None),
}


def self_signed(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "s.key", "-out", "s.crt"], cwd=folder,
                   check=True, capture_output=True)
    return folder / "s.crt", folder / "s.key"


@pytest.mark.parametrize("name", BAD)
def test_bad_certificates_are_refused(service, authority, tmp_path, name):
    remedy, make = BAD[name]
    pair = make(authority, tmp_path) if make else self_signed(tmp_path)
    if name == "expired":
        time.sleep(1.1)   # a certificate of no days is good for the second in which it was made
    s = service(ok(), context=context_of(pair))
    document, seconds = run(s.port, "get", "s3://b/key", str(tmp_path / "out"), tls=True, more=("--set", f"ca=$FILE:{authority.path}"))
    error = document["error"]
    assert (error["code"], error["stage"]) == ("TLS", "tls"), error
    assert remedy in error["remedy"], error
    assert seconds < 3
    assert s.requests == []   # nothing was said to it


def test_a_good_certificate_is_taken(service, authority, tmp_path):
    s = service(ok(), context=context_of(authority.issue("localhost", "DNS:localhost")))
    document, _ = run(s.port, "get", "s3://b/key", str(tmp_path / "out"), tls=True, more=("--set", f"ca=$FILE:{authority.path}"))
    assert document["ok"], document
    assert (tmp_path / "out").read_bytes() == BODY


def test_old_tls_is_refused(service, authority, tmp_path):
    context = context_of(authority.issue("old", "DNS:localhost"))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    s = service(ok(), context=context)
    document, _ = run(s.port, "get", "s3://b/key", str(tmp_path / "out"), tls=True, more=("--set", f"ca=$FILE:{authority.path}"))
    assert document["error"]["code"] == "TLS", document


def test_a_port_without_tls_is_said(service, tmp_path):
    s = service(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    document, seconds = run(s.port, "get", "s3://b/key", str(tmp_path / "out"), tls=True)   # it waits for the rest of a request
    assert document["error"]["stage"] == "tls", document
    assert seconds < 3


# ---- Where it may go ----


@pytest.mark.parametrize("endpoint", ["http://169.254.169.254", "http://[fd00:ec2::254]", "http://0xa9fea9fe", "http://2852039166",
                                      "http://[::ffff:169.254.169.254]", "http://metadata.google.internal"])
def test_metadata_services_are_out_of_reach(endpoint):
    done = subprocess.run([TENON, "get", "s3://b/key", "-", "--set", f"endpoint={endpoint}", "--egress", "no-metadata", "--timeout", "2s"],
                          capture_output=True, text=True)
    assert "FORBIDDEN" in done.stderr, done.stderr


def test_a_strict_policy_refuses_this_machine(service):
    s = service(ok())
    done = subprocess.run([TENON, "get", "s3://b/key", "-", "--set", f"endpoint=http://127.0.0.1:{s.port}", "--egress", "public-only"],
                          capture_output=True, text=True)
    assert "FORBIDDEN" in done.stderr
    assert s.requests == []
