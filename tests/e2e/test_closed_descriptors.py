# SPDX-License-Identifier: Apache-2.0
"""Whoever starts the command may have closed stdin, stdout or stderr: what is printed goes nowhere else, and that is said."""
import os
import subprocess

import pytest

from command import TENON, environment
from test_s3_retry import DATA, bucket  # noqa: F401, a fixture


def run(bucket, closed, *words):  # noqa: F811
    more = ["--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=us-east-1"]
    return subprocess.run([TENON, *words, *more], cwd=bucket.folder, env=environment(), capture_output=True, timeout=20,
                          preexec_fn=lambda: [os.close(fd) for fd in closed])


@pytest.mark.parametrize("words", [("get", "s3://bucket/key", "-"), ("stat", "s3://bucket/key"), ("ls", "s3://bucket", "--objects"),
                                   ("read", "s3://bucket/key.csv", "--format", "csv")], ids=lambda w: w[0])
@pytest.mark.parametrize("closed", [[1], [0, 1], [0, 1, 2]], ids=str)
def test_nothing_is_printed_to_a_closed_stdout(bucket, words, closed):  # noqa: F811
    bucket.object = b"n\n1\n" if words[0] == "read" else DATA
    bucket.keys = ["key"]
    done = run(bucket, closed, *words)
    assert done.returncode == 15
    assert 2 in closed or b"code: IO" in done.stderr


def test_a_closed_stderr_does_no_harm(bucket):  # noqa: F811
    bucket.object = DATA
    assert run(bucket, [2], "get", "s3://bucket/key", "-").stdout == DATA
    assert run(bucket, [0, 1, 2], "get", "s3://bucket/key", "out", "--progress", "json").returncode == 0
    assert (bucket.folder / "out").read_bytes() == DATA


def test_nothing_is_read_from_a_closed_stdin(bucket):  # noqa: F811
    done = run(bucket, [0], "put", "-", "s3://bucket/key")
    assert done.returncode == 15 and bucket.object is None
