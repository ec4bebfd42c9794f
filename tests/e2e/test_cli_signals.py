# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C once cancels and cleans up, twice kills; a reader who leaves ends it quietly; progress is where it should be."""
import json
import os
import re
import signal
import subprocess
import time

import psycopg
import pytest

from command import TENON, Terminal, environment, tenon

# in the select list the server makes the rows as they are asked for; in FROM it would make all of them first
ENDLESS = "select generate_series(1, 2000000000) as n, md5('x') as text"


@pytest.fixture(scope="module")
def url(postgresql):
    return postgresql["TENON_PG_URL"]


@pytest.fixture(scope="module")
def server(url):
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def answer_signals():
    """Whoever runs the tests may ignore some (nohup does), and programs keep to that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(*words, cwd=None, **options):
    return subprocess.Popen([TENON, *map(str, words)], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, text=True,
                            stdout=options.get("stdout", subprocess.PIPE), stderr=subprocess.PIPE, start_new_session=True,
                            preexec_fn=answer_signals)


def read_progress(child):
    """The next line of --progress=json."""
    return json.loads(child.stderr.readline())["progress"]


def is_running(server, marker):
    return server.execute("select count(*) from pg_stat_activity where query like %s and pid <> pg_backend_pid() and state = 'active'",
                          [f"%{marker}%"]).fetchone()[0] > 0


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda v: str(v))
def test_a_signal_cancels_and_cleans_up(url, server, tmp_path, number, status):
    query = f"{ENDLESS}, 'cancel {int(number)}' as marker"
    (tmp_path / "rows.csv").write_text("as it was\n")
    child = start("copy", url, "rows.csv", "--query", query, "--progress", "json", cwd=tmp_path)
    assert read_progress(child)["rows"] > 0
    assert is_running(server, f"cancel {int(number)}")
    begin = time.monotonic()
    child.send_signal(number)
    _, err = child.communicate(timeout=10)
    assert child.returncode == status
    assert time.monotonic() - begin < 2
    assert "code: CANCELLED" in err
    assert os.listdir(tmp_path) == ["rows.csv"] and (tmp_path / "rows.csv").read_text() == "as it was\n"
    wait_until(lambda: not is_running(server, f"cancel {int(number)}"))


@pytest.mark.parametrize("target", ["rows.parquet", "rows.arrows", "rows.jsonl"])
def test_a_cancelled_copy_leaves_nothing_in_any_format(url, tmp_path, target):
    child = start("copy", url, target, "--query", ENDLESS, "--progress", "json", cwd=tmp_path)
    read_progress(child)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=10)
    assert child.returncode == 130 and os.listdir(tmp_path) == []


def test_a_cancel_while_the_server_thinks(url, server):
    child = start("read", url, "--query", "select pg_sleep(60)::text, 'thinking' as marker")
    wait_until(lambda: is_running(server, "thinking"))
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=10)
    assert child.returncode == 130 and time.monotonic() - begin < 1.5
    wait_until(lambda: not is_running(server, "thinking"))


def test_twice_ends_it_at_once(tmp_path):
    """The first signal cannot be answered while stdout is full and nobody reads it: the second does not wait."""
    (tmp_path / "n.csv").write_text("n\n" + "1234567890\n" * 500000)
    child = start("read", "n.csv", "--format", "table", cwd=tmp_path)
    child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    time.sleep(0.6)   # what comes at once is the same signal once more
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    assert child.wait(5) in (-signal.SIGINT, 130)
    child.stdout.close()
    child.stderr.close()


def test_a_terminal_is_told(url):
    terminal = Terminal("read", url, "--query", "select pg_sleep(60)")
    time.sleep(0.2)
    terminal.child.send_signal(signal.SIGINT)
    status, text = terminal.finish()
    assert status == 130 and "once more ends it at once" in text


def test_a_signal_that_is_ignored_stays_so(url, tmp_path):
    done = subprocess.run(["sh", "-c", f"trap '' INT; {TENON} read '{url}' --query 'select pg_sleep(0.5)::text' & sleep 0.2; kill -INT $!; wait $!"],
                          capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


def test_a_reader_who_leaves_ends_it_quietly(url):
    for words in (["--format", "csv"], ["--format", "jsonl"], ["--format", "arrow"], ["--json"], ["--format", "table"]):
        child = start("read", url, "--query", ENDLESS, *words)
        child.stdout.read(10 if "arrow" not in words else 0)
        child.stdout.close()
        assert child.wait(20) == -signal.SIGPIPE, words
        assert child.stderr.read() == "", words
        child.stderr.close()


def test_a_deadline_ends_it(url, tmp_path):
    begin = time.monotonic()
    done = tenon("copy", url, "rows.parquet", "--query", ENDLESS, "--timeout", "700ms", cwd=tmp_path)
    assert done.returncode == 8 and "code: TIMEOUT" in done.stderr
    assert 0.6 < time.monotonic() - begin < 1.8
    assert os.listdir(tmp_path) == []


def test_progress_as_json(url, tmp_path):
    done = tenon("copy", url, "rows.csv", "--query", "select g from generate_series(1, 1000) g", "--progress", "json", cwd=tmp_path)
    lines = [json.loads(line)["progress"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines and lines[-1]["done"] is True and lines[-1]["rows"] == 1000
    assert lines[-1]["bytes"] == (tmp_path / "rows.csv").stat().st_size and lines[-1]["eta_ms"] is None
    assert set(lines[-1]) == {"rows", "bytes", "elapsed_ms", "rows_per_second", "rows_estimate", "bytes_estimate", "eta_ms", "done"}


def test_progress_on_a_terminal_and_only_there(url, tmp_path):
    copy = ["copy", url, "rows.csv", "--query", "select g, pg_sleep(case when g % 20000 = 0 then 0.05 else 0 end)::text from generate_series(1, 400000) g"]
    status, text = Terminal(*copy, "--mem", "1M", cwd=tmp_path).finish()
    assert status == 0 and re.search(r"\r\x1b\[K  [\d,]+ rows   [\d,]+ rows/s", text)
    assert "rows.csv: 400,000 rows" in text.replace("\r\x1b[K", "\n").splitlines()[-1]
    for more, env in ((["--progress", "never"], {}), ([], {"TERM": "dumb"}), (["-q"], {})):
        _, text = Terminal(*copy, *more, "--mem", "1M", cwd=tmp_path, env=env).finish()
        assert "rows/s" not in text
    assert "rows/s" not in tenon(*copy, cwd=tmp_path).stderr


def test_progress_knows_how_much_is_left(url, server, tmp_path):
    server.execute("drop table if exists progress_rows; create table progress_rows as select g, md5(g::text) as t from generate_series(1, 300000) g; analyze progress_rows")
    done = tenon("copy", f"{url}:progress_rows", "rows.csv", "--progress", "json", cwd=tmp_path)
    last = json.loads(done.stderr.splitlines()[0])["progress"]
    assert last["rows_estimate"] == 300000 == last["rows"]
