# SPDX-License-Identifier: Apache-2.0
"""Conditions that a service does not keep are never taken to be kept: bytes are of one version, nothing is overwritten."""
import json
import re
import subprocess

import pytest

from command import TENON
from test_s3_retry import DATA, PART, bucket, error_of, put, tenon  # noqa: F401, a fixture

OTHER = DATA[::-1]


class Changing:
    """Ranges of one version first, then of another; what If-Match says is not minded."""

    def __init__(self, server, etags, versions=(DATA, OTHER), modified=(None, None)):
        self.etags, self.versions, self.modified, self.asked = etags, versions, modified, []
        self.original = server.RequestHandlerClass.get
        server.object = DATA
        server.RequestHandlerClass.get = lambda handler: self.get(handler)

    def get(self, handler):
        self.asked.append(handler.headers.get("If-Match"))
        which = len(self.asked) > 1
        data = self.versions[which]
        start, end = map(int, re.match(r"bytes=(\d+)-(\d+)", handler.headers["Range"]).groups())
        end = min(end + 1, len(data))
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        if self.etags[which]:
            headers["ETag"] = self.etags[which]
        if self.modified[which]:
            headers["Last-Modified"] = self.modified[which]
        handler.answer(206, data[start:end], **headers)


@pytest.fixture
def changing(bucket):  # noqa: F811
    original = bucket.RequestHandlerClass.get
    yield lambda *etags, **more: Changing(bucket, etags, **more)
    bucket.RequestHandlerClass.get = original


def get(bucket, *more):  # noqa: F811
    return tenon(bucket, "get", "s3://bucket/key", "out", "--json", *more)


NOON, LATER = "Sat, 21 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 12:00:01 GMT"


@pytest.mark.parametrize("etags,more,said", [
    (('"one"', '"two"'), {}, 'its etag is "two", and was "one"'),
    (("one", "two"), {}, "its etag is two, and was one"),
    (('W/"one"', 'W/"two"'), {}, 'its etag is W/"two", and was W/"one"'),
    (('W/"one"', 'W/"one"'), {"modified": (NOON, LATER)}, "it was written anew"),
    ((None, None), {"modified": (NOON, LATER)}, "it was written anew"),
    (('"one"', None), {"modified": (NOON, LATER)}, "it was written anew"),
    ((None, None), {"versions": (DATA, OTHER + b"more")}, f"it has {len(DATA) + 4} bytes, and had {len(DATA)}"),
], ids=["strong", "bare", "weak", "weak, later", "none, later", "gone, later", "none, longer"])
def test_two_versions_are_never_put_together(bucket, changing, etags, more, said):  # noqa: F811
    changing(*etags, **more)
    error = error_of(get(bucket))
    assert error["code"] == "CONFLICT" and error["remedy"] == "get it again"
    assert error["message"] == f"the object was changed while it was read: {said}"
    assert not (bucket.folder / "out").exists()


@pytest.mark.parametrize("etags", [('"one"', '"one"'), ('"one"', "one"), ('W/"one"', 'W/"one"'), ('"one"', None), (None, None)])
def test_one_version_spelled_in_two_ways_is_one(bucket, changing, etags):  # noqa: F811
    served = changing(*etags, versions=(DATA, DATA))
    done = get(bucket)
    assert done.returncode == 0, done.stdout
    assert (bucket.folder / "out").read_bytes() == DATA
    assert set(served.asked[1:]) == {etags[0] if etags[0] == '"one"' else None}   # a weak one matches nowhere


@pytest.mark.parametrize("wanted", ['"one"', "one", "*"])
def test_the_version_that_was_asked_for(bucket, changing, wanted):  # noqa: F811
    changing('"one"', '"one"', versions=(DATA, DATA))
    assert get(bucket, "--if-match", wanted).returncode == 0


@pytest.mark.parametrize("etag", ['"one"', None])
def test_another_version_than_the_one_asked_for(bucket, changing, etag):  # noqa: F811
    changing(etag, etag, versions=(DATA, DATA))
    assert error_of(get(bucket, "--if-match", '"nonsense"'))["code"] == "CONFLICT"


def test_a_condition_of_a_get_is_none_of_a_write(bucket):  # noqa: F811
    bucket.object = DATA
    bucket.plan = lambda what, times: (412, "PreconditionFailed") if what == "range 0" else None
    error = error_of(get(bucket, "--if-match", '"old"'))
    assert (error["code"], error["stage"]) == ("CONFLICT", "query")


# ---- Put ----

def keep(bucket, *kept):  # noqa: F811
    """A service that keeps some conditions, and overwrites for all that the others say."""
    objects = {"key": b"before"}
    handler = bucket.RequestHandlerClass

    class Handler(handler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.path.split("/", 2)[2]
            there = key in objects
            if "if-none-match" in kept and self.headers.get("If-None-Match") and there:
                return self.answer(412)
            if "if-match" in kept and self.headers.get("If-Match", '"now"') != '"now"' and there:
                return self.answer(412)
            objects[key] = body
            self.answer(200, ETag='"now"')

        def do_DELETE(self):
            objects.pop(self.path.split("/", 2)[2], None)
            self.answer(204)

    bucket.RequestHandlerClass = Handler
    return objects


@pytest.mark.parametrize("kept", [(), ("if-none-match",), ("if-match",), ("if-none-match", "if-match")])
def test_each_condition_is_tried_by_itself(bucket, kept):  # noqa: F811
    objects = keep(bucket, *kept)
    for condition, words in {"if-match": ["--if-match", '"old"'], "if-none-match": ["--if-absent"]}.items():
        error = error_of(put(bucket, b"after", *words))
        assert error["code"] == ("CONFLICT" if condition in kept else "UNSUPPORTED"), error
        assert objects == {"key": b"before"}
    done = put(bucket, b"after", "--if-match", '"now"')
    assert (done.returncode == 0) == ("if-match" in kept), json.loads(done.stdout)
    assert objects == {"key": b"after" if "if-match" in kept else b"before"}


def overwrite(path):
    with path.open("r+b") as file:
        file.seek(PART + 5)
        file.write(b"other")


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def cut(path):
    with path.open("r+b") as file:
        file.truncate(PART + 1)


@pytest.mark.parametrize("change", [overwrite, grow, cut])
@pytest.mark.parametrize("how", ["file", "stdin", "folder"])
def test_a_file_that_changes_while_it_is_read_is_not_put(bucket, how, change):  # noqa: F811
    folder = bucket.folder / "tree"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(DATA)
    bucket.plan = lambda what, times: change(path) if what == "begin" else None   # the first part was read by then
    if how == "folder":
        done = tenon(bucket, "put", "tree", "s3://bucket/", "--recursive", "--json")
    elif how == "stdin":
        with path.open("rb") as file:
            words = [TENON, "put", "-", "s3://bucket/key", "--json", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}"]
            done = subprocess.run([*words, "--set", "region=us-east-1"], stdin=file, capture_output=True)
    else:
        done = tenon(bucket, "put", "tree/file", "s3://bucket/key", "--json")
    error = error_of(done)
    assert error["code"] == "CONFLICT" and "changed while it was read" in error["message"]
    assert bucket.object is None and bucket.aborted == 1
