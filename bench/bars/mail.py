# SPDX-License-Identifier: Apache-2.0
"""Mails of 2 KB in one session, beside libcurl over one connection, at bench/servers/smtp_fast.

libcurl sends messages that were written before its clock starts; Tenon writes them while it sends. The comparison counts
only while the server alone, asked by a few sessions side by side, does at least twice what Tenon does.
"""
import atexit
import os
import socket
import subprocess

from compare import BUILD, Entrant, Wrong, rounds, run, say

BARS = ("B14b",)
COUNT = 5_000
SESSIONS = 4
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self):
        self.process = subprocess.Popen([BUILD / "smtp_fast"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        atexit.register(self.process.terminate)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def counts(self):
        """(mails, bytes, lines that were no command, sum over the texts' hashes) so far."""
        with socket.create_connection(("127.0.0.1", self.port)) as s, s.makefile("rb") as lines:
            lines.readline()
            s.sendall(b"STAT\r\n")
            _, mails, size, strange, total = lines.readline().split()
        return int(mails), int(size), int(strange), int(total, 16)


def verify(server, entrants):
    for entrant in entrants:
        before = server.counts()
        said = run(entrant)["said"]
        after = server.counts()
        came = (after[0] - before[0], after[2], f"{(after[3] - before[3]) % 2 ** 64:016x}")
        if came != (COUNT, 0, said["sum"]) or said["rows"] != COUNT:
            raise Wrong(f"{entrant.name}: {came} came, {said} was said")
        say(f"  {entrant.name}: {COUNT} mails of {(after[1] - before[1]) / COUNT:.0f} bytes came as they are")


def measure(bench):
    server = Server()
    entrants = [Entrant("tenon", (BUILD / "mail", server.port, COUNT), own_clock=True),
                Entrant("libcurl", (BUILD / "curl_smtp", server.port, COUNT), own_clock=True),
                Entrant("server", (BUILD / "raw_smtp", server.port, COUNT, SESSIONS), own_clock=True)]
    verify(server, entrants)
    what = f"{COUNT} mails of 2 KB"
    contest = rounds(what, entrants, bench.rounds, COUNT, server)
    bench.results.keep(contest)
    bench.results.bar("B14b", f"{what}: mails/s, libcurl = 1", contest.ratios("libcurl", "tenon"), at_least=1.5)
    bench.results.bar("B14b", f"{what}: CPU, libcurl = 1", contest.ratios("tenon", "libcurl", "cpu_s"), at_most=1)
    bench.results.bar("B14b", f"{what}: the server alone, Tenon = 1 (else void)", contest.ratios("tenon", "server"), at_least=2)
