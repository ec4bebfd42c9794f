# SPDX-License-Identifier: Apache-2.0
"""Reading PostgreSQL: what is pushed down answers as what is not; odd tables; what is refused. (TENON_PG_URL)"""
import datetime
import decimal
import functools
import json
import math
import re

import pytest

# --- Pushing down: against the rules of value.h, worked out here on all rows ------------------------------------------

ROWS = """
(1, 10, 'apple', 'ab', 1.50, 0.5, '2024-02-29', '2024-02-29 12:00+00', true, '\\x00', '00000000-0000-0000-0000-000000000001', 'low', '{"a": 1}', '10:00', '{1}'),
(2, -5, 'Zebra', 'ab ', -0.01, 'NaN', '1969-12-31', '1969-12-31 23:59:59.999999+00', false, '\\xff', '00000000-0000-0000-0000-000000000002', 'high', '[1]', '00:00', '{}'),
(3, null, 'äpfel', 'a', null, '-Infinity', null, null, null, null, null, null, null, null, null),
(4, 0, '', '', 0, '-0', '0001-01-01', '1900-01-01 00:00+00', true, '\\x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'mid', 'null', '23:59:59.999999', '{null}'),
(5, 2147483647, null, null, 99999999.99, 'Infinity', '9999-12-31', '2500-01-01 00:00+00', false, '\\x00ff', '00000000-0000-0000-0000-00000000000a', 'low', '{"b": "x''y"}', '12:00', '{1,2}'),
(6, -2147483648, 'app%le_\\"''', 'b', 1.50, 1e308, '2024-02-28', '2024-02-29 12:00:00.000001+00', true, '\\x01', 'aaaaaaaa-0000-0000-0000-000000000000', 'high', '"s"', '10:00:00.5', '{3}'),
(7, 10, 'apple', 'ab', 1.5, 0, '2024-02-29', '2024-02-29 11:59:59+00', null, '\\x00', null, 'mid', '{"a": 1}', '10:00', null),
(8, 7, 'z', E'a\\x01', 2, 5e-324, '2000-01-01', '2000-01-01 00:00+00', false, '\\x00aa', null, 'low', '2', '01:00', '{4}'),
(9, 7, '😀', 'zzz', -99999999.99, -1.5, '1970-01-01', '1970-01-01 00:00+00', true, '\\x80', null, 'high', 'true', '05:00', '{5}')
"""


@pytest.fixture(scope="module")
def table(pg):
    pg.run("drop schema if exists push cascade", "create schema push", "create type push.level as enum ('low', 'mid', 'high')",
           "create table push.t (id int primary key, i int, s text collate \"unicode\", c char(3), n numeric(10,2), f float8, d date, "
           "ts timestamptz, b bool, y bytea, u uuid, e push.level, j jsonb, h time, l int[])"
           if pg.value("select count(*) from pg_collation where collname = 'unicode'") else
           "create table push.t (id int primary key, i int, s text, c char(3), n numeric(10,2), f float8, d date, "
           "ts timestamptz, b bool, y bytea, u uuid, e push.level, j jsonb, h time, l int[])",
           f"insert into push.t values {ROWS}")
    yield f"{pg.url}:push.t"
    pg.run("drop schema push cascade")


@pytest.fixture(scope="module")
def rows(tenon, table):
    return tenon.read(table).to_pylist()


def key(value):
    """Orders values as value.h has it: NULLs last, NaN greatest, text and bytes bytewise."""
    if value is None:
        return (2, 0)
    if isinstance(value, float) and math.isnan(value):
        return (1, 0)
    return (0, value.encode() if isinstance(value, str) else value)


D, T, U = decimal.Decimal, datetime.datetime, datetime.timezone.utc
# condition, the same in Python, does the server apply it?
CONDITIONS = [
    ("i = 10", lambda r: r["i"] == 10, True), ("i <> 10", lambda r: r["i"] is not None and r["i"] != 10, True),
    ("i < 0", lambda r: r["i"] is not None and r["i"] < 0, True), ("i >= 2147483647", lambda r: r["i"] == 2147483647, True),
    ("i in (7, 10)", lambda r: r["i"] in (7, 10), True), ("i between -5 and 7", lambda r: r["i"] is not None and -5 <= r["i"] <= 7, True),
    ("i is null", lambda r: r["i"] is None, True), ("i is not null", lambda r: r["i"] is not None, True),
    ("s = 'apple'", lambda r: r["s"] == "apple", True), ("s <> 'apple'", lambda r: r["s"] not in (None, "apple"), True),
    ("s < 'a'", lambda r: r["s"] is not None and r["s"].encode() < b"a", True),
    ("s >= 'z'", lambda r: r["s"] is not None and r["s"].encode() >= b"z", True),
    ("s > 'äpfel'", lambda r: r["s"] is not None and r["s"].encode() > "äpfel".encode(), True),
    ("s in ('', '😀')", lambda r: r["s"] in ("", "😀"), True), ("s like 'app%'", lambda r: (r["s"] or "").startswith("app"), True),
    ("s like 'ä%'", lambda r: (r["s"] or "").startswith("ä"), True),
    ("s = 'app%le_\\\"'''", lambda r: r["s"] == "app%le_\\\"'", True),
    ("c = 'ab '", lambda r: r["c"] == "ab ", True), ("c = 'ab'", lambda r: r["c"] == "ab", True),
    ("c > 'a '", lambda r: r["c"] is not None and r["c"] > "a ", True),
    ("c < 'b'", lambda r: r["c"] is not None and r["c"] < "b", True),
    ("n = 1.5", lambda r: r["n"] == D("1.5"), True), ("n < 0", lambda r: r["n"] is not None and r["n"] < 0, True),
    ("n >= 99999999.99", lambda r: r["n"] == D("99999999.99"), True), ("n in (0, 2.00)", lambda r: r["n"] in (0, 2), True),
    ("f > 1", lambda r: key(r["f"]) > (0, 1.0) and r["f"] is not None, True), ("f = 0", lambda r: r["f"] == 0, True),
    ("f < 0", lambda r: r["f"] is not None and r["f"] < 0, True),
    ("d = '2024-02-29'", lambda r: r["d"] == datetime.date(2024, 2, 29), True),
    ("d < '1970-01-01'", lambda r: r["d"] is not None and r["d"] < datetime.date(1970, 1, 1), True),
    ("d between '2000-01-01' and '2024-02-28'", lambda r: r["d"] is not None and datetime.date(2000, 1, 1) <= r["d"] <= datetime.date(2024, 2, 28), True),
    ("ts >= '2024-02-29T12:00:00Z'", lambda r: r["ts"] is not None and r["ts"] >= T(2024, 2, 29, 12, tzinfo=U), True),
    ("ts < '1970-01-01T01:00:00+01:00'", lambda r: r["ts"] is not None and r["ts"] < T(1970, 1, 1, tzinfo=U), True),
    ("b = true", lambda r: r["b"] is True, True), ("b <> true", lambda r: r["b"] is False, True),
    ("u = '00000000-0000-0000-0000-00000000000a'", lambda r: r["u"] == "00000000-0000-0000-0000-00000000000a", True),
    ("u = '00000000-0000-0000-0000-00000000000A'", lambda r: False, False),
    ("u > '0'", lambda r: r["u"] is not None, False),
    ("e = 'low'", lambda r: r["e"] == "low", True), ("e > 'low'", lambda r: r["e"] is not None and r["e"] > "low", True),
    ("j = '{\"a\": 1}'", lambda r: r["j"] == '{"a": 1}', True),
    ("h >= '10:00'", lambda r: r["h"] is not None and r["h"] >= datetime.time(10), True),
    ("l is null", lambda r: r["l"] is None, True),
    ("i = 10 and s = 'apple' and b is null", lambda r: r["id"] == 7, True),
    ("u > '0' and i = 10", lambda r: r["u"] is not None and r["i"] == 10, None),
]


@pytest.mark.parametrize("condition,meaning,pushed", CONDITIONS)
def test_conditions(tenon, table, rows, condition, meaning, pushed):
    got = tenon.read(table, "--where", condition).to_pylist()
    want = [r for r in rows if meaning(r)]
    assert sorted(r["id"] for r in got) == [r["id"] for r in want]
    applied = tenon.result("read", table, "--where", condition)["applied_by_system"]["filters"]
    assert applied == ([False, True] if pushed is None else [pushed] * len(applied))


@pytest.mark.parametrize("column", ["i", "s", "c", "n", "f", "d", "ts", "b", "y", "u", "e", "j", "h"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_order(tenon, table, rows, column, sign):
    order = f"{sign}{column},id"
    result = tenon.result("read", table, f"--order={order}", "--limit", "7")
    got = [r[0] for r in result["rows"]]

    def compare(a, b):
        one, other = key(a[column]), key(b[column])
        if one != other:
            last = (one[0] == 2) - (other[0] == 2)
            return last or ((one > other) - (one < other)) * (-1 if sign else 1)
        return a["id"] - b["id"]

    assert got == [r["id"] for r in sorted(rows, key=functools.cmp_to_key(compare))][:7]
    assert result["applied_by_system"]["order"] and result["applied_by_system"]["limit"]


def test_columns_and_limit(tenon, table):
    got = tenon.read(table, "--columns", "s,id", "--order", "id", "--limit", "2")
    assert got.column_names == ["s", "id"] and got.column("id").to_pylist() == [1, 2]
    assert tenon.read(table, "--limit", "0").num_rows == 0
    # a limit waits for the filters that the server cannot apply
    result = tenon.result("read", table, "--where", "u > '0'", "--limit", "2")
    assert len(result["rows"]) == 2 and not result["applied_by_system"]["limit"]


def test_options_that_change_values_are_not_pushed_past(tenon, pg, schema):
    pg.run(f"create table {schema}.t (id int, d date)", f"insert into {schema}.t values (1, 'infinity'), (2, '2024-01-01'), (3, null)")
    read = functools.partial(tenon.read, f"{pg.url}:{schema}.t", "--special-values", "null", "--where")
    assert read("d is null").column("id").to_pylist() == [1, 3]
    assert read("d > '2020-01-01'").column("id").to_pylist() == [2]
    text = tenon.read(f"{pg.url}:{schema}.t", "--special-values", "text", "--where", "d = 'infinity'")
    assert text.column("id").to_pylist() == [1]


def test_numbers_that_are_text_are_ordered_as_numbers(tenon, pg, schema):
    pg.run(f"create table {schema}.t (id int, n numeric)",
           f"insert into {schema}.t values (1, 9.5), (2, 100), (3, 1000), (4, 'NaN'), (5, null), (6, -3), (7, 'Infinity')")
    table = f"{pg.url}:{schema}.t"
    ids = lambda *words: tenon.read(*words).column("id").to_pylist()
    assert ids(table, "--order", "n") == [6, 1, 2, 3, 7, 4, 5]
    assert ids(table, "--order=-n", "--limit", "3") == [4, 7, 3]
    assert ids(table, "--order=-n", "--special-values", "text") == [4, 7, 3, 2, 1, 6, 5]
    assert ids(pg.url, "--query", f"select * from {schema}.t", "--order", "n", "--limit", "2") == [6, 1]
    assert tenon.result("read", table, "--order", "n", "--limit", "1")["applied_by_system"]["order"]


def test_a_domain_of_instants_is_compared_as_instants(tenon, pg, schema):
    pg.run(f"create domain {schema}.instant as timestamptz", f"create table {schema}.t (id int, at {schema}.instant)",
           f"insert into {schema}.t values (1, '2024-01-01 00:00:00+00'), (2, '2024-01-01 05:00:00+00')")
    got = tenon.read(f"{pg.url}?timezone=Asia/Tokyo:{schema}.t", "--where", "at > '2024-01-01T02:00:00Z'")
    assert got.column("id").to_pylist() == [2]


SPECIAL = [(1, "infinity", "infinity", "infinity", "24:00", "NaN"), (2, "0044-03-15 BC", "0044-03-15 BC", "0044-03-15 BC", "00:00", "9"),
           (3, "2024-02-29", "2024-02-29 12:34:56.7", "2024-02-29 06:49:56.7+00", "12:34:56", "10.50"),
           (4, "10000-01-01", "10000-01-01", "10000-01-01", "10:00", "-1"), (5, None, None, None, None, None),
           (6, "-infinity", "-infinity", "-infinity", "23:59:59.999999", "100")]


@pytest.fixture
def special(pg, schema):
    pg.run(f"create table {schema}.t (id int, d date, ts timestamp, tz timestamptz, h time, n numeric(10,2), a date[])",
           *[f"insert into {schema}.t values (" + ", ".join("null" if v is None else f"'{v}'" for v in row) + ", '{}')" for row in SPECIAL])
    return f"{pg.url}:{schema}.t"


@pytest.mark.parametrize("condition,want", [
    ("d > '2020-01-01'", [1, 3, 4]), ("d <= '2024-02-29'", [2, 3, 6]), ("d = 'infinity'", [1]), ("d > '-infinity' and d < 'infinity'", [2, 3, 4]),
    ("d in ('infinity', '2024-02-29')", [1, 3]), ("d between '2000-01-01' and 'infinity'", [1, 3, 4]), ("d is null", [5]),
    ("ts = '2024-02-29T12:34:56.7'", [3]), ("ts >= '2024-02-29T12:34:56.70'", [1, 3, 4]), ("tz = '2024-02-29T12:34:56.7+05:45'", [3]),
    ("h > '09:00'", [1, 3, 4, 6]), ("h = '24:00:00'", [1]), ("n > 9", [1, 3, 6]), ("n = 10.5", [3]), ("n = 10.505", []),
    ("n < 10.505", [2, 3, 4]), ("n = 'NaN'", [1]), ("n < 'NaN'", [2, 3, 4, 6]), ("n in (9, 100.0)", [2, 6]), ("id >= 4.5", [5, 6])])
def test_special_values_as_text_compare_as_what_they_are(tenon, special, condition, want):
    got = tenon.read(special, "--special-values", "text", "--where", condition, "--order", "id")
    assert got.column("id").to_pylist() == want


@pytest.mark.parametrize("column,want", [("d", [6, 2, 3, 4, 1, 5]), ("ts", [6, 2, 3, 4, 1, 5]), ("tz", [6, 2, 3, 4, 1, 5]), ("h", [2, 4, 3, 6, 1, 5]),
                                         ("n", [4, 2, 3, 6, 1, 5])])
def test_special_values_as_text_are_ordered_as_what_they_are(tenon, special, column, want):
    read = functools.partial(tenon.read, special, "--special-values", "text")
    assert read("--order", column).column("id").to_pylist() == want
    assert read(f"--order=-{column}").column("id").to_pylist() == want[-2::-1] + [5]


def test_what_the_server_cannot_compare_of_special_values_is_refused(tenon, special):
    read = functools.partial(tenon.error, "read", special, "--special-values", "text")
    for words in (["--order", "a"], ["--where", "d > '294300-01-01x'"], ["--where", "ts > '294250-01-01'"], ["--where", "n < 1e20"]):
        error = read(*words)
        assert error["code"] == "CONFIG", error
    assert "special_values=null" in read("--where", "n < 1e20")["remedy"]
    assert read("--where", "a = '{}'")["code"] == "UNSUPPORTED"


def test_queries_are_pushed_into(tenon, pg):
    result = tenon.result("read", pg.url, "--query", "select x, x::text as t from generate_series(1, 1000) as x -- to the end",
                          "--where", "x > 990 and t like '99%'", "--order=-x", "--limit", "3", "--columns", "t")
    assert result["rows"] == [["999"], ["998"], ["997"]]
    assert result["applied_by_system"] == {"columns": True, "order": True, "limit": True, "filters": [True, True]}
    # two columns of one name can be read, but not be told apart
    assert tenon.read(pg.url, "--query", "select 1 as a, 2 as a").column_names == ["a", "a"]


# --- Names and values that mean harm -------------------------------------------------------------------------------------

HOSTILE = ['t', 'Upper Case', 'select', 'a"b', "a'b", 'a.b', '"; drop table victim; --', "\\", 'ä😀', 'a%b$1', "x" * 63]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(tenon, pg, schema, name):
    quoted = '"' + name.replace('"', '""') + '"'
    pg.run(f"create table {schema}.victim ()", f"create table {schema}.{quoted} ({quoted} text, other int)",
           f"insert into {schema}.{quoted} values ('x', 1), (null, 2)")
    target = f"{pg.url}:{schema}.{quoted}"
    where = f"{quoted} = 'x'"
    assert tenon.read(target).to_pylist() == [{name: "x", "other": 1}, {name: None, "other": 2}]
    assert tenon.read(target, "--where", where, "--order", "other", "--limit", "5").to_pylist() == [{name: "x", "other": 1}]
    assert [c["name"] for c in tenon.result("describe", target)["columns"]] == [name, "other"]
    assert pg.value(f"select count(*) from pg_tables where schemaname = '{schema}'") == 2


@pytest.mark.parametrize("value", ["'", "''; drop table x; --", "\\", "\\'", "$$", "ä", "%", "E'\\x'"])
def test_hostile_values(tenon, pg, schema, value):
    pg.run(f"create table {schema}.t (s text)")
    with pg.connect() as connection:
        connection.execute(f"insert into {schema}.t values (%s), ('other')", (value,))
    where = "s = '" + value.replace("'", "''") + "'"
    for options in ("", "-c standard_conforming_strings=off -c backslash_quote=on"):
        got = tenon.read(f"{pg.url}:{schema}.t", "--where", where, *(["--set", f"options={options}"] if options else []))
        assert got.column("s").to_pylist() == [value]


def test_nobodys_operators_are_used(tenon, pg, schema):
    """An operator of the user's that fits better than the server's would otherwise be taken."""
    pg.run(f"create table {schema}.t (a int, d date, s text)", f"insert into {schema}.t values (1, '2024-01-01', 'x'), (2, '2025-01-01', 'y')",
           f"create function {schema}.no(int, bigint) returns bool language sql as 'select false'",
           f"create function {schema}.nox(text, text) returns bool language sql as 'select false'",
           f"create function {schema}.left(text, int) returns text language sql as $$select 'no'$$",
           f"create operator {schema}.= (leftarg = int, rightarg = bigint, function = {schema}.no)",
           f"create operator {schema}.= (leftarg = text, rightarg = text, function = {schema}.nox)")
    url = ["--set", f"options=-c search_path={schema},pg_catalog"]
    target = f"{pg.url}:{schema}.t"
    assert tenon.read(target, *url, "--where", "a = 1 and s = 'x' and s like 'x%' and d < '2024-06-01'").num_rows == 1
    assert tenon.result("ls", pg.url, *url)["tables"]
    assert len(tenon.result("describe", target, *url)["columns"]) == 3


def test_queries_stay_queries(tenon, pg, schema):
    """Nothing of a query's text gets out of it, and nothing is changed."""
    pg.run(f"create table {schema}.t (a int)", f"insert into {schema}.t values (1)", f"create sequence {schema}.s")
    t = f"{schema}.t"
    refused = [
        f"delete from {t}", f"delete from {t} returning a", f"insert into {t} values (2) returning a", f"truncate {t}",
        f"with gone as (delete from {t} returning a) select * from gone", f"select nextval('{schema}.s')", f"select a into {schema}.copy from {t}",
        f"select 1; delete from {t}", f"select 1) to stdout; delete from {t}; copy (select 1", f"select 1) to stdout (format binary); commit; delete from {t}; --",
        f"drop table {t}", "commit", "rollback; begin", "set transaction read write", f"create table {schema}.x (a int)",
        f"select set_config('transaction_read_only', 'off', false); delete from {t}", f"copy {t} to stdout", f"copy {t} from stdin",
        f"do $$ begin delete from {t}; end $$", f"explain analyze delete from {t}", f"select * from {t} for update",
        f"select /* unended from {t}", "select 'unended", f"lock table {t}", "listen x", "begin", "vacuum", "", ";", "-- nothing",
    ]
    for query in refused:
        answer = tenon.json("read", pg.url, "--query", query)
        assert not answer["ok"], query
        assert answer["error"]["message"] and answer["error"]["code"] in ("CONFIG", "FORBIDDEN", "UNSUPPORTED", "CONFLICT"), (query, answer["error"])
    assert pg.rows(f"select a from {t}") == [(1,)]
    assert pg.value(f"select count(*) from pg_class where relnamespace = '{schema}'::regnamespace") == 2
    assert pg.value(f"select is_called from {schema}.s") is False


@pytest.mark.parametrize("query,rows", [
    ("select 1 as a", [{"a": 1}]), ("values (1), (2)", [{"column1": 1}, {"column1": 2}]), ("select 1 as a;", [{"a": 1}]),
    ("/* x */ with q as (select 1 as a) table q -- end", [{"a": 1}]), ("(select 1 as a) union all select 2 order by 1", [{"a": 1}, {"a": 2}]),
    ("select ';' as a", [{"a": ";"}]), ("select $q$;--$q$ as a;;", [{"a": ";--"}]), ("select E'\\';' as a", [{"a": "';"}]),
    ("show server_encoding", [{"server_encoding": "UTF8"}]), ("show timezone", [{"TimeZone": "UTC"}]),
    ("select current_setting('transaction_read_only') as a", [{"a": "on"}]),
    ("select from generate_series(1, 3)", [{}, {}, {}]),
])
def test_queries(tenon, pg, query, rows):
    table = tenon.read(pg.url, "--query", query)
    assert table.num_rows == len(rows)
    if table.num_columns:
        assert table.to_pylist() == rows


def test_explain(tenon, pg):
    plan = tenon.read(pg.url, "--query", "explain (format json) select 1").to_pylist()
    assert json.loads(plan[0]["QUERY PLAN"])[0]["Plan"]["Node Type"] == "Result"
    assert "<explain" in tenon.read(pg.url, "--query", "explain (format xml) select 1").to_pylist()[0]["QUERY PLAN"]
    assert tenon.read(pg.url, "--query", "explain select * from generate_series(1, 9) as g(x)", "--limit", "1").num_rows == 1


# --- Odd tables ------------------------------------------------------------------------------------------------------


def test_empty_and_without_columns(tenon, pg, schema):
    pg.run(f"create table {schema}.none ()", f"insert into {schema}.none default values", f"insert into {schema}.none default values",
           f"create table {schema}.empty (a int, b text[], c numeric(5,2))")
    answer = tenon.result("read", f"{pg.url}:{schema}.none")
    assert answer["row_count"] == 2 and answer["rows"] == [[], []]
    table = tenon.read(f"{pg.url}:{schema}.empty")
    assert table.num_rows == 0 and table.column_names == ["a", "b", "c"]


def test_1600_columns(tenon, pg, schema):
    columns = ", ".join(f"c{i} int2" for i in range(1600))
    pg.run(f"create table {schema}.wide ({columns})", f"insert into {schema}.wide (c0, c1599) values (1, 2), (3, 4)")
    table = tenon.read(f"{pg.url}:{schema}.wide")
    assert table.num_columns == 1600 and table.column("c0").to_pylist() == [1, 3] and table.column("c1599").to_pylist() == [2, 4]
    assert table.column("c800").null_count == 2
    assert len(tenon.result("describe", f"{pg.url}:{schema}.wide")["columns"]) == 1600


def test_kinds_of_relations(tenon, pg, schema):
    s = schema
    pg.run(f"create table {s}.base (a int primary key, b text)", f"insert into {s}.base values (1, 'x'), (2, 'y')",
           f"create view {s}.a_view as select a, b || '!' as b from {s}.base", f"create materialized view {s}.mat as select * from {s}.base",
           f"create table {s}.child (c int) inherits ({s}.base)", f"insert into {s}.child values (3, 'z', 9)",
           f"create table {s}.parts (k int, v text) partition by range (k)",
           f"create table {s}.parts_1 partition of {s}.parts for values from (0) to (10)",
           f"create table {s}.parts_2 partition of {s}.parts for values from (10) to (20) partition by list (v)",
           f"create table {s}.parts_2a partition of {s}.parts_2 default",
           f"insert into {s}.parts select g, 'v' from generate_series(0, 19) g", f"comment on table {s}.parts is 'in parts'",
           f"create unlogged table {s}.unlogged (a int)", f"analyze {s}.parts", f"analyze {s}.parts_1", f"analyze {s}.parts_2a",
           f"analyze {s}.base", f"analyze {s}.mat")
    listed = {t["name"]: t for t in tenon.result("ls", pg.url)["tables"] if t["schema"] == s}
    assert {n: t["kind"] for n, t in listed.items()} == {
        "base": "table", "a_view": "view", "mat": "materialized view", "child": "table", "parts": "partitioned table", "parts_1": "table",
        "parts_2": "partitioned table", "parts_2a": "table", "unlogged": "table"}
    assert listed["parts"]["rows_estimate"] == 20 and listed["parts_2"]["rows_estimate"] == 10 and listed["parts"]["comment"] == "in parts"
    assert listed["a_view"]["rows_estimate"] is None and listed["unlogged"]["rows_estimate"] is None and listed["mat"]["rows_estimate"] == 2
    counts = {"base": 3, "a_view": 3, "mat": 2, "child": 1, "parts": 20, "parts_1": 10, "parts_2": 10, "unlogged": 0}
    for name, count in counts.items():
        assert tenon.read(f"{pg.url}:{s}.{name}").num_rows == count, name
    described = tenon.result("describe", f"{pg.url}:{s}.parts")
    assert described["kind"] == "partitioned table" and described["rows_estimate"] == 20 and described["comment"] == "in parts"


def test_foreign_tables(tenon, pg, schema, tmp_path):
    file = pg.folder + "/foreign.csv"
    pg.run("create extension if not exists file_fdw", "create server if not exists files foreign data wrapper file_fdw")
    pg.run(f"copy (select g, 'v' || g from generate_series(1, 5) g) to '{file}' (format csv)",
           f"create foreign table {schema}.f (a int, b text) server files options (filename '{file}', format 'csv')")
    assert tenon.read(f"{pg.url}:{schema}.f", "--where", "a >= 4").to_pylist() == [{"a": 4, "b": "v4"}, {"a": 5, "b": "v5"}]
    assert [t["kind"] for t in tenon.result("ls", pg.url)["tables"] if t["schema"] == schema] == ["foreign table"]


def test_list_is_ordered_and_hides_the_system(tenon, pg, schema):
    pg.run(*[f'create table {schema}."{n}" (a int)' for n in ("b", "B", "ä", "a")])
    tables = tenon.result("ls", pg.url)["tables"]
    names = [(t["schema"], t["name"]) for t in tables]
    assert names == sorted(names, key=lambda n: (n[0].encode(), n[1].encode()))
    assert not any(t["schema"].startswith("pg_") or t["schema"] == "information_schema" for t in tables)
    assert {t["catalog"] for t in tables} == {pg.database}


def test_describe(tenon, pg, schema):
    s = schema
    pg.run(f"create domain {s}.email as text not null",
           f"create table {s}.users (id bigint generated always as identity primary key, mail {s}.email unique)",
           f"create table {s}.orders (a int, b varchar(10) default 'x', user_id bigint not null references {s}.users, total numeric(10,2) default 0, "
           f"twice numeric generated always as (total * 2) stored, at timestamptz(3) default now(), primary key (b, a), unique (total, at))",
           f"comment on table {s}.orders is 'all orders'", f"comment on column {s}.orders.total is 'in €'")
    d = tenon.result("describe", f"{pg.url}:{s}.orders")
    assert (d["catalog"], d["schema"], d["name"], d["kind"], d["comment"]) == (pg.database, s, "orders", "table", "all orders")
    c = {x["name"]: x for x in d["columns"]}
    assert list(c) == ["a", "b", "user_id", "total", "twice", "at"]
    assert [c[n]["type"] for n in c] == ["integer", "character varying(10)", "bigint", "numeric(10,2)", "numeric", "timestamp(3) with time zone"]
    assert [c[n]["nullable"] for n in c] == [False, False, False, True, True, True]
    assert [c[n]["key_position"] for n in c] == [2, 1, None, None, None, None]
    assert c["b"]["default"] == "'x'::character varying" and c["total"]["default"] == "0" and c["total"]["comment"] == "in €"
    assert "total * " in c["twice"]["default"] and "numeric_as" in c["twice"]["remark"] and c["at"]["default"] == "now()"
    assert d["keys"] == [
        {"kind": "primary", "name": "orders_pkey", "columns": ["b", "a"], "references": None},
        {"kind": "unique", "name": "orders_total_at_key", "columns": ["total", "at"], "references": None},
        {"kind": "foreign", "name": "orders_user_id_fkey", "columns": ["user_id"], "references": f"{s}.users(id)"}]
    users = tenon.result("describe", f"{pg.url}:{s}.users")
    assert users["columns"][0]["default"] == "generated always as identity"
    assert users["columns"][1]["type"] == f"{s}.email" and users["columns"][1]["nullable"] is False
    query = tenon.result("describe", pg.url, "--query", f"select total, sum(a) over () as n, array_agg(b) over () from {s}.orders")
    assert query["kind"] == "query" and [x["type"] for x in query["columns"]] == ["numeric(10,2)", "bigint", "character varying[]"]


def test_what_is_described_is_what_is_read(tenon, pg):
    """For every table and view of the catalog."""
    names = [n for (n,) in pg.rows("select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v') order by 1")]
    assert len(names) > 100
    for name in names[::7]:
        described = tenon.result("describe", f"{pg.url}:pg_catalog.{name}")["columns"]
        table = tenon.read(f"{pg.url}:pg_catalog.{name}", "--limit", "3")
        assert [c["name"] for c in described] == table.column_names, name
        assert [c["nullable"] for c in described] == [f.nullable for f in table.schema], name


# --- Sizes -----------------------------------------------------------------------------------------------------------


def test_long_values(tenon, pg, schema):
    pg.run(f"create table {schema}.t (i int, s text, b bytea)",
           f"insert into {schema}.t select g, repeat(chr(96 + g), 20000000), decode(repeat('ab', 1000000), 'hex') from generate_series(1, 3) g")
    table = tenon.read(f"{pg.url}:{schema}.t")
    assert [(s[0], len(s)) for s in table.column("s").to_pylist()] == [("a", 20000000), ("b", 20000000), ("c", 20000000)]
    error = tenon.error("read", f"{pg.url}:{schema}.t", "--set", "max_row_bytes=1M")
    assert error["code"] == "LIMITED" and "max_row_bytes" in error["remedy"]
    assert tenon.read(f"{pg.url}:{schema}.t", "--columns", "i", "--set", "max_row_bytes=1M").column("i").to_pylist() == [1, 2, 3]


def test_rows_around_the_limit(tenon, pg):
    """One below, at, and one above: a row is 6 bytes (number of fields, length) and the value."""
    for size, fits in ((65529, True), (65530, True), (65531, False)):
        query = f"select repeat('x', {size}) as s from generate_series(1, 2)"
        answer = tenon.json("read", pg.url, "--query", query, "--set", "max_row_bytes=64K")
        assert answer["ok"] is fits, size


def test_many_nulls_and_batches(tenon, pg):
    query = ("select i, case when i % 3 = 0 then i end as n, case when i % 5 = 0 then 't' || i end as s, case when i % 7 = 0 then i % 2 = 0 end as b, "
             "case when i % 2 = 0 then array[i] end as l from generate_series(1, 100000) i")
    table = tenon.read(pg.url, "--query", query)
    assert table.num_rows == 100000 and len(table.column("i").chunks) > 3
    assert table.column("n").null_count == 100000 - 33333 and table.column("s").null_count == 80000
    for name, want in (("i", lambda i: i), ("n", lambda i: i if i % 3 == 0 else None), ("s", lambda i: f"t{i}" if i % 5 == 0 else None),
                       ("b", lambda i: i % 2 == 0 if i % 7 == 0 else None), ("l", lambda i: [i] if i % 2 == 0 else None)):
        assert table.column(name).to_pylist() == [want(i) for i in range(1, 100001)], name


# --- Failures in the middle ------------------------------------------------------------------------------------------


def test_errors_have_their_layer(tenon, pg, schema):
    pg.run(f"create table {schema}.t (a int)")
    for args, code, stage, sqlstate in [
        ((f"{pg.url}:{schema}.nothing",), "NOT_FOUND", "query", "42P01"), ((f"{pg.url}:nowhere.t",), "NOT_FOUND", "query", None),
        ((f"{pg.url}:{schema}.t", "--columns", "b"), "NOT_FOUND", "query", None),
        ((pg.url, "--query", "selec 1"), "CONFIG", "query", "42601"), ((pg.url, "--query", "select nothing"), "NOT_FOUND", "query", "42703"),
        ((pg.url, "--query", "select no_function(1)"), "NOT_FOUND", "query", "42883"), ((pg.url, "--query", "select 1/0"), "DATA", "query", "22012"),
        ((pg.url, "--query", "select 1/(50000 - i) from generate_series(1, 100000) i"), "DATA", "query", "22012"),
        ((pg.url, "--query", "select $1"), "CONFIG", "query", None),
        ((pg.url, "--query", "select pg_sleep(5)", "--set", "statement_timeout=100ms"), "TIMEOUT", "query", "57014"),
    ]:
        error = tenon.error("read", *args)
        assert (error["code"], error["stage"]) == (code, stage), (args, error)
        assert sqlstate is None or error["sqlstate"] == sqlstate, (args, error)
        assert error["remedy"], args


def test_permissions(tenon, pg, schema):
    pg.run("drop role if exists reader", "create role reader login password 'secret-reader'", f"create table {schema}.t (a int, b int)",
           f"insert into {schema}.t values (1, 2)")
    url = pg.url.replace("admin:secret-admin", "reader:secret-reader")
    try:
        error = tenon.error("read", f"{url}:{schema}.t")
        assert (error["code"], error["stage"], error["sqlstate"]) == ("FORBIDDEN", "permission", "42501") and "GRANT" in error["remedy"]
        pg.run(f"grant usage on schema {schema} to reader", f"grant select (a) on {schema}.t to reader")
        assert tenon.error("read", f"{url}:{schema}.t")["code"] == "FORBIDDEN"
        assert tenon.read(f"{url}:{schema}.t", "--columns", "a").to_pylist() == [{"a": 1}]
    finally:
        pg.run(f"drop owned by reader", "drop role reader")


def test_a_table_that_is_almost_there(tenon, pg, schema):
    pg.run(f"create table {schema}.customers (a int)", f'create table {schema}."Odd Names" (a int)')
    for name, wanted in [(f"{schema}.custmers", f"did you mean {schema}.customers?"), ("customers", f"did you mean {schema}.customers?"),
                         (f'{schema}."Odd Name"', f'did you mean {schema}."Odd Names"?'), ("pg_clas", "did you mean pg_class?")]:
        for command in ("read", "describe"):
            error = tenon.error(command, f"{pg.url}:{name}")
            assert (error["code"], error["sqlstate"]) == ("NOT_FOUND", "42P01") and wanted in error["remedy"], error
    assert "did you mean" not in tenon.error("read", f"{pg.url}:{schema}.nothing_like_it")["remedy"]


def test_what_a_function_raises(tenon, pg, schema):
    pg.run(f"create function {schema}.strict() returns int language plpgsql as $$ begin raise exception 'not on Sundays'; end $$")
    error = tenon.error("read", pg.url, "--query", f"select {schema}.strict()")
    assert (error["code"], error["stage"], error["sqlstate"]) == ("DATA", "query", "P0001")
    assert error["message"] == "not on Sundays" and "function of the database" in error["remedy"]


def test_notices_and_settings_in_between(tenon, pg, schema):
    pg.run(f"""create function {schema}.noisy(i int) returns int language plpgsql as $$ begin
               raise notice 'row %', i; raise warning 'again'; perform set_config('application_name', 'n' || i, false); return i; end $$""")
    table = tenon.read(pg.url, "--query", f"select {schema}.noisy(i) as i from generate_series(1, 2000) i", "--set", "options=-c client_min_messages=debug5")
    assert table.column("i").to_pylist() == list(range(1, 2001))


def test_row_security(tenon, pg, schema):
    pg.run("drop role if exists viewer", "create role viewer login password 'secret-viewer'", f"create table {schema}.t (who text)",
           f"insert into {schema}.t values ('viewer'), ('other')", f"alter table {schema}.t enable row level security",
           f"create policy p on {schema}.t using (who = current_user)", f"grant usage on schema {schema} to viewer", f"grant select on {schema}.t to viewer")
    try:
        url = pg.url.replace("admin:secret-admin", "viewer:secret-viewer")
        assert tenon.read(f"{url}:{schema}.t").to_pylist() == [{"who": "viewer"}]
    finally:
        pg.run("drop owned by viewer", "drop role viewer")


def test_the_environment_has_no_say(tenon, pg, tmp_path):
    service = tmp_path / "service.conf"
    service.write_text("[x]\nhost=nowhere.invalid\nuser=nobody\n")
    env = {"PGHOST": "nowhere.invalid", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody", "PGPASSWORD": "wrong", "PGDATABASE": "none",
           "PGOPTIONS": "-c search_path=nowhere -c datestyle=german", "PGSSLMODE": "verify-full", "PGTZ": "Asia/Tokyo", "PGDATESTYLE": "German",
           "PGCLIENTENCODING": "LATIN1", "PGSSLROOTCERT": "/nothing", "PGAPPNAME": "other", "PGTARGETSESSIONATTRS": "standby", "PGPASSFILE": "/nothing",
           "PGCONNECT_TIMEOUT": "1", "PGCHANNELBINDING": "require", "PGGSSENCMODE": "require", "PGSERVICE": "x", "PGSERVICEFILE": str(service),
           "PGSSLCERT": "/nothing", "PGSSLKEY": "/nothing", "PGSSLMAXPROTOCOLVERSION": "TLSv1", "TZ": "Asia/Tokyo"}
    query = ("select 'ä' as a, current_setting('application_name') as b, ('2024-01-02 03:04+00'::timestamptz)::text as c, "
             "current_setting('search_path') as d, array['2024-01-02'::date]::text as e")
    for url in (pg.url, pg.tls_url):
        row = tenon.read(url, "--query", query, env=env).to_pylist()[0]
        assert row == {"a": "ä", "b": "tenon", "c": "2024-01-02 03:04:00+00", "d": '"$user", public', "e": "{2024-01-02}"}
    error = tenon.error("read", pg.url, "--query", query, env={"PGSERVICE": "unknown", "PGSERVICEFILE": str(service)})
    assert error["code"] == "CONFIG" and "PGSERVICE" in error["remedy"]


def test_settings_of_the_session(tenon, pg):
    query = "select current_setting('TimeZone') as tz, current_setting('work_mem') as m, current_setting('application_name') as a, current_schema() as s"
    row = tenon.read(pg.url, "--query", query, "--set", "timezone=Europe/Berlin", "--set", "options=-c work_mem=7MB", "--set",
                     "application_name=x y'z", "--set", "schema=pg_catalog").to_pylist()[0]
    assert row == {"tz": "Europe/Berlin", "m": "7MB", "a": "x y'z", "s": "pg_catalog"}
    table = tenon.read(f"{pg.url}:pg_am", "--set", "schema=pg_catalog", "--limit", "1")
    assert table.num_rows == 1
    error = tenon.error("read", pg.url, "--query", query, "--set", "timezone=Nowhere/Land")
    assert "Nowhere/Land" in error["message"]


def test_one_connection_and_few_statements(tenon, pg):
    """A read of a table asks the server no more than it must."""
    log = pg.folder + "/log"
    pg.run("drop table if exists quiet", "create table quiet (a int)", "alter role admin set log_statement = 'all'")
    try:
        start = len(open(log, errors="replace").read())
        tenon.read(f"{pg.url}:quiet")
        said = open(log, errors="replace").read()[start:]
    finally:
        pg.run("alter role admin reset log_statement", "drop table quiet")
    statements = re.findall(r"LOG:  (?:statement|execute <unnamed>): (.*)", said)
    statements = [s for s in statements if "log_statement" not in s]
    assert len(statements) <= 5, statements


def test_a_test_of_a_table_asks_whether_it_may_be_read(tenon, pg, schema):
    role = f"{schema}_role"[:60]
    pg.run(f"drop role if exists {role}", f"create role {role} login password 'p'", f"grant usage on schema {schema} to {role}",
           f"create table {schema}.closed (id int)", f"create table {schema}.half (id int, secret int)", f"create table {schema}.open (id int)",
           f"grant select on {schema}.open to {role}", f"grant select (id) on {schema}.half to {role}")
    try:
        url = pg.url.replace(f"{pg.user}:{pg.password}@", f"{role}:p@")
        assert tenon.result("test", f"{url}:{schema}.open")["steps"][-1]["outcome"] == "ok"
        for table in ("closed", "half"):
            error = tenon.error("test", f"{url}:{schema}.{table}")
            assert error["code"] == "FORBIDDEN" and table in error["message"], error
    finally:
        pg.run(f"drop owned by {role}", f"drop role {role}")
