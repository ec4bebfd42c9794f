# SPDX-License-Identifier: Apache-2.0
"""tenon get --resume: what came before the process ended is not fetched again, and never put together with another version."""
import os
import re
import signal
import subprocess
import time

import pytest

from command import TENON
from test_s3_retry import DATA, bucket  # noqa: F401, a fixture

HALF = len(DATA) // 2


class Slow:
    """Ranges come whole up to half of the object; the rest hangs until it is let go."""

    def __init__(self, server):
        self.server, self.served, self.hangs = server, [], True
        server.object = DATA
        server.etag = '"one"'
        server.RequestHandlerClass.get = lambda handler: self.get(handler)

    def get(self, handler):
        start, end = re.match(r"bytes=(\d+)-(\d*)", handler.headers["Range"]).groups()
        start, end = int(start), min(int(end or len(self.server.object)) + 1, len(self.server.object))
        self.served.append((start, handler.headers.get("If-Match")))
        if handler.headers.get("If-Match", self.server.etag) != self.server.etag:
            return handler.answer(412)
        if start >= len(self.server.object):
            return handler.answer(416)
        handler.send_response(206)
        handler.send_header("Content-Length", str(end - start))
        handler.send_header("ETag", self.server.etag)
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(self.server.object)}")
        handler.end_headers()
        try:
            handler.wfile.write(self.server.object[start:min(end, HALF) if self.hangs else end])
            while self.hangs and end > HALF and not self.server.stopped:
                time.sleep(0.02)
        except OSError:
            pass
        if self.hangs and end > HALF:
            handler.close_connection = True


@pytest.fixture
def slow(bucket):  # noqa: F811
    handler, original = bucket.RequestHandlerClass, bucket.RequestHandlerClass.get
    bucket.stopped = False
    yield Slow(bucket)
    bucket.stopped = True
    handler.get = original


def words(slow, *more):
    return [TENON, "get", "s3://bucket/key", "out", "--resume", "--set", f"endpoint=http://127.0.0.1:{slow.server.server_port}",
            "--set", "region=us-east-1", *more]


def run(slow, *more):
    return subprocess.run(words(slow, *more), cwd=slow.server.folder, capture_output=True, text=True, timeout=60)


def interrupt(slow, how):
    """Starts a get, and ends it when half of the object is there."""
    folder = slow.server.folder
    process = subprocess.Popen(words(slow), cwd=folder, stderr=subprocess.PIPE, text=True)
    part = folder / ".tenon-get-out.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == HALF) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(how)
    said = process.communicate(timeout=20)[1]
    slow.hangs = False
    assert not (folder / "out").exists()
    slow.served.clear()
    return said


def left(slow):
    return sorted(p.name for p in slow.server.folder.iterdir() if p.name.startswith(".tenon"))


def test_the_second_run_goes_on(slow):
    assert "is kept" in interrupt(slow, signal.SIGINT)
    assert left(slow) == [".tenon-etag-out.part", ".tenon-get-out.part"]
    done = run(slow)
    assert done.returncode == 0, done.stderr
    assert (slow.server.folder / "out").read_bytes() == DATA
    assert f"behind {HALF} bytes" in done.stderr
    assert min(start for start, _ in slow.served) == HALF and {etag for _, etag in slow.served} == {'"one"'}
    assert left(slow) == []


def test_a_killed_process_leaves_nothing_wrong(slow):
    interrupt(slow, signal.SIGKILL)
    assert run(slow).returncode == 0
    assert (slow.server.folder / "out").read_bytes() == DATA and left(slow) == []


def test_a_changed_object_is_got_anew(slow):
    interrupt(slow, signal.SIGINT)
    slow.server.object, slow.server.etag = DATA[::-1], '"two"'
    done = run(slow)
    assert done.returncode == 0, done.stderr
    assert "changed" in done.stderr
    assert (slow.server.folder / "out").read_bytes() == DATA[::-1]


def test_a_shorter_object_is_got_anew(slow):
    interrupt(slow, signal.SIGINT)
    slow.server.object, slow.server.etag = b"short", '"two"'
    assert run(slow).returncode == 0
    assert (slow.server.folder / "out").read_bytes() == b"short"


@pytest.mark.parametrize("damage", ["note gone", "note nonsense", "another object", "bytes missing", "all there"])
def test_what_was_kept_is_looked_at(slow, damage):
    interrupt(slow, signal.SIGINT)
    note, part = slow.server.folder / ".tenon-etag-out.part", slow.server.folder / ".tenon-get-out.part"
    if damage == "note gone":
        note.unlink()
    elif damage == "note nonsense":
        note.write_text('{"object": 1, "etag": "", "bytes": "all"')
    elif damage == "another object":
        note.write_text(note.read_text().replace("bucket/key", "bucket/yek"))
    elif damage == "bytes missing":
        os.truncate(part, HALF - 1)
    else:
        part.write_bytes(DATA)
        note.write_text(note.read_text().replace(str(HALF), str(len(DATA))))
    done = run(slow)
    assert done.returncode == 0, done.stderr
    assert (slow.server.folder / "out").read_bytes() == DATA and left(slow) == []
    assert min(start for start, _ in slow.served) == (0 if damage != "all there" else len(DATA))


def get_by_http(slow, user, query):
    url = f"http://{user}@127.0.0.1:{slow.server.server_port}/folder/key?{query}"
    return subprocess.Popen([TENON, "get", url, "out", "--resume"], cwd=slow.server.folder, stderr=subprocess.PIPE, text=True)


def test_the_note_tells_no_secrets_and_another_signature_goes_on(slow):
    process = get_by_http(slow, "me:PASSWORD", "X-Date=1&sig=SECRET")
    part, note = slow.server.folder / ".tenon-get-out.part", slow.server.folder / ".tenon-etag-out.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == HALF) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert "is kept" in process.communicate(timeout=20)[1]
    assert not re.search("me|PASSWORD|SECRET|X-Date", note.read_text()), note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600
    slow.hangs = False
    slow.served.clear()
    said = get_by_http(slow, "you:OTHER", "X-Date=2&sig=OTHER").communicate(timeout=20)[1]
    assert f"behind {HALF} bytes" in said, said
    assert (slow.server.folder / "out").read_bytes() == DATA and min(start for start, _ in slow.served) == HALF


def test_two_at_once_are_not(slow):
    first = subprocess.Popen(words(slow), cwd=slow.server.folder, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not (slow.server.folder / ".tenon-get-out.part").exists() and time.monotonic() < until:
        time.sleep(0.02)
    second = run(slow)
    assert second.returncode != 0 and "another process" in second.stderr
    slow.hangs = False
    first.terminate()
    first.wait(20)


@pytest.mark.parametrize("more", [("--offset", "1"), ("--length", "1")])
def test_parts_are_not_resumed(slow, more):
    assert "--resume" in run(slow, *more).stderr
