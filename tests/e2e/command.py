# SPDX-License-Identifier: Apache-2.0
"""Runs the command as a person or a program would: with pipes, or on a terminal of a given width."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

TENON = os.environ.get("TENON", "build/plain/tenon")
if not os.path.isabs(TENON):
    TENON = os.path.abspath(TENON)


def environment(more=None):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "TERM") and not k.startswith("PG")}
    env["TERM"] = "xterm"
    env.update(more or {})
    return env


def tenon(*words, env=None, **options):
    options.setdefault("timeout", 60)
    return subprocess.run([TENON, *map(str, words)], env=environment(env), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **options)


def answer(*words, ok=True, **options):
    """The document of --json; the command must end as it says."""
    done = tenon(*words, "--json", **options)
    document = json.loads(done.stdout)
    assert document["ok"] is ok, document.get("error")
    assert done.returncode == (0 if ok else document["error"]["exit"])
    return document["result"] if ok else document["error"]


class Terminal:
    """A command whose stdout and stderr are one terminal."""

    def __init__(self, *words, width=80, env=None, cwd=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        self.child = subprocess.Popen([TENON, *map(str, words)], env=environment(env), cwd=cwd, stdin=subprocess.DEVNULL,
                                      stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def read_until(self, wanted=None, timeout=30):
        """Reads until the text was seen, or to the end; answers all that was seen."""
        end = time.monotonic() + timeout
        while wanted is None or wanted.encode() not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(end - time.monotonic(), 0))
            assert ready, f"waited {timeout} s; seen: {self.seen[-2000:]!r}"
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                assert wanted is None, f"ended before {wanted!r}; seen: {self.seen[-2000:]!r}"
                break
            self.seen += data
        return self.seen.decode()

    def finish(self, timeout=30):
        """Answers (exit status, everything it showed), lines ended as in a file."""
        text = self.read_until(None, timeout).replace("\r\n", "\n")
        status = self.child.wait(timeout)
        os.close(self.master)
        return status, text
