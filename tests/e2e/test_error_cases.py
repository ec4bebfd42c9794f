# SPDX-License-Identifier: Apache-2.0
"""What every failure says: tests/cases/errors/*.txt, one case a paragraph.

    $ tenon read orders.csv --columns totl     the command line, read as a shell would; {NAME} is replaced (below)
    code: NOT_FOUND                            the kind of failure; the exit status follows from it (docs/exit-codes.md)
    stage: query                               the layer, or - where there is none
    message: totl                              is in the message, whatever stands around it; may be repeated
    remedy: did you mean total?                is in the remedy; may be repeated
    hidden: s3cret                             is nowhere in what was printed
    env: NAME=value                            is set for the command

Each case is run twice, for people and with --json: both have to say the same. The working directory is a copy of
tests/cases/errors/files, and what make_files() adds.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import sqlite3

import pytest

from command import tenon

CASES = pathlib.Path(__file__).resolve().parents[1] / "cases/errors"
EXITS = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", (pathlib.Path(__file__).resolve().parents[2] / "docs/exit-codes.md").read_text(), re.M))
EXITS = {code: int(number) for number, code in EXITS.items()}


def cases():
    for path in sorted(CASES.glob("*.txt")):
        case = None
        for number, line in enumerate(path.read_text().splitlines() + [""], 1):
            if line.startswith("$ "):
                case = {"line": line[2:], "place": f"{path.stem}:{number}"}
            elif case and not line.strip():
                yield case
                case = None
            elif case and not line.startswith("#"):
                key, _, value = line.partition(": ")
                case.setdefault(key, []).append(value)


def make_files(folder):
    shutil.copytree(CASES / "files", folder, dirs_exist_ok=True)
    with sqlite3.connect(folder / "shop.db") as db:
        db.executescript("""
            create table orders (id integer primary key, total decimal(10,2), note text);
            insert into orders values (1, 12.5, 'a'), (2, 30, null);
            create table odd (id integer, amount integer);
            insert into odd values (1, 5), (2, 'five');
            create table bytes (t text, u text);
            insert into bytes values (x'ff00', cast(x'ff41' as text));
            create table sums (s numeric);
            insert into sums values (9), (10), (-1), (1.5), (null);
        """)
    (folder / "folder").mkdir()
    (folder / "latin1.csv").write_bytes(b"name\nJos\xe9\n")
    (folder / "short.parquet").write_bytes(b"PAR1 and nothing more")
    (folder / "secret.txt").write_text("s3cret\n")
    (folder / "dangling.csv").symlink_to("nowhere.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    make_files(folder)
    return folder


@pytest.fixture(scope="module")
def closed_port():
    """A port that nobody listens on: bound, so that nobody else gets it, and never listened on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


@pytest.fixture(scope="module")
def mute_port():
    """A server that accepts and then says nothing."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        yield s.getsockname()[1]


def replaced(text, request):
    """{CLOSED}, {MUTE}: ports; {PG_URL} and the like: what tests/servers/postgresql printed."""
    def value(match):
        name = match.group(1)
        if name in ("CLOSED", "MUTE"):
            return str(request.getfixturevalue(name.lower() + "_port"))
        return request.getfixturevalue("postgresql")["TENON_" + name]
    return re.sub(r"\{([A-Z_]+)\}", value, text)


def check_said(said, case, place):
    for text in case.get("message", []):
        assert text in said["message"], place
    for text in case.get("remedy", []):
        assert text in said["remedy"], place
    assert said["code"] == case["code"][0], place
    assert (said["stage"] or "-") == case["stage"][0], place


def read_report(stderr):
    """The failure out of what people see: `tenon: cannot …: message`, stage and code, remedy."""
    found = re.search(r"^tenon: (?P<message>.*)\n  (?:stage: (?P<stage>\w+)   )?code: (?P<code>\w+).*\n(?:  try: (?P<remedy>.*)\n)?\Z",
                      stderr, re.M)
    assert found, stderr
    return {**found.groupdict(), "remedy": found["remedy"] or ""}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["place"])
def test_case(case, folder, request):
    words = shlex.split(replaced(case["line"], request))
    assert words.pop(0) == "tenon"
    env = dict(setting.split("=", 1) for setting in case.get("env", []))
    case = {k: [replaced(v, request) for v in case[k]] if k != "line" and k != "place" else case[k] for k in case}

    plain = tenon(*words, cwd=folder, env=env)
    said = read_report(plain.stderr)
    check_said(said, case, plain.stderr)
    assert plain.returncode == EXITS[case["code"][0]], plain.stderr

    document = tenon(words[0], "--json", *words[1:], cwd=folder, env=env)
    answer = json.loads(document.stdout)
    assert answer["ok"] is False
    check_said({**answer["error"], "remedy": answer["error"]["remedy"] or ""}, case, document.stdout)
    assert answer["error"]["exit"] == document.returncode == plain.returncode
    for secret in case.get("hidden", []):
        assert secret not in plain.stdout + plain.stderr + document.stdout + document.stderr


def test_there_are_enough_cases_and_every_code_has_one():
    found = list(cases())
    assert len(found) >= 80
    # an INTERNAL failure is a bug, IO and CANCELLED are made in other tests, GONE needs a program
    assert {c["code"][0] for c in found} >= set(EXITS) - {"INTERNAL", "IO", "CANCELLED", "GONE", "OK", "TLS", "LIMITED"}
