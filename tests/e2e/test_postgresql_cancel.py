# SPDX-License-Identifier: Apache-2.0
"""Ending in the middle: interrupts, deadlines and readers that go away reach the server; slow readers stall it.
(TENON_PG_URL)"""
import os
import pathlib
import signal
import subprocess
import time
import uuid

import pytest

SLOW = os.environ.get("TENON_FLAVOUR") == "asan"


@pytest.fixture(params=["socket", "tls"])
def url(pg, request):
    return pg.url if request.param == "socket" else pg.tls_url


def activity(pg, name):
    """(state, wait_event) of the backends of an application."""
    return pg.rows("select state, wait_event, query from pg_stat_activity where application_name = %s", (name,))


def wait_until(condition, limit_s=10):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_running(pg, name):
    return lambda: any(state == "active" for state, _, _ in activity(pg, name))


def read(tenon, url, name, query, *more, **options):
    return tenon.start("read", url, "--set", f"application_name={name}", "--query", query, "-q", *more, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **options)


QUERIES = {  # a series in FROM would be kept whole by the server first
    "sleeping": "select pg_sleep(100)",
    "computing": "select count(*) from (select generate_series(1, 100000000000)) t",
    "sending": "select generate_series(1, 1000000000) as i, repeat('x', 100) as s",
    "portal": "explain analyze select pg_sleep(100)",
}


@pytest.mark.parametrize("what", QUERIES)
def test_interrupt(tenon, pg, url, what):
    name = f"t-{uuid.uuid4()}"
    child = read(tenon, url, name, QUERIES[what], "--format", "csv", "-o", str(tenon.folder / f"{name}.csv"))
    assert wait_until(is_running(pg, name))
    time.sleep(0.2)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    took = time.monotonic() - begin
    assert child.returncode == 130, said
    assert took < (1.5 if SLOW else 0.5)
    assert wait_until(lambda: not activity(pg, name), 2), activity(pg, name)
    assert not list(tenon.folder.glob(f"{name}*"))


@pytest.mark.parametrize("what", QUERIES)
def test_deadline(tenon, pg, url, what):
    name = f"t-{uuid.uuid4()}"
    begin = time.monotonic()
    child = read(tenon, url, name, QUERIES[what], "--timeout", "700ms", "--format", "csv", "-o", str(tenon.folder / f"{name}.csv"))
    assert wait_until(is_running(pg, name)) or child.poll() is not None
    _, said = child.communicate(timeout=30)
    assert time.monotonic() - begin < 0.7 + (2 if SLOW else 1)
    assert b"TIMEOUT" in said
    assert wait_until(lambda: not activity(pg, name), 2), activity(pg, name)


def test_a_reader_that_goes_away(tenon, pg, url):
    name = f"t-{uuid.uuid4()}"
    child = read(tenon, url, name, QUERIES["sending"], "--format", "csv")
    child.stdout.read(1000)
    assert activity(pg, name)
    child.stdout.close()
    child.wait(timeout=30)
    assert wait_until(lambda: not activity(pg, name), 3), activity(pg, name)


def test_a_stream_released_in_the_middle(tenon, pg, url, schema):
    """A limit that the server cannot be given: the rest of the answer is cancelled, not read."""
    pg.run(f"create table {schema}.t as select gen_random_uuid() as u, repeat('x', 200) as s from generate_series(1, 300000)")
    name = f"t-{uuid.uuid4()}"
    log = pathlib.Path(pg.folder, "log")
    start = log.stat().st_size
    result = tenon.result("read", f"{url}:{schema}.t", "--set", f"application_name={name}", "--where", "u > ' '", "--limit", "5")
    assert result["row_count"] == 5 and not result["applied_by_system"]["limit"]
    assert wait_until(lambda: not activity(pg, name), 3)
    said = log.read_bytes()[start:].decode(errors="replace")
    assert "canceling statement due to user request" in said or "unexpected EOF" not in said


def test_a_slow_reader_stalls_the_server(tenon, pg):
    """Nothing grows on the way: the server waits in its send."""
    name = f"t-{uuid.uuid4()}"
    child = read(tenon, pg.url, name, QUERIES["sending"], "--format", "arrow")
    seen = 0
    for _ in range(10):
        seen += len(child.stdout.read(1 << 20))
        time.sleep(0.05)
    assert wait_until(lambda: any(event == "ClientWrite" for _, event, _ in activity(pg, name)), 5), activity(pg, name)
    before = pathlib.Path(f"/proc/{child.pid}/io").read_text()
    time.sleep(0.5)
    assert pathlib.Path(f"/proc/{child.pid}/io").read_text() == before, "it went on reading though nobody took"
    highest = int(next(line.split()[1] for line in pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines()
                       if line.startswith("VmHWM")))
    child.kill()
    child.communicate()
    assert seen == 10 << 20
    if not SLOW:
        assert highest <= 64 * 1024, f"{highest} KiB"


def test_memory_does_not_grow_with_rows(tenon, pg):
    if SLOW:
        pytest.skip("the sanitizer's own memory grows")

    sizes = []
    for rows in (200_000, 800_000):
        script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        query = f"select i, i::numeric(15,2) as n, 'row number ' || i as s from (select generate_series(1, {rows}) as i) t"
        out = tenon.folder / "memory.arrow"
        done = subprocess.run(["python3", "-c", script, tenon.path, "read", pg.url, "--query", query, "-q", "-o", str(out)], capture_output=True, check=True)
        sizes.append(int(done.stdout))
        out.unlink()
    assert sizes[1] <= 64 * 1024 and sizes[1] <= sizes[0] * 1.05 + 1024, sizes
