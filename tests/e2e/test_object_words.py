# SPDX-License-Identifier: Apache-2.0
"""What the commands for objects say where a person has to know what to do next."""
import json

import pytest

from command import answer, tenon as run
from test_s3_retry import bucket, error_of, tenon  # noqa: F401, a fixture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake/file").write_bytes(b"data")
    (tmp_path / "tenon.yaml").write_text(f"connectors:\n  lake:\n    kind: files\n    root: {tmp_path}/lake\n")
    return tmp_path


def test_a_folder_that_is_not_there_is_named(folder):
    error = answer("get", "lake:file", "new/", ok=False, cwd=folder)
    assert error["code"] == "NOT_FOUND" and error["message"] == "there is no folder new"
    (folder / "new").mkdir()
    answer("get", "lake:file", "new/", cwd=folder)
    assert (folder / "new/file").read_bytes() == b"data"


def test_a_folder_of_no_keys_is_not_there(folder):
    error = answer("get", "lake:fil", "out", "-r", ok=False, cwd=folder)
    assert error["code"] == "NOT_FOUND" and "begins with fil/" in error["message"]
    assert not (folder / "out").exists()
    (folder / "lake/file").unlink()
    answer("get", "lake:", "out", "-r", cwd=folder)


def test_a_removal_that_is_run_dry_foretells_what_will_be(folder):
    for more in ["--dry-run"], []:
        done = run("rm", "lake:nothere", *more, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert "would remove nothing" in run("rm", "lake:nothere", "--dry-run", cwd=folder).stderr


def test_a_key_that_looks_like_a_url_is_told(folder):
    assert "%2F%2F" in answer("stat", "lake://file", ok=False, cwd=folder)["remedy"]
    assert "%2F%2F" not in answer("stat", "nothere://file", ok=False, cwd=folder)["remedy"]


def test_one_long_key_does_not_make_all_rows_long(folder):
    long = "x" * 200
    (folder / "lake" / long).write_bytes(b"")
    lines = run("ls", "lake", "--objects", cwd=folder).stdout.splitlines()
    assert any(long in line for line in lines) and max(len(line) for line in lines if long not in line) < 180


@pytest.mark.parametrize("body", [b"<Error><Code>AccessDenied</Code></Error>", b""], ids=["code", "none"])
def test_who_asks_without_keys_is_told_of_those_there_are(bucket, body):  # noqa: F811
    bucket.refuse_all = lambda handler: handler.answer(403, body)
    assert "credentials=environment" in error_of(tenon(bucket, "get", "s3://bucket/key", "out", "--json"))["remedy"]
    keys = ["--set", "access_key_id=a", "--set", "secret_access_key=b"]
    assert "credentials=environment" not in error_of(tenon(bucket, "get", "s3://bucket/key", "out", "--json", *keys))["remedy"]


@pytest.mark.parametrize("form", [b"<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", b"<html>%s</html>"], ids=["xml", "html"])
def test_a_signature_that_is_quoted_is_hidden(bucket, form):  # noqa: F811
    bucket.refuse_all = lambda handler: handler.answer(403, form % handler.headers["Authorization"].encode())
    keys = ["--set", "access_key_id=a", "--set", "secret_access_key=b"]
    message = error_of(tenon(bucket, "get", "s3://bucket/key", "out", "--json", *keys))["message"]
    assert message.endswith("Signature=" + "*" * 64)


def test_how_long_to_wait_is_said_in_seconds(bucket):  # noqa: F811
    bucket.refuse_all = lambda handler: handler.answer(503, Retry_After="90")
    done = tenon(bucket, "get", "s3://bucket/key", "out")
    assert b"retry after: 1 min 30 s" in done.stderr
    assert json.loads(tenon(bucket, "get", "s3://bucket/key", "out", "--json").stdout)["error"]["retry_after_ms"] == 90000
