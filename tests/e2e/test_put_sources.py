# SPDX-License-Identifier: Apache-2.0
"""What tenon put reads from: a named pipe is waited for as stdin is, and a deadline or a signal ends that."""
import os
import signal
import subprocess
import time

import pytest

from command import TENON, environment
from test_s3_retry import DATA, bucket  # noqa: F401, a fixture


@pytest.fixture
def pipe(bucket):  # noqa: F811
    os.mkfifo(bucket.folder / "pipe")
    return bucket.folder / "pipe"


@pytest.fixture
def start(bucket):  # noqa: F811
    children = []

    def one(*more):
        words = ["put", "pipe", "s3://bucket/key", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=us-east-1"]
        children.append(subprocess.Popen([TENON, *words, *more], cwd=bucket.folder, env=environment(), stderr=subprocess.PIPE, text=True,
                                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)))
        return children[-1]
    yield one
    for child in children:
        child.kill()
        child.wait()


def has_open(child, path):
    folder = f"/proc/{child.pid}/fd"
    return any(os.path.realpath(f"{folder}/{fd}") == str(path.resolve()) for fd in os.listdir(folder))


@pytest.mark.parametrize("data", [b"", b"small", DATA], ids=len)
def test_a_named_pipe_is_put_when_somebody_writes_to_it(bucket, pipe, start, data):  # noqa: F811
    child = start()
    with open(pipe, "wb") as to:
        to.write(data[:5])
        to.flush()
        to.write(data[5:])
    assert child.communicate(timeout=20)[1].startswith("put ") and child.returncode == 0
    assert bucket.object == data


def test_a_named_pipe_that_nobody_writes_to_ends_with_the_deadline(bucket, pipe, start):  # noqa: F811
    began = time.monotonic()
    child = start("--timeout", "300ms")
    assert "code: TIMEOUT" in child.communicate(timeout=5)[1] and child.returncode == 8
    assert time.monotonic() - began < 2 and bucket.object is None


def test_a_named_pipe_that_nobody_writes_to_ends_with_a_signal(bucket, pipe, start):  # noqa: F811
    child, until = start(), time.monotonic() + 5
    while not has_open(child, pipe):
        assert time.monotonic() < until, "it waits for a writer before it can be cancelled"
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert "code: CANCELLED" in child.communicate(timeout=5)[1] and child.returncode == 130
    assert bucket.object is None
