# SPDX-License-Identifier: Apache-2.0
"""Files of this machine through the command: whole or not at all, and never outside of the folder that was named."""
import os
import random
import signal
import subprocess
import time

import pytest

from command import answer

TENON = os.environ["TENON"]


def tenon(*words, code=0, **more):
    done = subprocess.run([TENON, *map(str, words)], capture_output=True, timeout=120, **more)
    assert done.returncode == code, done.stderr.decode()
    return done


def write_csv(path, rows, first=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as f:
        f.write("id,name\n")
        f.writelines(f"{i},name {i}\n" for i in range(first, first + rows))
    return path


def test_a_killed_copy_leaves_nothing_or_all(tmp_path):
    """kill -9 at any moment: the old file is there whole, or the new one, and nothing beside it."""
    source = write_csv(tmp_path / "in.csv", 200_000)
    out = tmp_path / "out" / "copy.csv"
    out.parent.mkdir()
    tenon("copy", source, out)
    whole = out.read_bytes()
    begin = time.monotonic()
    tenon("copy", source, out)
    took = time.monotonic() - begin
    out.write_bytes(b"id,name\n1,old\n")
    r = random.Random(2)
    seen = set()
    for _ in range(25):
        child = subprocess.Popen([TENON, "copy", source, out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(r.uniform(0, 1.3 * took))
        child.send_signal(signal.SIGKILL)
        child.wait()
        now = out.read_bytes()
        assert now in (whole, b"id,name\n1,old\n")
        assert [p.name for p in out.parent.iterdir()] == ["copy.csv"]
        seen.add(now == whole)
        out.write_bytes(b"id,name\n1,old\n")
    assert False in seen


def test_a_failed_copy_leaves_the_old_file(tmp_path):
    source = write_csv(tmp_path / "in.csv", 50_000)
    with open(source, "a") as f:
        f.write("not a number,x\n")
    out = tmp_path / "out.csv"
    out.write_text("old")
    tenon("copy", source, out, code=14)
    assert out.read_text() == "old"
    tenon("copy", write_csv(tmp_path / "good.csv", 10), out, "--if-absent", code=11)
    assert out.read_text() == "old"


def test_patterns_stay_in_their_folder(tmp_path):
    write_csv(tmp_path / "data/a.csv", 2)
    write_csv(tmp_path / "data/deep/er/b.csv", 2, first=10)
    write_csv(tmp_path / "outside/secret.csv", 2, first=100)
    (tmp_path / "data/escape.csv").symlink_to("../outside/secret.csv")
    (tmp_path / "data/away").symlink_to("../outside")
    (tmp_path / "data/inner.csv").symlink_to("a.csv")
    out = tenon("read", f"{tmp_path}/data/**/*.csv", "--format", "csv").stdout.decode().splitlines()[1:]
    assert sorted(int(line.split(",")[0]) for line in out) == [0, 0, 1, 1, 10, 11]
    said = tenon("read", f"file://{tmp_path}/data:escape.csv", code=5).stderr.decode()
    assert "leads out of the root" in said
    tenon("read", f"file://{tmp_path}/data:../outside/secret.csv", code=2)


def test_a_link_that_is_named_is_its_file(tmp_path):
    write_csv(tmp_path / "d1/1.csv", 2)
    (tmp_path / "d2").mkdir()
    (tmp_path / "d2/link.csv").symlink_to("../d1/1.csv")
    (tmp_path / "d2/again.csv").symlink_to("link.csv")
    (tmp_path / "d2/absolute.csv").symlink_to(tmp_path / "d1/1.csv")
    expected = tenon("read", f"{tmp_path}/d1/1.csv", "--format", "csv").stdout
    for name in ("link.csv", "again.csv", "absolute.csv"):
        assert tenon("read", f"{tmp_path}/d2/{name}", "--format", "csv").stdout == expected
        assert tenon("describe", f"{tmp_path}/d2/{name}").stdout
    done = subprocess.run([TENON, "read", "link.csv", "--format", "csv"], cwd=tmp_path / "d2", capture_output=True, timeout=60)
    assert done.stdout == expected
    (tmp_path / "d2/dangling.csv").symlink_to("nowhere.csv")
    tenon("read", f"{tmp_path}/d2/dangling.csv", code=3)
    tenon("read", f"{tmp_path}/d2/l*.csv", code=3)   # those that a pattern finds stay in their folder


def test_keys_are_taken_as_they_are(tmp_path):
    for name in ("with space.csv", "é.csv", "100%.csv", "a#b.csv", "-dash.csv"):
        write_csv(tmp_path / name, 1)
    listed = tenon("ls", tmp_path, "--json").stdout.decode()
    for name in ("with space.csv", "é.csv", "100%.csv", "a#b.csv", "-dash.csv"):
        assert name in listed
        assert tenon("read", f"{tmp_path}/{name}", "--format", "csv").stdout == b"id,name\n0,name 0\n"


def test_names_that_are_no_text_are_not_left_out_silently(tmp_path):
    write_csv(tmp_path / "a.csv", 1)
    assert tenon("ls", "--tables", tmp_path).stderr == b""
    for name in (b"\xff.csv", b"b\xe9.csv", b"\xff.unknown"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as f:
            f.write(b"id,name\n")
    done = tenon("ls", "--tables", tmp_path)
    assert b"a.csv" in done.stdout and b"2 more that are not listed: their names are not UTF-8" in done.stderr
    assert os.fsencode(b"\xff.csv".hex()) in tenon("ls", tmp_path).stdout
    path = os.path.join(os.fsencode(tmp_path), b"\xff.csv")
    assert subprocess.run([TENON, "read", path], capture_output=True, timeout=60).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="rights do not stop a user from reading his own files")
def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path):
    write_csv(tmp_path / "data/a.csv", 1)
    write_csv(tmp_path / "data/locked/b.csv", 1)
    (tmp_path / "data/locked").chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o055)

    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)

    try:
        done = subprocess.run([TENON, "read", f"{tmp_path}/data/**/*.csv"], capture_output=True, preexec_fn=become_nobody)
    except PermissionError:
        pytest.skip("nobody may not run the program where it is")
    assert done.returncode == 5, done.stderr.decode()
    assert "locked" in done.stderr.decode()


# --- What targets name -----------------------------------------------------------------------------------------------

@pytest.fixture
def logs(tmp_path):
    """A connector of files, and below its root 1 and 2 in logs/a, 3 in logs/b, 4 beside them."""
    (tmp_path / "tenon.yaml").write_text("connectors:\n  logs:\n    kind: files\n    root: logs\n")
    for name, value in [("a/1.csv", 1), ("a/2.csv", 2), ("b/x.y.csv", 3), ("b.c.csv", 4), ("a/.hidden.csv", 5), ("a/note.txt", 6)]:
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"n\n{value}\n")
    return tmp_path


@pytest.mark.parametrize("target, wanted", [
    ("logs:a/1.csv", [1]),
    ("logs:a/*.csv", [1, 2]),
    ("logs:a/", [1, 2]),
    ("logs:a", [1, 2]),
    ("logs:{a,b}/*.csv", [1, 2, 3]),
    ("logs:**/*.csv", [1, 2, 4, 3]),
    ("logs:b.c.csv", [4]),
    ("logs:b/x.y.csv", [3]),
    ('logs:"b/x.y.csv"', [3]),
    ("logs/", [1, 2, 4, 3]),
    ("./logs", [1, 2, 4, 3]),
    ("./logs/a", [1, 2]),
    ("logs/a/", [1, 2]),
])
def test_a_target_names_a_file_a_pattern_or_a_folder(logs, target, wanted):
    assert [row[0] for row in answer("read", target, cwd=logs)["rows"]] == wanted
    assert [c["name"] for c in answer("describe", target, cwd=logs)["columns"]] == ["n"]


def test_a_folder_with_files_of_several_formats_is_no_table(logs):
    assert tenon("copy", "logs:a/1.csv", "logs/a/1.parquet", cwd=logs).returncode == 0
    error = answer("read", "logs/", ok=False, cwd=logs)
    assert error["code"] == "CONFIG" and "they are not one table" in error["message"]
    assert len(answer("ls", "logs/", "--tables", cwd=logs)["tables"]) == 6


def test_a_connector_without_a_table_is_not_read_as_a_whole(logs):
    assert "no table is named" in answer("read", "logs", ok=False, cwd=logs)["message"]


@pytest.mark.parametrize("link, behind", [("data.csv", "noext"), ("data.csv", "v1.txt"), ("data.csv", "odd.parquet"), ("noext", "data.csv")])
def test_a_link_is_read_as_its_name_says(tmp_path, link, behind):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / behind).write_text("a\n1\n")
    (tmp_path / link).symlink_to(f"store/{behind}")
    assert answer("read", f"./{link}", cwd=tmp_path)["rows"] == [[1]]
    assert answer("read", f"./{link}", "--set", "format=tsv", cwd=tmp_path)["rows"] == [[1]]


@pytest.mark.parametrize("words, keys", [
    (["logs"], ["a/.hidden.csv", "a/1.csv", "a/2.csv", "a/note.txt", "b.c.csv", "b/x.y.csv"]),
    (["logs", "--folders"], ["a/", "b.c.csv", "b/"]),
    (["logs:a/", "--folders"], ["a/.hidden.csv", "a/1.csv", "a/2.csv", "a/note.txt"]),
    (["logs", "--prefix", "b"], ["b.c.csv", "b/x.y.csv"]),
    (["logs:b"], ["b.c.csv", "b/x.y.csv"]),
    (["logs:a/*.csv"], ["a/1.csv", "a/2.csv"]),
    (["logs:**/*.y.csv"], ["b/x.y.csv"]),
    (["logs:none"], []),
])
def test_a_folder_lists_its_objects(logs, words, keys):
    assert [o["key"] for o in answer("ls", *words, cwd=logs)["objects"]] == keys


@pytest.mark.parametrize("words, said", [
    (["logs", "--tables", "--objects"], "both"), (["logs", "--all"], "--all is of tables"), (["logs", "--schema", "x"], "--schema is of tables"),
    (["logs", "--tables", "--schema", "x"], "files have no schemas"), (["logs", "--tables", "--prefix", "a"], "--prefix is of objects"),
    (["logs", "--tables", "--folders"], "--folders is of objects"),
])
def test_options_of_other_listings_are_refused(logs, words, said):
    error = answer("ls", *words, ok=False, cwd=logs)
    assert error["code"] == "CONFIG" and said in error["message"] and error["remedy"]
