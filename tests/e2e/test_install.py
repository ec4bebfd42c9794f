# SPDX-License-Identifier: Apache-2.0
"""What `make install` leaves: found by pkg-config wherever it was put, usable from C and C++, shared and static."""
import os
import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
#include <stdio.h>
#include <string.h>
#include <tenon/provider.h>
int main(void) {
  printf("%s\\n", tenon_status_name(TENON_NOT_FOUND));
  return 0;
}
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", SOURCE / "build/plain", "--no-rebuild", "--quiet", "--destdir", folder], check=True)
    return next(folder.rglob("tenon.pc")).parents[2]


def flags(prefix, *arguments):
    env = {**os.environ, "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}
    said = subprocess.run(["pkg-config", "--define-prefix", *arguments, "tenon"], env=env, capture_output=True, text=True, check=True)
    return said.stdout.split()


def build_and_run(compiler, source, out, options):
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", out, source, *options], check=True)
    return subprocess.run([out], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-std=c++11"], ["c++", "-std=c++20"]], ids=lambda c: c[1])
def test_a_program_links_to_the_shared_library(prefix, tmp_path, compiler):
    source = tmp_path / ("program.c" if compiler[0] == "cc" else "program.cc")
    source.write_text(PROGRAM)
    options = [*flags(prefix, "--cflags", "--libs"), f"-Wl,-rpath,{prefix}/lib"]
    assert build_and_run(compiler, source, tmp_path / "program", options).strip()
    needed = subprocess.run(["readelf", "-d", tmp_path / "program"], capture_output=True, text=True, check=True).stdout
    assert "[libtenon.so.0]" in needed


def test_a_program_links_to_the_static_library(prefix, tmp_path):
    source = tmp_path / "program.c"
    source.write_text(PROGRAM)
    libraries = [f for f in flags(prefix, "--static", "--libs") if f != "-ltenon"]
    options = [*flags(prefix, "--cflags"), str(prefix / "lib/libtenon.a"), *libraries]
    assert build_and_run(["cc", "-std=c17"], source, tmp_path / "program", options).strip()
    needed = subprocess.run(["readelf", "-d", tmp_path / "program"], capture_output=True, text=True, check=True).stdout
    assert "libtenon" not in needed


def test_the_static_libraries_show_only_our_names(prefix):
    for archive, allowed in (("libtenon.a", ("tenon_",)), ("libtenon-author.a", ("tenon_", "tn_"))):
        said = subprocess.run(["nm", "-g", "--defined-only", prefix / "lib" / archive], capture_output=True, text=True, check=True)
        names = [line.split()[-1] for line in said.stdout.splitlines() if len(line.split()) == 3]
        assert names
        assert [n for n in names if not n.startswith(allowed)] == []


def test_a_prefix_is_an_absolute_path():
    done = subprocess.run(["tools/build", "plain"], env={**os.environ, "PREFIX": "rel/prefix"}, capture_output=True, text=True)
    assert done.returncode == 2 and "PREFIX is an absolute path" in done.stderr


def test_everything_is_where_it_belongs(prefix):
    for path in ("include/tenon/provider.h", "include/tenon/facets/tables.h", "lib/libtenon.so", "lib/libtenon.so.0",
                 "lib/libtenon.a", "lib/libtenon-author.a", "lib/tenon/libduckdb.so"):
        assert (prefix / path).exists(), path
