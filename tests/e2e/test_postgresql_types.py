# SPDX-License-Identifier: Apache-2.0
"""Every type of the server: as documented, and every value as the server's own text has it. (TENON_PG_URL)"""
import datetime
import decimal
import json
import math
import os
import pathlib
import re

import pytest

TOP = pathlib.Path(os.environ.get("TENON_SOURCE", "."))
EPOCH = datetime.date(1970, 1, 1)

# --- What docs/types.md says -----------------------------------------------------------------------------------------


def documented():
    """The rows of the table of PostgreSQL's types: {server's name: (Arrow, remarks)}."""
    text = (TOP / "docs/types.md").read_text().split("## PostgreSQL")[1]
    return {name: (arrow, remark) for name, arrow, remark in re.findall(r"^\| `([^`]+)`[^|]*\| ([^|]+?) \| ([^|]*?) ?\|$", text, re.M)}


PYARROW = {"text": "string", "float32": "float", "float64": "double", "timestamp[us, UTC]": "timestamp[us, tz=UTC]",
           "date32": "date32[day]", "list of int16": "list<item: int16>", "list of uint32": "list<item: uint32>"}


def test_every_type_of_the_server_is_documented(tenon, pg):
    known = documented()
    types = pg.rows("""select format_type(oid, null), typtype::text, oid::regtype::text from pg_type
                       where oid < 16384 and typtype in ('b', 'r', 'm', 'e') and not (typelem <> 0 and typlen = -1 and typcategory = 'A')
                       order by 1""")
    assert len(types) > 70
    missing = [name for name, _, _ in types if name not in known]
    assert not missing, f"docs/types.md does not know {missing}"
    query = "select " + ", ".join(f"null::{spelt} as c{i}" for i, (_, _, spelt) in enumerate(types))
    assert all(column["readable"] for column in tenon.result("describe", pg.url, "--query", query)["columns"])
    for (name, _, _), field in zip(types, tenon.read(pg.url, "--query", query).schema):
        arrow, remark = known[name]
        assert str(field.type) == PYARROW.get(arrow, arrow), name
        says = (field.metadata or {}).get(b"tenon.type", b"").decode()
        assert says == (name if "annotated" in remark else ""), name


def test_arrays_of_every_type(tenon, pg):
    types = pg.rows("""select a.oid::regtype::text from pg_type a join pg_type e on e.oid = a.typelem where a.oid < 16384
                       and a.typlen = -1 and a.typcategory = 'A' and e.typtype <> 'p' and a.typname not like '%vector' order by 1""")
    assert len(types) > 80
    query = "select " + ", ".join(f"'{{}}'::{spelt} as c{i}, null::{spelt} as d{i}" for i, (spelt,) in enumerate(types))
    row = tenon.read(pg.url, "--query", query).to_pylist()[0]
    assert list(row.values()) == [[], None] * len(types)


def test_catalog_rows_and_domains(tenon, pg):
    """Every composite and domain that the server comes with."""
    types = pg.rows("select oid::regtype::text from pg_type where oid < 16384 and typtype in ('c', 'd') order by 1")
    query = "select " + ", ".join(f"null::{spelt} as c{i}" for i, (spelt,) in enumerate(types))
    assert len(types) > 100
    assert all(c["readable"] for c in tenon.result("describe", pg.url, "--query", query)["columns"])
    assert list(tenon.read(pg.url, "--query", query).to_pylist()[0].values()) == [None] * len(types)


def test_pseudo_types(tenon, pg):
    row = tenon.read(pg.url, "--query", "select 'x'::cstring as a, row(1, 'b') as b, pg_sleep(0) as c, array[row(1)] as d").to_pylist()
    assert row == [{"a": "x", "b": "(1,b)", "c": "", "d": ["(1)"]}]


# --- Values ----------------------------------------------------------------------------------------------------------

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["0", "-32768", "32767"],
    "integer": ["0", "-2147483648", "2147483647"],
    "bigint": ["0", "-9223372036854775808", "9223372036854775807"],
    "real": ["0", "-0", "1.1", "-3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity"],
    "double precision": ["0", "-0", "0.1", "1.7976931348623157e308", "-5e-324", "NaN", "Infinity", "-Infinity"],
    "numeric(1,0)": ["0", "9", "-9"],
    "numeric(15,2)": ["0", "0.01", "-0.01", "9999999999999.99", "-9999999999999.99", "100", "10000", "0.1"],
    "numeric(18,18)": ["0.000000000000000001", "-0.999999999999999999"],
    "numeric(19,0)": ["9999999999999999999", "-1"],
    "numeric(38,0)": ["99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", "0"],
    "numeric(38,38)": ["0.00000000000000000000000000000000000001", "0.5"],
    "numeric(39,1)": ["99999999999999999999999999999999999999.9", "-0.1"],
    "numeric(76,10)": ["9" * 66 + "." + "9" * 10, "-0.0000000001", "0"],
    "numeric(3,-2)": ["12300", "-99900"],
    "numeric(2,5)": ["0.00099", "-0.00001"],
    "numeric": ["0", "-0.0", "1.10", "1e-130", "-1e130", "0.00001000", "12345678901234567890.123456789", "NaN", "Infinity", "-Infinity"],
    "numeric(100,50)": ["1", "-0.5"],
    "text": ["", "x", "ä€😀", "a'b\"c\\", "line\nbreak\ttab", "x" * 31, "x" * 32, "x" * 33, "y" * 100000],
    "character varying(5)": ["", "abcde", "äöü"],
    "character(5)": ["a", "abcde", "", "ä"],
    "name": ["x", "y" * 63],
    '"char"': ["a", "", "~"],
    "bytea": ["", "\\x00", "\\x00ff27225c", "\\x" + "ab" * 5000],
    "date": ["1970-01-01", "2000-02-29", "0001-01-01", "9999-12-31", "4714-11-24 BC", "5874897-12-31"],
    "time": ["00:00", "23:59:59.999999", "12:34:56.5"],
    "time(0)": ["12:34:56"],
    "timestamp": ["1970-01-01 00:00", "1969-12-31 23:59:59.999999", "4714-11-24 00:00 BC", "294246-12-31 23:59:59.999999", "2024-02-29 12:00:00.000001"],
    "timestamptz": ["1970-01-01 00:00+00", "2024-03-31 02:30:00+02", "2024-10-27 02:30:00 Europe/Berlin", "4714-11-24 00:00+00 BC", "2000-01-01 00:00:00.123456-11:30"],
    "timetz": ["12:00+02", "23:59:59.999999-15:59", "24:00:00+00"],
    "interval": ["0", "1 mon 2 days 03:04:05.000006", "-178000000 years", "178000000 years", "-1 day +23:59", "10000000 hours"],
    "interval day to second(3)": ["1 day 02:03:04.567"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF", "00112233-4455-6677-8899-aabbccddeeff"],
    "json": ['{"a": 1,  "a": 2}', "[]", "null", '"\\u00e4"', "1e400"],
    "jsonb": ['{"b": 1, "a": [1, 2.50, null, true]}', "[]", "null", '"ä"'],
    "xml": ["<a>ä</a>", "plain"],
    "money": ["0", "-92233720368547758.08", "12.34"],
    "bit(4)": ["0101", "0000"],
    "bit varying": ["", "1", "0" * 100],
    "inet": ["10.0.0.1", "10.1.2.3/8", "::1", "fe80::1/64"],
    "cidr": ["10.0.0.0/8", "::/0"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "point": ["(0,-0.1)", "(1e300,Infinity)"],
    "line": ["{1,2,3}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["[(0,0),(1,1)]", "((0,0),(1,1))"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "circle": ["<(0,0),1.5>"],
    "int4range": ["empty", "[1,5)", "(,)", "[,3]"],
    "numrange": ["[1.10,2.20]"],
    "tsrange": ["[2024-01-01,infinity)"],
    "tstzrange": ["[2024-01-01 00:00+02,)"],
    "daterange": ["[2024-01-01,2024-02-01)"],
    "int8range": ["[-9223372036854775808,0)"],
    "int4multirange": ["{}", "{[1,2),[5,8)}"],
    "tstzmultirange": ["{[2024-01-01 00:00+02,)}"],
    "tsvector": ["", "'a':1A 'b c':2"],
    "tsquery": ["'a' & !'b' <-> 'c'"],
    "jsonpath": ["$.a[*] ? (@ > 1)"],
    "refcursor": ["c"],
    "oid": ["0", "4294967295"],
    "xid": ["4294967295"],
    "cid": ["7"],
    "xid8": ["18446744073709551615"],
    "regtype": ["integer"],
    "regclass": ["pg_class"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"],
    "pg_snapshot": ["10:20:10,14,15"],
    "txid_snapshot": ["10:20:10,14,15"],
    "int2vector": ["1 2 3"],
    "oidvector": ["", "1 4294967295"],
    "integer[]": ["{}", "{1,NULL,-2147483648}"],
    "text[]": ["{}", '{"",a,"NULL",NULL,"a,b","q\\"q"}'],
    "boolean[]": ["{t,f,NULL}"],
    "numeric(10,2)[]": ["{1.10,-99999999.99,NULL}"],
    "numeric[]": ["{1.10,NaN}"],
    "date[]": ["{2024-02-29,NULL}"],
    "timestamptz[]": ["{2024-02-29 12:00+02}"],
    "uuid[]": ["{00112233-4455-6677-8899-aabbccddeeff}"],
    "bytea[]": ['{"\\\\x00ff",NULL}'],
    "interval[]": ["{1 day,NULL}"],
    "inet[]": ["{10.0.0.1}"],
    "jsonb[]": ['{"{\\"a\\": 1}"}'],
}


def text_of(value, field):
    """A value as the server would write it, from its Arrow type alone; lists as JSON."""
    import pyarrow.types as is_
    kind = field.type
    if value is None:
        return None
    if is_.is_boolean(kind):
        return "true" if value else "false"
    if is_.is_floating(kind):
        return value
    if is_.is_decimal(kind):
        return value
    if is_.is_binary(kind):
        return "\\x" + value.hex()
    if is_.is_list(kind):
        return [text_of(v, kind.value_field) for v in value]
    return str(value)


def server_side(expression, name):
    """What to ask the server for in place of ::text, where its text says the same in another way."""
    if name in ("int2vector", "oidvector") or name.endswith("[]"):
        return f"array_to_json({expression}::text[])::text" if not name.startswith("bytea") else f"array_to_json({expression})::text"
    if name == "date":
        return f"({expression} - date '1970-01-01')::text"
    if name.startswith("timestamp"):
        return f"(extract(epoch from {expression}) * 1000000)::numeric(30, 0)::text"
    if name.startswith("time(") or name == "time":
        return f"(extract(epoch from {expression}) * 1000000)::numeric(30, 0)::text"
    if name.startswith("character("):
        return f"rpad({expression}::text, {name[10:-1]})"
    if name in ("regtype", "regclass"):
        return f"{expression}::oid::text"
    return f"{expression}::text"


def same(got, want, field):
    import pyarrow.types as is_
    if want is None:
        return got is None
    if is_.is_floating(field.type):
        other = float(want)
        if field.type.bit_width == 32:
            import struct
            other = struct.unpack("f", struct.pack("f", other))[0]
        return (math.isnan(got) and math.isnan(other)) or (got == other and math.copysign(1, got) == math.copysign(1, other))
    if is_.is_decimal(field.type):
        return got == decimal.Decimal(want)
    if is_.is_list(field.type):
        want = json.loads(want)
        if is_.is_timestamp(field.type.value_type):
            got = [g if g is None else g.replace("+00:00", "+00") for g in got]
        if is_.is_decimal(field.type.value_type):
            return [None if g is None else str(g) for g in got] == want
        return [g if g is None else str(g) for g in got] == [{"true": "true", "t": "true", "f": "false"}.get(w, w) for w in want]
    return got == want


@pytest.mark.parametrize("name", VALUES)
def test_values(tenon, pg, name):
    import pyarrow
    literals = ", ".join("($v${}$v$::{})".format(v, name) for v in VALUES[name])
    rows = f"(select v from (values {literals}) t(v) union all select null::{name} union all select null) t"
    query = f"select v::{name} as v from {rows}"
    table = tenon.read(pg.url, "--query", query)
    column = table.column("v")
    raw = column.cast(pyarrow.int32()) if pyarrow.types.is_date(column.type) else column
    if pyarrow.types.is_timestamp(column.type) or pyarrow.types.is_time(column.type):
        raw = column.cast(pyarrow.int64())
    field = pyarrow.field("v", raw.type)
    got = [text_of(v.as_py(), field) for chunk in raw.chunks for v in chunk]
    with pg.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        want = [r[0] for r in connection.execute(f"select {server_side('v', name)} from (select v::{name} as v from {rows}) t").fetchall()]
    assert len(got) == len(VALUES[name]) + 2
    for g, w in zip(got, want):
        assert same(g, w, field), (g, w)
    assert column.null_count == 2


# --- Own types -------------------------------------------------------------------------------------------------------

def test_enums_domains_composites(tenon, pg, schema):
    pg.run(f"create type {schema}.mood as enum ('sad', 'it''s ok', 'ä')",
           f"create domain {schema}.positive as numeric(10,2) check (value > 0)",
           f"create domain {schema}.short as varchar(3) not null",
           f"create type {schema}.inner_t as (a int, b text[])",
           f"create type {schema}.outer_t as (x {schema}.inner_t, \"y z\" {schema}.positive, m {schema}.mood)",
           f"create domain {schema}.numbers as int[]",
           f"create table {schema}.t (m {schema}.mood, p {schema}.positive, s {schema}.short, o {schema}.outer_t, "
           f"os {schema}.outer_t[], ms {schema}.mood[], ps {schema}.positive[], n {schema}.numbers, ns {schema}.numbers[])",
           f"insert into {schema}.t values ('ä', 1.5, 'abc', row(row(1, array['q', null]), 2.25, 'sad'), "
           f"array[row(row(null, '{{}}'), null, null)::{schema}.outer_t, null], '{{sad,NULL}}', '{{1.00}}', '{{1,2}}', "
           f"array['{{3}}'::{schema}.numbers])",
           f"insert into {schema}.t (s) values ('')")
    table = tenon.read(f"{pg.url}:{schema}.t")
    first, second = table.to_pylist()
    D = decimal.Decimal
    assert first == {
        "m": "ä", "p": D("1.50"), "s": "abc", "o": {"x": {"a": 1, "b": ["q", None]}, "y z": D("2.25"), "m": "sad"},
        "os": [{"x": {"a": None, "b": []}, "y z": None, "m": None}, None], "ms": ["sad", None], "ps": [D("1.00")],
        "n": [1, 2], "ns": [[3]]}
    assert second == {**dict.fromkeys(first), "s": ""}
    assert table.schema.field("m").metadata[b"tenon.type"].decode() == f"{schema}.mood"
    assert not table.schema.field("s").nullable and table.schema.field("p").nullable


def test_composite_with_text_inside_is_text(tenon, pg, schema):
    pg.run(f"create type {schema}.c as (a int, b interval)")
    table = tenon.read(pg.url, "--query", f"select row(1, '1 day')::{schema}.c as c, array[row(2, null)::{schema}.c] as cs")
    assert table.to_pylist() == [{"c": '(1,"1 day")', "cs": ["(2,)"]}]
    assert table.schema.field("c").metadata[b"tenon.type"].decode() == f"{schema}.c"


def test_dropped_columns_and_generated_ones(tenon, pg, schema):
    pg.run(f"create table {schema}.t (gone int, a int, also_gone text, b int generated always as (a * 2) stored, id int generated always as identity)",
           f"alter table {schema}.t drop gone, drop also_gone", f"insert into {schema}.t (a) values (21)",
           f"create type {schema}.c as (a int, b text)", f"alter type {schema}.c drop attribute a")
    assert tenon.read(f"{pg.url}:{schema}.t").to_pylist() == [{"a": 21, "b": 42, "id": 1}]
    assert tenon.read(pg.url, "--query", f"select t as row, row('x')::{schema}.c as c from {schema}.t t").to_pylist() == \
        [{"row": {"a": 21, "b": 42, "id": 1}, "c": {"b": "x"}}]


def test_extension_types_are_text(tenon, pg, schema):
    if not pg.value("select count(*) from pg_available_extensions where name = 'citext'"):
        pytest.skip("the server has no contrib modules")
    pg.run(f"create extension citext schema {schema}")
    table = tenon.read(pg.url, "--query", f"select 'aB'::{schema}.citext as c, array['x']::{schema}.citext[] as cs")
    assert table.to_pylist() == [{"c": "aB", "cs": ["x"]}]
    assert table.schema.field("c").metadata[b"tenon.type"].decode() == f"{schema}.citext"


# --- Values that Arrow's types cannot hold ---------------------------------------------------------------------------

SPECIALS = {
    "date": "infinity", "timestamp": "-infinity", "timestamptz": "infinity", "time": "24:00",
    "numeric(5,2)": "NaN", "numeric(50,2)": "NaN", "integer[]": "{{1,2},{3,4}}", "text[]": "[0:1]={a,b}",
}
SPECIALS_FAR = {"timestamp": "294276-12-31 23:59:59", "timestamptz": "294276-12-31 23:59:59+00"}


@pytest.mark.parametrize("name,value", [*SPECIALS.items(), *SPECIALS_FAR.items()])
def test_special_values(tenon, pg, name, value):
    query = f"select i as i, case when i = 3 then $v${value}$v$ end::{name} as v from generate_series(1, 4) as i"
    error = tenon.error("read", pg.url, "--query", query)
    assert (error["code"], error["stage"]) == ("DATA", "data")
    assert "column v, row 3" in error["message"] and "special_values=text" in error["remedy"]
    as_text = tenon.read(pg.url, "--query", query, "--special-values", "text")
    want = pg.value(f"select $v${value}$v$::{name}::text")
    with pg.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        want = connection.execute(f"select $v${value}$v$::{name}::text").fetchone()[0]
    assert as_text.column("v").to_pylist() == [None, None, want, None]
    assert b"tenon.type" in as_text.schema.field("v").metadata
    as_null = tenon.read(pg.url, "--query", query, "--special-values", "null")
    assert as_null.column("v").to_pylist() == [None] * 4 and as_null.column("i").to_pylist() == [1, 2, 3, 4]


def test_special_values_inside(tenon, pg, schema):
    pg.run(f"create type {schema}.c as (a date, b int)")
    query = f"select row('infinity', 1)::{schema}.c as c, array['infinity'::date, '2024-01-01'] as d"
    assert tenon.error("read", pg.url, "--query", query)["code"] == "DATA"
    row = tenon.read(pg.url, "--query", query, "--special-values", "null").to_pylist()[0]
    assert row == {"c": {"a": None, "b": 1}, "d": [None, datetime.date(2024, 1, 1)]}
    row = tenon.read(pg.url, "--query", query, "--special-values", "text").to_pylist()[0]
    assert row == {"c": "(infinity,1)", "d": "{infinity,2024-01-01}"}


def test_numeric_as(tenon, pg):
    values = "select v::numeric as v from (values ('1.10'), ('-0.00001'), ('12345678901234567890'), (null)) t(v)"
    decimals = tenon.read(pg.url, "--query", values, "--numeric-as", "decimal(38,10)").column("v")
    D = decimal.Decimal
    assert str(decimals.type) == "decimal128(38, 10)"
    assert decimals.to_pylist() == [D("1.1000000000"), D("-0.0000100000"), D("12345678901234567890.0000000000"), None]
    floats = tenon.read(pg.url, "--query", values, "--numeric-as", "float64").column("v").to_pylist()
    assert floats == [1.1, -0.00001, 12345678901234567890.0, None]
    wide = tenon.read(pg.url, "--query", values, "--numeric-as", "decimal(76,30)").column("v")
    assert str(wide.type) == "decimal256(76, 30)" and wide.to_pylist()[0] == D("1.1")
    error = tenon.error("read", pg.url, "--query", values, "--numeric-as", "decimal(38,2)")
    assert error["code"] == "DATA" and "column v, row 2" in error["message"] and "numeric_as" in error["remedy"]
    assert tenon.error("read", pg.url, "--query", values, "--numeric-as", "decimal(99,2)")["code"] == "CONFIG"
    assert tenon.error("read", pg.url, "--query", "select 'NaN'::numeric as v", "--numeric-as", "decimal(38,2)")["code"] == "DATA"


def test_sql_ascii_is_checked(tenon, pg):
    name = "ascii_db"
    pg.run(f"drop database if exists {name}")
    pg.run(f"create database {name} encoding 'SQL_ASCII' template template0")
    try:
        with pg.connect(name) as connection:
            connection.execute("create table t (a text)")
            connection.execute("insert into t values ('plain'), (E'\\xc3\\xa4')")
        url = pg.url.replace(f"/{pg.database}", f"/{name}")
        assert tenon.read(f"{url}:t").column("a").to_pylist() == ["plain", "ä"]
        with pg.connect(name) as connection:
            connection.execute("insert into t values (E'\\xe4')")
        error = tenon.error("read", f"{url}:t")
        assert (error["code"], error["sqlstate"]) == ("DATA", "22021")
        assert tenon.read(url, "--query", "select convert_to(a, 'SQL_ASCII') as a from t").column("a").to_pylist()[2] == b"\xe4"
    finally:
        pg.run(f"drop database {name}")


def test_other_encodings_are_converted(tenon, pg):
    name = "latin_db"
    pg.run(f"drop database if exists {name}")
    pg.run(f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    try:
        with pg.connect(name, client_encoding="UTF8") as connection:
            connection.execute("create table t (a text)")
            connection.execute("insert into t values ('ä'), ('b')")
        url = pg.url.replace(f"/{pg.database}", f"/{name}")
        assert tenon.read(f"{url}:t").column("a").to_pylist() == ["ä", "b"]
        assert tenon.read(f"{url}:t", "--where", "a = 'ä'").column("a").to_pylist() == ["ä"]
    finally:
        pg.run(f"drop database {name}")
