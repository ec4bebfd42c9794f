# SPDX-License-Identifier: Apache-2.0
"""The nearest of 100,000 vectors of 384 numbers, one at a time and 256 at once, beside FAISS's own library on one thread."""
import subprocess
import sys

import vector_data
from compare import BUILD, DATA, TOP, Entrant, Wrong, rounds

BARS = ("B13",)
NEAREST = 10


def found(command):
    """Pairs of id and score, as a program shows them."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise Wrong(done.stderr.strip())
    return [(one, float(score)) for one, score in (line.split() for line in done.stdout.splitlines()[:-1])]


def compare_answers(name, ours, theirs):
    """The same rows; where two are as near as float32 can tell, they may change places."""
    if len(ours) != len(theirs):
        raise Wrong(f"{name}: {len(ours)} rows, not {len(theirs)}")
    for (id_1, score_1), (id_2, score_2) in zip(ours, theirs):
        if abs(score_1 - score_2) > 2e-6 * vector_data.DIMENSION ** 0.5 * abs(score_2):
            raise Wrong(f"{name}: row {id_1} at {score_1}, not {id_2} at {score_2}")
    wrong = sum(a[0] != b[0] for a, b in zip(ours, theirs))
    if wrong > 4:
        raise Wrong(f"{name}: {wrong} rows are others than FAISS's")


def measure(bench):
    for what in ("gaussian", "clusters"):
        target, index, queries, few = vector_data.make(DATA, what)
        one = (BUILD / "vectors", "one", target, few)
        batch = (BUILD / "vectors", "batch", target, queries)
        peer = (sys.executable, TOP / "bench/peers/faiss_search.py")
        entrants = [Entrant("float32", (*one, "first_pass=none"), own_clock=True), Entrant("int8 first", one, own_clock=True),
                    Entrant("faiss", (*peer, "one", index, few), own_clock=True)]
        batches = [Entrant("batch", batch, own_clock=True), Entrant("faiss batch", (*peer, "batch", index, queries), own_clock=True)]
        theirs = found((*peer, "one", index, queries, "show"))
        for entrant, count in ((entrants[0], vector_data.FEW), (entrants[1], vector_data.FEW), (batches[0], vector_data.QUERIES)):
            compare_answers(f"{what}, {entrant.name}", found((*entrant.command, "show=1")), theirs[:count * NEAREST])
        contest = rounds(f"{vector_data.FEW} vectors, one at a time, {what}", entrants, bench.rounds)
        bench.results.keep(contest)
        bench.results.bar("B13", f"{what}: one, float32 only: queries a CPU second, faiss = 1", contest.ratios("faiss", "float32", "cpu_s"), at_least=1)
        bench.results.bar("B13", f"{what}: one, int8 first: queries a CPU second, faiss = 1", contest.ratios("faiss", "int8 first", "cpu_s"), at_least=2)
        contest = rounds(f"{vector_data.QUERIES} vectors at once, {what}", batches, bench.rounds)
        bench.results.keep(contest)
        bench.results.bar("B13", f"{what}: batch of 256: queries a CPU second, faiss = 1", contest.ratios("faiss batch", "batch", "cpu_s"), at_least=1)
        opened = rounds(f"open, {what}", [Entrant("open", (BUILD / "vectors", "open", target, queries), own_clock=True)], bench.rounds)
        bench.results.keep(opened)
        bench.results.bar("B13", f"{what}: open", [s * 1000 for s in opened.all("open", "wall_s")], at_most=50, unit=" ms")
