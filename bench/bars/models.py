# SPDX-License-Identifier: Apache-2.0
"""Streams of events: how fast they are parsed, and what Tenon adds to the time to the first one."""
from compare import BUILD, Entrant, rounds

BARS = ("chat",)


def measure(bench):
    streams = [Entrant("events", (BUILD / "events", "parse", "mib=512"), own_clock=True),
               Entrant("answers", (BUILD / "events", "chat", "mib=64"), own_clock=True)]
    contest = rounds("events of a stream", streams, bench.rounds)
    bench.results.keep(contest)
    for name, what in (("events", "events of a stream parsed"), ("answers", "whole answers through tenon.h, JSON and HTTP with it")):
        rate = [one["said"]["mb_s"] for one in contest.runs[name]]
        if name == "events":
            bench.results.bar("chat", f"{what}, MB of them a CPU second", rate, at_least=200)
        else:
            print(f"  {what}: {sorted(rate)[len(rate) // 2]:.0f} MB a CPU second")
    first = [Entrant(name, (BUILD / "events", name, "count=200"), own_clock=True) for name in ("first", "raw")]
    contest = rounds("the first event", first, bench.rounds)
    bench.results.keep(contest)
    ours = [(a["wall_s"] - b["wall_s"]) * 1e3 for a, b in zip(contest.runs["first"], contest.runs["raw"])]
    bench.results.bar("chat", "time to the first event, above a plain socket's", ours, at_most=2, unit=" ms")
