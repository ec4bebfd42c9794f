# SPDX-License-Identifier: Apache-2.0
"""A session out of the pool and back, at 8 threads with a session for each, beside a bare mutex locked and unlocked.

Order of arrival is tested apart (tests/unit/test_pool.c).
"""
from compare import BUILD, Entrant, rounds

BARS = ("B14a",)


def measure(bench):
    pool = Entrant("pool", (BUILD / "pool", "pool"), own_clock=True)
    mutex = Entrant("mutex", (BUILD / "pool", "mutex"), own_clock=True)
    contest = rounds("acquire + release, 8 threads", [pool, mutex], max(bench.rounds, 9))
    bench.results.keep(contest)
    bench.results.bar("B14a", "acquire + release, lock + unlock of a mutex = 1", contest.ratios("pool", "mutex"), at_most=3)
