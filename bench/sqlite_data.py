# SPDX-License-Identifier: Apache-2.0
"""Makes the SQLite database of the benchmark: csv_data's plain `lineitem`, its columns declared in two ways.

`lineitem` has SQLite's own types: integers, reals, text (its dates, too). `declared` says DECIMAL(15,2) and DATE, which
Tenon reads as such, and ADBC as the reals and the text that SQLite keeps.
"""
import sqlite3

import duckdb

from csv_data import COLUMNS, PLAIN, ROWS

OWN = {"int64": "INTEGER", "int32": "INTEGER", "decimal(15,2)": "REAL", "date": "TEXT", "text": "TEXT"}
DECLARED = {**OWN, "decimal(15,2)": "DECIMAL(15,2)", "date": "DATE"}
FETCHED = {"decimal(15,2)": "double", "date": "varchar", "text": "varchar", "int64": "bigint", "int32": "integer"}


def columns(types):
    return ", ".join(f"{name} {types[kind]}" for name, kind in COLUMNS.items())


def sums(path, table):
    """What the table's columns sum to as Tenon reads them: cents and days where they are declared so."""
    what = []
    for name, kind in COLUMNS.items():
        if OWN[kind] == "INTEGER":
            what.append(f"sum({name})")
        elif OWN[kind] == "TEXT":
            what.append(f"sum(julianday({name}) - 2440587.5)" if table == "declared" and kind == "date" else f"sum(length({name}))")
        else:
            what.append(f"sum(cast(round({name} * 100) as integer))")
    db = sqlite3.connect(path)
    values = db.execute(f"select {', '.join(what)} from {table}").fetchone()
    db.close()
    return dict(zip(COLUMNS, map(int, values)))


def make(folder, rows=1_500_000):
    """Answers the path of the database, made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"lineitem-{rows}.sqlite"
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    db = sqlite3.connect(partial, isolation_level=None)
    db.execute("pragma journal_mode = off")
    fetched = ", ".join(f"{name}::{FETCHED[kind]}" for name, kind in COLUMNS.items())
    source = duckdb.sql(f"select {fetched} from ({ROWS.format(comment=PLAIN, rows=rows)})")
    db.execute("begin")
    db.execute(f"create table lineitem ({columns(OWN)})")
    while chunk := source.fetchmany(50_000):
        db.executemany(f"insert into lineitem values ({', '.join('?' * len(COLUMNS))})", chunk)
    db.execute(f"create table declared ({columns(DECLARED)})")
    db.execute("insert into declared select * from lineitem")
    db.execute("commit")
    db.close()
    partial.rename(path)
    return path
