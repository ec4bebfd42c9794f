# SPDX-License-Identifier: Apache-2.0
"""The pages say what is so: made ones are current, written ones name what there is, examples in the help run."""
import pathlib
import re
import shlex
import shutil
import sqlite3
import subprocess

import pytest

from command import answer, tenon

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCS = SOURCE / "docs"
COMMANDS = ["read", "copy", "ls", "describe", "test", "kinds", "help", "completion"]


def test_the_pages_of_kinds_are_current():
    kinds = [k["kind"] for k in answer("kinds")["kinds"]]
    assert {p.stem for p in (DOCS / "kinds").glob("*.md")} == set(kinds)
    for kind in kinds:
        made = tenon("kinds", kind, "--markdown").stdout
        assert made == (DOCS / "kinds" / f"{kind}.md").read_text(), "run `make docs`"


def test_exit_codes_are_those_of_the_header():
    header = (SOURCE / "include/tenon/base.h").read_text()
    statuses = re.findall(r"^  TENON_(?!STAGE_)(\w+) = (\d+)", header, re.M)
    page = dict((code, int(number)) for number, code in
                re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", (DOCS / "exit-codes.md").read_text(), re.M))
    assert set(page) == {name for name, _ in statuses}
    assert len(set(page.values())) == len(page)


@pytest.mark.parametrize("page", sorted(SOURCE.glob("docs/**/*.md")) + [SOURCE / "README.md"], ids=lambda p: p.name)
def test_what_a_page_points_to_is_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`((?:docs|src|include|tests|tools|examples|bench)/[\w./-]+\.\w+)`", text):
        assert (SOURCE / path).exists(), path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_on_stdout_and_fits(command):
    done = tenon(command, "--help", env={"COLUMNS": "80"})
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == tenon("help", command, env={"COLUMNS": "80"}).stdout
    assert done.stdout.startswith(f"Usage: tenon {command}")
    in_examples = re.search(r"^Examples:\n(.*?)^\n", done.stdout, re.M | re.S)
    examples = in_examples.group(1).splitlines() if in_examples else []
    for line in done.stdout.splitlines():
        assert len(line) <= 80 or line in examples, line
    for option in ("--timeout", "--json", "--help"):
        assert option in done.stdout


def test_the_list_of_commands_is_whole():
    done = tenon("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}\s", done.stdout, re.M)


def make_world(folder):
    """What the examples of the help speak of."""
    (folder / "data").mkdir()
    (folder / "logs").mkdir()
    (folder / "data/prices.csv").write_text("day,price\n2024-01-01,1.5\n")
    shutil.copy(folder / "data/prices.csv", folder / "logs/a.csv")
    (folder / "orders.csv").write_text("id,total,note,time,level\n1,120,,2024-01-01T00:00:00,info\n")
    with sqlite3.connect(folder / "shop.db") as db:
        db.execute("create table orders (id integer, total integer, note text)")
        db.execute("insert into orders values (1, 120, null)")
    (folder / "tenon.yaml").write_text("connectors:\n  shop:\n    kind: sqlite\n    path: shop.db\n")
    for command in (["copy", "orders.csv", "logs/a.parquet"], ["copy", "data/prices.csv", "prices.parquet"]):
        assert tenon(*command, cwd=folder).returncode == 0


def help_examples():
    for command in COMMANDS:
        text = tenon(command, "--help").stdout
        found = re.search(r"^Examples:\n(.*?)^\n", text, re.M | re.S)
        for line in (found.group(1).splitlines() if found else []):
            if line.startswith("  tenon "):
                yield line.strip()


@pytest.mark.parametrize("line", help_examples())
def test_an_example_of_the_help_runs(line, tmp_path, postgresql):
    """As it stands, but for names of servers: shop:public.orders is a SQLite database's main here."""
    make_world(tmp_path)
    url = postgresql["TENON_PG_URL"]
    line = re.sub(r"'?postgresql://[^\s':]*(?::\$ENV:\w+)?@[^\s':]*'?", shlex.quote(url), line)
    line = line.replace(shlex.quote(url) + ":public.orders", shlex.quote(url + ":pg_catalog.pg_class"))
    line = line.replace("shop:public.orders", "shop:main.orders")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    from command import TENON
    (bin_folder / "tenon").symlink_to(TENON)
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={"PATH": f"{bin_folder}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr


def test_completion_is_for_bash():
    script = tenon("completion").stdout + """
complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _tenon; echo "${COMPREPLY[*]}"; }
complete_line tenon co
complete_line tenon read x --col
complete_line tenon copy x y --format p
complete_line tenon read x --progress ''
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["copy completion", "--columns", "parquet", "auto never json"]
