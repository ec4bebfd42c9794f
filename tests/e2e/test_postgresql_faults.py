# SPDX-License-Identifier: Apache-2.0
"""Stalls, resets and garbage at each step of the protocol: tests/cases/pg_faults.txt, through a proxy. (TENON_PG_URL)"""
import os
import pathlib
import time

import pytest
from fault_proxy import FaultProxy

TOP = pathlib.Path(os.environ.get("TENON_SOURCE", "."))
QUERY = "select i, 'row ' || i as t from generate_series(1, 2000) i"
STALL_S, LONG_S = 1, 20  # for what ends by the deadline, and for what has to end by itself


def cases():
    for line in (TOP / "tests/cases/pg_faults.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            what, _, expected = line.rpartition(" => ")
            parts = [part.strip() for part in what.split(" | ")]
            command, step = parts[0].split()
            yield pytest.param(command, step, parts[1], parts[2] if len(parts) > 2 else "sslmode=disable", expected, id=what)


def proxied(pg, proxy, parameters):
    return f"postgresql://{pg.user}:{pg.password}@127.0.0.1:{proxy.port}/{pg.database}?{parameters}"


@pytest.mark.parametrize("command,step,fault,parameters,expected", list(cases()))
def test_fault(tenon, pg, command, step, fault, parameters, expected):
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}", step, fault) as proxy:
        more = ("--query", QUERY) if command == "read" else ()
        deadline_s = STALL_S if expected.startswith("TIMEOUT") else LONG_S
        begin = time.monotonic()
        answer = tenon.json(command, proxied(pg, proxy, parameters), *more, "--timeout", f"{deadline_s}s")
        took = time.monotonic() - begin
        error = answer.get("error", {})
        assert (f"{error['code']} {error['stage']}" if error else "ok") in expected.split(" or "), error
        assert took < deadline_s + (2 if os.environ.get("TENON_FLAVOUR") == "asan" else 1)
        if error:
            assert error["message"] and error["remedy"], error
            assert pg.password not in str(answer)
            assert f"127.0.0.1:{proxy.port}" in error["message"] or "as told by the test" in error["message"] or error["stage"] == "data"
        if command == "test":
            steps = answer["result"]["steps"]
            outcomes = [s["outcome"] for s in steps]
            assert ("failed" in outcomes) == bool(error) and "failed" not in outcomes[:-1], steps
            if error and error["stage"] != "query":
                assert steps[-1]["name"] == error["stage"] and steps[-1]["remedy"], steps
        if command == "read" and expected.startswith("TIMEOUT"):
            assert proxy.cancels == 1, "the server was not told"


def test_the_cases_are_many():
    assert len(list(cases())) >= 100


def test_retries_get_through(tenon, pg):
    """A connection that breaks before its first row is made again."""
    class Once(FaultProxy):
        def harm(self, *args):
            done, self.step = super().harm(*args), None
            return done

    with Once(f"{pg.socket}/.s.PGSQL.{pg.port}", "T:2", "close") as proxy:
        proxy.over.set()
        assert tenon.read(proxied(pg, proxy, "sslmode=disable"), "--query", QUERY).num_rows == 2000
    with Once(f"{pg.socket}/.s.PGSQL.{pg.port}", "d:1500", "close") as proxy:
        proxy.over.set()
        assert tenon.read(proxied(pg, proxy, "sslmode=disable"), "--query", QUERY).num_rows == 2000
