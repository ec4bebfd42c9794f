# SPDX-License-Identifier: Apache-2.0
"""examples/read.c, built against what `make install` leaves, as C and as C++, and run."""
import pathlib
import subprocess

import pytest

from test_install import flags, prefix  # noqa: F401 (a fixture)

SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = SOURCE / "examples/read.c"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    (folder / "prices.csv").write_text("day,price\n2024-01-01,1.5\n2024-01-02,2.5\n2024-01-03,\n")
    (folder / "bad.csv").write_text("day,price\n2024-01-01\n")
    return folder


@pytest.mark.parametrize("compiler", [["cc", "-std=c99", "-xc"], ["cc", "-std=c17", "-xc"], ["c++", "-std=c++11", "-xc++"],
                                      ["c++", "-std=c++20", "-xc++"]], ids=lambda c: c[1])
def test_the_example_counts_rows(prefix, folder, tmp_path, compiler):  # noqa: F811
    program = tmp_path / "read"
    subprocess.run([*compiler, "-pedantic", "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLE, "-xnone",
                    *flags(prefix, "--cflags", "--libs"), f"-Wl,-rpath,{prefix}/lib"], check=True)
    done = subprocess.run([program, "prices.csv"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 rows\n", "")

    done = subprocess.run([program, "prises.csv"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert "NOT_FOUND: there is no file prises.csv\ntry: did you mean prices.csv?" in done.stderr

    done = subprocess.run([program, "bad.csv"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 13 and "DATA" in done.stderr and "line 2" in done.stderr


def test_the_example_fits_a_page():
    assert len(EXAMPLE.read_text().splitlines()) <= 32
