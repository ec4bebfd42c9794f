# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all end-to-end tests: the command, and a PostgreSQL server."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import types

import pytest

SERVERS = pathlib.Path(__file__).resolve().parents[1] / "servers"


class Tenon:
    """The command under test."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.environ.get("TENON", "build/plain/tenon")
        self.count = 0

    def run(self, *args, env=None, timeout=60, **more):
        return subprocess.run([self.path, *map(str, args)], capture_output=True, env={**os.environ, **(env or {})},
                              timeout=timeout, **more)

    def start(self, *args, **more):
        return subprocess.Popen([self.path, *map(str, args)], **more)

    def json(self, *args, **more):
        """The answer of a command, whether it failed or not."""
        done = self.run(*args, "--json", **more)
        assert done.stdout, done.stderr.decode(errors="replace")
        return json.loads(done.stdout)

    def result(self, *args, **more):
        answer = self.json(*args, **more)
        assert answer["ok"], answer["error"]
        return answer["result"]

    def error(self, *args, **more):
        answer = self.json(*args, **more)
        assert not answer["ok"], "it did not fail"
        return answer["error"]

    def read(self, *args, **more):
        """The rows of a read as a pyarrow table."""
        import pyarrow
        self.count += 1
        path = self.folder / f"rows-{self.count}.arrow"
        done = self.run("read", *args, "-q", "-o", path, **more)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        with pyarrow.OSFile(str(path)) as file:
            table = pyarrow.ipc.open_stream(file).read_all()
        path.unlink()
        return table


@pytest.fixture(scope="session")
def tenon(tmp_path_factory):
    return Tenon(tmp_path_factory.mktemp("tenon"))


class Postgres(types.SimpleNamespace):
    """The server: url, tls_url, plain_url, socket, port, certs, folder, user, password, database."""

    def connect(self, database=None, **more):
        import psycopg
        return psycopg.connect(host=self.socket, port=self.port, user=self.user, password=self.password,
                               dbname=database or self.database, autocommit=True, **more)

    def run(self, *statements, database=None):
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query, params=None):
        with self.connect() as connection:
            return connection.execute(query, params).fetchall()

    def value(self, query, params=None):
        return self.rows(query, params)[0][0]

    def table(self, name):
        """The target of a table, whose name may need quotes."""
        return f"{self.url}:{name}"


@pytest.fixture(scope="session")
def postgresql():
    """What tests/servers/postgresql says of the server by name (TENON_PG_URL …): of the one that tools/test started, or
    one of our own."""
    if "TENON_PG_URL" in os.environ:
        yield {name: value for name, value in os.environ.items() if name.startswith("TENON_PG_")}
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pg", dir="/tmp")) / "s"  # short: a socket's path has 107 characters
    folder.parent.chmod(0o755)
    started = subprocess.run([SERVERS / "postgresql", "start", folder], capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    yield dict(line.split("=", 1) for line in started.stdout.splitlines())
    subprocess.run([SERVERS / "postgresql", "stop", folder])
    shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def pg(postgresql):
    names = ("URL", "TLS_URL", "PLAIN_URL", "USER", "PASSWORD", "DATABASE", "FOLDER", "SOCKET", "PORT", "CERTS")
    return Postgres(**{name.lower(): postgresql[f"TENON_PG_{name}"] for name in names})


@pytest.fixture
def schema(pg, request):
    """A schema of the test's own, with its name in the search_path of nobody; gone afterwards."""
    name = "t_" + re.sub(r"[^a-z0-9]+", "_", request.node.name.lower())[:50]
    pg.run(f'drop schema if exists "{name}" cascade', f'create schema "{name}"')
    yield name
    pg.run(f'drop schema "{name}" cascade')
