# SPDX-License-Identifier: Apache-2.0
"""What tests of all files may ask for."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

SERVERS = pathlib.Path(__file__).resolve().parents[1] / "servers"


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL of our own; what tests/servers/postgresql says of it, by name (TENON_PG_URL …)."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pg", dir="/tmp")) / "s"  # short: a socket's path has 107 characters
    folder.parent.chmod(0o755)
    started = subprocess.run([SERVERS / "postgresql", "start", folder], capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    yield dict(line.split("=", 1) for line in started.stdout.splitlines())
    subprocess.run([SERVERS / "postgresql", "stop", folder])
    shutil.rmtree(folder.parent, ignore_errors=True)
