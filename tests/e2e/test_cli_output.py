# SPDX-License-Identifier: Apache-2.0
"""What the command shows: tables that fit, hostile values made harmless, data on stdout and the rest on stderr, one JSON
document an answer."""
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import time

import pytest

from command import TENON, Terminal, answer, environment, tenon

ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    (folder / "small.csv").write_text("id,name,price\n1,apple,1.5\n22,\"a, b\",\n333,NULL,12.25\n")
    with open(folder / "long.csv", "w") as file:
        file.write("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(250)))
    with open(folder / "wide.csv", "w") as file:
        names = [f"column_{n}" for n in range(40)]
        file.write(",".join(names) + "\n" + ",".join("value" + str(n) for n in range(40)) + "\n")
    with sqlite3.connect(folder / "odd.db") as db:
        db.executescript("create table t (id INTEGER, v TEXT); create table b (v BLOB)")
        db.executemany("insert into t values (?, ?)", enumerate(HOSTILE))
        db.execute("insert into b values (x'00ff')")
    return folder


HOSTILE = ["\x1b[31mred\x1b[0m", "bell\a", "one\ntwo\r\n", "tab\there", "\x9b1A up", "\u202egnp.exe", "\x7f", "日本語テキスト",
           "e\u0301 combined", "👍🏽 ok", "\u200fmark", None, "NULL", "", "back\\slash", "x" * 500, "\u2028line"]


def width_of(text):
    """As a terminal counts, independently of the command: by Unicode's own properties."""
    import unicodedata
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# --- stdout and stderr -----------------------------------------------------------------------------------------------

def test_version_is_quick_and_opens_nothing():
    done = tenon("--version")
    assert re.fullmatch(r"tenon \d+\.\d+\.\d+\n", done.stdout) and done.returncode == 0
    libraries = subprocess.run(["ldd", TENON], capture_output=True, text=True).stdout
    assert not re.search(r"libpq|libduckdb|libssl|libsqlite|libkrb5|libldap", libraries)


def test_piped_rows_are_csv_and_nothing_else(folder):
    done = tenon("read", "small.csv", cwd=folder)
    assert list(csv.reader(io.StringIO(done.stdout))) == [["id", "name", "price"], ["1", "apple", "1.5"], ["22", "a, b", ""],
                                                          ["333", "NULL", "12.25"]]
    assert done.stderr == ""


def test_quiet_leaves_errors(folder):
    assert tenon("copy", "small.csv", "quiet.csv", "-q", cwd=folder).stderr == ""
    assert "3 rows" in tenon("copy", "small.csv", "quiet.csv", cwd=folder).stderr
    assert "there is no file" in tenon("read", "none.csv", "-q", cwd=folder).stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["kinds"], ["read", "small.csv"], ["read", "small.csv", "--json"],
                                   ["ls", "."], ["describe", "small.csv"]], ids=" ".join)
def test_a_full_disk_is_a_failure(folder, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([TENON, *words], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode == 10 and "stage: write" in done.stderr and "try: " in done.stderr


# --- Tables ----------------------------------------------------------------------------------------------------------

def test_numbers_are_flush_right_and_nulls_differ_from_texts(folder):
    lines = tenon("read", "small.csv", "--format", "table", cwd=folder).stdout.splitlines()
    assert [line.rstrip() for line in lines] == [
        " id  name    price",
        "───  ──────  ─────",
        "  1  apple     1.5",
        " 22  a, b     NULL",
        '333  "NULL"  12.25',
    ]


@pytest.mark.parametrize("width", [30, 60, 80, 133])
def test_a_table_fits_its_terminal(folder, width):
    for target in ("odd.db:t", "wide.csv", "small.csv"):
        status, text = Terminal("read", target, width=width, cwd=folder).finish()
        assert status == 0
        table = ESCAPES.sub("", text).splitlines()
        heads = [i for i, line in enumerate(table) if line.startswith("─")]
        assert heads == [1]
        for line in table[:len(table) - 1 if target != "wide.csv" else 3]:
            assert width_of(line) <= width, line


def test_columns_without_room_are_named(folder):
    _, text = Terminal("read", "wide.csv", width=60, cwd=folder).finish()
    hidden = re.search(r"(\d+) columns not shown for lack of room: (column_\d+), ", text)
    assert hidden and int(hidden[1]) + int(hidden[2].removeprefix("column_")) == 40


def test_a_hostile_value_sends_no_escape_sequence(folder):
    for where in (Terminal("read", "odd.db:t", width=100, cwd=folder, env={"NO_COLOR": "1"}).finish()[1],
                  tenon("read", "odd.db:t", "--format", "table", cwd=folder).stdout):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", where), where
        for shown in (r"\x1b[31mred\x1b[0m", r"bell\a", r"one\ntwo\r\n", r"tab\there", r"\u009b1A up", r"\u202egnp.exe", r"\x7f",
                      "日本語テキスト", "e\u0301 combined", r"\u200fmark", '"NULL"', r"\u2028line"):
            assert shown in where, shown


def test_a_hostile_name_sends_none_either(tmp_path):
    name = "evil\x1b]0;title\a.csv"
    (tmp_path / name).write_text("a\x1b[2Jb\n1\n")
    for words in (["read", "./" + name], ["describe", "./" + name], ["ls", "."], ["read", "./" + name + "x"]):
        _, text = Terminal(*words, cwd=tmp_path, env={"NO_COLOR": "1"}).finish()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), (words, text)


def test_long_values_are_cut_with_an_ellipsis(folder):
    _, text = Terminal("read", "odd.db:t", width=50, cwd=folder).finish()
    row = next(line for line in ESCAPES.sub("", text).splitlines() if "xxxx" in line)
    assert width_of(row) <= 50 and row.rstrip().endswith("…")


def test_binary_is_shown_as_hexadecimal(folder):
    assert "\\x00ff" in tenon("read", "odd.db:b", "--format", "table", cwd=folder).stdout


def test_a_terminal_gets_a_hundred_rows_and_is_told_of_the_rest(folder):
    status, text = Terminal("read", "long.csv", cwd=folder).finish()
    text = ESCAPES.sub("", text)
    assert status == 0 and "99    9801" in text and "10000" not in text
    assert "100 rows shown, 150 more" in text and "--limit" in text
    _, text = Terminal("read", "long.csv", "--limit", "200", cwd=folder).finish()
    assert "39601" in text and "200 rows" in text and "more" not in text
    _, text = Terminal("read", "long.csv", "--where", "n >= 100", "--order", "-n", cwd=folder).finish()
    assert "62001" in text and "100 rows shown, 50 more" in text


def test_colors_are_for_terminals_that_take_them(folder):
    assert "\x1b[" in Terminal("read", "small.csv", cwd=folder).finish()[1]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in Terminal("read", "small.csv", cwd=folder, env=env).finish()[1]
    assert "\x1b[" not in tenon("read", "small.csv", "--format", "table", cwd=folder).stdout


def test_binary_formats_are_refused_on_a_terminal(folder):
    for name in ("parquet", "arrow"):
        status, text = Terminal("read", "small.csv", "--format", name, cwd=folder).finish()
        assert status == 2 and "not for a terminal" in text


def test_a_password_on_the_command_line_is_remarked_on():
    _, text = Terminal("test", "postgresql://app:hunter2@127.0.0.1:1/x").finish()
    assert "other users can see a password" in text and "$ENV:" in text and "hunter2" not in text
    _, text = Terminal("test", "postgresql://app:$ENV:PW@127.0.0.1:1/x", env={"PW": "hunter2"}).finish()
    assert "other users" not in text and "hunter2" not in text


# --- JSON ------------------------------------------------------------------------------------------------------------

def test_json_answers_of_every_command(folder):
    kinds = answer("kinds")["kinds"]
    assert {"kind", "category", "label", "summary", "aliases", "operations", "queryable"} == set(kinds[0])
    kind = answer("kinds", "postgresql")
    assert kind["parameters"]["properties"]["password"]["writeOnly"] is True

    tables = answer("ls", "odd.db", cwd=folder)["tables"]
    assert [t["name"] for t in tables] == ["b", "t"]
    assert set(tables[0]) == {"catalog", "schema", "name", "kind", "rows_estimate", "comment"}
    objects = answer("ls", ".", cwd=folder)["objects"]
    assert {"key", "kind", "size", "modified", "etag"} == set(objects[0])

    table = answer("describe", "odd.db:t", cwd=folder)
    assert [(c["name"], c["type"], c["arrow"], c["nullable"]) for c in table["columns"]] == [
        ("id", "INTEGER", "int64", True), ("v", "TEXT", "text", True)]

    read = answer("read", "small.csv", "--where", "id > 1", "--limit", "1", cwd=folder)
    assert read["columns"] == [{"name": "id", "type": "int64"}, {"name": "name", "type": "text"}, {"name": "price", "type": "float64"}]
    assert read["rows"] == [[22, "a, b", None]] and read["row_count"] == 1
    assert set(read["applied_by_system"]) == {"columns", "order", "limit", "filters"} and len(read["applied_by_system"]["filters"]) == 1

    test = answer("test", "odd.db", cwd=folder)
    assert all(set(s) == {"name", "outcome", "ms", "evidence", "remedy"} for s in test["steps"]) and test["facts"]

    copied = answer("copy", "small.csv", "json.parquet", cwd=folder)
    assert copied["rows"] == 3 and copied["to"] == "json.parquet" and copied["bytes"] == (folder / "json.parquet").stat().st_size
    assert answer("read", "small.csv", "-o", "json.jsonl", cwd=folder)["rows"] == 3

    plan = answer("copy", "small.csv", "other.parquet", "--dry-run", cwd=folder)
    assert [c["lands"] for c in plan["columns"]] == ["exact"] * 3 and plan["replaces"] is False and plan["format"] == "parquet"
    assert not (folder / "other.parquet").exists()


def test_json_of_hostile_values_is_what_was_stored(folder):
    rows = answer("read", "odd.db:t", cwd=folder)["rows"]
    assert [v for _, v in rows] == HOSTILE


def test_json_of_a_failure_in_the_middle_keeps_the_rows_before(tmp_path):
    with open(tmp_path / "late.csv", "w") as file:
        file.write("n\n" + "1\n" * 200000 + "x\n")
    done = tenon("read", "late.csv", "--json", "--mem", "1M", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["ok"] is False and document["error"]["code"] == "DATA" and "line 200002" in document["error"]["message"]
    assert 0 < len(document["result"]["rows"]) <= 200000 and "row_count" not in document["result"]


def test_json_of_a_failed_test_has_its_steps():
    done = tenon("test", "postgresql://app@127.0.0.1:1/x", "--json")
    document = json.loads(done.stdout)
    assert [s["outcome"] for s in document["result"]["steps"]] == ["ok", "failed"]
    assert document["error"]["stage"] == "tcp" and done.returncode == document["error"]["exit"] == 6


@pytest.mark.parametrize("words, member", [(["--version"], "version"), (["--help"], "text"), (["help"], "text"), (["help", "read"], "text"),
                                           (["read", "--help"], "text"), (["completion"], "text")], ids=str)
def test_every_answer_may_be_json(words, member):
    document = json.loads(tenon(*words, "--json").stdout)
    assert document["ok"] is True and list(document["result"]) == [member]
    assert document["result"][member] in tenon(*words).stdout


def test_json_is_asked_for_even_where_the_rest_is_wrong():
    for words in (["--json"], ["--json", "read"], ["lss", "--json"], ["read", "x", "--json=1"], ["read", "--json"]):
        document = json.loads(tenon(*words).stdout)
        assert document["ok"] is False and document["error"]["code"] == "CONFIG", words


def test_conditions_and_names_as_people_write_them(folder):
    rows = answer("read", "small.csv", "--where", "id > 1", "--where", "id < 300", "--columns", " name , id ", cwd=folder)["rows"]
    assert rows == [["a, b", 22]]
    assert tenon("read", "small.csv", "--timeout", "0", cwd=folder).returncode == 0


# --- Start -----------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(os.environ.get("TENON_FLAVOUR", "plain") != "plain", reason="sanitizers take their time to start")
def test_version_takes_at_most_5_ms():
    def once():
        begin = time.perf_counter()
        subprocess.run([TENON, "--version"], stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin

    def nothing():
        begin = time.perf_counter()
        subprocess.run(["/bin/true"], stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin

    # what starting any process costs on this machine, now, is not the command's
    pairs = [(once(), nothing()) for _ in range(30)]
    assert min(a for a, _ in pairs) - min(b for _, b in pairs) < 0.005
