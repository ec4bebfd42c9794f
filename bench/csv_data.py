# SPDX-License-Identifier: Apache-2.0
"""Makes the CSV files of the benchmark: `lineitem`, 16 mixed columns, plain and quoted.

The rows are functions of their number, so that every machine makes the same bytes. In the quoted file each text is
quoted, and one row in five has a comma, a doubled quote or a newline in its comment.
"""
import pathlib
import sys

import duckdb

COLUMNS = {
    "l_orderkey": "int64", "l_partkey": "int32", "l_suppkey": "int32", "l_linenumber": "int32",
    "l_quantity": "decimal(15,2)", "l_extendedprice": "decimal(15,2)", "l_discount": "decimal(15,2)",
    "l_tax": "decimal(15,2)", "l_returnflag": "text", "l_linestatus": "text", "l_shipdate": "date",
    "l_commitdate": "date", "l_receiptdate": "date", "l_shipinstruct": "text", "l_shipmode": "text",
    "l_comment": "text",
}

ROWS = """
select i // 4 * 8 + i % 4 + 1 as l_orderkey, h % 200000 + 1 as l_partkey, h // 7 % 10000 + 1 as l_suppkey,
  i % 4 + 1 as l_linenumber,
  (h // 11 % 50 + 1)::decimal(15,2) as l_quantity, ((h // 13 % 10000000 + 90000) / 100)::decimal(15,2) as l_extendedprice,
  ((h // 17 % 11) / 100)::decimal(15,2) as l_discount, ((h // 19 % 9) / 100)::decimal(15,2) as l_tax,
  substr('RAN', (h // 23 % 3 + 1)::int, 1) as l_returnflag, substr('OF', (h // 29 % 2 + 1)::int, 1) as l_linestatus,
  date '1992-01-02' + (h // 31 % 2500)::int as l_shipdate, date '1992-01-31' + (h // 37 % 2450)::int as l_commitdate,
  date '1992-01-03' + (h // 41 % 2530)::int as l_receiptdate,
  ['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'][h // 43 % 4 + 1] as l_shipinstruct,
  ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'][h // 47 % 7 + 1] as l_shipmode,
  substr({comment}, 1, (h // 53 % 34 + 18)::int) as l_comment
from (select i, (hash(i) >> 16)::bigint as h from range({rows}) t(i))
"""
WORDS = "' regular deposits sleep furiously among the pending accounts; even packages nag blithely express ideas'"
PLAIN = f"substr({WORDS}, (h // 59 % 40 + 1)::int)"
QUOTED = ("case i % 15 when 0 then ',' when 5 then ' \"so\" ' when 10 then chr(10) else '' end || " + PLAIN)


def make(folder, rows=1_500_000):
    """Answers the paths of the plain and the quoted file, made if they are not there."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, comment, options in (("plain", PLAIN, ""), ("quoted", QUOTED, ", force_quote (l_returnflag, l_linestatus, "
                                                          "l_shipinstruct, l_shipmode, l_comment)")):
        path = folder / f"lineitem-{rows}-{name}.csv"
        if not path.exists():
            partial = path.with_suffix(".partial")
            duckdb.sql(f"copy ({ROWS.format(comment=comment, rows=rows)}) to '{partial}' (header{options})")
            partial.rename(path)
        paths.append(path)
    return paths


def sums(what, rows=1_500_000):
    """What the columns of the plain or the quoted file sum to, by the rows' own definition (see arrow_read.c)."""
    columns = [f"sum(({name} * {100 if kind.startswith('decimal') else 1})::hugeint)" if kind[0] == "i" or kind.startswith("decimal")
               else f"sum({name} - date '1970-01-01')" if kind == "date" else f"sum(strlen({name}))"
               for name, kind in COLUMNS.items()]
    query = ROWS.format(comment=PLAIN if what == "plain" else QUOTED, rows=rows)
    return dict(zip(COLUMNS, map(str, duckdb.sql(f"select {', '.join(columns)} from ({query})").fetchone())))


if __name__ == "__main__":
    print(*make(*sys.argv[1:2]))
