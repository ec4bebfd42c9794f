# SPDX-License-Identifier: Apache-2.0
"""Parquet and the Arrow stream beside pyarrow and DuckDB: values, types and metadata, both ways; files that are whole or not there."""
import datetime
import decimal
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

VEGA = pathlib.Path(os.environ["TENON_DATA"]) / "vega"
SANITIZED = os.environ.get("TENON_FLAVOUR") != "plain"
ROWS = 2000

# What comes in another type than pyarrow reads it in, but with the same values: name, pyarrow's type, ours.
READ_AS = {"dictionary": pa.string(), "large_list": pa.list_(pa.int32()), "date64": pa.date64(), "time32s": pa.time32("s"),
           "timestamp_s": pa.timestamp("s"), "null": pa.null()}
WRITTEN_AS = {  # what others see of a type that Parquet, or the engine's writer, has no word for
    "float16": pa.float32(), "fixed_binary": pa.binary(), "dictionary": pa.string(), "large_list": pa.list_(pa.int32()),
    "time32s": pa.time64("us"), "time32ms": pa.time64("us"), "timestamp_s": pa.timestamp("us"), "timestamp_ms_tz": pa.timestamp("us", "Asia/Tokyo"),
    "null": pa.int32(), "date64": pa.date32(),
}


def every_type():
    pick = random.Random(1)
    integers = [None if pick.random() < 0.15 else pick.randrange(-2**40, 2**40) for _ in range(ROWS)]

    def column(make, kind):
        return pa.array([None if i is None else make(i) for i in integers], kind)

    nanos = 1_700_000_000_123_456_789
    return pa.table({
        "id": pa.array(range(ROWS), pa.int64()),
        "bool": column(lambda i: i % 3 == 0, pa.bool_()),
        "int8": column(lambda i: i % 256 - 128, pa.int8()), "uint8": column(lambda i: i % 256, pa.uint8()),
        "int16": column(lambda i: i % 65536 - 32768, pa.int16()), "uint16": column(lambda i: i % 65536, pa.uint16()),
        "int32": column(lambda i: i % 2**32 - 2**31, pa.int32()), "uint32": column(lambda i: i % 2**32, pa.uint32()),
        "int64": column(lambda i: i * 2**22, pa.int64()), "uint64": column(lambda i: 2**64 - 1 - abs(i), pa.uint64()),
        "float16": column(lambda i: float(i % 2048), pa.float32()).cast(pa.float16()),
        "float32": column(lambda i: i % 1000003 / 7, pa.float32()),
        "float64": column(lambda i: [float("nan"), float("inf"), -0.0, i / 7][i % 4], pa.float64()),
        "decimal9": column(lambda i: decimal.Decimal(i % 10**9).scaleb(-2), pa.decimal128(9, 2)),
        "decimal18": column(lambda i: decimal.Decimal(i).scaleb(-4), pa.decimal128(18, 4)),
        "decimal38": column(lambda i: decimal.Decimal(i).scaleb(-10) * 10**10, pa.decimal128(38, 10)),
        "text": column(lambda i: "äöü €"[: i % 6] * (i % 7), pa.string()), "large_text": column(str, pa.large_string()),
        "binary": column(lambda i: i.to_bytes(8, "big", signed=True), pa.binary()),
        "large_binary": column(lambda i: b"\0" * (i % 5), pa.large_binary()),
        "fixed_binary": column(lambda i: i.to_bytes(6, "big", signed=True), pa.binary(6)),
        "date": column(lambda i: i % 100000 - 50000, pa.int32()).cast(pa.date32()),
        "date64": column(lambda i: (i % 100000) * 86400000, pa.int64()).cast(pa.date64()),
        "time32s": column(lambda i: i % 86400, pa.int32()).cast(pa.time32("s")),
        "time32ms": column(lambda i: i % 86400000, pa.int32()).cast(pa.time32("ms")),
        "time64us": column(lambda i: i % 86400000000, pa.int64()).cast(pa.time64("us")),
        "time64ns": column(lambda i: i * 997 % 86400000000000, pa.int64()).cast(pa.time64("ns")),
        "timestamp_s": column(lambda i: i % 2**32, pa.int64()).cast(pa.timestamp("s")),
        "timestamp_ms": column(lambda i: i, pa.int64()).cast(pa.timestamp("ms")),
        "timestamp_us": column(lambda i: i * 1001, pa.int64()).cast(pa.timestamp("us")),
        "timestamp_ns": column(lambda i: nanos + i, pa.int64()).cast(pa.timestamp("ns")),
        "timestamp_utc": column(lambda i: i * 1001, pa.int64()).cast(pa.timestamp("us", "UTC")),
        "timestamp_tz": column(lambda i: i * 1001, pa.int64()).cast(pa.timestamp("us", "America/New_York")),
        "timestamp_ms_tz": column(lambda i: i, pa.int64()).cast(pa.timestamp("ms", "Asia/Tokyo")),
        "timestamp_ns_tz": column(lambda i: nanos + i, pa.int64()).cast(pa.timestamp("ns", "Europe/Berlin")),
        "duration": column(lambda i: i, pa.int64()).cast(pa.duration("us")),
        "null": pa.nulls(ROWS),
        "dictionary": column(lambda i: f"word {i % 12}", pa.string()).dictionary_encode(),
        "list": column(lambda i: [i, None, i + 1][: i % 4], pa.list_(pa.int64())),
        "large_list": column(lambda i: [i % 100] * (i % 3), pa.large_list(pa.int32())),
        "fixed_list": column(lambda i: [i % 7 / 2, None], pa.list_(pa.float32(), 2)),
        "struct": column(lambda i: {"a": i, "b": [str(i)]}, pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
        "map": column(lambda i: {f"k{n}": decimal.Decimal(n) for n in range(i % 3)}, pa.map_(pa.string(), pa.decimal128(5, 1))),
        "nested_ns": column(lambda i: [{"t": nanos + i}], pa.list_(pa.struct([("t", pa.timestamp("ns", "UTC"))]))),
    }).replace_schema_metadata({"made by": "a test", "quote": "it's"})


@pytest.fixture(scope="module")
def table():
    return every_type()


def assert_same(theirs, ours, types):
    assert theirs.column_names == ours.column_names
    for name in theirs.column_names:
        expected = theirs[name]
        if name in types:
            expected = expected.cast(types[name]) if expected.type != types[name] else expected
        ours_type, expected_type = ours[name].type, expected.type
        assert ours_type.equals(expected_type) or same_but_for_names(ours_type, expected_type), name
        a, b = expected.combine_chunks(), ours[name].cast(expected_type).combine_chunks()
        same = a.equals(b) or str(a.to_pylist()) == str(b.to_pylist())   # NaN equals itself only as text
        assert same, name


def same_but_for_names(a, b):
    """The items of lists are called item or element, as each writer likes."""
    return str(a).replace("element", "item") == str(b).replace("element", "item")


# --- Reading what pyarrow wrote ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [
    {}, {"compression": "zstd", "row_group_size": 333}, {"compression": "none", "use_dictionary": False},
    {"data_page_version": "2.0", "compression": "gzip"}, {"use_byte_stream_split": ["float32", "float64"], "use_dictionary": False},
    {"column_encoding": {"int64": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"}, "use_dictionary": False},
    {"write_page_index": True, "store_decimal_as_integer": True},
])
def test_reads_what_pyarrow_writes(tenon, tmp_path, table, how):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, **how)
    ours, theirs = tenon.read(path), pq.read_table(path)
    assert_same(theirs, ours, READ_AS)
    assert ours.schema.metadata == theirs.schema.metadata


def test_reads_files_without_an_arrow_schema(tenon, tmp_path, table):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, store_schema=False)
    ours, theirs = tenon.read(path), pq.read_table(path)
    assert_same(theirs, ours, {"null": pa.null()})


def test_reads_timestamps_of_96_bits(tenon, tmp_path, table):
    path = tmp_path / "t.parquet"
    some = table.select(["id", "timestamp_ns", "timestamp_us"])
    pq.write_table(some, path, use_deprecated_int96_timestamps=True)
    assert_same(pq.read_table(path), tenon.read(path), {"timestamp_us": pa.timestamp("us")})
    pq.write_table(some.select(["id", "timestamp_us"]), path, use_deprecated_int96_timestamps=True, store_schema=False)
    assert tenon.read(path)["timestamp_us"].to_pylist() == table["timestamp_us"].to_pylist()
    pq.write_table(some.select(["id", "timestamp_ns"]), path, use_deprecated_int96_timestamps=True, store_schema=False)
    error = tenon.error("read", path, "-o", tmp_path / "x.csv")
    assert error["code"] == "DATA" and "timestamp_ns" in error["message"]


def test_reads_decimals_of_76_digits(tenon, tmp_path):
    path = tmp_path / "t.parquet"
    values = [decimal.Decimal(v) for v in ("0.00", "-0.01", "9" * 74 + ".99", "-" + "9" * 74 + ".99", "12345678901234567890123456789012345678901.5")] + [None]
    decimal.getcontext().prec = 100
    pq.write_table(pa.table({"d": pa.array([v and v.quantize(decimal.Decimal("0.01")) for v in values], pa.decimal256(76, 2))}), path)
    assert tenon.read(path).equals(pq.read_table(path))


@pytest.mark.parametrize("where", ["int64 > 0", "text = 'ä'", "decimal18 between -5 and 5", "date < '1950-01-01'", "timestamp_tz >= '1970-01-01T00:00:00Z'",
                                   "uint64 > 9223372036854775807", "float64 > 1e300", "struct is null", "int8 in (0, 1, 2) and bool = true"])
def test_filters_as_duckdb_does(tenon, tmp_path, table, where):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=100)
    sql = where.replace("'1970-01-01T00:00:00Z'", "timestamptz '1970-01-01 00:00:00+00'")
    theirs = [row[0] for row in duckdb.sql(f"select id from read_parquet('{path}', can_have_nan = true) where {sql} order by id").fetchall()]
    assert tenon.read(path, "--where", where, "--columns", "id")["id"].to_pylist() == theirs


# --- What we wrote ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["ts", "tz", "t"])
def test_every_nanosecond_can_be_asked_for_as_it_is_printed(tenon, tmp_path, column):
    kinds = {"ts": pa.timestamp("ns"), "tz": pa.timestamp("ns", "UTC"), "t": pa.time64("ns")}
    pq.write_table(pa.table({"id": [0, 1, 2, 3], column: pa.array([0, 1, 1000, None], kinds[column])}), tmp_path / "n.parquet")
    for row, text in tenon.result("read", tmp_path / "n.parquet")["rows"][:3]:
        for operator, want in (("=", [row]), ("<", list(range(row))), (">=", list(range(row, 3)))):
            got = tenon.read(tmp_path / "n.parquet", "--where", f"{column} {operator} '{text}'")
            assert got.column("id").to_pylist() == want


@pytest.mark.parametrize("how", ["cut", "append", "rewrite"])
def test_a_file_that_changes_while_it_is_read_is_a_conflict(tenon, tmp_path, how):
    path = tmp_path / "big.parquet"
    pq.write_table(pa.table({"id": pa.array(range(2_000_000)), "t": pa.array([f"{i * 7919}" for i in range(2_000_000)])}), path,
                   row_group_size=100_000, compression="none")
    reading = tenon.start("read", path, "--format", "csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reading.stdout.read(100)  # it has begun, and waits for us
    with open(path, "r+b") as file:
        if how == "cut":
            file.truncate(path.stat().st_size // 2)
        else:
            file.seek(0, os.SEEK_END if how == "append" else os.SEEK_SET)
            file.write(b"PAR1")
    _, said = reading.communicate(timeout=60)
    assert b"code: CONFLICT" in said and b"big.parquet changed while it was read" in said


def test_the_footer_says_how_many_rows_there_are(tenon, tmp_path):
    for i, rows in enumerate((5000, 5000)):
        pq.write_table(pa.table({"id": range(rows)}), tmp_path / f"{i}.parquet")
    one, all_of_them = tmp_path / "0.parquet", f"{tmp_path}/*.parquet"
    assert tenon.result("describe", one)["rows_estimate"] == 5000
    assert tenon.result("describe", all_of_them)["rows_estimate"] == 10000
    assert tenon.result("copy", one, tmp_path / "x.csv", "--dry-run")["rows_estimate"] == 5000
    for words, rows in (([], 5000), (["--limit", "7"], 7)):
        said = tenon.run("read", one, "-o", tmp_path / "x.csv", "--progress", "json", *words).stderr.decode()
        assert json.loads(said.splitlines()[0])["progress"]["rows_estimate"] == rows


def test_pyarrow_reads_what_was_written(tenon, tmp_path, table):
    source, path = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(table, source)
    assert tenon.run("copy", source, path).returncode == 0
    theirs = pq.read_table(source)
    ours = pq.read_table(path)
    assert_same(theirs, ours, {name: kind for name, kind in WRITTEN_AS.items()} | {"timestamp_s": pa.timestamp("us" if ours["timestamp_s"].type.unit == "us" else "ms")})
    assert ours.schema.metadata == theirs.schema.metadata
    # and what only we know comes back
    assert tenon.read(path).schema.equals(tenon.read(source).schema, check_metadata=True)
    assert_same(tenon.read(source), tenon.read(path), {})


@pytest.mark.parametrize("codec", ["zstd", "snappy", "none"])
def test_duckdb_reads_what_was_written(tenon, tmp_path, codec):
    path, peer = tmp_path / "t.parquet", tmp_path / "p.parquet"
    source = VEGA / "flights-3m.parquet"
    limit = 20000 if SANITIZED else 1000000
    assert tenon.run("copy", source, path, "--limit", limit, "--set-out", f"compression={codec}").returncode == 0
    here = f"select * from read_parquet('{source}') limit {limit}"
    assert duckdb.sql(f"select count(*) from (from read_parquet('{path}') except all {here})").fetchone()[0] == 0
    assert duckdb.sql(f"select count(*) from read_parquet('{path}')").fetchone()[0] == limit
    duckdb.sql("set threads = 1")
    duckdb.sql(f"copy ({here}) to '{peer}' (format parquet, compression {'uncompressed' if codec == 'none' else codec})")
    assert 0.95 < path.stat().st_size / peer.stat().st_size < 1.05


def test_refuses_what_parquet_cannot_hold(tenon, tmp_path):
    source = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1], "big": pa.array([decimal.Decimal(5)], pa.decimal256(60, 0))}), source)
    error = tenon.error("copy", source, tmp_path / "b.parquet")
    assert error["code"] == "UNSUPPORTED" and "big" in error["message"] and error["remedy"]
    assert not (tmp_path / "b.parquet").exists()
    assert tenon.run("copy", source, tmp_path / "b.parquet", "--columns", "id").returncode == 0


# --- The Arrow stream ---------------------------------------------------------------------------------------------------


def test_arrow_streams_are_what_pyarrow_would_write(tenon, tmp_path, table):
    source = tmp_path / "a.parquet"
    pq.write_table(table, source)
    done = tenon.run("read", source, "--format", "arrow")
    assert done.returncode == 0
    with pa.ipc.open_stream(done.stdout) as reader:
        reader_schema = reader.schema
        got = reader.read_all()
    got.validate(full=True)
    assert reader_schema.metadata == {b"made by": b"a test", b"quote": b"it's"}
    assert_same(pq.read_table(source), got, READ_AS)


def test_arrow_streams_of_slices(tenon, tmp_path, table):
    """Limits and filters leave batches that are parts of others."""
    source = tmp_path / "a.parquet"
    pq.write_table(table, source)
    for words, rows in ((["--limit", "777"], 777), (["--where", "id >= 500 and id < 1501"], 1001), (["--limit", "0"], 0)):
        got = pa.ipc.open_stream(tenon.run("read", source, "--format", "arrow", *words).stdout).read_all()
        got.validate(full=True)
        assert got.num_rows == rows


# --- Whole or not at all ------------------------------------------------------------------------------------------------


def start_a_long_copy(tenon, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    sources = tmp_path / "many"
    sources.mkdir()
    for n in range(12):
        shutil.copy(VEGA / "flights-3m.parquet", sources / f"{n}.parquet")
    child = tenon.start("copy", f"{sources}/*.parquet", folder / "big.parquet", "-q", stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:   # until it is in the midst of writing
        if any(size > 1 << 20 for size in open_file_sizes(child.pid)):
            return child, folder
        time.sleep(0.01)
    raise AssertionError("the copy ended too early")


def open_file_sizes(pid):
    sizes = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.access(fd, os.W_OK) and "(deleted)" in os.readlink(fd):
                sizes.append(fd.stat().st_size)
        except OSError:
            pass
    return sizes


@pytest.mark.skipif(SANITIZED, reason="it is about processes, not about memory")
def test_a_killed_copy_leaves_nothing(tenon, tmp_path):
    child, folder = start_a_long_copy(tenon, tmp_path)
    child.kill()
    child.wait()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(SANITIZED, reason="it is about time")
def test_an_interrupted_copy_ends_soon_and_leaves_nothing(tenon, tmp_path):
    child, folder = start_a_long_copy(tenon, tmp_path)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(timeout=10)
    assert time.monotonic() - began < 1
    assert child.returncode != 0
    assert list(folder.iterdir()) == []


def test_a_failed_copy_keeps_what_was_there(tenon, tmp_path):
    path, source = tmp_path / "t.parquet", tmp_path / "s.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    before = path.read_bytes()
    whole = (VEGA / "flights-3m.parquet").read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    error = tenon.error("copy", source, path)
    assert error["code"] == "DATA" and "PAR1" in error["message"]
    assert path.read_bytes() == before


# --- Many files ---------------------------------------------------------------------------------------------------------


def test_a_pattern_is_one_table(tenon, tmp_path, table):
    folder = tmp_path / "year=2024"
    folder.mkdir()
    for n in range(5):
        pq.write_table(table.slice(n * 400, 400), folder / f"{n}.parquet")
    got = tenon.read(f"{tmp_path}/**/*.parquet")
    assert got["id"].to_pylist() == list(range(ROWS))
    assert tenon.read(f"{folder}/[13].parquet", "--limit", "500").num_rows == 500
    pq.write_table(pa.table({"id": pa.array([1], pa.int32())}), folder / "5.parquet")
    error = tenon.error("read", f"{folder}/*.parquet", "-o", tmp_path / "x.csv")
    assert error["code"] == "DATA" and "5.parquet" in error["message"] and "id" in error["message"]


def test_sorts_by_the_engine(tenon, tmp_path, table):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    ids = tenon.read(path, "--order", "-decimal38,text,id", "--columns", "id")["id"].to_pylist()
    theirs = duckdb.sql(f"select id from read_parquet('{path}') order by decimal38 desc nulls last, text nulls last, id").fetchall()
    assert ids == [row[0] for row in theirs]
