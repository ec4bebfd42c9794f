# SPDX-License-Identifier: Apache-2.0
"""SQLite through the command, beside Python's own sqlite3 and pyarrow."""
import datetime
import decimal
import os
import random
import sqlite3
import subprocess
import time

import pyarrow as pa
import pyarrow.ipc
import pytest

TENON = os.environ["TENON"]
UTC = datetime.timezone.utc


def tenon(*words, code=0):
    done = subprocess.run([TENON, *map(str, words)], capture_output=True, timeout=120)
    assert done.returncode == code, done.stderr.decode()
    return done


def arrow(target, *words):
    return pa.ipc.open_stream(tenon("read", target, "--format", "arrow", *words).stdout).read_all()


def rows(table):
    return [tuple(row.values()) for row in table.to_pylist()]


def test_numbers_without_digits_are_ordered_as_numbers(tmp_path):
    with sqlite3.connect(tmp_path / "n.db") as db:
        db.execute("create table n (n numeric)")
        db.executemany("insert into n values (?)", [(9,), (10,), (-1,), (1.5,), (None,), (2**53 + 1,), (float(2**53),)])
    read = lambda *words: arrow(f"{tmp_path}/n.db:n", *words)["n"].to_pylist()
    assert read("--order", "n") == ["-1", "1.5", "9", "10", "9007199254740992", "9007199254740993", None]
    assert read("--order=-n", "--limit", "2") == ["9007199254740993", "9007199254740992"]


def test_bytes_are_binary(tmp_path):
    with sqlite3.connect(tmp_path / "b.db") as db:
        db.execute("create table b (a varbinary(16), b BINARY, t text)")
        db.execute("insert into b values (x'ff00', x'', x'ff')")
    assert rows(arrow(f"{tmp_path}/b.db:b", "--columns", "a,b")) == [(b"\xff\0", b"")]
    assert rows(arrow(f"{tmp_path}/b.db:b", "--columns", "a", "--where", "a = '\\xff00' and b < '\\x00'")) == [(b"\xff\0",)]
    # the two remedies of the error
    assert arrow(f"{tmp_path}/b.db", "--query", "select cast(t as blob) as t from b")["t"].to_pylist() == [b"\xff"]
    assert arrow(f"{tmp_path}/b.db:b", "--special-values", "null")["t"].to_pylist() == [None]


# --- Values ----------------------------------------------------------------------------------------------------------

COLUMNS = {  # declaration: (Arrow type, a random value as Python has it, how SQLite gets it)
    "BIGINT": (pa.int64(), lambda r: r.choice([r.randrange(-2**63, 2**63), r.randrange(-9, 9), 2**63 - 1, -2**63]), int),
    "DOUBLE": (pa.float64(), lambda r: r.choice([r.uniform(-1, 1), r.gauss(0, 1e300), 0.1, 5e-324, float("inf"), 3.0]), float),
    "VARCHAR(9)": (pa.string(), lambda r: "".join(r.choices("aZ'\"\\,\n\r\té€😀\0 ", k=r.randrange(40))), str),
    "BLOB": (pa.binary(), lambda r: r.randbytes(r.randrange(40)), bytes),
    "BOOLEAN": (pa.bool_(), lambda r: r.random() < 0.5, int),
    "DATE": (pa.date32(), lambda r: datetime.date.fromordinal(r.randrange(1, 3652059)), lambda v: v.isoformat()),
    "TIME": (pa.time64("us"), lambda r: datetime.time(r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(10**6)),
             lambda v: v.isoformat()),
    "DATETIME": (pa.timestamp("us"), lambda r: datetime.datetime(1, 1, 1) + datetime.timedelta(microseconds=r.randrange(3 * 10**17)),
                 lambda v: v.isoformat(sep=random.choice(" T"))),
    "TIMESTAMPTZ": (pa.timestamp("us", "UTC"), lambda r: datetime.datetime(1900, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=r.randrange(7 * 10**9)),
                    lambda v: v.astimezone(datetime.timezone(datetime.timedelta(minutes=random.randrange(-900, 900)))).isoformat(sep=" ")),
    "DECIMAL(15,2)": (pa.decimal128(15, 2), lambda r: decimal.Decimal(r.randrange(-10**15 + 1, 10**15)).scaleb(-2), str),
    "NUMERIC(6,6)": (pa.decimal128(6, 6), lambda r: decimal.Decimal(r.randrange(-10**6 + 1, 10**6)).scaleb(-6), str),
    "DECIMAL(18)": (pa.decimal128(18, 0), lambda r: decimal.Decimal(r.randrange(-10**18 + 1, 10**18)), int),
}


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_values_come_as_they_are(tmp_path, encoding):
    r = random.Random(encoding)
    random.seed(encoding)
    db = sqlite3.connect(tmp_path / "v.db")
    db.execute(f"PRAGMA encoding='{encoding}'")
    db.execute("CREATE TABLE v (" + ", ".join(f'c{i} {declared}' for i, declared in enumerate(COLUMNS)) + ")")
    expected = []
    for _ in range(2000):
        expected.append(tuple(make(r) if r.random() > 0.1 else None for _, make, _ in COLUMNS.values()))
    stored = [tuple(None if v is None else store(v) for v, (_, _, store) in zip(row, COLUMNS.values())) for row in expected]
    with db:
        db.executemany("INSERT INTO v VALUES (" + ",".join("?" * len(COLUMNS)) + ")", stored)
    # what a DECIMAL(15,2) of 15 digits or a text of NULs becomes is SQLite's doing: only what it kept is asked for
    table = arrow(f"{tmp_path}/v.db:v")
    assert [f.type for f in table.schema] == [t for t, _, _ in COLUMNS.values()]
    assert rows(table) == expected


def test_shortest_digits_of_reals(tmp_path):
    r = random.Random(3)
    values = [r.uniform(-1, 1) * 10 ** r.randrange(-300, 300) for _ in range(2000)] + [0.1, 1e23, 5e-324, 123456789.0]
    db = sqlite3.connect(tmp_path / "n.db")
    with db:
        db.execute("CREATE TABLE n (c NUMERIC)")
        db.executemany("INSERT INTO n VALUES (?)", [(v,) for v in values])
    texts = arrow(f"{tmp_path}/n.db:n")["c"].to_pylist()
    assert [float(t) for t in texts] == values
    assert all(len(t.replace("-", "").replace(".", "").lstrip("0")) <= len(repr(v).replace("-", "").replace(".", "").lstrip("0"))
               or "e" in repr(v) for t, v in zip(texts, values))


# --- Reading part of it ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """A table with an index on each column, NULLs, and few different values."""
    path = tmp_path_factory.mktemp("items") / "items.db"
    r = random.Random(5)
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, n INT, t TEXT COLLATE NOCASE, d DATE, p DECIMAL(8,2), w DATETIME, f REAL)")
        for i in range(3000):
            row = [r.randrange(20), r.choice(["a", "A", "ab", "é", "Z", ""]), f"20{r.randrange(10, 30)}-01-{r.randrange(1, 29):02}",
                   r.randrange(-300, 300) / 100, f"2020-01-{r.randrange(1, 5):02}{r.choice([' ', 'T'])}{r.randrange(24):02}:00", r.random()]
            db.execute("INSERT INTO items VALUES (?,?,?,?,?,?,?)", [i, *(None if r.random() < 0.1 else v for v in row)])
        for column in "ntdpwf":
            db.execute(f"CREATE INDEX items_{column} ON items ({column})")
    return path


def everything(path):
    return arrow(f"{path}:items").to_pylist()


CONDITIONS = [
    ("n = 7", lambda x: x["n"] == 7),
    ("n <> 7", lambda x: x["n"] is not None and x["n"] != 7),
    ("n between 3 and 5 and f < 0.5", lambda x: x["n"] in (3, 4, 5) and x["f"] is not None and x["f"] < 0.5),
    ("n in (1, 19)", lambda x: x["n"] in (1, 19)),
    ("t = 'a'", lambda x: x["t"] == "a"),
    ("t > 'Z'", lambda x: x["t"] is not None and x["t"].encode() > b"Z"),
    ("t like 'a%'", lambda x: x["t"] is not None and x["t"].startswith("a")),
    ("t is null", lambda x: x["t"] is None),
    ("d >= '2020-01-15' and d < '2021-01-01'", lambda x: x["d"] is not None and datetime.date(2020, 1, 15) <= x["d"] < datetime.date(2021, 1, 1)),
    ("p = 1.10", lambda x: x["p"] == decimal.Decimal("1.10")),
    ("p > -0.5 and p <= 0.07", lambda x: x["p"] is not None and decimal.Decimal("-0.5") < x["p"] <= decimal.Decimal("0.07")),
    ("w >= '2020-01-02 12:00:00'", lambda x: x["w"] is not None and x["w"] >= datetime.datetime(2020, 1, 2, 12)),
    ("w = '2020-01-02 12:00:00'", lambda x: x["w"] == datetime.datetime(2020, 1, 2, 12)),
    ("w between '2020-01-02 05:00:00' and '2020-01-02 06:00:00'",
     lambda x: x["w"] is not None and datetime.datetime(2020, 1, 2, 5) <= x["w"] <= datetime.datetime(2020, 1, 2, 6)),
    ("id >= 2990 and n is not null", lambda x: x["id"] >= 2990 and x["n"] is not None),
]


@pytest.mark.parametrize("where,holds", CONDITIONS, ids=[c for c, _ in CONDITIONS])
def test_conditions_mean_what_they_say(items, where, holds):
    expected = [x for x in everything(items) if holds(x)]
    got = arrow(f"{items}:items", "--where", where).to_pylist()
    assert sorted(got, key=lambda x: x["id"]) == expected
    limited = arrow(f"{items}:items", "--where", where, "--limit", 3).to_pylist()
    assert len(limited) == min(3, len(expected)) and all(x in expected for x in limited)


def null_last(column, descending):
    def key(x):
        v = x[column]
        v = v.encode() if isinstance(v, str) else v
        return (v is None, v)
    return key


@pytest.mark.parametrize("column", ["n", "t", "d", "p", "w", "f"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_order_is_the_same_for_every_kind(items, column, sign):
    every = everything(items)
    present = sorted((x for x in every if x[column] is not None), key=null_last(column, False), reverse=bool(sign))
    expected = [x[column] for x in present] + [None] * (len(every) - len(present))
    assert arrow(f"{items}:items", "--order", sign + column)[column].to_pylist() == expected
    top = arrow(f"{items}:items", "--order", f"{sign}{column},id", "--limit", 50, "--columns", f"id,{column}").to_pylist()
    assert [x[column] for x in top] == expected[:50]


def test_queries(items):
    db = sqlite3.connect(items)
    sql = "SELECT n, count(*) AS c, max(f) AS f, max(t) || 'x' AS t FROM items GROUP BY n ORDER BY n"
    assert rows(arrow(items, "--query", sql)) == db.execute(sql).fetchall()


def test_copy_to_parquet_keeps_everything(items, tmp_path):
    import pyarrow.parquet
    tenon("copy", f"{items}:items", tmp_path / "i.parquet")
    copied = pyarrow.parquet.read_table(tmp_path / "i.parquet")
    assert copied.to_pylist() == everything(items)


# --- Failures --------------------------------------------------------------------------------------------------------


def test_a_misfit_names_column_row_and_way_out(tmp_path):
    db = sqlite3.connect(tmp_path / "m.db")
    with db:
        db.execute("CREATE TABLE m (a INT, b TEXT)")
        db.executemany("INSERT INTO m VALUES (?, ?)", [(1, "x"), (2, "y"), ("many", "z")])
    said = tenon("read", f"{tmp_path}/m.db:m", code=14).stderr.decode()
    assert "column a, row 3: the text 'many' does not fit the type int64" in said and "special-values text" in said
    out = tmp_path / "m.csv"
    tenon("copy", f"{tmp_path}/m.db:m", out, code=14)
    assert not out.exists()
    assert arrow(f"{tmp_path}/m.db:m", "--special-values", "text")["a"].to_pylist() == ["1", "2", "many"]
    assert arrow(f"{tmp_path}/m.db:m", "--special-values", "null")["a"].to_pylist() == [1, 2, None]
    # conditions mean what they mean without it
    assert arrow(f"{tmp_path}/m.db:m", "--special-values", "null", "--where", "a > 1")["a"].to_pylist() == [2]
    assert b"special_values=text" in tenon("read", f"{tmp_path}/m.db:m", "--special-values", "text", "--where", "a > 1", code=2).stderr
    assert b"special_values=text" in tenon("read", f"{tmp_path}/m.db:m", "--special-values", "text", "--order", "a", code=2).stderr
    assert arrow(f"{tmp_path}/m.db:m", "--columns", "b")["b"].to_pylist() == ["x", "y", "z"]


@pytest.mark.parametrize("text", ["x", "some text\n", "some text\n" * 1000])
def test_text_called_db_is_no_empty_database(tmp_path, text):
    (tmp_path / "txt.db").write_text(text)
    for words in (["ls"], ["ls", "--all"], ["ls", "--json"], ["test"]):
        done = tenon(*words, tmp_path / "txt.db", code=2)
        assert b"is not a SQLite database" in done.stdout + done.stderr


def test_what_ls_shows_can_be_read(tmp_path):
    db = sqlite3.connect(tmp_path / "o.db")
    with db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT UNIQUE)")
        db.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        db.execute("INSERT INTO t (n) VALUES (7)")
        db.execute("ANALYZE")
    names = [line.split()[1] for line in tenon("ls", "--all", f"{tmp_path}/o.db").stdout.decode().splitlines()[2:]]
    assert {"sqlite_schema", "sqlite_sequence", "sqlite_stat1", "t", "words", "words_content"} <= set(names)
    for name in names:
        expected = db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        assert len(arrow(f"{tmp_path}/o.db:{name}", "--special-values", "null")) == expected, name
    for name in ("sqlite_schema", "sqlite_master", "SQLite_Schema"):
        got = arrow(f"{tmp_path}/o.db:{name}", "--columns", "name", "--where", "type = 'table'")["name"].to_pylist()
        assert got == [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


@pytest.mark.parametrize("words", [["--where", "a > 100"], ["--where", "a > 100", "--limit", 5], ["--where", "a is not null"],
                                   ["--where", "a <> 7"], ["--order", "a"], ["--order", "a", "--limit", 9], ["--order", "-a,id"]])
def test_a_misfit_decides_nothing_silently(tmp_path, words):
    """A column that rows are chosen or ordered by is checked, whether it was asked for or not."""
    db = sqlite3.connect(tmp_path / "m.db")
    with db:
        db.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, a INTEGER)")
        db.executemany("INSERT INTO m VALUES (?, ?)", [(1, 50), (2, 150), (3, "N/A"), (4, None)])
    for columns in (["--columns", "id"], []):
        said = tenon("read", f"{tmp_path}/m.db:m", *columns, *words, code=14).stderr.decode()
        assert "column a, row" in said and "of those read: the text 'N/A' does not fit the type int64" in said
    with db:
        db.execute("DELETE FROM m WHERE id = 3")
    got = arrow(f"{tmp_path}/m.db:m", "--columns", "id", *words)
    assert got.column_names == ["id"]
    assert set(got["id"].to_pylist()) <= {1, 2, 4} and 2 in got["id"].to_pylist()
    null = arrow(f"{tmp_path}/m.db:m", "--columns", "id", "--where", "a is null")
    assert null["id"].to_pylist() == [4]


@pytest.mark.parametrize("target", ["{}:u", "{}:a", ["{}", "--query", "SELECT id, a FROM u"]])
def test_undeclared_reals_beside_integers_that_are_no_doubles(tmp_path, target):
    """They have no float64 that could be compared: read as their digits, every one of them is found."""
    db = sqlite3.connect(tmp_path / "u.db")
    with db:
        db.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, a)")
        db.executemany("INSERT INTO u VALUES (?, ?)", [(1, 1.5), (2, 2**53 + 1), (3, 2), (4, None)])
        db.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, a ANY)")
        db.execute("INSERT INTO a SELECT * FROM u")
    target, *words = [w.format(tmp_path / "u.db") for w in ([target] if isinstance(target, str) else target)]
    got = arrow(target, *words)
    assert got["a"].to_pylist() == ["1.5", "9007199254740993", "2", None]
    assert got.schema.field("a").metadata == {b"tenon.type": b"NUMERIC"}
    exact = arrow(target, *words, "--numeric-as", "decimal(20,2)", "--where", "a = 9007199254740993")
    assert exact["id"].to_pylist() == [2]
    assert arrow(target, *words, "--where", "id = 1")["a"].to_pylist() == ["1.5"]
    with db:
        db.execute("UPDATE u SET a = 9007199254740992 WHERE id = 2")
    assert tenon("read", f"{tmp_path}/u.db:u", "--where", "a = 9007199254740992", "--columns", "id", "--format", "csv").stdout == b"id\n2\n"


def test_reading_leaves_no_trace(tmp_path):
    db = sqlite3.connect(tmp_path / "w.db")
    db.execute("PRAGMA journal_mode=WAL")
    with db:
        db.execute("CREATE TABLE w (a INT)")
        db.execute("INSERT INTO w VALUES (1)")
    db.close()
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()}
    tenon("read", f"{tmp_path}/w.db:w")
    tenon("describe", f"{tmp_path}/w.db:w")
    tenon("test", f"{tmp_path}/w.db")
    tenon("read", f"sqlite://{tmp_path}/none.db:w", code=3)
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()} == before


def test_a_reader_sees_one_version_while_others_write(tmp_path):
    """Every read of a table that a writer fills and empties in single transactions sees whole transactions."""
    path = tmp_path / "busy.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    with db:
        db.execute("CREATE TABLE t (n INT)")
    child = subprocess.Popen(["python3", "-c", f"""
import sqlite3
db = sqlite3.connect({str(path)!r}, timeout=30)
for round in range(100000):
    with db:
        db.execute("DELETE FROM t")
        db.executemany("INSERT INTO t VALUES (?)", [(round,)] * 1000)
"""])
    try:
        seen, until = 0, time.monotonic() + 30
        while seen < 20 and time.monotonic() < until:
            done = subprocess.run([TENON, "read", f"{path}:t", "--format", "arrow"], capture_output=True, timeout=60)
            assert done.returncode in (0, 11), done.stderr.decode()
            if done.returncode == 0:
                values = pa.ipc.open_stream(done.stdout).read_all()["n"].to_pylist()
                assert len(values) in (0, 1000) and len(set(values)) <= 1
                seen += len(values) == 1000
        assert seen == 20
    finally:
        child.kill()
        child.wait()


def test_a_locked_database_is_waited_for_once(tmp_path):
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    db.execute("CREATE TABLE t (n INT)")
    db.execute("BEGIN EXCLUSIVE")
    begin = time.monotonic()
    said = tenon("read", f"{tmp_path}/l.db:t", "--set", "busy_timeout=2s", code=11).stderr.decode()
    assert "locked by another program" in said and "busy_timeout" in said
    assert 1.8 <= time.monotonic() - begin < 3.9
