# SPDX-License-Identifier: Apache-2.0
"""A session out of a pool and back, at 8 threads, beside a bare mutex; per pair of calls."""
from compare import BUILD, Entrant, rounds

BARS = ("B14a",)
THREADS = 8


def measure(bench):
    entrants = [Entrant(what, (BUILD / "pool", what, f"threads={THREADS}"), own_clock=True) for what in ("pool", "mutex")]
    contest = rounds("acquire and release", entrants, bench.rounds)
    bench.results.keep(contest)
    bench.results.bar("B14a", f"{THREADS} threads: time, lock + unlock of a mutex = 1", contest.ratios("pool", "mutex"), at_most=3)
