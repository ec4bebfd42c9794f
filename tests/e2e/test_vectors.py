# SPDX-License-Identifier: Apache-2.0
"""`tenon vectors` on the kind faiss, beside FAISS's own library; writers that are killed, and several at once."""
import json
import random
import signal
import subprocess
import time

import faiss
import numpy
import pyarrow
import pyarrow.parquet
import pytest

from command import TENON, answer, environment, tenon

DIMENSION, ROWS = 48, 4000
METRICS = {"cosine": faiss.IndexFlatIP, "inner_product": faiss.IndexFlatIP, "l2": faiss.IndexFlatL2}


def vectors(*words, **more):
    return answer("vectors", *words, **more)


def random_rows(count, seed=1, dimension=DIMENSION):
    return numpy.random.default_rng(seed).standard_normal((count, dimension)).astype("f4")


def write_parquet(path, rows, first=0, **columns):
    table = {"id": [f"id{first + i}" for i in range(len(rows))], "vector": [row.tolist() for row in rows], **columns}
    table["vector"] = pyarrow.array(table["vector"], pyarrow.list_(pyarrow.float32()))
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    return path


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def text_of(vector):
    return "[" + ",".join(repr(float(v)) for v in vector) + "]"


def index_of(folder, name):
    return next((folder / name).glob("vectors-*.faiss"))


def found(target, queries, nearest=10, *more):
    """(ids, scores) of each query."""
    words = [w for q in queries for w in ("--vector", text_of(q))]
    rows = vectors("query", target, *words, "-k", nearest, *more)["rows"]
    by_query = [[r for r in rows if r["query"] == i] for i in range(len(queries))]
    return [[r["id"] for r in one] for one in by_query], [[r["score"] for r in one] for one in by_query]


@pytest.fixture
def notes(tmp_path):
    """A collection `notes` of three rows."""
    target = f"faiss://{tmp_path}:notes"
    vectors("create", target, "--dimension", 3)
    lines = write_lines(tmp_path / "rows.jsonl", [
        {"id": "a", "vector": [1, 0, 0], "document": "first", "metadata": {"source": "x.pdf", "page": 1}},
        {"id": "b", "vector": [0, 1, 0.0], "metadata": {"source": "y.pdf", "page": 2, "tags": ["t"], "deep": {"k": "\u00e9\n"}}},
        {"id": "\u00e9", "vector": [0.6, 0.8, 0]}])
    assert vectors("upsert", target, "--from", lines) == {"rows": 3, "inserted": 3}
    return target


# --- FAISS's own library opens ours, and the reverse -----------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_faiss_opens_our_index(tmp_path, metric):
    target, rows, queries = f"faiss://{tmp_path}:c", random_rows(ROWS), random_rows(12, seed=2)
    vectors("create", target, "--dimension", DIMENSION, "--metric", metric)
    vectors("upsert", target, "--from", write_parquet(tmp_path / "rows.parquet", rows))
    index = faiss.read_index(str(index_of(tmp_path, "c")))
    assert type(index) is METRICS[metric] and index.ntotal == ROWS and index.d == DIMENSION
    kept = index.reconstruct_n(0, ROWS)
    scaled = rows / numpy.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows
    numpy.testing.assert_allclose(kept, scaled, rtol=1e-6)
    if metric != "cosine":
        assert (kept == rows).all()
    asked = queries / numpy.linalg.norm(queries, axis=1, keepdims=True) if metric == "cosine" else queries
    scores, ids = index.search(asked, 10)
    for how in ((), ("--set", "first_pass=none"), ("--set", "blas=false")):
        our_ids, our_scores = found(target, queries, 10, *how)
        assert our_ids == [[f"id{i}" for i in one] for one in ids]
        numpy.testing.assert_allclose(our_scores, scores, rtol=1e-4)


@pytest.mark.parametrize("name, make", [
    ("ip.faiss", faiss.IndexFlatIP), ("l2.index", faiss.IndexFlatL2), ("any.index", lambda d: faiss.index_factory(d, "Flat")),
    ("inner.faiss", lambda d: faiss.IndexFlat(d, faiss.METRIC_INNER_PRODUCT))])
def test_an_index_of_faiss_opens_here(tmp_path, name, make):
    rows, queries = random_rows(ROWS), random_rows(9, seed=3)
    index = make(DIMENSION)
    index.add(rows)
    faiss.write_index(index, str(tmp_path / name))
    target = f"faiss://{tmp_path}:{name.split('.')[0]}"
    scores, ids = index.search(queries, 5)
    our_ids, our_scores = found(target, queries, 5)
    assert our_ids == [[str(i) for i in one] for one in ids]
    numpy.testing.assert_allclose(our_scores, scores, rtol=1e-4)
    assert vectors("count", target) == {"count": ROWS}
    got = vectors("get", target, "--id", "17", "--vectors")["rows"]
    assert numpy.array_equal(numpy.array(got[0]["vector"], "f4"), rows[17])
    for action in (("delete", "--id", "1"), ("upsert", "--from", "-"), ("drop",)):
        assert vectors(action[0], target, *action[1:], ok=False)["code"] == "UNSUPPORTED"


def test_an_index_may_be_written_anew_while_it_is_used(tmp_path):
    """FAISS truncates the file: whoever had it mapped would die."""
    path, target = tmp_path / "theirs.faiss", f"faiss://{tmp_path}:theirs"
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(random_rows(20_000))
    faiss.write_index(index, str(path))
    running = [tenon_reading(target) for _ in range(8)]
    for _ in range(40):
        faiss.write_index(index, str(path))
    for one in running:
        said = json.loads(one.communicate(timeout=60)[0])
        assert said["ok"] or said["error"]["code"] in ("CONFLICT", "DATA"), said
    assert vectors("count", target) == {"count": 20_000}


def tenon_reading(target):
    words = [TENON, "vectors", "get", target, "--vectors", "--json"]
    return subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE)


@pytest.mark.parametrize("metric", METRICS)
def test_a_collection_can_be_copied_bit_by_bit(tmp_path, metric):
    """What the remedy says for an index that can only be read, and for any other collection."""
    rows = random_rows(500)
    rows[7] *= 1e-30
    source = f"faiss://{tmp_path}:c"
    vectors("create", source, "-d", DIMENSION, "--metric", metric)
    documents = [f"é {i}\nnext \"{i}\"" for i in range(500)]
    metadata = [json.dumps({"n": i, "big": 2 ** 70 + i, "t": "x\0\n"}, indent=1) if i % 3 else None for i in range(500)]
    vectors("upsert", source, "--from", write_parquet(tmp_path / "r.parquet", rows, document=documents, metadata=metadata))
    vectors("create", f"faiss://{tmp_path}:copy", "-d", DIMENSION, "--metric", metric)
    assert vectors("get", source, "-o", tmp_path / "rows.jsonl") == {"rows": 500}
    assert vectors("upsert", f"faiss://{tmp_path}:copy", "--from", tmp_path / "rows.jsonl") == {"rows": 500, "inserted": 500}
    for what in ("--vectors", "-n"):
        more = [what] if what == "--vectors" else [what, "9"]
        assert vectors("get", source, *more) == vectors("get", f"faiss://{tmp_path}:copy", *more)
    assert index_of(tmp_path, "c").read_bytes() == index_of(tmp_path, "copy").read_bytes()
    piped = f"{TENON} vectors get {source} --format jsonl -n 3 | {TENON} vectors upsert {source} --from - --json"
    assert json.loads(subprocess.run(["bash", "-c", piped], env=environment(), capture_output=True).stdout)["result"]["rows"] == 3
    assert vectors("get", source, "--format", "jsonl", ok=False)["code"] == "CONFIG"


def test_the_remedy_for_an_index_that_can_only_be_read(tmp_path):
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(random_rows(50))
    faiss.write_index(index, str(tmp_path / "theirs.faiss"))
    remedy = vectors("delete", f"faiss://{tmp_path}:theirs", "--id", "1", ok=False)["remedy"]
    assert "get -o rows.jsonl" in remedy and "--from rows.jsonl" in remedy
    vectors("get", f"faiss://{tmp_path}:theirs", "-o", tmp_path / "rows.jsonl")
    vectors("create", f"faiss://{tmp_path}:ours", "-d", DIMENSION, "--metric", "l2")
    assert vectors("upsert", f"faiss://{tmp_path}:ours", "--from", tmp_path / "rows.jsonl")["inserted"] == 50
    ours = faiss.read_index(str(index_of(tmp_path, "ours")))
    assert (ours.reconstruct_n(0, 50) == random_rows(50)).all()


@pytest.mark.parametrize("wrapper", [faiss.IndexIDMap, faiss.IndexIDMap2])
def test_ids_of_faiss_are_kept(tmp_path, wrapper):
    rows = random_rows(100)
    index = wrapper(faiss.IndexFlatL2(DIMENSION))
    index.add_with_ids(rows, numpy.arange(100) * -3 + 2 ** 40)
    faiss.write_index(index, str(tmp_path / "theirs.faiss"))
    ids, scores = found(f"faiss://{tmp_path}:theirs", rows[7:8], 1)
    assert ids == [[str(2 ** 40 - 21)]] and scores == [[0.0]]
    assert vectors("get", f"faiss://{tmp_path}:theirs", "--id", str(2 ** 40 - 21), "--id", "7")["rows"][0]["id"] == str(2 ** 40 - 21)


def test_an_index_that_is_not_flat_is_refused_by_name(tmp_path):
    index = faiss.IndexHNSWFlat(DIMENSION, 8)
    index.add(random_rows(50))
    faiss.write_index(index, str(tmp_path / "graph.faiss"))
    (tmp_path / "broken.index").write_bytes(b"IxF2")
    (tmp_path / "folder.faiss").mkdir()
    assert vectors("count", f"faiss://{tmp_path}:broken", ok=False)["code"] == "DATA"
    assert vectors("count", f"faiss://{tmp_path}:folder", ok=False)["code"] == "NOT_FOUND"
    error = vectors("count", f"faiss://{tmp_path}:graph", ok=False)
    assert error["code"] == "UNSUPPORTED" and "flat" in error["remedy"]
    assert vectors("list", f"faiss://{tmp_path}")["collections"] == []


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_rows_come_back(notes):
    rows = vectors("get", notes, "--id", "b", "--id", "\u00e9", "--vectors")["rows"]
    assert rows[0]["id"] == "b" and rows[0]["document"] is None and rows[0]["vector"] == [0.0, 1.0, 0.0]
    assert rows[0]["metadata"] == {"source": "y.pdf", "page": 2, "tags": ["t"], "deep": {"k": "\u00e9\n"}}
    assert rows[1]["metadata"] is None and numpy.allclose(rows[1]["vector"], [0.6, 0.8, 0])
    assert len(vectors("get", notes, "-n", 2)["rows"]) == 2


def test_conditions_hold_before_distances(notes):
    ids, scores = found(notes, [[0, 1, 0]], 2, "--where", "page >= 1 and source <> 'y.pdf'")
    assert ids == [["a"]] and scores == [[0.0]]
    assert vectors("count", notes, "--where", "page is null") == {"count": 1}


def test_deleting(notes):
    assert vectors("delete", notes, "--source", "x.pdf") == {"deleted": 1}
    assert vectors("delete", notes, "--id", "a", "--id", "\u00e9") == {"deleted": 1}
    assert vectors("delete", notes, "--where", "page = 2") == {"deleted": 1}
    assert vectors("count", notes) == {"count": 0}
    assert found(notes, [[0, 1, 0]]) == ([[]], [[]])
    error = vectors("delete", notes, ok=False)
    assert error["code"] == "CONFIG"


def test_metadata_from_columns_of_a_table(tmp_path, notes):
    meta = pyarrow.array([{"page": 1, "lang": "en"}, {"page": None, "lang": "fr"}])
    rows = write_parquet(tmp_path / "m.parquet", random_rows(2, dimension=3), first=7, metadata=meta, document=["d", None])
    assert vectors("upsert", notes, "--from", rows)["inserted"] == 2
    got = vectors("get", notes, "--where", "lang = 'en'")["rows"]
    assert got == [{"id": "id7", "document": "d", "metadata": {"page": 1, "lang": "en"}}]


def test_lines_from_stdin(notes):
    done = subprocess.run([TENON, "vectors", "upsert", notes, "--from", "-", "--json"], env=environment(), capture_output=True,
                          input=b'\n{"id":"a","vector":[0,0,1]}\n{"id":"z","vector":[0,0,-1e-3]}')
    assert json.loads(done.stdout)["result"] == {"rows": 2, "inserted": 1}


@pytest.mark.parametrize("line, said", [
    ('{"id":"a"}', "line 2: its vector is no array"), ('{"id":"a","vector":[1,"2",3]}', "no number"),
    ('{"vector":[1,2,3]}', "row 2: its id is NULL"), ('{"id":"a","vector":[1,2]}', "has 2 numbers"),
    ('{"id":"a","vector":[1,2,3],"text":"x"}', 'member "text"'), ('{"id":"a","vector":[1,2,3]', "line 2: not JSON"),
    ('{"id":"a","vector":[0,0,0]}', "all zeros"), ('{"id":"a","vector":[1e39,0,0]}', "not finite"),
    ('{"id":"a","vector":[1,2,3],"metadata":[1]}', "metadata is no object"), ('[1]', "no JSON object"),
    ('{"id":"","vector":[1,2,3]}', "row 2")])
def test_bad_lines_change_nothing(tmp_path, notes, line, said):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id":"new","vector":[1,2,3]}\n' + line + "\n")
    error = vectors("upsert", notes, "--from", path, ok=False)
    assert error["code"] == "DATA" and said in error["message"] and error["remedy"]
    assert vectors("count", notes) == {"count": 3}


def test_what_is_asked_wrongly(tmp_path, notes):
    cases = [("query", notes, "--vector", "[1,2]"), ("query", notes, "--vector", "[1,x]"), ("query", notes),
             ("create", f"faiss://{tmp_path}:x"), ("upsert", notes), ("create", f"faiss://{tmp_path}:.x", "-d", 3),
             ("guess", notes), ("count", f"faiss://{tmp_path}")]
    for words in cases:
        error = vectors(*words, ok=False)
        assert error["code"] == "CONFIG" and error["message"] and error["remedy"], words
    assert vectors("count", f"faiss://{tmp_path}:nothing", ok=False)["code"] == "NOT_FOUND"
    assert vectors("create", notes, "-d", 3, ok=False)["code"] == "CONFLICT"
    assert vectors("create", notes, "-d", 3, "--if-absent")["count"] == 3
    assert vectors("list", "faiss:///nowhere/at/all", ok=False)["code"] == "NOT_FOUND"


def test_for_people(notes):
    done = tenon("vectors", "query", notes, "--vector", "[1,0,0]", "-k", 2)
    assert done.returncode == 0 and "first" in done.stdout and "2 rows" in done.stderr
    done = tenon("vectors", "query", notes, "--vector", "[1,0]")
    assert done.stderr.startswith(f"tenon: cannot carry out query on {notes}: the vector to look for has 2 numbers")


def test_a_collection_made_anew_is_another(tmp_path, notes):
    vectors("drop", notes)
    assert not (tmp_path / "notes").exists()
    vectors("create", notes, "--dimension", 5, "--metric", "l2")
    assert vectors("list", f"faiss://{tmp_path}")["collections"] == [
        {"name": "notes", "dimension": 5, "metric": "l2", "count": 0}]


def test_what_people_put_there_stays(tmp_path, notes):
    names = ["vectors-old.faiss", "records-2024", "codes-0123456789abcdef.bak", "README"]
    for name in names:
        (tmp_path / "notes" / name).write_text("mine")
    (tmp_path / "notes" / "codes-0123456789abcdef").write_text("what a killed writer left")
    assert vectors("delete", notes, "--id", "a") == {"deleted": 1}
    left = {p.name for p in (tmp_path / "notes").iterdir()}
    assert left >= set(names) and "codes-0123456789abcdef" not in left
    vectors("drop", notes)
    assert {p.name for p in (tmp_path / "notes").iterdir()} == set(names)
    assert vectors("list", f"faiss://{tmp_path}")["collections"] == []


def test_ls_and_test_know_collections(tmp_path, notes):
    listed = answer("ls", f"faiss://{tmp_path}")["collections"]
    assert listed == [{"name": "notes", "dimension": 3, "metric": "cosine", "count": 3}]
    assert answer("test", notes)["steps"][-1]["evidence"] == "notes has 3 rows"
    error = answer("test", f"faiss://{tmp_path}:other", ok=False)
    assert error["code"] == "NOT_FOUND" and "create" in error["remedy"]


# --- Damaged files ---------------------------------------------------------------------------------------------------


def broken_copies(data, count, seed):
    """Bytes as they might be after an accident, or by intent."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        how = chance.randrange(3)
        at = chance.randrange(min(len(copy), 160))
        if how == 0:
            copy[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            copy[at:at + 8] = chance.choice([b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f", b"\1" + b"\0" * 6 + b"\x80"])
        else:
            del copy[chance.randrange(len(copy)):]
        yield bytes(copy)


@pytest.mark.parametrize("which", ["vectors-*", "records-*", "codes-*", "manifest"])
def test_damaged_files_are_errors(tmp_path, notes, which):
    path = next((tmp_path / "notes").glob(which))
    data = path.read_bytes()
    for copy in broken_copies(data, 25, seed=which):
        path.unlink()
        path.write_bytes(copy)
        for words in (("query", notes, "--vector", "[1,2,3]", "--where", "page >= 0"), ("get", notes, "--id", "b")):
            done = tenon("vectors", *words, "--json", timeout=20)
            said = json.loads(done.stdout)
            assert said["ok"] or said["error"]["code"] in ("DATA", "NOT_FOUND", "UNSUPPORTED", "CONFIG"), said
    path.unlink()
    error = vectors("count", notes, ok=False)
    assert error["code"] in ("DATA", "NOT_FOUND")


def test_a_number_that_is_none_in_a_vectors_file_is_damage(tmp_path):
    target = f"faiss://{tmp_path}:c"
    vectors("create", target, "-d", 2, "--metric", "l2")
    vectors("upsert", target, "--from", write_lines(tmp_path / "c.jsonl", [{"id": "a", "vector": [1, 2]}, {"id": "b", "vector": [1e38, 0]}]))
    assert [r["id"] for r in vectors("query", target, "--vector", "[-3e38,0]")["rows"]] == ["a", "b"], "overflow is no damage"
    path = index_of(tmp_path, "c")
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-16] + numpy.array([1, numpy.nan], "f4").tobytes() + data[-8:])
    error = vectors("query", target, "--vector", "[1,2]", ok=False)
    assert error["code"] == "DATA" and "not finite" in error["message"] and "restore" in error["remedy"]


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
def test_tiny_numbers_are_found_the_same_way(tmp_path, metric):
    target = f"faiss://{tmp_path}:c"
    vectors("create", target, "-d", 1, "--metric", metric)
    rows = (numpy.random.default_rng(3).standard_normal((2000, 1)) * 1e-18).astype("f4")
    vectors("upsert", target, "--from", write_parquet(tmp_path / "rows.parquet", rows))
    sweep = [[10.0 ** e] for e in range(-28, -16)]
    assert found(target, sweep, 5) == found(target, sweep, 5, "--set", "first_pass=none")
    assert found(target, sweep, 5, "--set", "blas=false") == found(target, sweep[:12], 5)
    assert found(target, sweep[3:4], 5) == tuple(x[3:4] for x in found(target, sweep, 5))


def test_a_manifest_may_not_lead_elsewhere(tmp_path, notes):
    (tmp_path / "notes" / "manifest").rename(tmp_path / "elsewhere")
    (tmp_path / "notes" / "manifest").symlink_to(tmp_path / "elsewhere")
    assert vectors("count", notes, ok=False)["code"] != "INTERNAL"
    assert tenon("vectors", "count", f"faiss://{tmp_path}:../{tmp_path.name}/notes").returncode == 2


# --- Killed writers, several writers ---------------------------------------------------------------------------------


def test_killed_writers_leave_the_old_or_the_new(tmp_path):
    target, chance = f"faiss://{tmp_path}:c", random.Random(5)
    vectors("create", target, "--dimension", DIMENSION, "--metric", "l2")
    files = [write_parquet(tmp_path / f"{n}.parquet", random_rows(ROWS, seed=n), document=[f"{n}"] * ROWS) for n in range(2)]
    begin = time.monotonic()
    vectors("upsert", target, "--from", files[0])
    took = time.monotonic() - begin
    present, killed = 0, 0
    for turn in range(30):
        writer = subprocess.Popen([TENON, "vectors", "upsert", target, "--from", files[(turn + 1) % 2], "-q"], env=environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * took * 1.2)
        writer.kill()
        killed += writer.wait() == -signal.SIGKILL
        rows = vectors("get", target, "--id", "id0", "--id", f"id{ROWS - 1}", "--vectors")["rows"]
        assert {row["document"] for row in rows} in ({"0"}, {"1"}), "half of a write is there"
        present = int(rows[0]["document"])
        assert numpy.array_equal(numpy.array(rows[1]["vector"], "f4"), random_rows(ROWS, seed=present)[-1])
        assert vectors("count", target) == {"count": ROWS}
    assert killed >= 5
    vectors("upsert", target, "--from", files[1 - present])
    names = sorted(p.name.split("-")[0] for p in (tmp_path / "c").iterdir())
    assert names == ["codes", "manifest", "records", "vectors"], "what killed writers left is still there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.parquet", "1.parquet", "c"]
    faiss.read_index(str(index_of(tmp_path, "c")))


def test_writers_and_readers_at_once(tmp_path):
    target, batch, writers = f"faiss://{tmp_path}:c", 50, 6
    vectors("create", target, "--dimension", DIMENSION)
    files = [write_parquet(tmp_path / f"{n}.parquet", random_rows(batch, seed=n), first=n * batch) for n in range(writers)]
    running = [subprocess.Popen([TENON, "vectors", "upsert", target, "--from", f, "-q"], env=environment()) for f in files]
    counts = []
    while any(w.poll() is None for w in running):
        counts.append(vectors("count", target)["count"])
        ids, _ = found(target, random_rows(1), 1000)
        assert len(ids[0]) % batch == 0 and len(set(ids[0])) == len(ids[0])
    assert all(w.wait() == 0 for w in running)
    assert all(c % batch == 0 for c in counts) and counts == sorted(counts)
    assert vectors("count", target) == {"count": batch * writers}


def test_a_write_waits_for_the_lock_and_says_so(tmp_path, notes):
    holder = subprocess.Popen(["flock", "--no-fork", str(tmp_path), "sleep", "30"])
    try:
        while subprocess.run(["flock", "-n", str(tmp_path), "true"]).returncode == 0:
            time.sleep(0.01)
        error = vectors("delete", notes, "--id", "a", "--set", "lock_timeout=200ms", ok=False)
        assert error["code"] == "CONFLICT" and "lock_timeout" in error["remedy"]
        error = vectors("delete", notes, "--id", "a", "--timeout", "300ms", ok=False)
        assert error["code"] == "TIMEOUT"
        assert vectors("count", notes) == {"count": 3}, "readers do not wait"
    finally:
        holder.kill()
        holder.wait()


def test_a_relative_path_needs_a_dot_before_a_name(tmp_path):
    (tmp_path / "index").mkdir()
    vectors("create", "faiss://./index:notes", "-d", "3", cwd=tmp_path)
    error = vectors("list", "faiss://index:notes", ok=False, cwd=tmp_path)
    assert error["code"] == "CONFIG" and "./" in error["remedy"]
