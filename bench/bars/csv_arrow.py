# SPDX-License-Identifier: Apache-2.0
"""CSV to Arrow with given types on one thread, beside DuckDB and pyarrow; plain and quoted."""
import sys

import csv_data
from compare import DATA, TOP, Entrant, arrow_read, rounds, verify

BARS = ("B6",)
ROWS = 1_500_000
TYPES = ",".join(f"{name}={kind}" for name, kind in csv_data.COLUMNS.items())


def peer(name, path):
    command = (sys.executable, TOP / "bench/peers" / f"{name}_csv.py", path)
    return Entrant(name, command, (*command, "sums"), own_clock=True)


def measure(bench):
    for path in csv_data.make(DATA, ROWS):
        what = path.stem.rsplit("-", 1)[1]
        entrants = [arrow_read("tenon", path, f"set=types={TYPES}", own_clock=True), peer("duckdb", path), peer("pyarrow", path)]
        verify(entrants, ROWS, csv_data.sums(what, ROWS))
        contest = rounds(f"CSV, {what}, {path.stat().st_size / 1e6:.0f} MB", entrants, bench.rounds, ROWS)
        bench.results.keep(contest)
        bench.results.bar("B6", f"{what}: rows/s, DuckDB = 1", contest.ratios("duckdb", "tenon"), at_least=2.5)
        bench.results.bar("B6", f"{what}: rows/s, pyarrow streaming = 1", contest.ratios("pyarrow", "tenon"), at_least=2)
