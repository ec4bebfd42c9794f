# SPDX-License-Identifier: Apache-2.0
"""tools/setup where everything is there already: quick, silent, and the same folder every time."""
import json
import pathlib
import subprocess
import time

import pytest

SETUP = pathlib.Path(__file__).resolve().parents[2] / "tools/setup"


@pytest.mark.parametrize("need", ["run", "test"])
def test_a_second_call_does_nothing(need):
    begin = time.monotonic()
    done = subprocess.run([SETUP, need], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 1.0  # 0.05 s on an idle machine


def test_it_says_where_things_are():
    said = subprocess.run([SETUP, "--path", "run"], capture_output=True, text=True, check=True).stdout.strip()
    folder = pathlib.Path(said)
    for path in ("include/nanoarrow/nanoarrow.h", "include/sqlite3.h", "include/duckdb.h", "lib/libnanoarrow.a",
                 "lib/libsqlite.a", "lib/libduckdb.so", "data/vega/flights-3m.parquet", "data/vega/airports.csv"):
        assert (folder / path).is_file(), path


def test_an_unknown_need_is_refused():
    done = subprocess.run([SETUP, "everything"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "tools/setup run|test|bench" in done.stderr


def test_what_is_linked_is_pinned():
    """Every download has a version and a sha256."""
    for line in (SETUP.parent / "deps").read_text().splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[1] in ("npm", "sdist", "wheel"):
            assert len(fields[5]) == 64 and int(fields[5], 16), line


def test_packages_for_node_are_pinned_with_what_they_need():
    lock = json.loads((SETUP.parent / "npm/package-lock.json").read_text())
    for name, package in lock["packages"].items():
        if name:
            assert package["version"] and package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, f"{name} names a registry"
