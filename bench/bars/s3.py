# SPDX-License-Identifier: Apache-2.0
"""Objects of an S3 service on loopback, beside plain sockets and s5cmd: one big, many small, and their keys.

The service is bench/servers/s3_fast. A comparison counts only while the service alone, asked by several clients that
throw away what comes, does at least twice what Tenon does; that is measured in the same rounds and judged, too.
"""
import os
import pathlib
import subprocess
import tempfile
import zlib

from compare import DATA, Entrant, Wrong, rounds, run, say
from s3_service import DELAY_MS, LISTED, SMALL, SMALL_SIZE

BARS = ("B9",)
BIG = 2 << 30
KEY, CHECKED = f"x-{BIG}", f"checked/x-{BIG}"
CLIENTS = 2  # that ask the service at once, where it is measured alone
SHAPE = ("-c", "4", "-p", "8")  # s5cmd: as many connections and bytes a request as the others have
PROGRAMS = ("tenon", "raw", "s5cmd")


def s5cmd(s3, *words, **more):
    return Entrant("s5cmd", (s3.s5cmd, "--log", "error", *words), env=s3.s5cmd_env, **more)


def the_service_suffices(bench, what, contest):
    ratios = [CLIENTS * r for r in contest.ratios("tenon", "service")]
    bench.results.bar("B9", f"{what}: the service alone, Tenon = 1 (else void)", ratios, at_least=2)


def against_both(bench, what, contest):
    bench.results.keep(contest)
    per_gib = BIG / (1 << 30)
    say("  CPU s/GiB: " + ", ".join(f"{name} {contest.median(name, 'cpu_s') / per_gib:.3f}" for name in PROGRAMS)
        + f"; the service, with tenon {contest.median('tenon', 'server_cpu_s') / per_gib:.3f}")
    bench.results.bar("B9", f"{what}: bytes/s, plain sockets = 1", contest.ratios("raw", "tenon"), at_least=0.9)
    bench.results.bar("B9", f"{what}: CPU, s5cmd = 1", contest.ratios("tenon", "s5cmd", "cpu_s"), at_most=0.6)
    the_service_suffices(bench, what, contest)


# --- One big object ----------------------------------------------------------------------------------------------------


def crc_of_output(entrant):
    """Size and CRC of what a command writes to its standard output."""
    size = value = 0
    with subprocess.Popen([str(w) for w in entrant.command], stdout=subprocess.PIPE, env={**os.environ, **entrant.env}) as process:
        while piece := process.stdout.read(1 << 20):
            size, value = size + len(piece), zlib.crc32(piece, value)
    if process.returncode:
        raise Wrong(f"{entrant.name}: exit status {process.returncode}")
    return size, value


def crc_of_file(path):
    size = value = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            size, value = size + len(piece), zlib.crc32(piece, value)
    return size, value


def getters(s3, key):
    return [Entrant("tenon", s3.tenon("get", f"big:{key}", "-"), to_null=True),
            Entrant("raw", s3.raw("get", f"/big/{key}")),
            s5cmd(s3, "cat", *SHAPE, f"s3://big/{key}", to_null=True)]


def verify_get(s3):
    expected = BIG, s3.crc(KEY, BIG)
    for entrant in getters(s3, KEY):
        if entrant.name != "raw":
            came = crc_of_output(entrant)
        else:
            with tempfile.NamedTemporaryFile(dir=DATA) as file:
                run(entrant, s3.raw("get", f"/big/{KEY}", f"to={file.name}"))
                came = crc_of_file(file.name)
        if came != expected:
            raise Wrong(f"{entrant.name}: size and CRC of what came are {came}, not {expected}")


def get_big(bench, s3):
    verify_get(s3)
    alone = Entrant("service", s3.raw("get", f"/big/{KEY}", "discard=1", f"clients={CLIENTS}"))
    against_both(bench, "get 2 GiB", rounds("get 2 GiB", [*getters(s3, KEY), alone], bench.rounds, server=s3))


def putters(s3, path, key):
    return [Entrant("tenon", s3.tenon("put", path, f"big:{key}", "--quiet")),
            Entrant("raw", s3.raw("put", f"/big/{key}", f"from={path}")),
            s5cmd(s3, "cp", *SHAPE, path, f"s3://big/{key}")]


def verify_put(s3, path):
    """The service compares every byte that comes under a key checked/…, and refuses what differs."""
    for entrant in putters(s3, path, CHECKED):
        before = s3.counts()
        run(entrant)
        now = s3.counts()
        grown = {k: now[k] - before[k] for k in ("uploads", "differing", "aborted")}
        if grown != {"uploads": 1, "differing": 0, "aborted": 0} or now["bytes_in"] - before["bytes_in"] < BIG \
                or s3.size_put(f"/big/{CHECKED}") != BIG:
            raise Wrong(f"{entrant.name}: the service did not get the file as it is: {grown}")


def put_big(bench, s3):
    path = s3.file_of(CHECKED, BIG)
    try:
        verify_put(s3, path)
        alone = Entrant("service", s3.raw("put", f"/big/{KEY}", f"from={path}", "discard=1", f"clients={CLIENTS}"))
        against_both(bench, "put 2 GiB", rounds("put 2 GiB", [*putters(s3, path, KEY), alone], bench.rounds, server=s3))
    finally:
        path.unlink()


# --- Many small ones ---------------------------------------------------------------------------------------------------


def check_files(s3, who, folder):
    files = {f"small/{path.name}": path for path in pathlib.Path(folder).iterdir()}
    wrong = [k for k in s3.listings["small"] if k not in files or crc_of_file(files[k]) != (SMALL_SIZE, s3.crc(k, SMALL_SIZE))]
    if wrong or len(files) != SMALL:
        raise Wrong(f"{who}: {len(files)} files, {len(wrong)} of them wrong or missing, {wrong[:1]}")


def get_many(bench, s3):
    """All write files, into memory; the command and s5cmd learn of the objects by listing them, which is quicker for s5cmd
    than a command for each."""
    what, keys = f"get {SMALL} x 16 KiB", s3.keys_file("small")
    with tempfile.TemporaryDirectory(prefix="tenon-s3-", dir="/dev/shm") as folder:
        entrants = [Entrant("tenon", s3.objects("many", "small", f"keys={keys}", f"to={folder}")),
                    Entrant("command", s3.tenon("get", "small:small/", folder, "--recursive", "--quiet")),
                    s5cmd(s3, "cp", "s3://small/small/*", folder + "/", to_null=True)]
        for entrant in entrants:
            run(entrant)
            check_files(s3, entrant.name, folder)
            for path in pathlib.Path(folder).iterdir():
                path.unlink()
        limits = [Entrant("raw", s3.raw("many", "/small/", f"keys={keys}")),
                  Entrant("service", s3.raw("many", "/small/", f"keys={keys}", "ahead=8", "discard=1", f"clients={CLIENTS}"))]
        contest = rounds(what, [*entrants, *limits], bench.rounds, SMALL, s3)
    bench.results.keep(contest)
    bench.results.bar("B9", f"{what}: objects/s, s5cmd = 1", contest.ratios("s5cmd", "tenon"), at_least=1.5)
    bench.results.bar("B9", f"{what}, `tenon get --recursive`: objects/s, s5cmd = 1", contest.ratios("s5cmd", "command"), at_least=1.5)
    the_service_suffices(bench, what, contest)


# --- Keys --------------------------------------------------------------------------------------------------------------


def list_keys(bench, s3, name):
    entrants = [Entrant("tenon", s3.objects("list", name)), Entrant("serial", s3.raw("list", f"/{name}"))]
    wanted = s3.sum_of_keys(name)
    for entrant in entrants:
        said = run(entrant)["said"]
        if (said["rows"], said["sum"]) != (LISTED, wanted):
            raise Wrong(f"{entrant.name}: {said}, not {LISTED} rows with the sum {wanted}")
    alone = Entrant("service", s3.raw("list", f"/{name}-now", f"clients={CLIENTS}"))
    contest = rounds(f"list {LISTED} keys, {name}", [*entrants, alone], bench.rounds, LISTED, s3)
    bench.results.keep(contest)
    what = f"list {LISTED} keys, {name}, {DELAY_MS} ms a request"
    bench.results.bar("B9", f"{what}: keys/s, serial lister = 1", contest.ratios("serial", "tenon"), at_least=4)
    the_service_suffices(bench, what, contest)


# --- Memory ------------------------------------------------------------------------------------------------------------


def memory(bench, s3):
    """Much less beside it: what grows with the size shows."""
    prefix = s3.listings["flat"][0][:4]
    pairs = [("get", s3.tenon("get", f"big:{KEY}", "-"), s3.tenon("get", f"big:x-{BIG // 4}", "-"), True),
             ("list", s3.objects("list", "flat"), s3.objects("list", "flat", f"prefix={prefix}"), False)]
    for what, whole, some, to_null in pairs:
        contest = rounds(f"memory of {what}", [Entrant("whole", whole, to_null=to_null),
                                               Entrant("some", some, to_null=to_null)], bench.rounds, timed=False)
        bench.results.keep(contest)
        bench.results.bar("B9", f"{what}: RSS, of a part of it = 1", contest.ratios("whole", "some", "rss_kb"), at_most=1.2)


def measure(bench):
    s3 = bench.s3
    get_big(bench, s3)
    put_big(bench, s3)
    get_many(bench, s3)
    list_keys(bench, s3, "flat")
    list_keys(bench, s3, "nested")
    memory(bench, s3)
