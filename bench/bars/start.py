# SPDX-License-Identifier: Apache-2.0
"""How fast the command starts: `tenon test` beside psql, with an empty and a crowded catalog, and `tenon --version`."""
from compare import BUILD, Entrant, rounds

BARS = ("B8",)
RUNS_A_ROUND = 8  # these take milliseconds: more of them


def measure(bench):
    pg, count = bench.postgres, bench.rounds * RUNS_A_ROUND
    crowded = pg.crowded()
    contest = rounds("tenon test", [
        Entrant("tenon test", (BUILD / "tenon", "test", pg.url)), Entrant("psql", pg.psql("select 1")),
        Entrant("crowded", (BUILD / "tenon", "test", crowded))], count, server=pg)
    bench.results.keep(contest)
    bench.results.bar("B8", "tenon test: time, psql -c 'select 1' = 1", contest.ratios("tenon test", "psql"), at_most=1.5)
    bench.results.bar("B8", "20,000 tables and 5,000 types: time, none = 1", contest.ratios("crowded", "tenon test"), at_most=1.05)
    contest = rounds("tenon --version", [Entrant("tenon --version", (BUILD / "tenon", "--version"))], count)
    bench.results.keep(contest)
    bench.results.bar("B8", "tenon --version", [s * 1000 for s in contest.all("tenon --version", "wall_s")], at_most=5, unit=" ms")
