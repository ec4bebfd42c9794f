# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Arrow over one connection, beside psql, the server alone and ADBC.

The bars against psql and the server compare whole processes; those against ADBC the work alone, since it runs in
Python here: from connecting to the last batch, packages imported before.
"""
import sys

from compare import TOP, Entrant, arrow_read, rounds, verify

BARS = ("B1",)
NOISE = 0.97


def ours(url, table, own_clock=False):
    return arrow_read("tenon", url, f"query=select * from {table}", own_clock=own_clock)


def adbc(url, table):
    command = (sys.executable, TOP / "bench/peers/adbc_read.py", "postgresql", url, f"select * from {table}")
    return Entrant("adbc", command, (*command, "sums"), own_clock=True)


def against_limits(bench, table, rows):
    pg = bench.postgres
    contest = rounds(f"{table}, processes", [
        ours(pg.url, table), Entrant("psql", pg.psql(f"copy {table} to stdout (format binary)"), to_null=True),
        Entrant("server", pg.copy_to_null(table))], bench.rounds, rows, pg)
    bench.results.keep(contest)
    bench.results.bar("B1", f"{table}: rows/s, psql COPY binary > /dev/null = 1", contest.ratios("psql", "tenon"), at_least=NOISE)
    if table.startswith("lineitem"):
        bench.results.bar("B1", f"{table}: rows/s, the server's COPY TO '/dev/null' = 1", contest.ratios("server", "tenon"),
                          at_least=0.85)


def against_adbc(bench, table, rows, url, how):
    contest = rounds(f"{table}, {how}", [ours(url, table, own_clock=True), adbc(url, table)], bench.rounds, rows, bench.postgres)
    bench.results.keep(contest)
    bench.results.bar("B1", f"{table}, {how}: rows/s, ADBC = 1", contest.ratios("adbc", "tenon"),
                      at_least=1.8 if table.startswith("lineitem") else 1.0)
    bench.results.bar("B1", f"{table}, {how}: client CPU, ADBC = 1", contest.ratios("tenon", "adbc", "cpu_s"), at_most=1 / 3)


def measure(bench):
    pg = bench.postgres
    for table in ("lineitem", "lineitem6", "ints", "texts"):
        rows, sums = pg.table(table)
        verify([ours(pg.url, table), adbc(pg.url, table)], rows, sums)
        against_limits(bench, table, rows)
        against_adbc(bench, table, rows, pg.url, "unix socket")
        if table != "lineitem6":  # a matter of bytes, not of their number
            verify([ours(pg.tls_url, table), adbc(pg.tls_url, table)], rows, sums)
            against_adbc(bench, table, rows, pg.tls_url, "TLS")
