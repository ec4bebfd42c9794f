# SPDX-License-Identifier: Apache-2.0
"""Servers that are written for Node, run by the Node and the packages that tools/setup put beside the Python packages."""
import contextlib
import os
import pathlib
import subprocess
import sys

HOME = pathlib.Path(sys.prefix).parent
MODULES = HOME / "node_modules"


def start(script, *args, env=None, **more):
    """The process of a script: a file of the tests, or `package/path` of an installed one. NODE_PATH serves require();
    import takes a URL of a file below TENON_NODE_MODULES."""
    path = script if pathlib.Path(script).exists() else MODULES / script
    return subprocess.Popen([HOME / "bin/node", path, *map(str, args)], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "NODE_PATH": str(MODULES), "TENON_NODE_MODULES": str(MODULES), **(env or {})}, **more)


@contextlib.contextmanager
def running(script, *args, ready="ready", **more):
    """Such a process from the line on that says `ready` until the end of the block."""
    process = start(script, *args, **more)
    try:
        for line in process.stdout:
            if ready in line:
                break
        else:
            raise RuntimeError(f"{script} ended with {process.wait()} before it was ready")
        yield process
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
