# SPDX-License-Identifier: Apache-2.0
"""Copies: every format read back by somebody else's reader, whole files or none, plans that come true, memory that is bounded."""
import csv
import decimal
import io
import json
import os
import subprocess
import sys

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from command import TENON, answer, environment, tenon

QUERY = """
select g::int2 as a_small, g::int4 as an_int, g::int8 * 1000000007 as a_big, g / 7.0::float8 as a_float, (g / 3.0)::numeric(20, 6) as a_decimal,
       g % 2 = 0 as a_bool, 'tëxt, "quoted" ' || g || E'\\n' as a_text, decode(md5(g::text), 'hex') as a_binary, date '2000-02-28' + g as a_date,
       time '23:59:59.999999' as a_time, timestamp '1999-12-31 23:59:59.5' + g * interval '1 hour' as a_timestamp,
       timestamptz '2024-06-01 12:00:00+02' + g * interval '1 day' as a_zoned, array[g, null, g * 2] as a_list,
       case when g % 3 = 0 then null else g end as a_null, '' as an_empty
from generate_series(0, 2999) g
"""


@pytest.fixture(scope="module")
def url(postgresql):
    return postgresql["TENON_PG_URL"]


@pytest.fixture(scope="module")
def server(url):
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def arrow(url, tmp_path_factory):
    """The rows as an Arrow stream, read by pyarrow."""
    path = tmp_path_factory.mktemp("arrow") / "rows.arrows"
    assert tenon("copy", url, path, "--query", QUERY).returncode == 0
    with pa.ipc.open_stream(path.read_bytes()) as reader:
        return reader.read_all()


def test_an_arrow_stream_has_the_servers_values(arrow, server):
    rows = server.execute(QUERY).fetchall()
    assert arrow.num_rows == 3000
    assert arrow.schema.field("a_decimal").type == pa.decimal128(20, 6)
    assert arrow.schema.field("a_zoned").type == pa.timestamp("us", "UTC")
    for name, column in zip(arrow.column_names, zip(*rows)):
        assert arrow[name].to_pylist() == list(column), name


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_parquet_is_the_same_for_pyarrow(url, arrow, tmp_path, compression):
    assert tenon("copy", url, "rows.parquet", "--query", QUERY, "--set-out", f"compression={compression}", cwd=tmp_path).returncode == 0
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.remove_metadata().equals(arrow.schema.remove_metadata()), (table.schema, arrow.schema)
    for name in arrow.column_names:
        assert table[name].to_pylist() == arrow[name].to_pylist(), name
    used = pq.ParquetFile(tmp_path / "rows.parquet").metadata.row_group(0).column(0).compression
    assert used.lower() == {"none": "uncompressed"}.get(compression, compression)


def test_csv_is_the_same_for_python(url, server, tmp_path):
    columns = "a_small, a_big, a_decimal, a_bool, a_text, a_date, a_null, an_empty"
    query = f"select {columns} from ({QUERY}) as rows"
    assert tenon("copy", url, "rows.csv", "--query", query, cwd=tmp_path).returncode == 0
    with open(tmp_path / "rows.csv", newline="") as file:
        found = list(csv.reader(file))
    text = ", ".join(f"{c.strip()}::text" for c in columns.split(","))
    wanted = server.execute(f"select {text} from ({QUERY}) as rows").fetchall()
    assert found[0] == columns.split(", ")
    assert [tuple(row) for row in found[1:]] == [tuple("" if v is None else v for v in row) for row in wanted]
    assert tenon("read", "rows.csv", "--where", "a_null is null and an_empty = ''", "--columns", "a_small", cwd=tmp_path).stdout.count("\n") == 1001


def test_json_lines_are_the_same_for_python(url, arrow, tmp_path):
    assert tenon("copy", url, "rows.jsonl", "--query", QUERY, cwd=tmp_path).returncode == 0
    rows = [json.loads(line, parse_float=decimal.Decimal) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 3000 and list(rows[0]) == arrow.column_names
    for name in ("a_small", "an_int", "a_big", "a_decimal", "a_bool", "a_text", "a_list", "a_null", "an_empty"):
        assert [row[name] for row in rows] == arrow[name].to_pylist(), name
    assert [float(row["a_float"]) for row in rows] == arrow["a_float"].to_pylist()
    assert [bytes.fromhex(row["a_binary"].removeprefix("\\x")) for row in rows] == arrow["a_binary"].to_pylist()
    assert rows[0]["a_zoned"] == "2024-06-01T10:00:00Z"


def test_stdout_takes_every_format(url, arrow):
    for name, count in (("csv", lambda b: len(list(csv.reader(io.StringIO(b.decode())))) - 1), ("tsv", lambda b: len(list(csv.reader(io.StringIO(b.decode()), delimiter="\t"))) - 1),
                        ("jsonl", lambda b: len(b.splitlines())), ("arrow", lambda b: pa.ipc.open_stream(b).read_all().num_rows),
                        ("parquet", lambda b: pq.read_table(io.BytesIO(b)).num_rows)):
        done = subprocess.run([TENON, "copy", url, "-", "--query", QUERY, "--format", name], capture_output=True, env=environment())
        assert done.returncode == 0 and done.stderr == b"", done.stderr
        assert count(done.stdout) == 3000, name


def test_what_a_read_says_is_what_is_copied(url, tmp_path):
    select = ["--query", QUERY, "--columns", "an_int,a_text", "--where", "an_int between 10 and 19", "--limit", "5"]
    assert answer("copy", url, "some.parquet", *select, cwd=tmp_path)["rows"] == 5
    found = duckdb.sql(f"select an_int from '{tmp_path}/some.parquet'").fetchall()
    assert len(found) == 5 and all(10 <= n <= 19 for n, in found)
    assert pq.read_schema(tmp_path / "some.parquet").names == ["an_int", "a_text"]


# --- Whole or not at all ---------------------------------------------------------------------------------------------

def test_a_failed_copy_leaves_what_was_there(url, tmp_path):
    (tmp_path / "rows.csv").write_text("as it was\n")
    done = tenon("copy", url, "rows.csv", "--query", "select 1 / (50000 - g) as n from generate_series(1, 60000) g", cwd=tmp_path)
    assert done.returncode == 14 and "division by zero" in done.stderr
    assert os.listdir(tmp_path) == ["rows.csv"] and (tmp_path / "rows.csv").read_text() == "as it was\n"


def test_if_absent_leaves_what_is_there(tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n")
    (tmp_path / "b.csv").write_text("as it was\n")
    assert tenon("copy", "a.csv", "b.csv", "--if-absent", cwd=tmp_path).returncode == 11
    assert (tmp_path / "b.csv").read_text() == "as it was\n"
    assert tenon("copy", "a.csv", "c.csv", "--if-absent", cwd=tmp_path).returncode == 0
    assert (tmp_path / "c.csv").read_text() == "n\n1\n"


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n")
    (tmp_path / "real.csv").write_text("as it was\n")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert tenon("copy", "a.csv", "link.csv", cwd=tmp_path).returncode == 0
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real.csv").read_text() == "n\n1\n"


@pytest.mark.parametrize("source, to, code", [
    ("many/*.csv", "many/all.csv", 2), ("./many/*.csv", "many/../many/all.csv", 2), ("many/", "many/all.csv", 2), ("./many", "many/b/all.csv", 2),
    ("**/*.csv", "all.csv", 2), ("{many,other}/*.csv", "many/all.csv", 2),
    ("many/*.csv", "many/all.parquet", 0), ("many/*.csv", "all.csv", 0), ("many/*.csv", "many/_all.csv", 0), ("many/", "many/_all.csv", 0),
    ("here:many/*.csv", "here:many/all.csv", 2), ("here:many", "here:many/b/all.csv", 2), ("here:many/*.csv", "here:all.csv", 0),
    ("here:many/a1.csv", "here:many/a1.csv", 0), ("here:many/a1.csv", "here:many/a2.csv", 0), ("here:many/", "here:many/_all.csv", 0),
    ("there:*.csv", "here:many.csv", 0),
    ("many/a*.csv", "many/b/all.csv", 0), ("many/a1.csv", "many/a1.csv", 0), ("many/a1.csv", "many/all.csv", 0),
])
def test_a_copy_does_not_come_to_be_read_by_itself(tmp_path, source, to, code):
    (tmp_path / "many/b").mkdir(parents=True)
    (tmp_path / "tenon.yaml").write_text("connectors:\n  here:\n    kind: files\n    root: .\n  there:\n    kind: files\n    root: many\n")
    for name in ("a1", "a2"):
        (tmp_path / f"many/{name}.csv").write_text("n\n1\n")
    for more in (["--dry-run"], []):
        done = tenon("copy", source, to, *more, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert code == 0 or "the next copy would read it" in done.stderr


def test_a_full_disk_leaves_nothing(url, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        for name in ("rows.csv", "rows.parquet", "rows.arrows", "rows.jsonl"):
            done = tenon("copy", url, small / name, "--query", "select md5(g::text) || md5((-g)::text) as t from generate_series(1, 200000) g")
            assert done.returncode == 10, (name, done.stderr)
            assert "No space left" in done.stderr and os.listdir(small) == [], name
            assert "stage: write   code: LIMITED" in done.stderr and '"' not in done.stderr, done.stderr
    finally:
        subprocess.run(["umount", small], check=True)


# --- Plans -----------------------------------------------------------------------------------------------------------

def test_a_plan_writes_nothing_and_comes_true(url, tmp_path):
    (tmp_path / "rows.parquet").write_text("as it was")
    plan = answer("copy", url, "rows.parquet", "--query", QUERY, "--dry-run", cwd=tmp_path)
    assert (tmp_path / "rows.parquet").read_text() == "as it was" and plan["replaces"] is True
    assert [c["lands"] for c in plan["columns"]] == ["exact"] * 15
    assert {c["lands"] for c in answer("copy", url, "rows.csv", "--query", QUERY, "--dry-run", cwd=tmp_path)["columns"]} == {"as text"}
    chosen = answer("copy", url, "rows.csv", "--query", QUERY, "--columns", "a_text,an_int", "--dry-run", cwd=tmp_path)
    assert [(c["name"], c["type"]) for c in chosen["columns"]] == [("a_text", "text"), ("an_int", "int32")]


def test_a_refused_column_is_refused_by_name_in_plan_and_copy(url, tmp_path):
    query = "select 1 as fine, 1::numeric(60, 2) as too_wide, 'x' as fine_too"
    plan = answer("copy", url, "rows.parquet", "--query", query, "--dry-run", cwd=tmp_path)
    assert [(c["name"], c["lands"]) for c in plan["columns"]] == [("fine", "exact"), ("too_wide", "refused"), ("fine_too", "exact")]
    assert "38 digits" in plan["columns"][1]["remark"]
    done = tenon("copy", url, "rows.parquet", "--query", query, cwd=tmp_path)
    assert done.returncode == 13 and "column too_wide" in done.stderr and os.listdir(tmp_path) == []
    assert tenon("copy", url, "rows.arrows", "--query", query, cwd=tmp_path).returncode == 0
    with pa.ipc.open_stream((tmp_path / "rows.arrows").read_bytes()) as reader:
        assert reader.schema.field("too_wide").type == pa.decimal256(60, 2)


def test_a_plan_of_a_table_has_its_estimates(url, server, tmp_path):
    server.execute("drop table if exists planned; create table planned as select g from generate_series(1, 5000) g; analyze planned")
    plan = answer("copy", f"{url}:planned", "planned.jsonl", "--dry-run", cwd=tmp_path)
    assert plan["rows_estimate"] == 5000 and plan["bytes_estimate"] > 0 and plan["format"] == "jsonl"


# --- Memory ----------------------------------------------------------------------------------------------------------

def peak_mb(*words, cwd):
    """The command's greatest resident memory; as the only child of a process of its own."""
    script = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True); sys.stderr.buffer.write(done.stderr); "
              "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)")
    done = subprocess.run([sys.executable, "-c", script, TENON, *map(str, words)], cwd=cwd, env=environment(), capture_output=True, text=True)
    status, mb = map(int, done.stdout.split())
    assert status == 0, done.stderr
    return mb


@pytest.mark.skipif(os.environ.get("TENON_FLAVOUR", "plain") != "plain", reason="sanitizers need memory of their own")
def test_memory_is_bounded_at_any_size(url, tmp_path):
    rows = "select generate_series(1, {}) as n, md5('x') as a, md5('y') as b"
    for name, bound in (("rows.csv", 64), ("rows.jsonl", 64), ("rows.arrows", 64), ("rows.parquet", 250)):
        small = peak_mb("copy", url, name, "--query", rows.format(200000), "--mem", "64M", cwd=tmp_path)
        large = peak_mb("copy", url, name, "--query", rows.format(1600000), "--mem", "64M", cwd=tmp_path)
        assert large <= bound, (name, large)
        assert name == "rows.parquet" or large <= small * 1.25 + 8, (name, small, large)
