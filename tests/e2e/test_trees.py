# SPDX-License-Identifier: Apache-2.0
"""Folders of objects into folders of files, and back: tenon get and put with --recursive."""
import functools
import http.server
import io
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from command import TENON
from test_s3 import lake, s3  # noqa: F401, fixtures
from test_s3_retry import bucket  # noqa: F401, a fixture

TREE = {"a.txt": b"a", "empty": b"", "sub/b.bin": bytes(range(256)) * 1000, "sub/deeper/é 漢.txt": b"c" * 70000, "x/y/z": b"z"}


def make_tree(folder, tree=None):
    for name, data in (tree or TREE).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def tree_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def result(done):
    return json.loads(done.stdout)["result"]


def from_bucket(bucket, *more):  # noqa: F811
    return subprocess.run([TENON, "get", "s3://bucket/in", "out", "--recursive", "--json", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}",
                           "--set", "region=r", *more], cwd=bucket.folder, capture_output=True)


def test_a_tree_goes_there_and_comes_back(lake):  # noqa: F811
    make_tree(lake.folder / "tree")
    told = result(lake.tenon("put", "tree", "lake:some/where/", "--recursive", "--json"))
    assert (told["objects"], told["failed"], told["bytes"]) == (len(TREE), 0, sum(map(len, TREE.values())))
    assert {k: lake.get(f"some/where/{k}") for k in TREE} == TREE
    lake.put("some/whereabouts", b"not below")
    told = result(lake.tenon("get", "lake:some/where", "back", "-r", "--jobs", "3", "--json"))
    assert (told["objects"], told["failed"]) == (len(TREE), 0)
    assert tree_of(lake.folder / "back") == TREE


def test_what_is_there_whole_is_left_out(lake):  # noqa: F811
    make_tree(lake.folder / "tree")
    time.sleep(1.1)   # the service's times are whole seconds
    lake.good("put", "tree", "lake:t/", "--recursive")
    assert result(lake.tenon("put", "tree", "lake:t/", "--recursive", "--resume", "--json"))["skipped"] == len(TREE)
    (lake.folder / "tree/a.txt").write_bytes(b"b")
    again = result(lake.tenon("put", "tree", "lake:t/", "--recursive", "--resume", "--json"))
    assert (again["objects"], again["skipped"]) == (1, len(TREE) - 1) and lake.get("t/a.txt") == b"b"
    time.sleep(1.1)
    lake.good("get", "lake:t/", "back", "--recursive")
    assert result(lake.tenon("get", "lake:t/", "back", "--recursive", "--resume", "--json"))["skipped"] == len(TREE)
    lake.put("t/a.txt", b"c")
    os.truncate(lake.folder / "back/x/y/z", 0)
    again = result(lake.tenon("get", "lake:t/", "back", "--recursive", "--resume", "--json"))
    assert (again["objects"], again["skipped"]) == (2, len(TREE) - 2)
    assert tree_of(lake.folder / "back") == {**TREE, "a.txt": b"c"}


def test_a_dry_run_writes_nothing(lake):  # noqa: F811
    make_tree(lake.folder / "tree")
    said = lake.tenon("put", "tree", "lake:t/", "--recursive", "--dry-run").stderr.decode()
    assert all(f"as t/{name}" in said for name in TREE)
    assert "Contents" not in lake.s3.list_objects_v2(Bucket=lake.bucket)
    lake.put("t/a", b"1")
    assert "to out/a" in lake.tenon("get", "lake:t/", "out", "--recursive", "--dry-run").stderr.decode()
    assert not (lake.folder / "out").exists()


HOSTILE = ["../up", "a/../../up", "..", ".", "a//b", "/abs", "a/./b", "x" * 300, "a/..", "./c"]


def test_no_key_leads_out_of_the_folder(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = sorted(f"in/{name}" for name in [*HOSTILE, "good", "folder/", "folder/good"])
    done = from_bucket(bucket)
    told = result(done)
    assert done.returncode != 0 and told["failed"] == len(HOSTILE)
    assert {f["name"] for f in told["failures"]} == set(HOSTILE) and {f["code"] for f in told["failures"]} == {"DATA"}
    assert tree_of(bucket.folder / "out") == {"good": b"data", "folder/good": b"data"}
    assert sorted(p.name for p in bucket.folder.iterdir()) == ["out"]


def test_bytes_under_a_folders_name_are_not_dropped(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = ["in/", "in/empty/", "in/full/", "in/full/file"]
    bucket.sizes = {"in/": 3, "in/full/": 4}
    for more in [], ["--dry-run"]:
        done = from_bucket(bucket, *more)
        told = result(done)
        assert done.returncode != 0 and (told["objects"], told["skipped"], told["failed"]) == (2, 0, 2)
        assert sorted((f["name"], f["code"]) for f in told["failures"]) == [("full/", "DATA"), ("in/", "DATA")]
    assert tree_of(bucket.folder / "out") == {"full/file": b"data"} and (bucket.folder / "out/empty").is_dir()


@pytest.mark.parametrize("tells_sizes", [False, True], ids=["html", "json"])
def test_objects_without_etags_are_left_out_by_size_and_time(tmp_path, tells_sizes):
    """Python's server gives no etags and an index page of names alone; nginx and Caddy can tell sizes and times in JSON."""
    site, seen = tmp_path / "site", []
    make_tree(site, {"a": b"1234", "b": b"5678", "c": b"9"})
    hour_ago = time.time() - 3600

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            seen.append((self.command, self.path))

        def list_directory(self, path):
            if not tells_sizes:
                return super().list_directory(path)
            rows = [{"name": p.name, "type": "file", "size": p.stat().st_size, "mtime": self.date_time_string(p.stat().st_mtime)}
                    for p in sorted(site.iterdir())]
            body = json.dumps(rows).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return io.BytesIO(body)

    def get():
        seen.clear()
        words = ["get", f"http://127.0.0.1:{server.server_port}/", "out", "-r", "--resume", "--json"]
        told = result(subprocess.run([TENON, *words], cwd=tmp_path, capture_output=True))
        return told["objects"], told["skipped"], sorted({path for command, path in seen if command == "GET" and path != "/"})

    for path in site.iterdir():
        os.utime(path, (hour_ago, hour_ago))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert get() == (3, 0, ["/a", "/b", "/c"])
        assert get() == (0, 3, [])
        (site / "a").write_bytes(b"4321")
        os.utime(site / "a", (time.time() + 5,) * 2)
        (site / "b").write_bytes(b"longer")
        assert get() == (2, 1, ["/a", "/b"])
        assert tree_of(tmp_path / "out") == tree_of(site)
    finally:
        server.shutdown()
        server.server_close()


def test_no_link_leads_out_of_the_folder(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = ["in/file", "in/link/x", "in/sub/y"]
    for folder in ("out", "elsewhere"):
        (bucket.folder / folder).mkdir()
    (bucket.folder / "out/link").symlink_to(bucket.folder / "elsewhere")
    (bucket.folder / "elsewhere/kept").write_bytes(b"kept")
    (bucket.folder / "out/file").symlink_to(bucket.folder / "elsewhere/kept")
    told = result(from_bucket(bucket))
    assert [f["name"] for f in told["failures"]] == ["link/x"]
    assert tree_of(bucket.folder / "elsewhere") == {"kept": b"kept"}
    assert (bucket.folder / "out/file").read_bytes() == b"data" and not (bucket.folder / "out/file").is_symlink()


def test_a_key_may_be_in_the_way_of_others(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = ["in/a", "in/a/b", "in/c"]
    told = result(from_bucket(bucket, "--jobs", "1"))
    assert told["objects"] == 2 and [f["name"] for f in told["failures"]] == ["a/b"]


def test_a_dry_run_of_many_foretells_what_will_be(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = ["in/a", "in/a-b", "in/a/b", "in/a/c/d", "in/ab/", "in/ab/x", "in/b", "in/b/"]
    bucket.sizes = {key: 4 * (key[-1] != "/") for key in bucket.keys}
    (bucket.folder / "tree/sub").mkdir(parents=True)
    for name in b"good", b"sub/\xe9", b"\xff":
        with open(os.fsencode(bucket.folder / "tree") + b"/" + name, "wb") as file:
            file.write(b"12345")
    for command in ("get", "put"):
        foretold, done = (from_bucket(bucket, *more) if command == "get" else
                          subprocess.run([TENON, "put", "tree", "s3://bucket/out/", "-r", "--json", "--set", "region=r", "--set",
                                          f"endpoint=http://127.0.0.1:{bucket.server_port}", *more], cwd=bucket.folder, capture_output=True)
                          for more in (["--dry-run"], []))
        assert foretold.returncode == done.returncode != 0
        foretold, done = result(foretold), result(done)
        assert (done["failed"], done["bytes"]) == ((3, 12 + 4) if command == "get" else (2, 5))
        for told in foretold, done:
            told["failures"] = sorted((f["name"], f["code"], f["message"]) for f in told["failures"])
            del told["elapsed_ms"]
        assert foretold == done


def test_failures_are_counted_and_told(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = [f"in/{i:03}" for i in range(60)]
    bucket.plan = lambda what, times: (403, "AccessDenied") if what == "range 0" and times % 2 else None
    done = from_bucket(bucket)
    told, error = json.loads(done.stdout)["result"], json.loads(done.stdout)["error"]
    assert (told["objects"], told["failed"], len(told["failures"]), told["failures_left_out"]) == (30, 30, 20, 10)
    assert error["code"] == "FORBIDDEN" and "30 of 60 objects failed" in error["message"]
    assert len(tree_of(bucket.folder / "out")) == 30


def test_failures_are_told_quietly_too(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = [f"in/{i:03}" for i in range(22)]
    bucket.plan = lambda what, times: (403, "AccessDenied") if what == "range 0" else None
    done = subprocess.run([TENON, "get", "s3://bucket/in", "out", "-r", "-q", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}",
                           "--set", "region=r"], cwd=bucket.folder, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if line.startswith("  0") and "AccessDenied" in line]
    assert len(said) == 20 and "and 2 more" in done.stderr and "were there already" not in done.stderr


def test_a_dry_run_of_one_object_is_told(bucket):  # noqa: F811
    words = ["s3://bucket/key", "--dry-run", "--set", f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=r"]

    def put(*more):
        return subprocess.run([TENON, "put", *more, *words], cwd=bucket.folder, capture_output=True)

    (bucket.folder / "file").write_bytes(b"data")
    assert result(put("file", "--json", "--if-absent")) == {"key": "key", "size": 4, "modified": None, "etag": None, "content_type": None}
    piped = subprocess.run([TENON, "put", "-", *words], input=b"data", capture_output=True)
    assert piped.returncode == 0 and b"would put a stream as key" in piped.stderr
    bucket.object = b"there"
    assert json.loads(put("file", "--json", "--if-absent").stdout)["error"]["code"] == "CONFLICT"
    assert put("file").returncode == 0 and bucket.object == b"there"


def test_cancelling_leaves_whole_files_alone(bucket):  # noqa: F811
    bucket.object = b"data"
    bucket.keys = [f"in/{i:03}" for i in range(200)]
    bucket.plan = lambda what, times: time.sleep(0.05) if what == "range 0" else None
    process = subprocess.Popen([TENON, "get", "s3://bucket/in/", "out", "-r", "--jobs", "2", "--set",
                                f"endpoint=http://127.0.0.1:{bucket.server_port}", "--set", "region=r"], cwd=bucket.folder,
                               stderr=subprocess.PIPE, text=True)
    while not (bucket.folder / "out/005").exists():
        time.sleep(0.01)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1]
    assert time.monotonic() - began < 2 and process.returncode != 0 and " 0 failed" in said
    files = {p.name: p.read_bytes() for p in (bucket.folder / "out").iterdir()}
    assert 5 < len(files) < 200 and set(files.values()) == {b"data"}


def test_links_are_not_put(lake):  # noqa: F811
    make_tree(lake.folder / "tree", {"a": b"1", "sub/b": b"2"})
    (lake.folder / "secret").write_bytes(b"secret")
    (lake.folder / "tree/link").symlink_to(lake.folder / "secret")
    (lake.folder / "tree/folder").symlink_to(lake.folder)
    os.mkfifo(lake.folder / "tree/pipe")
    done = lake.tenon("put", "tree", "lake:t/", "--recursive")
    assert done.returncode == 0 and done.stderr.decode().count("left out") == 3
    assert sorted(o["Key"] for o in lake.s3.list_objects_v2(Bucket=lake.bucket)["Contents"]) == ["t/a", "t/sub/b"]


@pytest.mark.parametrize("words", [("get", "s3://b/x", "-", "-r"), ("get", "s3://b/x", "d", "-r", "--offset", "1"), ("get", "s3://b/x", "d", "-r", "--jobs", "0"),
                                   ("put", "no/such", "s3://b/x", "-r"), ("put", ".", "s3://b/x", "-r", "--if-match", "x"), ("put", ".", "s3://b/x")])
def test_what_makes_no_sense_is_said(tmp_path, words):
    done = subprocess.run([TENON, *words, "--set", "region=r", "--json"], cwd=tmp_path, capture_output=True)
    assert json.loads(done.stdout)["error"]["code"] in ("CONFIG", "NOT_FOUND")
