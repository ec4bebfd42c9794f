# SPDX-License-Identifier: Apache-2.0
"""What fails for a while is tried again by the kind s3, in get, put and list alike: as long as the service asks to wait,
while there is time, and never what cannot be done twice."""
import http.server
import json
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

from command import TENON

PART = 8 << 20
DATA = bytes(range(256)) * (2 * PART // 256) + b"end"
BUSY = 503, "SlowDown"


def reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """A bucket in memory. server.plan(what, number of times it was asked) answers None, (status, code, headers...) or a function."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fails(self, what):
        server = self.server
        with server.lock:
            server.asked.append((what, time.monotonic()))
            times = sum(w == what for w, _ in server.asked)
        wanted = server.plan(what, times)
        if wanted is None:
            return False
        if callable(wanted):
            wanted(self)
        else:
            status, code, *more = wanted
            self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), **(more[0] if more else {}))
        return True

    def handle_one(self):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        server, body = self.server, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if server.refuse_all:
            return server.refuse_all(self)
        if self.command == "POST" and "uploads" in query:
            self.fails("begin") or self.answer(200, b"<R><UploadId>u</UploadId></R>")
        elif self.command == "POST":
            if self.fails("complete"):
                return
            server.object = b"".join(server.parts[n] for n in sorted(server.parts))
            self.answer(200, b"<R><ETag>\"e\"</ETag></R>")
        elif self.command == "PUT" and "partNumber" in query:
            number = int(query["partNumber"])
            if not self.fails(f"part {number}"):
                server.parts[number] = body
                self.answer(200, ETag=f'"{number}"')
        elif self.command == "PUT":
            if not self.fails("put"):
                server.object = body
                self.answer(200, ETag='"e"')
        elif self.command == "DELETE":
            if not self.fails("abort"):
                server.aborted += 1
                self.answer(204)
        elif self.command == "HEAD" and server.object is not None:
            self.answer(200, server.object, ETag=server.etag or f'"e-{len(server.parts)}"')
        elif "list-type" in query:
            self.fails("list") or self.list(query)
        elif self.command == "GET" and server.object is not None:
            self.get()
        else:
            self.answer(404)

    def get(self):
        start, end = map(int, re.match(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        end = min(end + 1, len(self.server.object))
        if not self.fails(f"range {start // PART}"):
            self.answer(206, self.server.object[start:end], ETag='"e"', Content_Range=f"bytes {start}-{end - 1}/{len(self.server.object)}")

    def list(self, query):
        after = query.get("continuation-token", query.get("start-after", ""))
        keys = [k for k in self.server.keys if k > after and k.startswith(query["prefix"])]
        sizes = self.server.sizes
        rows = "".join(f"<Contents><Key>{k}</Key><Size>{sizes.get(k, int(k[-1] != '/'))}</Size></Contents>" for k in keys[:1000])
        more = f"<NextContinuationToken>{keys[999]}</NextContinuationToken>" if len(keys) > 1000 else ""
        self.answer(200, f"<ListBucketResult><IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}{rows}</ListBucketResult>".encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one


@pytest.fixture
def bucket(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.lock, server.asked, server.parts, server.object, server.aborted = threading.Lock(), [], {}, None, 0
    server.etag, server.keys, server.sizes, server.plan, server.folder = None, [], {}, lambda what, times: None, tmp_path
    server.refuse_all = None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def tenon(bucket, *words, stdin=None):
    return subprocess.run([TENON, *words, "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=us-east-1"],
                          input=stdin, capture_output=True, cwd=bucket.folder)


def times_of(bucket, what):
    return [at for w, at in bucket.asked if w == what]


def put(bucket, data=DATA, *more):
    return tenon(bucket, "put", "-", "s3://bucket/key", "--json", *more, stdin=data)


def error_of(done):
    assert done.returncode != 0
    return json.loads(done.stdout)["error"]


@pytest.mark.parametrize("what", ["begin", "part 1", "part 3", "complete"])
@pytest.mark.parametrize("how", [BUSY, (500, "InternalError"), reset], ids=["busy", "fault", "reset"])
def test_each_request_of_an_upload_is_tried_again(bucket, what, how):
    bucket.plan = lambda asked, times: how if asked == what and times == 1 else None
    done = put(bucket)
    assert done.returncode == 0, done.stderr.decode()
    assert bucket.object == DATA and bucket.aborted == 0
    assert len(times_of(bucket, what)) == 2


def test_a_put_at_once_is_tried_again(bucket):
    bucket.plan = lambda asked, times: BUSY if times == 1 else None
    assert put(bucket, b"small").returncode == 0
    assert bucket.object == b"small" and len(bucket.asked) == 2


@pytest.mark.parametrize("what", ["part 2", "begin"])
def test_what_stays_broken_is_said_and_leaves_nothing(bucket, what):
    bucket.plan = lambda asked, times: BUSY if asked == what else None
    assert error_of(put(bucket))["code"] == "LIMITED"
    assert bucket.object is None and bucket.aborted == (what != "begin")
    assert len(times_of(bucket, what)) == 5


@pytest.mark.parametrize("stays", [False, True], ids=["for a while", "for good"])
def test_an_abort_that_fails_is_tried_again_or_said(bucket, stays):
    bucket.plan = lambda asked, times: (403, "AccessDenied") if asked == "part 2" else (500, "InternalError") if asked == "abort" and (stays or times < 3) else None
    done = put(bucket)
    assert error_of(done)["code"] == "FORBIDDEN" and len(times_of(bucket, "abort")) == (5 if stays else 3)
    assert bucket.aborted == (not stays) and (b"could not be aborted" in done.stderr) == stays


def test_the_same_signal_twice_at_once_leaves_time_to_abort(bucket):
    held = threading.Event()
    bucket.plan = lambda asked, times: held.wait(10) and None if asked == "part 2" else time.sleep(0.2) if asked == "abort" else None
    child = subprocess.Popen([TENON, "put", "-", "s3://bucket/key", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=r"],
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    child.stdin.write(DATA)
    child.stdin.flush()
    until = time.monotonic() + 10
    while not times_of(bucket, "part 2") and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    time.sleep(0.05)   # or the two would be one for the kernel already
    child.send_signal(signal.SIGTERM)
    said = child.communicate(timeout=20)[1]
    held.set()
    assert child.returncode == 143 and b"code: CANCELLED" in said and bucket.aborted == 1


@pytest.mark.parametrize("words", [["get", "s3://bucket/key", "out"], ["get", "s3://bucket/key", "out", "--resume"], ["put", "data", "s3://bucket/key"]],
                         ids=["get", "resume", "put"])
def test_progress_of_objects_tells_how_much_there_is(bucket, words):
    (bucket.folder / "data").write_bytes(DATA)
    bucket.object = DATA
    what = "part 2" if words[0] == "put" else "range 1"
    bucket.plan = lambda asked, times: time.sleep(1.2) if asked == what and times == 1 else None
    lines = [json.loads(line)["progress"] for line in tenon(bucket, *words, "--progress", "json").stderr.splitlines() if line[:1] == b"{"]
    assert {line["bytes_estimate"] for line in lines} == {len(DATA)} and {line["rows"] for line in lines} == {None}
    assert (lines[-1]["bytes"], lines[-1]["eta_ms"], lines[-1]["done"]) == (len(DATA), 0, True) and lines[-1]["elapsed_ms"] >= 1200
    if words[0] == "get":
        assert any(not line["done"] and line["eta_ms"] > 0 for line in lines[:-1])
    bucket.plan = lambda asked, times: (403, "AccessDenied") if asked == what else None
    failed = tenon(bucket, *words, "--progress", "json")
    lines = [json.loads(line)["progress"] for line in failed.stderr.splitlines() if line[:1] == b"{"]
    assert failed.returncode == 5 and not any(line["done"] for line in lines)


def test_a_refusal_is_not_tried_again(bucket):
    bucket.plan = lambda asked, times: (403, "AccessDenied") if asked == "part 2" else None
    assert error_of(put(bucket))["code"] == "FORBIDDEN"
    assert len(times_of(bucket, "part 2")) == 1 and bucket.aborted == 1


def test_a_completion_that_was_not_answered_may_have_happened(bucket):
    def complete_then_hang_up(handler):
        bucket.object = b"".join(bucket.parts[n] for n in sorted(bucket.parts))
        reset(handler)
    bucket.plan = lambda asked, times: (None if asked != "complete" else complete_then_hang_up if times == 1 else (404, "NoSuchUpload"))
    done = put(bucket)
    assert done.returncode == 0, done.stderr.decode()
    assert bucket.object == DATA and bucket.aborted == 0


def test_an_upload_that_somebody_aborted_is_not_there(bucket):
    bucket.plan = lambda asked, times: None if asked != "complete" else (500, "InternalError") if times == 1 else (404, "NoSuchUpload")
    assert error_of(put(bucket))["code"] == "GONE"
    assert bucket.object is None


@pytest.mark.parametrize("what", ["part 2", "range 1", "list"])
def test_retry_after_is_heeded(bucket, what):
    bucket.keys = [f"{i:05}" for i in range(2500)]
    bucket.plan = lambda asked, times: (503, "SlowDown", {"Retry-After": "1"}) if asked == what and times == (2 if what == "list" else 1) else None
    if what == "list":
        done = tenon(bucket, "ls", "s3://bucket", "--objects", "--json")
        assert [o["key"] for o in json.loads(done.stdout)["result"]["objects"]] == bucket.keys
    elif what == "part 2":
        assert put(bucket).returncode == 0 and bucket.object == DATA
    else:
        bucket.object = DATA
        assert tenon(bucket, "get", "s3://bucket/key", "-").stdout == DATA
    at = times_of(bucket, what)
    failed = 1 if what == "list" else 0
    assert 0.99 <= at[failed + 1] - at[failed] < 3


@pytest.mark.parametrize("words, what", [(["get", "s3://bucket/key", "-"], "range 0"), (["read", "s3://bucket/key.csv"], "range 0"),
                                         (["ls", "s3://bucket", "--objects"], "list"), (["get", "http://127.0.0.1:{}/key", "-"], "range 0")],
                         ids=["get", "read", "list", "http"])
def test_a_first_request_has_as_many_tries_as_any_other(bucket, words, what):
    bucket.object, bucket.keys = b"n\n1\n", ["key"]
    words = [word.format(bucket.server_port) for word in words]
    bucket.plan = lambda asked, times: (500, "InternalError") if asked == what else None
    more = ["--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=r"] if "s3" in words[1] else []
    done = subprocess.run([TENON, *words, *more], cwd=bucket.folder, capture_output=True)
    assert done.returncode == 15
    at = times_of(bucket, what)
    waits = [b - a for a, b in zip(at, at[1:])]
    assert len(waits) == 4 and all(wait >= 0.05 * 2 ** i for i, wait in enumerate(waits)), waits


def test_many_objects_are_patient_together(bucket):
    bucket.keys, bucket.sizes = [f"in/{i}" for i in range(8)], {f"in/{i}": 4 for i in range(8)}
    bucket.object = b"data"
    bucket.plan = lambda asked, times: BUSY if asked == "range 0" and times <= 16 else None
    done = tenon(bucket, "get", "s3://bucket/in", "out", "--recursive", "--json")
    assert json.loads(done.stdout)["result"]["objects"] == 8, done.stdout


@pytest.mark.parametrize("how", [BUSY, (500, "InternalError"), reset], ids=["busy", "fault", "reset"])
def test_ranges_of_an_object_are_tried_again(bucket, how):
    bucket.object = DATA
    bucket.plan = lambda asked, times: how if times == 1 else None
    assert tenon(bucket, "get", "s3://bucket/key", "-").stdout == DATA


def test_a_wait_beyond_the_deadline_is_none(bucket):
    bucket.plan = lambda asked, times: (503, "SlowDown", {"Retry-After": "30"}) if asked == "part 2" else None
    began = time.monotonic()
    assert error_of(put(bucket, DATA, "--timeout", "5"))["code"] == "LIMITED"
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("url", ["s3://bucket/key", "http://127.0.0.1:{}/key"])
def test_a_wait_that_leaves_no_time_for_an_answer_is_none(bucket, url):
    bucket.refuse_all = lambda handler: handler.answer(429, Retry_After="1")
    more = ["--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=r"] if url[0] == "s" else []
    began = time.monotonic()
    done = subprocess.run([TENON, "get", url.format(bucket.server_port), "-", "--timeout", "1200ms", *more], capture_output=True)
    assert b"code: LIMITED" in done.stderr and time.monotonic() - began < 1


def test_a_busy_listing_waits_once_for_all_that_is_under_way(bucket):
    bucket.keys = [f"{i:06}" for i in range(40000)]
    until = []

    def busy_for_a_second(asked, _):
        if len(bucket.asked) < 20:
            return None
        until.append(time.monotonic() + 1)
        return (503, "SlowDown", {"Retry-After": "1"}) if time.monotonic() < until[0] else None
    bucket.plan = busy_for_a_second
    began = time.monotonic()
    done = tenon(bucket, "ls", "s3://bucket", "--objects", "--json", "--set", "parallel_listing=yes")
    assert [o["key"] for o in json.loads(done.stdout)["result"]["objects"]] == bucket.keys
    assert 1 <= time.monotonic() - began < 6


def test_a_page_of_somebody_else_is_quoted(bucket):
    page = b"<html><head><title>502 Bad Gateway</title></head>\n<body><center>The proxy is\ttired &amp; sad</center><br></body></html>"
    bucket.object = DATA
    bucket.plan = lambda asked, times: lambda handler: handler.answer(418, page)
    error = error_of(tenon(bucket, "get", "s3://bucket/key", "out", "--json"))
    assert "418" in error["message"] and "502 Bad Gateway The proxy is tired" in error["message"] and "<" not in error["message"]


@pytest.mark.parametrize("page", [b"", b"<html><title>Nobody home</title></html>"], ids=["", "html"])
@pytest.mark.parametrize("status, code", [(403, "FORBIDDEN"), (404, "NOT_FOUND"), (503, "UNREACHABLE")])
@pytest.mark.parametrize("words", [["stat", "s3://bucket/key"], ["get", "s3://bucket/key", "out"], ["put", "-", "s3://bucket/key"], ["rm", "s3://bucket/key"]],
                         ids=lambda w: w[0])
def test_no_code_is_made_up(bucket, words, status, code, page):
    bucket.refuse_all = lambda handler: handler.answer(status, page, Retry_After="0")
    error = error_of(tenon(bucket, *words, "--json", "--timeout", "500ms" if status == 503 else "30", stdin=b"x"))
    assert error["code"] == code and f"status {status}" in error["message"] and error["vendor_code"] == status
    assert not re.search("NoSuchKey|AccessDenied|SlowDown", error["message"])
    assert ("Nobody home" in error["message"]) == (page != b"" and (words[0] != "stat" or status == 403))
    assert status == 503 or "endpoint" in error["remedy"]


@pytest.mark.parametrize("words, what", [(["get", "s3://bucket/key", "out"], "range 0"), (["get", "s3://bucket/key", "out"], "range 1"),
                                         (["ls", "s3://bucket", "--objects"], "list"), (["put", "-", "s3://bucket/key"], "part 1"),
                                         (["put", "-", "s3://bucket/key"], "begin"), (["put", "-", "s3://bucket/key"], "complete")])
def test_a_long_refusal_is_said_by_its_beginning(bucket, words, what):
    page = b"<html><body>The proxy is sad" + b"<p>and sad</p>" * 400000
    bucket.object, bucket.keys = DATA, ["key"]
    bucket.plan = lambda asked, times: (lambda handler: handler.answer(418, page)) if asked == what else None
    error = error_of(tenon(bucket, *words, "--json", stdin=DATA))
    assert error["vendor_code"] == 418 and "418: The proxy is sad" in error["message"] and "memory" not in error["remedy"]


@pytest.mark.parametrize("body", [b"", b"<Error><Code>AccessDenied", b"<Error><Code>Acc<!-- -->essDenied</Code>", b"<Error><Code>" + b"x" * 3000,
                                  b"\xff\xfe\x00<", b"<!DOCTYPE x [<!ENTITY a 'b'>]><Error><Code>&a;</Code></Error>", b"<a>" * 5000], ids=range(7))
def test_strange_refusals_are_failures_all_the_same(bucket, body):
    bucket.object = DATA
    bucket.plan = lambda asked, times: lambda handler: handler.answer(403, body)
    assert error_of(tenon(bucket, "get", "s3://bucket/key", "out", "--json"))["code"] == "FORBIDDEN"
