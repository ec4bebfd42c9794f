# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL server of the benchmarks: started for the run (or the one of $TENON_PG_URL), its tables, its CPU time.

All values are functions of the row's number, so that every machine makes the same ones.
"""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import psycopg

from compare import TOP, say

PSQL = "/usr/lib/postgresql/15/bin/psql"  # Debian's /usr/bin/psql is a Perl program that starts this one
TICKS = os.sysconf("SC_CLK_TCK")

LINEITEM = """
select (i + 3) / 4 as l_orderkey, ((h & 2097151) % 200000 + 1)::int4 as l_partkey,
  ((h >> 21 & 1048575) % 10000 + 1)::int4 as l_suppkey, ((i - 1) % 4 + 1)::int4 as l_linenumber,
  ((h & 63) % 50 + 1)::numeric(15,2) as l_quantity,
  (((h >> 6 & 16777215) % 10400000 + 90000) / 100.0)::numeric(15,2) as l_extendedprice,
  (((h >> 30 & 15) % 11) / 100.0)::numeric(15,2) as l_discount, (((h >> 34 & 15) % 9) / 100.0)::numeric(15,2) as l_tax,
  substr('ANR', (h >> 38 & 3)::int % 3 + 1, 1)::char(1) as l_returnflag,
  substr('OF', (h >> 40 & 1)::int + 1, 1)::char(1) as l_linestatus,
  date '1992-01-02' + (h >> 41 & 2047)::int as l_shipdate, date '1992-01-31' + (g & 2047)::int as l_commitdate,
  date '1992-01-04' + (g >> 11 & 2047)::int as l_receiptdate,
  (array['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[(g >> 22 & 3) + 1]::char(25) as l_shipinstruct,
  (array['AIR', 'FOB', 'MAIL', 'RAIL', 'REG AIR', 'SHIP', 'TRUCK'])[(g >> 24 & 15) % 7 + 1]::char(10) as l_shipmode,
  substr('carefully regular deposits are slyly final accounts above the quickly express packages',
         (g >> 28 & 31)::int + 1, (g >> 33 & 31)::int + 10)::varchar(44) as l_comment
from generate_series(1::int8, {rows}) as i,
  lateral (select hashint8extended(i, 1) & 9223372036854775807 as h, hashint8extended(i, 2) & 9223372036854775807 as g) as x
"""
INTS = ("select i as a, " + ", ".join(f"hashint8extended(i, {n}) / 1000000 as {c}" for n, c in enumerate("bcdefghi", 1))
        + ", i % 1000 as j from generate_series(1::int8, {rows}) as i")
TEXTS = ("select " + ", ".join(f"rpad(md5((i + {n})::text), 200, 'abcdefgh') as {c}" for n, c in enumerate("abcd"))
         + " from generate_series(1::int8, {rows}) as i")
TABLES = {  # name: (query, rows)
    "lineitem": (LINEITEM, 1_500_000),
    "lineitem6": (LINEITEM, 6_000_000),
    "ints": (INTS, 1_500_000),
    "texts": (TEXTS, 400_000),
}
TABLES_IN_CROWD, TYPES_IN_CROWD = 20_000, 5_000


class Server:
    def __init__(self):
        self.values = os.environ if "TENON_PG_URL" in os.environ else start()
        self.url = self.values["TENON_PG_URL"]
        self.tls_url = self.values["TENON_PG_TLS_URL"]
        self.pid = int((pathlib.Path(self.values["TENON_PG_FOLDER"]) / "data/postmaster.pid").read_text().split()[0])
        self.db = psycopg.connect(self.url, autocommit=True)
        self.backend = self.db.info.backend_pid

    def table(self, name):
        """Makes the table if it is not there; answers (rows, sums of its columns)."""
        query, rows = TABLES[name]
        if not self.one("select to_regclass(%s)", name):
            say(f"making {name}: {rows:,} rows")
            self.db.execute(f"create unlogged table {name} as {query.format(rows=rows)}")
            self.db.execute(f"vacuum (freeze, analyze) {name}")
        return rows, self.sums(name)

    def crowded(self):
        """Makes a database with a big catalog if it is not there; answers its URL."""
        url = self.url.removesuffix(self.db.info.dbname) + "crowded"
        if self.one("select count(*) from pg_database where datname = 'crowded'"):
            return url
        say(f"making a database with {TABLES_IN_CROWD:,} tables and {TYPES_IN_CROWD:,} types")
        self.db.execute("create database crowded")
        with psycopg.connect(url, autocommit=True) as db:
            for what, count in (("create table t%s (a int8, b text)", TABLES_IN_CROWD), ("create type e%s as enum (''x'')", TYPES_IN_CROWD)):
                # commits now and then: each takes a lock, and the table of locks is small
                db.execute(f"""do $$ begin for i in 1..{count} loop
                    execute format('{what}', i); if i % 500 = 0 then commit; end if; end loop; end $$""")
            db.execute("vacuum analyze")
        return url

    def sums(self, name):
        """Sums as bench/read prints them: whole numbers, decimals without their point, days, bytes of text."""
        columns = self.db.execute("select attname, atttypid::regtype::text, atttypmod from pg_attribute "
                                  "where attrelid = to_regclass(%s) and attnum > 0 order by attnum", (name,)).fetchall()
        what = [sum_of(column, kind, typmod) for column, kind, typmod in columns]
        values = self.db.execute(f"select {', '.join(what)} from {name}").fetchone()
        return {column[0]: str(value) for column, value in zip(columns, values)}

    def one(self, query, *arguments):
        return self.db.execute(query, arguments).fetchone()[0]

    def copy_to_null(self, table):
        """The command that lets the server write a table where nobody reads: its own limit."""
        return (PSQL, "-X", "-q", self.url, "-c", f"copy {table} to '/dev/null' (format binary)")

    def psql(self, query, url=None):
        return (PSQL, "-X", "-q", url or self.url, "-c", query)

    def cpu_s(self):
        """CPU time of all backends so far, once those of the runs before have ended."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.one("select count(*) from pg_stat_activity where backend_type = 'client backend'") == 1:
                break
            time.sleep(0.01)
        time.sleep(0.02)  # the postmaster takes in what the last one used
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / TICKS  # of ended children


def sum_of(column, kind, typmod):
    if kind == "numeric":
        scale = (typmod - 4) & 0x7ff
        return f"(sum({column}) * 10::numeric ^ {scale})::numeric(60, 0)"
    if kind == "date":
        return f"sum({column} - date '1970-01-01')"
    if kind in ("smallint", "integer", "bigint"):
        return f"sum({column})"
    return f"sum(octet_length({column}))"


def start():
    """Starts a server until this program ends; answers its variables."""
    recipe = TOP / "tests/servers/postgresql"
    folder = tempfile.mkdtemp(prefix="tn-pg.", dir="/tmp")  # short: a socket is in it

    def stop():
        subprocess.run([recipe, "stop", folder])
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    said = subprocess.run([recipe, "start", folder], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in said.splitlines())
