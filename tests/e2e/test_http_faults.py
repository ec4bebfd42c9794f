# SPDX-License-Identifier: Apache-2.0
"""Every kind over HTTP against a network and services that misbehave: a typed error, in time, nothing half-written; what passes
by itself is tried again; certificates that are none, and addresses that nobody may go to, are refused. The kinds are the rows
of http_kinds.py. Most cases wait, so they run side by side: the first test starts them, each takes its own."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import pytest

from certificates import Authority, openssl
from command import TENON
from http_kinds import KINDS

TIMEOUT_S = 1.5
LATE_S = 1.0        # so much later than its deadline a command may end …
START_S = 1.0       # … and so long it may take to start and say so, on a busy machine
SIDE_BY_SIDE = 8
METADATA = b"Location: http://169.254.169.254/latest/meta-data/\r\n"
LISTING = (b'<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>'
           b"<Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>")


def reply(body=b"", status=b"200 OK", headers=b""):
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n" % len(body) + headers + b"\r\n" + body


# ---- Services ----


class Service:
    """Answers each request with the next of its replies (the last again and again): bytes, or a function of the socket."""

    def __init__(self, *replies, context=None):
        self.replies, self.context, self.requests = list(replies), context, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
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
            while request := read_request(client):
                number = len(self.requests)
                self.requests.append(request)
                answer = self.replies[min(number, len(self.replies) - 1)]
                if callable(answer):
                    return answer(client, self)
                client.sendall(answer)

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_request(client):
    """The head and the body that it announces; b"" where the client has gone."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(65536)
        if not data:
            return b""
        request += data
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        data = client.recv(65536)
        if not data:
            return b""
        body += data
    return head + b"\r\n\r\n" + body


class Blackhole:
    """Its queue of connections is full, so it answers to no more of them."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port, self.requests, self.waiting = self.listener.getsockname()[1], [], []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
            self.waiting.append(client)
        time.sleep(0.05)

    def stop(self):
        for client in (*self.waiting, self.listener):
            client.close()

    close = stop


class Nobody:
    """A port at which nobody listens: it is held, so that nobody else does."""

    def __init__(self):
        self.held = socket.socket()
        self.held.bind(("127.0.0.1", 0))
        self.port, self.requests = self.held.getsockname()[1], []

    def stop(self):
        self.held.close()


class Nowhere:
    port, requests = 1, []

    def stop(self):
        pass


# ---- Habits of sockets: what a service does instead of answering ----


def reset(client, _):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def hang(_, service):
    service.stopping.wait(20)


def in_the_middle(kind, then):
    def answer(client, service):
        client.sendall(reply(kind.good, headers=kind.headers)[:-len(kind.good)] + kind.good[:len(kind.good) // 3])
        time.sleep(0.05)
        then(client, service)
    return answer


def drip(client, service):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
        if service.stopping.wait(1 / 3):
            return
        client.sendall(bytes([byte]))


def close(client, _):
    client.close()


# ---- The cases: a service for a kind, and the failure's code and stage ----


def answering(*replies):
    return lambda kind, _: Service(*(r(kind) if callable(r) else r for r in replies))


def doing(habit):
    return lambda kind, _: Service(habit)


CASES = {
    "nobody listens": (lambda *_: Nobody(), "UNREACHABLE", "tcp"),
    "a black hole": (lambda *_: Blackhole(), "TIMEOUT", "tcp"),
    "no such name": (lambda *_: Nowhere(), "UNREACHABLE", "dns"),
    "accepts and says nothing": (doing(hang), "TIMEOUT", "query"),
    "hangs in the middle of the body": (lambda kind, _: Service(in_the_middle(kind, hang)), "TIMEOUT", "data"),
    "one byte now and then": (doing(drip), "TIMEOUT", "query"),
    "resets at once": (doing(reset), "UNREACHABLE", "query"),
    "resets in the middle": (lambda kind, _: Service(in_the_middle(kind, reset)), "UNREACHABLE", "query"),
    "cut short": (lambda kind, _: Service(in_the_middle(kind, close)), "UNREACHABLE", "query"),
    "closes without a word": (doing(close), "UNREACHABLE", "query"),
    "is no HTTP": (answering(b"220 mail.example.com ESMTP\r\n"), "DATA", "query"),
    "a head without end": (answering(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100000), "LIMITED", "data"),
    "500 for ever": (answering(reply(status=b"500 Internal Server Error")), "IO", "query"),
    "503 for ever": (answering(reply(status=b"503 Service Unavailable")), "UNREACHABLE", "query"),
    "429 for an hour": (answering(reply(status=b"429 Too Many", headers=b"Retry-After: 3600\r\n")), "LIMITED", "query"),
    "401": (answering(reply(status=b"401 Unauthorized")), "UNAUTHENTICATED", "auth"),
    "403": (answering(reply(status=b"403 Forbidden")), "FORBIDDEN", "permission"),
    "404": (answering(reply(status=b"404 Not Found")), "NOT_FOUND", "query"),
    "a redirect": (answering(reply(status=b"302 Found", headers=METADATA)), "DATA", "query"),
    "no size": (answering(lambda k: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + k.headers +
                          b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(k.good), k.good)), None, None),
    "a length, and chunks": (answering(lambda k: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + k.headers +
                                       b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(k.good), k.good)), "DATA", "data"),
    "a list of lengths": (answering(lambda k: b"HTTP/1.1 200 OK\r\nContent-Length: %d, 1\r\n" % len(k.good) + k.headers + b"\r\n" + k.good), "DATA", "data"),
    "two lengths": (answering(lambda k: reply(k.good, headers=k.headers + b"Content-Length: 1\r\n")), "DATA", "data"),
    "surplus": (answering(lambda k: reply(k.good, headers=k.headers) + b"HTTP/1.1 200 OK\r\n" + b"more " * 100), None, None),
    "all is well": (answering(lambda k: reply(k.good, headers=k.headers)), None, None),
}
PASSING = {
    "500 once": answering(reply(status=b"500 Oh"), lambda k: reply(k.good, headers=k.headers)),
    "503 twice": answering(*[reply(status=b"503 Slow")] * 2, lambda k: reply(k.good, headers=k.headers)),
    "a reset once": answering(lambda _: reset, lambda k: reply(k.good, headers=k.headers)),
    "429 for a second": answering(reply(status=b"429 T", headers=b"Retry-After: 1\r\n"), lambda k: reply(k.good, headers=k.headers)),
}


# ---- Certificates ----


def self_signed(folder):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", "s.key", "-out", "s.crt", folder=folder)
    return folder / "s.crt", folder / "s.key"


class Certificates:
    """Of one authority that the kinds trust, and of others that they do not."""

    def __init__(self, folder):
        self.authority = Authority(folder)
        (folder / "stranger").mkdir()
        (folder / "self").mkdir()
        stranger = Authority(folder / "stranger", "Stranger")
        self.pairs = {
            "expired": self.authority.issue("expired", "DNS:localhost", days=0),
            "good": self.authority.issue("good", "DNS:localhost"),
            "another host's": self.authority.issue("other.example", "DNS:other.example"),
            "of a CA that is not trusted": stranger.issue("localhost", "DNS:localhost"),
            "self-signed": self_signed(folder / "self"),
            "a weak key": self.authority.issue("weak", "DNS:localhost", key=("rsa:1024",)),
        }
        self.made = time.monotonic()

    def context(self, name):
        if name == "expired":   # a certificate of no days is good for the second in which it was made
            time.sleep(max(0, self.made + 1.1 - time.monotonic()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*self.pairs.get(name, self.pairs["good"]))
        if name == "of TLS 1.1":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        return context


BAD = {"expired": "renewed", "another host's": "host name", "of a CA that is not trusted": "CA", "self-signed": "CA", "a weak key": "",
       "of TLS 1.1": ""}


def secured(name):
    return lambda kind, certificates: Service(reply(kind.good, headers=kind.headers), context=certificates.context(name))


# ---- Addresses: tests/cases/egress.txt has all spellings; here is shown that a kind goes through the client that knows them ----

FORBIDDEN = {
    "no-metadata": ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "metadata.google.internal"],
    "public-only": ["localhost", "0x7f.1", "[64:ff9b::7f00:1]"],
}


# ---- Running them ----


def connectors(kind, folder, url):
    """A file beside the folder with the connector `it`."""
    path = folder.with_suffix(".yaml")
    path.write_text(json.dumps({"connectors": {"it": {"kind": kind.name, **kind.connector(url)}}}))   # JSON is YAML
    return str(path)


class Run:
    """What came of a command against a service."""

    def __init__(self, kind, service, folder, url, *more, timeout=TIMEOUT_S):
        folder.mkdir()
        out = folder / "out"
        begin = time.monotonic()
        done = subprocess.run([TENON, *kind.ask(url, str(out)), *more, "--connectors", connectors(kind, folder, url), "--timeout", f"{timeout}s", "--json"], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "HOME": str(folder)}, cwd=folder)
        self.seconds = time.monotonic() - begin
        self.requests = len(service.requests) if service else 0
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.stdout, self.stderr = done.stdout, done.stderr
        lines = [line for line in done.stdout.splitlines() if line]
        self.document = json.loads(lines[-1]) if lines else {"ok": False, "error": {"code": done.stderr, "stage": None}}

    def expect_failure(self, code, stage):
        assert not self.document["ok"], self.document
        error = self.document["error"]
        # the deadline may come in the middle of another try
        is_late = error["code"] == "TIMEOUT" and self.requests > 1 and self.seconds >= TIMEOUT_S
        assert is_late or (error["code"], error["stage"]) == (code, stage), error
        assert error["remedy"]
        assert self.seconds < TIMEOUT_S + LATE_S + START_S
        assert self.files == {}

    def expect_success(self, kind):
        assert self.document["ok"], (self.document, self.stderr)
        assert kind.is_answer(self.stdout, self.files.get("out"))


class Jobs:
    def __init__(self, folder):
        self.folder, self.certificates, self.jobs, self.lock = folder, None, {}, threading.Lock()
        self.again = build_again(folder)
        self.pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)

    def certificates_of(self):
        with self.lock:
            if not self.certificates:
                (self.folder / "ca").mkdir()
                self.certificates = Certificates(self.folder / "ca")
            return self.certificates

    def start(self, key, function):
        folder = self.folder / f"run-{len(self.jobs)}"
        self.jobs[key] = self.pool.submit(function, folder)

    def run(self, kind, make, folder, *more, tls=False, host="localhost", **options):
        service = make(kind, self.certificates_of() if tls else None)
        try:
            if tls:
                more = (*more, "--set", f"{kind.ca}=$FILE:{self.certificates_of().authority.path}")
            return Run(kind, service, folder, f"http{'s' if tls else ''}://{host}:{service.port}", *more, **options)
        finally:
            service.stop()

    def start_kind(self, kind):
        def start(key, make, *more, **options):
            self.start((kind.name, key), lambda folder: self.run(kind, make, folder, *more, **options))

        for case, (make, *_) in CASES.items():
            host = "nothing.invalid" if case == "no such name" else "localhost"
            start(case, make, *(("--egress", "no-metadata") if case == "a redirect" else ()), host=host)
        for case, make in PASSING.items():
            start(case, make, timeout=10)
        if kind in TO_THE_CLIENT:
            self.start_client(kind, start)

    def start_client(self, kind, start):
        for name in (*BAD, "good"):
            start(f"certificate {name}", secured(name), tls=True)
        start("no TLS", answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), tls=True)
        if self.again:
            self.start((kind.name, "again"), lambda folder: run_again(self.again, kind, folder))
        for policy, hosts in FORBIDDEN.items():
            for host in hosts:
                self.start((kind.name, policy, host),
                           lambda folder, p=policy, h=host: Run(kind, None, folder, f"http://{h}:1", "--egress", p))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, request):
    jobs = Jobs(tmp_path_factory.mktemp("faults"))
    names = {item.callspec.params["kind"].name for item in request.session.items
             if item.path == request.path and "kind" in getattr(getattr(item, "callspec", None), "params", {})}
    for kind in KINDS:
        if kind.name in names:
            jobs.start_kind(kind)
    yield jobs
    jobs.pool.shutdown(cancel_futures=True)


# What is the client's alone is asked of every kind once: where sanitizers make it slow, of the first two.
TO_THE_CLIENT = KINDS if "asan" not in TENON else KINDS[:2]
every_client = pytest.mark.parametrize("kind", TO_THE_CLIENT, ids=lambda kind: kind.name)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@every_kind
@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_a_typed_error_in_time(jobs, kind, case):
    run = jobs.jobs[kind.name, case].result()
    _, code, stage = CASES[case]
    expected = kind.errors.get(case, (code, stage))
    if expected is None or expected[0] is None:
        run.expect_success(kind)
    else:
        run.expect_failure(*expected)


@every_kind
@pytest.mark.parametrize("case", PASSING)
def test_what_passes_by_itself_is_tried_again(jobs, kind, case):
    run = jobs.jobs[kind.name, case].result()
    if not kind.repeats:
        assert run.requests == 1
        return
    run.expect_success(kind)
    assert run.requests == (3 if "twice" in case else 2) + kind.more
    assert run.seconds >= 1 or "second" not in case


@every_client
@pytest.mark.parametrize("name", BAD)
def test_bad_certificates_are_refused(jobs, kind, name):
    run = jobs.jobs[kind.name, f"certificate {name}"].result()
    run.expect_failure("TLS", "tls")
    assert BAD[name] in run.document["error"]["remedy"]
    assert run.requests == 0   # nothing was said to it


@every_client
def test_a_good_certificate_is_taken(jobs, kind):
    jobs.jobs[kind.name, "certificate good"].result().expect_success(kind)


@every_client
def test_a_port_without_tls_is_said(jobs, kind):
    run = jobs.jobs[kind.name, "no TLS"].result()   # it waits for the rest of a request
    assert run.document["error"]["stage"] == "tls", run.document
    assert run.seconds < TIMEOUT_S + LATE_S + START_S


@every_client
@pytest.mark.parametrize("policy, host", [(policy, host) for policy, hosts in FORBIDDEN.items() for host in hosts])
def test_forbidden_addresses_are_out_of_reach(jobs, kind, policy, host):
    run = jobs.jobs[kind.name, policy, host].result()
    assert run.document["error"]["code"] == "FORBIDDEN", run.document
    assert policy in run.document["error"]["remedy"] or policy in run.document["error"]["message"], run.document


# ---- Again and again ----


def build_again(folder):
    """The program tests/e2e/again.c; None under sanitizers, which keep what was freed."""
    library = pathlib.Path(TENON).resolve().parent / "libtenon.so"
    if not library.exists() or "plain" not in library.parts:
        return None
    program, source = folder / "again", pathlib.Path(__file__).resolve().parent / "again.c"
    subprocess.run(["cc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", source.parents[2] / "include", "-o", program, source,
                    f"-L{library.parent}", "-ltenon", f"-Wl,-rpath,{library.parent}"], check=True)
    return program


def run_again(program, kind, folder):
    service = Service(*[hang, reset, close, in_the_middle(kind, reset), in_the_middle(kind, hang), drip,
                        lambda client, _: client.sendall(b"220 mail.example.com ESMTP\r\n"),
                        lambda client, _: client.sendall(reply(status=b"500 Oh")),
                        lambda client, _: client.sendall(reply(kind.good, headers=kind.headers))] * 1000)
    try:
        done = subprocess.run([program, "45", "100", connectors(kind, folder, f"http://localhost:{service.port}"), "it"],
                              capture_output=True, text=True, timeout=60, check=True)
    finally:
        service.stop()
    return json.loads(done.stdout), len(service.requests)


@every_kind
def test_nothing_is_left_of_what_failed(jobs, kind):
    if not jobs.again:
        pytest.skip("needs a library without sanitizers")
    left, requests = jobs.jobs[kind.name, "again"].result()
    assert left["files"][0] == left["files"][1] and left["threads"][0] == left["threads"][1], left
    assert left["heap"][1] - left["heap"][0] < 64 << 10, left
    assert len(left["codes"]) >= 3, left   # it did fail, in more than one way
    assert requests >= 45


# ---- Of s3 alone ----


@pytest.fixture
def service():
    made = []

    def make(*replies):
        made.append(Service(*replies))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def run(port, *words):
    begin = time.monotonic()
    done = subprocess.run([TENON, *words, "--set", "bucket=b", "--set", f"endpoint=http://localhost:{port}", "--set", "region=us-east-1",
                           "--timeout", "10s", "--json"], capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout), time.monotonic() - begin


def test_another_range_than_asked_for(service, tmp_path):
    s = service(reply(b"x" * 99, b"206 Partial Content", b"Content-Range: bytes 5-9/99\r\n"))
    document, _ = run(s.port, "get", "s3://b/key", str(tmp_path / "out"))
    assert (document["error"]["code"], document["error"]["stage"]) == ("DATA", "data")
    assert list(tmp_path.iterdir()) == []


def test_a_put_is_not_repeated_blindly(service, tmp_path):
    (tmp_path / "in").write_bytes(b"x" * 1000)
    s = service(reply(status=b"403 Forbidden"))
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
    s = service(reply(listing))
    document, seconds = run(s.port, "ls", "s3://b", "--objects")
    assert (document["error"]["code"] if not document["ok"] else None) == code, document
    assert seconds < 5


def test_a_listing_without_end_is_bounded(service):
    page = LISTING.replace(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")
    s = service(reply(page))
    document, _ = run(s.port, "ls", "s3://b", "--objects")
    assert document["error"]["code"] == "DATA"   # the same token again would go on for ever
    assert len(s.requests) == 2
