# SPDX-License-Identifier: Apache-2.0
"""tools/check refuses what it is there to refuse: one small tree with a violation of each rule, one without."""
import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LONG_BODY = "  x++;\n" * 120

VIOLATIONS = {
    "a layer above": ("src/base/a.c", '#include "core/b.h"\n', "src/base/a.c:2: includes core/b.h"),
    "a provider that reaches into core": ("src/providers/sql/k.c", '#include "core/b.h"\n', "k.c:2: includes core/b.h"),
    "a provider that knows another": ("src/providers/sql/k.c", '#include "other.h"\n', "k.c:2: includes providers/sql/other.h"),
    "another room's library": ("src/base/a.c", "#include <duckdb.h>\n", "includes duckdb.h"),
    "a banned function": ("src/base/a.c", "int f(const char *s) { return atoi(s); }\n", "a.c:2: calls atoi"),
    "memory of one's own": ("src/base/a.c", "void *f(void) { return malloc(3); }\n", "a.c:2: calls malloc"),
    "the environment": ("src/core/a.c", 'char *f(void) { return getenv("X"); }\n', "a.c:2: calls getenv"),
    "a kind by its name": ("src/core/a.c", 'int f(void) { return strcmp(p->kind, "sqlite"); }\n', "a.c:2: compares a kind"),
    "a long function": ("src/base/a.c", f"static int\nf(int x) {{\n{LONG_BODY}  return x;\n}}\n", "a.c:2: f has 124 lines"),
    "a long file": ("src/base/a.c", "\n" * 1600, "a.c:1500: 1601 lines"),
    "a name that says nothing": ("src/base/util.c", "", "util.c:1: says nothing"),
    "a file without a licence": ("src/base/a.h", None, "a.h:1: has no SPDX line"),
    "a header that leans on another": ("include/tenon/x.h", "size_t f(void);\n", "x.h:2: unknown type name"),
    "a header that C++ refuses": ("include/tenon/x.h", "int f(int class);\n", "(-std=c++11)"),
}
FINE = {
    "calls through a table": ("src/base/a.c", "void f(struct h *h) { h->free(h); h->table.malloc(1); }\n"),
    "words in comments and texts": ("src/base/a.c", '/* malloc(1) */\nconst char *s = "atoi(";\n'),
    "a long function with its reason": ("src/base/a.c", f"/* long: one case a type */\nint f(int x) {{\n{LONG_BODY}}}\n"),
    "a kind that names itself": ("src/providers/sql/k.c", 'int f(void) { return strcmp(kind, "k"); }\n'),
    "the category's common file": ("src/providers/sql/k.c", '#include "common.h"\n#include "arrow/build.h"\n#include <tenon/t.h>\n'),
    "a layer below": ("src/core/a.c", '#include "base/below.h"\n#include "arrow/build.h"\n'),
}


@pytest.fixture
def tree(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "tools").mkdir()
    for name in ("check", "setup", "deps"):
        shutil.copy(SOURCE / "tools" / name, tmp_path / "tools" / name)
    for name in ("core/b.h", "base/below.h", "arrow/build.h", "providers/sql/common.h", "providers/sql/other.h"):
        write(tmp_path, "src/" + name, SPDX)
    write(tmp_path, "include/tenon/t.h", SPDX + "struct tenon_t;\n")
    return tmp_path


def write(tree, name, text):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def check(tree):
    done = subprocess.run([tree / "tools/check"], capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_violation_is_named_with_its_place(tree, case):
    name, text, expected = VIOLATIONS[case]
    write(tree, name, "" if text is None else SPDX + text)
    status, said = check(tree)
    assert status == 1
    assert expected in said


@pytest.mark.parametrize("case", FINE)
def test_what_is_fine_passes(tree, case):
    name, text = FINE[case]
    write(tree, name, SPDX + text)
    status, said = check(tree)
    assert (status, said.splitlines()[-1]) == (0, "8 passed, 0 failed")
