# SPDX-License-Identifier: Apache-2.0
"""CSV beside Python's csv module, pyarrow and DuckDB: the same files, the same fields, the same values."""
import csv
import datetime
import decimal
import io
import json
import os
import pathlib
import random
import subprocess

import duckdb
import pyarrow
import pyarrow.csv
import pytest

VEGA = pathlib.Path(os.environ["TENON_DATA"]) / "vega"
FILES = sorted(p.name for p in VEGA.glob("*.?sv"))


def tenon(*arguments, expect=0):
    done = subprocess.run([os.environ["TENON"], *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == expect, done.stderr.decode()
    return done.stdout if expect == 0 else done.stderr.decode()


def read(path, *arguments):
    """What the command reads, as a pyarrow table."""
    return pyarrow.ipc.open_stream(tenon("read", path, "--format", "arrow", *arguments)).read_all()


def settings(**values):
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def rows_of(table):
    return [list(row.values()) for row in table.to_pylist()]


def texts(path, **dialect):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return [row for row in csv.reader(file, **dialect) if row]


# --- Real files ------------------------------------------------------------------------------------------------------


def test_there_are_real_files():
    assert len(FILES) >= 20


@pytest.mark.parametrize("name", FILES)
def test_fields_are_those_of_pythons_csv(name):
    """As text: each field, of each record, of each file."""
    table = read(VEGA / name, *settings(all_text="yes", header="yes"))
    header, *records = texts(VEGA / name, delimiter="\t" if name.endswith(".tsv") else ",")
    assert table.column_names == header
    assert [["" if v is None else v for v in row] for row in rows_of(table)] == records


@pytest.mark.parametrize("name", FILES)
def test_values_are_those_of_pyarrow(name):
    """With the types that were found, pyarrow converts to the same values."""
    ours = read(VEGA / name)
    theirs = pyarrow.csv.read_csv(
        VEGA / name, parse_options=pyarrow.csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ",", newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict(zip(ours.column_names, ours.schema.types)), null_values=[""],
                                                   strings_can_be_null=True, quoted_strings_can_be_null=False))
    assert ours.schema.types == theirs.schema.types
    assert ours.equals(theirs)


@pytest.mark.parametrize("name", FILES)
def test_values_are_those_of_duckdb(name):
    ours = read(VEGA / name)
    types = {n: {"string": "varchar", "int64": "bigint", "double": "double", "date32[day]": "date", "bool": "boolean",
                 "timestamp[us]": "timestamp"}[str(t)] for n, t in zip(ours.column_names, ours.schema.types)}
    theirs = duckdb.connect().execute(
        "select * from read_csv($path, header = true, auto_detect = false, delim = $delim, quote = '\"', escape = '\"', "
        f"columns = {types})", {"path": str(VEGA / name), "delim": "\t" if name.endswith(".tsv") else ","}).fetchall()
    # DuckDB reads a quoted empty field as NULL
    assert [[v if v != "" else None for v in row] for row in rows_of(ours)] == [list(row) for row in theirs]


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_again(name, tmp_path):
    ours = read(VEGA / name)
    (tmp_path / "again.csv").write_bytes(tenon("read", VEGA / name, "--format", "csv"))
    (tmp_path / "again.tsv").write_bytes(tenon("read", VEGA / name, "--format", "tsv"))
    assert read(tmp_path / "again.csv").equals(ours)
    assert read(tmp_path / "again.tsv").equals(ours)


@pytest.mark.parametrize("name", FILES)
def test_json_lines_have_the_values(name):
    ours = read(VEGA / name)
    lines = tenon("read", VEGA / name, "--format", "jsonl").decode().splitlines()

    def plain(value):
        return value.isoformat() if isinstance(value, datetime.date) else value

    assert [json.loads(line) for line in lines] == [{k: plain(v) for k, v in row.items()} for row in ours.to_pylist()]


# --- Files that are made here ----------------------------------------------------------------------------------------

PIECES = ["", "a", "b c", ",", ";", '"', '""', "\n", "\r\n", "\r", "é", "漢字", "🎉", "\t", "'", " ", "0", "NULL", "x" * 70]


def made_texts(seed, rows, columns, pieces=PIECES):
    rng = random.Random(seed)
    return [["".join(rng.choices(pieces, k=rng.randrange(5))) for _ in range(columns)] for _ in range(rows)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_any_text_of_pythons_csv(tmp_path, delimiter, ends, quoting):
    path = tmp_path / "made.csv"
    # where it can, Python leaves characters unquoted that end a line for others
    pieces = [p for p in PIECES if quoting == csv.QUOTE_ALL or not set(p) & (set("\r\n") - set(ends))]
    rows = made_texts(f"{delimiter}{ends}{quoting}", 400, 3, pieces)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ends, quoting=quoting)
        writer.writerows([["a", "b", "c"], *rows])
    table = read(path, *settings(all_text="yes", header="yes", delimiter=delimiter))
    assert [["" if v is None else v for v in row] for row in rows_of(table)] == rows


def test_python_reads_what_is_written(tmp_path):
    path = tmp_path / "made.csv"
    rows = made_texts(7, 500, 4)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b", "c", "d"], *rows])
    written = tenon("read", path, *settings(all_text="yes", header="yes"), "--format", "csv").decode()
    assert list(csv.reader(io.StringIO(written, newline="")))[1:] == rows


def test_latin_1(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("name,größe\nMüller,1\nßÿ,2\n".encode("latin-1"))
    assert read(path, *settings(encoding="latin-1")).to_pylist() == [{"name": "Müller", "größe": 1}, {"name": "ßÿ", "größe": 2}]


TYPES = {"i": "int64", "j": "int8", "u": "uint64", "d": "decimal(20,4)", "w": "decimal(60,3)", "f": "float64", "g": "float32",
         "b": "bool", "day": "date", "at": "timestamp", "here": "timestamptz", "t": "text"}


def made_values(seed, rows):
    rng = random.Random(seed)

    def number(digits, scale):
        sign = rng.choice(["", "-"])
        return f"{sign}{rng.randrange(10 ** rng.randrange(1, digits - scale + 1))}.{rng.randrange(10 ** scale):0{scale}d}"

    def one():
        day = datetime.date(1, 1, 1) + datetime.timedelta(rng.randrange(3652058))
        time = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        fraction = rng.choice(["", ".5", f".{rng.randrange(10 ** 6):06d}"])
        near = datetime.date(1900, 1, 1) + datetime.timedelta(rng.randrange(80000))
        return [str(rng.randrange(-2 ** 63, 2 ** 63) >> rng.randrange(64)), str(rng.randrange(-128, 128)),
                str(rng.randrange(2 ** 64) >> rng.randrange(64)), number(20, 4), number(60, 3),
                repr(rng.choice([rng.random(), rng.gauss(0, 1e20), rng.random() * 10 ** rng.randrange(-300, 300), float(rng.randrange(1000))])),
                repr(rng.random()), rng.choice(["true", "false"]), day.isoformat(), f"{near} {time}{fraction}", f"{near}T{time}{fraction}Z",
                rng.choice(PIECES)]

    return [[v if rng.random() > 0.1 else "" for v in one()] for _ in range(rows)]


@pytest.mark.parametrize("seed", range(4))
def test_typed_values_are_those_of_pyarrow(tmp_path, seed):
    path = tmp_path / "typed.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_MINIMAL).writerows([TYPES, *made_values(seed, 3000)])
    ours = read(path, *settings(types=",".join(f"{k}={v}" for k, v in TYPES.items())))
    wanted = {"i": pyarrow.int64(), "j": pyarrow.int8(), "u": pyarrow.uint64(), "d": pyarrow.decimal128(20, 4),
              "w": pyarrow.decimal256(60, 3), "f": pyarrow.float64(), "g": pyarrow.float32(), "b": pyarrow.bool_(),
              "day": pyarrow.date32(), "at": pyarrow.timestamp("us"), "here": pyarrow.timestamp("us", "UTC"), "t": pyarrow.string()}
    assert dict(zip(ours.column_names, ours.schema.types)) == wanted
    theirs = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True), convert_options=pyarrow.csv.ConvertOptions(
        column_types={**wanted, "w": pyarrow.string()}, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False))
    wide = [v if v is None else decimal.Decimal(v) for v in theirs["w"].to_pylist()]   # pyarrow reads none that are so wide
    theirs = theirs.set_column(theirs.column_names.index("w"), "w", pyarrow.array(wide, wanted["w"]))
    for name in wanted:
        assert ours[name].combine_chunks().equals(theirs[name].combine_chunks()), name
    (tmp_path / "again.csv").write_bytes(tenon("read", path, *settings(types=",".join(f"{k}={v}" for k, v in TYPES.items())), "--format", "csv"))
    assert read(tmp_path / "again.csv", *settings(types=",".join(f"{k}={v}" for k, v in TYPES.items()))).equals(ours)


def test_json_numbers_keep_all_digits(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("i,d\n9007199254740993,12345678901234567890.1234\n-9223372036854775808,0.0001\n")
    lines = tenon("read", path, *settings(types="d=decimal(38,4)"), "--format", "jsonl").decode().splitlines()
    parsed = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
    assert [(row["i"], row["d"]) for row in parsed] == [
        (9007199254740993, decimal.Decimal("12345678901234567890.1234")), (-9223372036854775808, decimal.Decimal("0.0001"))]


# --- Errors through the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content, arguments, said", [
    (b"a,b\n1\n", [], "line 2 (byte 4): 1 field, where the first record has 2"),
    (b'a,b\n1,"x\n', [], "a quote of this record is not closed"),
    (b"a,b\n1,\xff\n", [], "encoding=latin-1"),
    (b"a,b\n1,2\nx,3\n", settings(sample_rows=1), "types=a=text"),
    (b"a,b\n1,2\n", settings(types="c=text"), "there is no column c"),
    (b"", [], "the file is empty"),
])
def test_errors_say_where_and_what_to_do(tmp_path, content, arguments, said):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    done = subprocess.run([os.environ["TENON"], "read", str(path), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert said in done.stderr.decode() and "bad.csv" in done.stderr.decode()
