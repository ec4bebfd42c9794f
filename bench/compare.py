# SPDX-License-Identifier: Apache-2.0
"""Compares programs: interleaved rounds, ratios of the runs of one round, and a verdict for each bar.

An Entrant is a command. `rounds` runs all entrants once a round, back and forth (a b c, c b a, ...), so that a drift of
the machine meets all of them alike. Every run is a process of its own and measured from outside by bench/launch: wall
time, CPU time (user + system) and highest resident memory. A command may also end with a line of JSON on its standard
output that says `wall_s`, `cpu_s` and `rss_kb` of its own work, without starting Python and importing packages.

Other programs on the machine spoil a round: one in which they used more than a tenth of it is repeated, a few times at
most. Whether a round counts depends on what the others used, never on what came out.

Nothing is timed before the entrants' answers were found right: `verify` runs what an entrant gives for that and
compares row count and sums of columns with the source's.
"""
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build/plain"
DATA = TOP / "build/bench"  # what is made once, and the results
TIME_LIMIT_S = 600
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
OTHERS_SHARE = 0.1  # of the machine, that other programs may use while a round runs
REPEATS = 3  # rounds for each round asked for, at most
PATIENCE_S = float(os.environ.get("TENON_BENCH_PATIENCE", 2))  # that a round waits for others to end


class Wrong(Exception):
    """A program failed, or answered something else than the source holds."""


def say(text=""):
    print(text, flush=True)


def busy_s():
    """CPU time that the whole machine has used so far, and that was taken from it."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, pathlib.Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq + steal) / TICKS_A_SECOND


def wait_for_quiet():
    """Waits until other programs use little, but not for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        begin, busy = time.monotonic(), busy_s()
        time.sleep(0.1)
        if busy_s() - busy <= OTHERS_SHARE * (time.monotonic() - begin) * os.cpu_count():
            return


# --- One run ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Entrant:
    name: str
    command: tuple
    verify: tuple = ()  # a command whose last line is {"rows": …, "sums": {column: …}}
    own_clock: bool = False  # the times that the command says of itself count (for what starts in an interpreter)
    to_null: bool = False  # its output is data: it goes to /dev/null
    env: dict = dataclasses.field(default_factory=dict)


def run(entrant, command=None):
    """Runs an entrant once; answers what it took, and under `said` the JSON that it ended with, if any."""
    command = [str(word) for word in command or entrant.command]
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".json") as report, tempfile.TemporaryFile() as errors:
        done = subprocess.run([BUILD / "launch", report.name, *command], env={**os.environ, **entrant.env},
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL if entrant.to_null else subprocess.PIPE,
                              stderr=errors, timeout=TIME_LIMIT_S)
        errors.seek(0)
        complaint = errors.read().decode(errors="replace").strip()
        if done.returncode:
            raise Wrong(f"{entrant.name}: {complaint}")
        took = json.load(report)
    if took["exit"]:
        raise Wrong(f"{entrant.name}: exit status {took['exit']}: {complaint}")
    lines = (done.stdout or b"").decode(errors="replace").strip().splitlines()
    said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    took = {"wall_s": took["wall_s"], "cpu_s": took["user_s"] + took["sys_s"], "rss_kb": took["rss_kb"]}
    took["all_cpu_s"] = took["cpu_s"]
    if entrant.own_clock:
        took.update({key: said[key] for key in ("wall_s", "cpu_s", "rss_kb") if key in said})
    return {**took, "said": said}


def verify(entrants, rows, sums):
    """Raises Wrong unless every entrant that can be asked counts these rows and sums these columns alike."""
    for entrant in entrants:
        if not entrant.verify:
            continue
        said = run(entrant, entrant.verify)["said"]
        if said.get("rows") != rows:
            raise Wrong(f"{entrant.name}: {said.get('rows')} rows, not {rows}")
        for column, expected in sums.items():
            if str(said["sums"].get(column)) != str(expected):
                raise Wrong(f"{entrant.name}: column {column} sums to {said['sums'].get(column)}, not {expected}")


def arrow_read(name, target, *options, own_clock=False):
    """Tenon's library, read by a program that takes every batch (bench/arrow_read.c)."""
    command = (BUILD / "arrow_read", target, *options)
    return Entrant(name, command, (*command, "sums=1"), own_clock)


# --- Rounds ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Contest:
    """The runs of some entrants, one list a round for each of them."""
    title: str
    entrants: list
    runs: dict
    rows: int = 0
    disturbed: int = 0  # rounds in which others used much of the machine

    def all(self, name, measure):
        return [one[measure] for one in self.runs[name]]

    def median(self, name, measure):
        return statistics.median(self.all(name, measure))

    def ratios(self, above, below, measure="wall_s"):
        """Of each round: how many times as much the first took as the second."""
        return [a / b for a, b in zip(self.all(above, measure), self.all(below, measure))]

    def show(self):
        """Prints a line of medians for each entrant."""
        columns = [("wall s", lambda n: f"{self.median(n, 'wall_s'):.4f}"),
                   ("(min, max)", lambda n: f"({min(self.all(n, 'wall_s')):.4f}, {max(self.all(n, 'wall_s')):.4f})"),
                   ("CPU s", lambda n: f"{self.median(n, 'cpu_s'):.4f}"),
                   ("RSS MB", lambda n: f"{self.median(n, 'rss_kb') / 1024:.1f}")]
        if "server_cpu_s" in next(iter(self.runs.values()))[0]:
            columns.append(("server CPU s", lambda n: f"{self.median(n, 'server_cpu_s'):.2f}"))
        if self.rows:
            columns.append(("rows/s", lambda n: f"{self.rows / self.median(n, 'wall_s'):.3g}"))
        table = [["", *(title for title, _ in columns)]] + [[n, *(cell(n) for _, cell in columns)] for n in self.runs]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        for row in table:
            say("  " + f"{row[0]:{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:])))


def one_round(entrants, rows, server, timed):
    """Answers {entrant's name: what it took} and the greatest share of the machine that others used meanwhile."""
    took, others = {}, 0
    if timed:
        wait_for_quiet()
    for entrant in entrants:
        begin, busy, served = time.monotonic(), busy_s(), server.cpu_s() if server else 0
        one = run(entrant)
        if server:
            one["server_cpu_s"] = server.cpu_s() - served
        if rows and one["said"].get("rows", rows) != rows:
            raise Wrong(f"{entrant.name}: {one['said']['rows']} rows, not {rows}")
        took[entrant.name] = one
        machine_s = (time.monotonic() - begin) * os.cpu_count()
        foreign_s = busy_s() - busy - one["all_cpu_s"] - one.get("server_cpu_s", 0)
        others = max(others, (foreign_s - 0.03) / machine_s)  # ticks are coarse, and this program works a little
    return took, others


def rounds(title, entrants, count, rows=0, server=None, timed=True):
    """Runs the entrants `count` rounds, after one that does not count, and shows what they took.

    `server` has cpu_s(), the CPU time that its processes have used so far. Where only memory counts (not timed), other
    programs do not matter.
    """
    say(f"{title}: {count} rounds of {', '.join(e.name for e in entrants)}")
    contest = Contest(title, list(entrants), {e.name: [] for e in entrants}, rows)
    one_round(entrants, rows, server, timed)
    spare, number = count * (REPEATS - 1) if timed else 0, 0
    while number < count:
        took, others = one_round(entrants if number % 2 == 0 else entrants[::-1], rows, server, timed)
        if others > OTHERS_SHARE and spare > 0:
            spare -= 1
            continue
        contest.disturbed += others > OTHERS_SHARE
        for name, one in took.items():
            contest.runs[name].append(one)
        number += 1
    contest.show()
    if contest.disturbed and timed:
        say(f"  other programs used more than {OTHERS_SHARE:.0%} of the machine in {contest.disturbed} of {count} rounds")
    return contest


# --- Verdicts and results --------------------------------------------------------------------------------------------


class Results:
    """The bars measured so far, and all the runs behind them."""

    def __init__(self, rounds_asked):
        self.rounds = rounds_asked
        self.bars, self.contests = [], []

    def keep(self, contest):
        self.contests.append(contest)

    def bar(self, bar, what, values, at_least=None, at_most=None, unit=""):
        """Judges the median of the values; prints and keeps the verdict."""
        values = [float(v) for v in values]
        middle = statistics.median(values)
        passed = (at_least is None or middle >= at_least) and (at_most is None or middle <= at_most)
        wanted = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
        say(f"  {'PASS' if passed else 'FAIL'}  {bar} {what}: {middle:.3g}{unit} ({min(values):.3g}, {max(values):.3g}), "
            f"bar {wanted}{unit}")
        self.bars.append({"bar": bar, "what": what, "median": middle, "min": min(values), "max": max(values),
                          "wanted": wanted + unit, "unit": unit, "passed": passed, "rounds": len(values)})

    def failed(self, bar, what, why):
        say(f"  FAIL  {bar} {what}: {why}")
        self.bars.append({"bar": bar, "what": what, "why": why, "passed": False})

    def write(self, path, machine):
        """Replaces the results of what was measured now in the file, and keeps the others."""
        old = json.loads(path.read_text()) if path.exists() else {"bars": [], "contests": []}
        bars, titles = {b["bar"] for b in self.bars}, {c.title for c in self.contests}
        contests = [{"title": c.title, "rows": c.rows, "disturbed_rounds": c.disturbed, "machine": machine, "runs": {
            name: [{k: v for k, v in one.items() if k != "said"} for one in runs] for name, runs in c.runs.items()}}
            for c in self.contests]
        now = {"bars": [b for b in old["bars"] if b["bar"] not in bars] + [{**b, "machine": machine} for b in self.bars],
               "contests": [c for c in old["contests"] if c["title"] not in titles] + contests}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(now, indent=1))
        partial.rename(path)


def machine():
    """What the figures were made on, and how quiet it was."""
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_kb = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return {"date": time.strftime("%Y-%m-%d %H:%M"), "cpu": model, "cores": os.cpu_count(),
            "memory_gib": round(memory_kb / 1024 ** 2), "kernel": platform.release(), "load": round(os.getloadavg()[0], 2)}


def say_how_quiet():
    load = os.getloadavg()[0]
    say(f"load average {load:.2f} on {os.cpu_count()} cores"
        + ("" if load < 0.5 else ": other programs run; ratios of medians stand some of that, a quiet machine is better"))
    sys.stdout.flush()
