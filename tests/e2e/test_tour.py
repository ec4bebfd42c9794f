# SPDX-License-Identifier: Apache-2.0
"""`make run`'s tour: it checks its answers itself; here, that it ends well, on its own data and on a target."""
import os
import pathlib
import re
import subprocess

import psycopg
import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.environ.get("TENON_FLAVOUR", "plain") != "plain", reason="the tour shows what `make run` builds")


def tour(*words):
    done = subprocess.run([SOURCE / "tools/tour", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d? answers checked in", done.stdout)
    return done.stdout


def test_the_tour_on_real_data():
    text = tour()
    assert "stage: tcp   code: UNREACHABLE" in text and "try: nothing listens there" in text
    assert "build/plain/tenon" in text and "build/tour/birds.parquet" in text
    assert "hunter2" not in text
    for command in ("kinds", "describe", "read", "copy", "ls", "test"):
        assert f"$ tenon {command} " in text or f"$ tenon {command}\n" in text


def test_the_tour_on_a_target(postgresql):
    url = postgresql["TENON_PG_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('create schema if not exists aaa; create table if not exists aaa."first Table" as select 1 as n')
    text = tour(url)
    assert 'aaa."first Table"' in text and "first.parquet: 1 row," in text
    assert postgresql["TENON_PG_PASSWORD"] not in text
