# SPDX-License-Identifier: Apache-2.0
"""SQLite to Arrow, beside ADBC."""
import sys

import sqlite_data
from compare import DATA, TOP, Entrant, arrow_read, rounds, verify

BARS = ("B7b",)
ROWS = 1_500_000


def adbc(path, table):
    command = (sys.executable, TOP / "bench/peers/adbc_read.py", "sqlite", path, f"select * from {table}")
    return Entrant("adbc", command, (*command, "sums"), own_clock=True)


def measure(bench):
    path = sqlite_data.make(DATA, ROWS)
    for table in ("lineitem", "declared"):
        ours, peer = arrow_read("tenon", f"{path}:{table}", own_clock=True), adbc(path, table)
        verify([ours], ROWS, sqlite_data.sums(path, table))
        as_kept = sqlite_data.sums(path, "lineitem")
        if table == "declared":  # SQLite keeps whole numbers there as integers
            as_kept["l_quantity"] //= 100
        verify([peer], ROWS, as_kept)
        contest = rounds(f"SQLite, {table}", [ours, peer], bench.rounds, ROWS)
        bench.results.keep(contest)
        bench.results.bar("B7b", f"{table}: rows/s, ADBC = 1", contest.ratios("adbc", "tenon"), at_least=1.5)
