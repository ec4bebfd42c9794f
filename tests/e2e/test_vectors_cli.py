# SPDX-License-Identifier: Apache-2.0
"""`tenon vectors` as people and programs use it: names, options, what is read and what is written."""
import json
import os
import signal
import subprocess
import time

import pytest

from command import TENON, answer, environment, tenon


def vectors(*words, **more):
    return answer("vectors", *words, **more)


def names_in(folder):
    return [row["name"] for row in vectors("list", f"faiss://{folder}")["collections"]]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def keep(tmp_path):
    """A collection `keep` of three rows."""
    target = f"faiss://{tmp_path}:keep"
    vectors("create", target, "-d", 2, "--metric", "l2")
    rows = [{"id": c, "vector": [i, 1], "metadata": {"source": "x", "n": i}} for i, c in enumerate("abc")]
    vectors("upsert", target, "--from", write_lines(tmp_path / "keep.jsonl", rows))
    return target


# --- Names -----------------------------------------------------------------------------------------------------------


def test_a_name_with_a_point_is_one_name(tmp_path):
    (tmp_path / "tenon.yaml").write_text(f"connectors: {{vec: {{kind: faiss, path: {tmp_path}}}}}\n")
    for name in ("notes", "lock"):
        vectors("create", f"faiss://{tmp_path}:{name}", "-d", 2)
    for target in ("vec:my.notes", f"faiss://{tmp_path}:zz.lock"):
        assert vectors("drop", target, cwd=tmp_path, ok=False)["code"] == "NOT_FOUND"
    assert names_in(tmp_path) == ["lock", "notes"]
    vectors("create", "vec:my.notes", "-d", 3, cwd=tmp_path)
    assert names_in(tmp_path) == ["lock", "my.notes", "notes"]
    assert vectors("create", f"faiss://{tmp_path}:\"my.notes\"", "-d", 3, ok=False)["code"] == "CONFLICT"
    assert answer("test", "vec:my.notes", cwd=tmp_path)["steps"][-1]["evidence"] == "my.notes has 0 rows"
    assert [row["name"] for row in answer("ls", "vec:my.notes", cwd=tmp_path)["collections"]] == ["my.notes"]
    vectors("create", "vec:a.b.c", "-d", 3, cwd=tmp_path)
    assert vectors("count", f"faiss://{tmp_path}:\"a.b.c\"") == {"count": 0}
    vectors("drop", "vec:a.b.c", cwd=tmp_path)
    assert vectors("create", "vec:a/b", "-d", 3, cwd=tmp_path, ok=False)["code"] == "CONFIG"
    vectors("drop", "vec:my.notes", cwd=tmp_path)
    assert names_in(tmp_path) == ["lock", "notes"]


def test_an_action_with_a_point_is_one_name(tmp_path):
    (tmp_path / "tenon.yaml").write_text(
        "connectors: {api: {kind: rest_api, base_url: 'http://127.0.0.1:9', endpoints: {b: {path: /b}}}}\n")
    assert answer("call", "api:a.b", cwd=tmp_path, ok=False)["message"] == "no action can have that name"


def test_all_that_a_collection_can_hold_goes_out_and_in_again(tmp_path, keep):
    """16 MiB of what is longer as an escape, and metadata as deep as it may be."""
    deep = '{"a":' * 64 + "1" + "}" * 64
    rows = [{"id": "\x01", "vector": [1, 2], "document": "\x01\"\n" * (((16 << 20) - 1) // 3), "metadata": {"a": "x" * (15 << 20)}},
            {"id": "deep", "vector": [3, 4], "metadata": "deep"}]
    target, again = (f"faiss://{tmp_path}:{name}" for name in ("out", "again"))
    text = "".join(json.dumps(row) + "\n" for row in rows).replace('"metadata": "deep"', '"metadata": ' + deep)
    for name, source in ((target, tmp_path / "rows.jsonl"), (again, tmp_path / "back.jsonl")):
        vectors("create", name, "-d", 2, "--metric", "l2")
        if name == target:
            source.write_text(text)
        vectors("upsert", name, "--from", source)
        vectors("get", name, "-o", tmp_path / ("back.jsonl" if name == target else "again.jsonl"))
    back = (tmp_path / "back.jsonl").read_text()
    assert back == (tmp_path / "again.jsonl").read_text()
    assert [json.loads(line)["id"] for line in back.splitlines()] == ["\x01", "deep"]
    assert json.loads(back.splitlines()[0])["document"] == rows[0]["document"] and deep in back.splitlines()[1]
    tail = json.dumps({"id": "x", "vector": [1, 2], "metadata": "deep"}).replace('"deep"', '{"a":' + deep + "}")
    (tmp_path / "deeper.jsonl").write_text(tail + "\n")
    assert "nested deeper than" in vectors("upsert", again, "--from", tmp_path / "deeper.jsonl", ok=False)["message"]


# --- Options ---------------------------------------------------------------------------------------------------------

OWN = {"create": {"-d", "--metric", "--if-absent"}, "list": set(), "upsert": {"--from", "--embed"}, "drop": set(),
       "query": {"--vector", "-k", "--where", "--vectors", "--text", "--embed"}, "get": {"--id", "--where", "-n", "--vectors", "--format", "-o"},
       "count": {"--where"}, "delete": {"--id", "--source", "--where"}}
VALUES = {"-d": ["2"], "--metric": ["l2"], "--if-absent": [], "--from": ["-"], "--vector": ["[1,2]"], "-k": ["1"],
          "--where": ["n=1"], "--vectors": [], "--id": ["a"], "-n": ["0"], "--source": ["x"], "--text": ["x"],
          "--embed": ["x"], "--format": ["jsonl"], "-o": ["x"]}


# each action with what would be the worst, and each option with an action that does not have it
MISPLACED = [("drop", "--id"), ("get", "--source"), ("query", "--source"), ("query", "--id"), ("query", "-n"), ("count", "--vector"),
             ("count", "--id"), ("delete", "-n"), ("list", "--where"), ("create", "--from"), ("upsert", "--if-absent"), ("drop", "-d"),
             ("delete", "--metric"), ("delete", "--vectors"), ("get", "-k"), ("count", "--text"), ("get", "--embed"), ("query", "-o"),
             ("count", "--format")]


def test_options_of_other_actions_are_refused(keep):
    """`drop --id a` is not meant to drop it all."""
    assert {o for _, o in MISPLACED} == set(VALUES) and {a for a, _ in MISPLACED} == set(OWN)
    for action, option in MISPLACED:
        error = vectors(action, keep, option, *VALUES[option], ok=False)
        assert error["code"] == "CONFIG" and f"not of {action}" in error["message"], (option, error)
        owners = error["message"].split("option of ")[1].split(",")[0].split(" and ")
        assert set(owners) == {a for a in OWN if option in OWN[a]}
    assert vectors("count", keep) == {"count": 3}
    assert "--embed" in vectors("query", keep, "--embed", "gpt", "--vector", "[1,2]", ok=False)["message"]


# --- Conditions ------------------------------------------------------------------------------------------------------


def test_long_integers_are_compared_exactly(tmp_path):
    target = f"faiss://{tmp_path}:c"
    vectors("create", target, "-d", 1, "--metric", "l2")
    numbers = [1234567890123456789, 1234567890123456788, 2 ** 63 - 1, -2 ** 63]
    vectors("upsert", target, "--from", write_lines(tmp_path / "c.jsonl", [
        {"id": str(n), "vector": [1], "metadata": {"n": n}} for n in numbers]))
    for condition, expected in (("n = 1234567890123456789", 1), ("n in (1234567890123456789, 5)", 1),
                                ("n <> 1234567890123456789", 3), ("n = 9223372036854775808", 0), ("n >= 9223372036854775807", 1),
                                ("n <= -9223372036854775808", 1), ("n < 9223372036854775807", 3)):
        assert vectors("count", target, "--where", condition)["count"] == expected, condition
    assert [r["metadata"]["n"] for r in vectors("get", target)["rows"]] == numbers


# --- Lines of JSON ---------------------------------------------------------------------------------------------------


def upsert_text(target, text):
    """The answer of upserting what stands on stdin."""
    done = subprocess.run([TENON, "vectors", "upsert", target, "--from", "-", "--json"], env=environment(), capture_output=True,
                          input=text if isinstance(text, bytes) else text.encode())
    return json.loads(done.stdout)


def test_what_lines_may_have(keep):
    lines = ['\ufeff{"id": 7, "vector": [1, 2], "metadata": "{\\"k\\": 1}"}', '{"id":"u","document":"a\\u0000b","vector":[1e2,1]}\r',
             '{"id":"w","vector":[12345678901234567890123,1],"metadata":{"n": 12345678901234567890, "m":1.50}}', "  ", '{"id":"v","vector":[0,1]}']
    assert upsert_text(keep, "\n".join(lines))["result"] == {"rows": 4, "inserted": 4}
    rows = {r["id"]: r for r in vectors("get", keep, "--vectors")["rows"]}
    assert rows["7"]["metadata"] == {"k": 1} and rows["u"]["document"] == "a\0b"
    assert rows["w"]["vector"][0] == pytest.approx(1.2345678901234568e22) and rows["w"]["metadata"]["n"] == 12345678901234567890
    assert '{"n": 12345678901234567890, "m":1.50}' in tenon("vectors", "get", keep, "--id", "w").stdout, "as it was written"
    assert vectors("count", keep, "--where", "k = 1") == {"count": 1}


@pytest.mark.parametrize("line, said", [
    (b'{"id":"z","vector":[1,2]}\0{"id":"y","vector":[1,2]}', "line 1"), (b'{"id":"z\0","vector":[1,2]}', "line 1"),
    (b'{"id":"z","vector":[1,2],"id":"y"}', "twice"), (b'{"id":1.5,"vector":[1,2]}', "neither text nor an integer"),
    (b'{"id":"z","vector":[1e400,2]}', "line 1"), (b'{"id":"z","vector":[1,2],"metadata":"[1]"}', "no JSON object"),
    (b'{"id":"z","vector":[1,2],"metadata":{"a":1,"a":2}}', "duplicate"), (b'{"id":"z","vector":[1,2],"document":"\xff"}', "not UTF-8")])
def test_lines_that_are_none(keep, line, said):
    error = upsert_text(keep, line + b"\n")["error"]
    assert error["code"] == "DATA" and said in error["message"] and error["remedy"]
    assert "JSON_" not in error["message"], "an inside of the library"
    assert vectors("count", keep) == {"count": 3}


def test_names_of_files_of_lines(tmp_path, keep):
    row = '{"id":"new","vector":[1,2]}\n'
    (tmp_path / "x.JSONL").write_text(row)
    assert vectors("upsert", keep, "--from", tmp_path / "x.JSONL")["rows"] == 1
    shell = f"{TENON} vectors upsert {keep} --from <(cat {tmp_path}/x.JSONL) --json"
    assert json.loads(subprocess.run(["bash", "-c", shell], capture_output=True, env=environment()).stdout)["result"]["rows"] == 1
    with open(tmp_path / "x.JSONL") as file:
        done = subprocess.run([TENON, "vectors", "upsert", keep, "--from", "/dev/stdin"], stdin=file, env=environment())
        assert done.returncode == 0
    (tmp_path / "folder.jsonl").mkdir()
    error = vectors("upsert", keep, "--from", tmp_path / "folder.jsonl", ok=False)
    assert error["code"] == "CONFIG" and error["remedy"]


def test_vectors_of_odd_numbers(tmp_path, keep):
    import decimal

    import numpy
    import pyarrow
    import pyarrow.parquet
    rows = [[1.5, -0.25], [65504, 6e-8]]
    kinds = {"float16": pyarrow.array([numpy.array(r, "f2") for r in rows], pyarrow.list_(pyarrow.float16())),
             "decimal": pyarrow.array([[decimal.Decimal(str(v)).quantize(decimal.Decimal("1e-10")) for v in r] for r in rows],
                                      pyarrow.list_(pyarrow.decimal128(30, 10)))}
    for name, column in kinds.items():
        path = tmp_path / f"{name}.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"id": ["p", "q"], "vector": column}), path)
        assert vectors("upsert", keep, "--from", path)["rows"] == 2
        got = [r["vector"] for r in vectors("get", keep, "--id", "p", "--id", "q", "--vectors")["rows"]]
        assert numpy.array_equal(numpy.array(got, "f4"), numpy.array(column.to_pylist()).astype("f4")), name


def test_a_nul_in_metadata_of_a_table(tmp_path, keep):
    import pyarrow
    import pyarrow.parquet
    for metadata in ('{"a":1\0,"b":2}', '{"a":1}\0', '{"a":12345678901234567890123}'):
        path = tmp_path / "nul.parquet"
        table = pyarrow.table({"id": ["p"], "vector": pyarrow.array([[1.0, 2.0]], pyarrow.list_(pyarrow.float32())), "metadata": [metadata]})
        pyarrow.parquet.write_table(table, path)
        if "\0" in metadata:
            error = vectors("upsert", keep, "--from", path, ok=False)
            assert error["code"] == "DATA" and "row 1" in error["message"] and "NUL" in error["message"]
        else:
            assert vectors("upsert", keep, "--from", path)["inserted"] == 1
    assert vectors("count", keep, "--where", "n >= 0") == {"count": 3}


def test_a_number_that_json_has_not_is_named(tmp_path, keep):
    import pyarrow
    import pyarrow.parquet
    for bad in (float("nan"), float("inf")):
        metadata = pyarrow.array([{"a": {"score": 1.5}}, {"a": {"score": bad}}])
        pyarrow.parquet.write_table(pyarrow.table({"id": ["p", "q"], "vector": [[1.0, 2.0]] * 2, "metadata": metadata}), tmp_path / "nan.parquet")
        error = vectors("upsert", keep, "--from", tmp_path / "nan.parquet", ok=False)
        assert error["code"] == "DATA" and 'row 2: its metadata: "score"' in error["message"], error
    assert vectors("count", keep) == {"count": 3}


def test_words_for_what_is_wrong(tmp_path, keep):
    error = upsert_text(keep, b'{"id":"z","vector":[1,2,3]}\n')["error"]
    assert "row 1: its vector has 3 numbers" in error["message"] and "embed" not in error["remedy"]
    done = tenon("vectors", "create", keep, "-d", 2, "--metric", "l2", "--if-absent")
    assert "created" not in done.stderr and "3 rows" in done.stderr
    error = upsert_text(keep, b'{"id":"z"')["error"]
    assert "it ends too soon" in error["message"]
    path = next((tmp_path / "keep").glob("vectors-*"))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-4])
    error = vectors("count", keep, ok=False)
    assert "faiss.write_index" not in error["remedy"] and "restore" in error["remedy"]


@pytest.mark.parametrize("damage", [b'{"source"\0 "x", "n": 0}', b'{"source": "\xff", "n": 0}'])
def test_damaged_metadata_gives_no_broken_json(tmp_path, keep, damage):
    path = next((tmp_path / "keep").glob("records-*"))
    data = path.read_bytes()
    sound = b'{"source": "x", "n": 0}'
    assert data.count(sound) == 1
    path.unlink()
    path.write_bytes(data.replace(sound, damage[:len(sound)].ljust(len(sound))))
    done = tenon("vectors", "get", keep, "--json")
    document = json.loads(done.stdout)
    assert document["ok"] is False and document["error"]["code"] == "DATA" and "restore" in document["error"]["remedy"]
    assert done.returncode == document["error"]["exit"]


# --- Vectors and ids on the command line ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[1]junk", "1]2", "[[1,2]]", "[1,,2]", "[1,2", "1,2]", "[]", "[1,2,]", ",1,2", "[1,2] [3,4] x", "1;2"])
def test_what_is_no_vector(keep, text):
    error = vectors("query", keep, f"--vector={text}", ok=False)
    assert error["code"] == "CONFIG" and text[:3] in error["message"] and error["remedy"]


def nearest(target, *words, **more):
    done = subprocess.run([TENON, "vectors", "query", target, "-k", "1", "--json", *words], env=environment(), capture_output=True, text=True, **more)
    document = json.loads(done.stdout)
    return [r["id"] for r in document["result"]["rows"]] if document["ok"] else document["error"]


def test_vectors_from_files(tmp_path, keep):
    path = tmp_path / "v.txt"
    for text, found in (("[0,\n 1]\n[2, 1]\n", ["a", "c"]), ("0,1\r\n1 1\n\n2,1", ["a", "b", "c"]), ("[[0,1]]", None), ("", None), ("[1,1],\n[2,1]", ["b", "c"]),
                        ("[1,1]\n[1,1,1]", None), ("[1,1]\0", None)):
        path.write_text(text)
        got = nearest(keep, f"--vector=@{path}")
        assert got == found if found else got["code"] == "CONFIG" and got["remedy"], text
        assert nearest(keep, "--vector=-", stdin=open(path)) == got or not found
    assert nearest(keep, "--vector=[2,1]", f"--vector=@{tmp_path}/nothing")["code"] == "NOT_FOUND"


def test_a_wide_vector_can_be_looked_for(tmp_path):
    target, wide = f"faiss://{tmp_path}:wide", [i / 7 for i in range(65536)]
    vectors("create", target, "-d", 65536, "--metric", "l2")
    assert upsert_text(target, json.dumps({"id": "w", "vector": wide}))["result"]["rows"] == 1
    (tmp_path / "v.json").write_text(json.dumps(wide))
    assert vectors("query", target, "--vector", f"@{tmp_path}/v.json")["rows"][0] == {
        "query": 0, "id": "w", "score": 0.0, "document": None, "metadata": None}


def test_many_ids(tmp_path, keep):
    many = [f"m{i}" for i in range(3000)]
    vectors("upsert", keep, "--from", write_lines(tmp_path / "many.jsonl", [{"id": i, "vector": [1, 2]} for i in many]))
    (tmp_path / "ids.txt").write_text("\r\n".join(many[:2000]) + "\n\n")
    assert len(vectors("get", keep, "--id", f"@{tmp_path}/ids.txt", "--id", "a")["rows"]) == 2001
    assert vectors("delete", keep, "--id", f"@{tmp_path}/ids.txt") == {"deleted": 2000}
    done = subprocess.run([TENON, "vectors", "delete", keep, "--id", "-"], input="\n".join(many), env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1,000\n"), done
    vectors("upsert", keep, "--from", write_lines(tmp_path / "at.jsonl", [{"id": "@at", "vector": [1, 2]}]))
    assert vectors("delete", keep, "--id", "@@at") == {"deleted": 1}
    (tmp_path / "none.txt").write_text("")
    assert vectors("delete", keep, "--id", f"@{tmp_path}/none.txt") == {"deleted": 0}
    assert vectors("get", keep, "--id", f"@{tmp_path}/none.txt")["rows"] == []
    assert vectors("get", keep, *["--id", "a"] * 200)["rows"][0]["id"] == "a"
    error = vectors("get", keep, *["--id=a"] * 257, ok=False)
    assert error["code"] == "LIMITED" and "256" in error["message"] and "file" in error["remedy"]
    assert vectors("count", keep) == {"count": 3}


def test_a_dimension_that_is_too_large_is_not_one_that_is_missing(tmp_path):
    assert "65536" in vectors("create", f"faiss://{tmp_path}:x", "-d", 65537, ok=False)["message"]
    assert "not said" in vectors("create", f"faiss://{tmp_path}:x", ok=False)["message"]


# --- Folders that are not as they should be ---------------------------------------------------------------------------


def listed(folder):
    done = tenon("vectors", "list", f"faiss://{folder}", "--json")
    assert done.returncode == 0, done.stdout
    return {row.pop("name"): row for row in json.loads(done.stdout)["result"]["collections"]}, done.stderr


UNKNOWN = {"dimension": None, "metric": None, "count": None}


@pytest.mark.parametrize("manifest, code", [("", "DATA"), ("x" * 600, "DATA"), ("tenon-vectors 1\nmetric l2\n", "DATA"),
                                            ("tenon-vectors 9\nmetric l2\ndimension 2\nrows 3\nstamp 1\n", "UNSUPPORTED")])
def test_one_damaged_collection_does_not_hide_the_others(tmp_path, keep, manifest, code):
    vectors("create", f"faiss://{tmp_path}:good", "-d", 2)
    (tmp_path / "keep" / "manifest").write_text(manifest)
    assert vectors("count", keep, ok=False)["code"] == code
    rows, said = listed(tmp_path)
    assert rows == {"good": {"dimension": 2, "metric": "cosine", "count": 0}, "keep": UNKNOWN} and "keep" in said
    assert len(answer("ls", f"faiss://{tmp_path}")["collections"]) == 2
    assert answer("test", f"faiss://{tmp_path}")["steps"][-1]["evidence"] == "2 collections"
    if code == "UNSUPPORTED":
        assert vectors("drop", keep, ok=False)["code"] == code and (tmp_path / "keep" / "manifest").exists()
        return
    assert vectors("create", keep, "-d", 2, "--if-absent", ok=False)["code"] == "DATA"
    assert vectors("drop", keep) == UNKNOWN
    assert list(listed(tmp_path)[0]) == ["good"] and not (tmp_path / "keep").exists()


def test_a_lost_manifest_loses_no_rows(tmp_path, keep):
    manifest = (tmp_path / "keep" / "manifest").read_text()
    (tmp_path / "keep" / "manifest").unlink()
    error = vectors("create", keep, "-d", 2, "--if-absent", ok=False)
    assert error["code"] == "CONFLICT" and "manifest" in error["message"] and "restore" in error["remedy"]
    (tmp_path / "keep" / "manifest").write_text(manifest)
    assert vectors("count", keep) == {"count": 3}
    (tmp_path / "keep" / "manifest").unlink()
    assert vectors("drop", keep)["count"] is None and not (tmp_path / "keep").exists()
    assert vectors("drop", keep, ok=False)["code"] == "NOT_FOUND"
    assert vectors("create", keep, "-d", 2)["count"] == 0


def test_a_link_is_not_followed(tmp_path, keep):
    root, target = tmp_path / "root", f"faiss://{tmp_path}/root:keep"
    root.mkdir()
    (root / "keep").symlink_to(tmp_path / "keep")
    before = sorted((tmp_path / "keep").iterdir())
    for words in (("count",), ("delete", "--id", "a"), ("upsert", "--from", tmp_path / "keep.jsonl"), ("drop",), ("create", "-d", 2, "--if-absent")):
        error = vectors(words[0], target, *words[1:], ok=False)
        assert error["code"] == "FORBIDDEN" and "link" in error["message"] and error["remedy"], words
    assert listed(root)[0] == {} and sorted((tmp_path / "keep").iterdir()) == before
    assert vectors("count", keep) == {"count": 3}


@pytest.mark.parametrize("name", ["x.faiss", "x.index"])
def test_names_that_would_be_hidden_are_refused(tmp_path, keep, name):
    error = vectors("create", f"faiss://{tmp_path}:{name}", "-d", 2, ok=False)
    assert error["code"] == "CONFIG" and error["remedy"]
    (tmp_path / "keep").rename(tmp_path / name)   # as older versions made them
    assert listed(tmp_path)[0] == {name: {"dimension": 2, "metric": "l2", "count": 3}}
    assert vectors("count", f"faiss://{tmp_path}:{name}") == {"count": 3}
    (tmp_path / "plain").write_text("")
    assert vectors("create", f"faiss://{tmp_path}:plain", "-d", 2, ok=False)["code"] == "CONFLICT"


def test_a_create_that_fails_leaves_nothing(tmp_path):
    done = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 0; {TENON} vectors create faiss://{tmp_path}:c -d 2"], env=environment(), capture_output=True)
    assert done.returncode and list(tmp_path.iterdir()) == []


# --- Waiting for stdin -----------------------------------------------------------------------------------------------


READERS = [["vectors", "upsert", "TARGET", "--from", "-"], ["call", "api", "b", "--input", "-"],
           ["vectors", "query", "TARGET", "--vector", "-"], ["vectors", "delete", "TARGET", "--id", "-"],
           ["put", "-", "dir:x.bin"], ["chat", "ollama://127.0.0.1:9?model=x", "-"],
           ["embed", "ollama://127.0.0.1:9?model=x", "-", "-o", "v.parquet"], ["grant", "x", "--token-url", "https://x.example/", "--client-id", "x"]]


@pytest.mark.parametrize("words, end", [(w, "timeout") for w in READERS] + [(READERS[0], signal.SIGINT), (READERS[1], signal.SIGTERM)])
def test_nobody_waits_for_stdin_for_ever(tmp_path, keep, words, end):
    (tmp_path / "tenon.yaml").write_text(
        "connectors: {api: {kind: rest_api, base_url: 'http://127.0.0.1:9', endpoints: {b: {path: /b}}}, "
        f"dir: {{kind: files, root: {tmp_path}}}}}\n")
    words = [keep if w == "TARGET" else w for w in words] + (["--timeout", "150ms"] if end == "timeout" else [])
    reader, writer = os.pipe()
    begin = time.monotonic()
    child = subprocess.Popen([TENON, *words, "--json"], stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env=environment(), cwd=tmp_path)
    if end != "timeout":
        while "poll" not in open(f"/proc/{child.pid}/wchan").read() and child.poll() is None and time.monotonic() - begin < 5:
            time.sleep(0.01)
        child.send_signal(end)
    said = json.loads(child.communicate(timeout=20)[0])
    os.close(reader), os.close(writer)
    assert said["error"]["code"] == ("TIMEOUT" if end == "timeout" else "CANCELLED"), said
    assert time.monotonic() - begin < 10
