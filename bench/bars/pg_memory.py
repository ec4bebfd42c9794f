# SPDX-License-Identifier: Apache-2.0
"""Memory of reading PostgreSQL: flat at any size, and with a reader that sleeps."""
import subprocess
import time

from compare import BUILD, arrow_read, rounds, verify

BARS = ("B5",)
SLEEPING = "sleep_ms=20"  # after each batch


def stalls(pg, table):
    """Shares of looks at the server, while a reader sleeps most of the time, that found it waiting for that reader."""
    child = subprocess.Popen([BUILD / "arrow_read", pg.url, f"query=select * from {table}", "sleep_ms=200"],
                             stdout=subprocess.DEVNULL)
    try:
        time.sleep(2)
        waits, resident = [], []
        for _ in range(40):
            time.sleep(0.1)
            waits.append(pg.one("select wait_event from pg_stat_activity where backend_type = 'client backend' "
                                "and pid <> pg_backend_pid()") == "ClientWrite")
            status = open(f"/proc/{child.pid}/status").read()
            resident.append(int(status.split("VmRSS:")[1].split()[0]))
    finally:
        child.kill()
        child.wait()
    return sum(waits) / len(waits), [kb / resident[0] for kb in resident]


def measure(bench):
    pg = bench.postgres
    small, small_sums = pg.table("lineitem")
    big, big_sums = pg.table("lineitem6")
    less, more = "query=select * from lineitem", "query=select * from lineitem6"
    verify([arrow_read("tenon", pg.url, less)], small, small_sums)
    verify([arrow_read("tenon", pg.url, more)], big, big_sums)
    contest = rounds("lineitem, memory", [
        arrow_read("1.5M", pg.url, less), arrow_read("6M", pg.url, more),
        arrow_read("1.5M, sleeping", pg.url, less, SLEEPING), arrow_read("6M, sleeping", pg.url, more, SLEEPING)], bench.rounds,
        timed=False)
    bench.results.keep(contest)
    for name in contest.runs:
        bench.results.bar("B5", f"{name}: RSS", [kb / 1024 for kb in contest.all(name, "rss_kb")], at_most=64, unit=" MB")
    bench.results.bar("B5", "RSS(6M) / RSS(1.5M)", contest.ratios("6M", "1.5M", "rss_kb"), at_most=1.05)
    bench.results.bar("B5", "RSS(6M) / RSS(1.5M), sleeping", contest.ratios("6M, sleeping", "1.5M, sleeping", "rss_kb"), at_most=1.05)
    share, growth = stalls(pg, "lineitem6")
    bench.results.bar("B5", "share of looks that found the server waiting for a sleeping reader", [share], at_least=0.9)
    bench.results.bar("B5", "RSS of a sleeping reader over 4 s, first = 1", growth[-1:], at_most=1.05)
