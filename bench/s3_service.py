# SPDX-License-Identifier: Apache-2.0
"""The S3 service of the benchmarks: bench/servers/s3_fast on loopback, what it holds, and what the clients are told.

Its objects' bytes are those of a file that is made here, from a place that depends on the key: so what has to come is
known without asking the server.
"""
import atexit
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.request
import zlib

from compare import BUILD, DATA, Wrong, say

TICKS = os.sysconf("SC_CLK_TCK")
PART = 8 << 20
PATTERN_SIZE = 257 * 4096  # shares no factor with the size of a part: one that comes twice, or elsewhere, is noticed
SMALL, SMALL_SIZE = 5_000, 16 << 10
LISTED, DELAY_MS = 200_000, 20
MASK = 2 ** 64 - 1


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 & MASK
    return value


def small_keys():
    return [f"small/{i:06}-{SMALL_SIZE}" for i in range(SMALL)]


def flat_keys():
    return [f"{i * 7919:012}-{i % 100_000}" for i in range(LISTED)]


def nested_keys():
    """Folders of folders, of uneven sizes: a few hold most of the keys."""
    folders = [f"{region}/{day:03}" for region in ("ap-south", "eu-central", "eu-west", "sa-east", "us-east") for day in range(100)]
    weights = [1 + 40 * (i % 25 == 0) + 9 * (i % 7 == 0) for i in range(len(folders))]
    counts = [LISTED * w // sum(weights) for w in weights]
    counts[0] += LISTED - sum(counts)
    return [f"{folder}/part-{i:06}-{i}" for folder, n in zip(folders, counts) for i in range(n)]


class Service:
    def __init__(self):
        DATA.mkdir(parents=True, exist_ok=True)
        self.pattern = hashlib.shake_128(b"tenon").digest(PATTERN_SIZE)
        pattern = DATA / "s3_pattern"
        pattern.write_bytes(self.pattern)
        self.listings = {"small": small_keys(), "flat": flat_keys(), "nested": nested_keys()}
        for name, keys in self.listings.items():
            self.keys_file(name).write_text("".join(key + "\n" for key in keys))
        buckets = [("small", "small", 0), ("flat", "flat", DELAY_MS), ("nested", "nested", DELAY_MS),
                   ("flat-now", "flat", 0), ("nested-now", "nested", 0)]
        self.process = subprocess.Popen(
            [BUILD / "s3_fast", pattern, f"part={PART}", *(f"bucket={b},{self.keys_file(f)},{d}" for b, f, d in buckets)],
            stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        line = self.process.stdout.readline()
        if not line.startswith("PORT="):
            raise Wrong("s3_fast did not start")
        self.port = int(line[5:])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.connectors = DATA / "s3.yaml"
        every = ["big", *(name for name, _, _ in buckets)]
        self.connectors.write_text("connectors:\n" + "".join(
            f'  {b}: {{kind: s3, bucket: {b}, region: us-east-1, endpoint: "{self.endpoint}", path_style: "yes", '
            f'parallel_listing: "yes", access_key_id: key, secret_access_key: secret}}\n' for b in every))
        self.s5cmd_env = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
                          "S3_ENDPOINT_URL": self.endpoint}

    def keys_file(self, name):
        return DATA / f"s3_{name}.keys"

    @property
    def s5cmd(self):
        found = list(pathlib.Path(sys.prefix).glob("lib/python*/site-packages/s5cmd/bin/s5cmd"))
        if not found:
            raise Wrong("s5cmd is not set up; call tools/setup bench")
        return found[0]  # the program itself: the one in venv/bin starts Python first

    def tenon(self, *words):
        return (BUILD / "tenon", *words, "--connectors", self.connectors)

    def objects(self, *words):
        return (BUILD / "objects", *words, f"connectors={self.connectors}")

    def raw(self, what, target, *options):
        return (BUILD / "raw_s3", what, str(self.port), target, *options)

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def counts(self):
        with urllib.request.urlopen(f"{self.endpoint}/-/counts") as reply:
            return json.load(reply)

    def size_put(self, path):
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}{path}", method="HEAD")) as reply:
            return int(reply.headers["content-length"])

    # --- What has to come ---

    def pieces(self, key, size):
        """The object's bytes, some at a time."""
        at = fnv(key.encode()) % (PATTERN_SIZE // 4096) * 4096
        view = memoryview(self.pattern)
        while size:
            piece = view[at:at + size]
            yield piece
            size -= len(piece)
            at = 0

    def crc(self, key, size):
        value = 0
        for piece in self.pieces(key, size):
            value = zlib.crc32(piece, value)
        return value

    def file_of(self, key, size):
        """A file with the object's bytes."""
        path = DATA / f"s3_{size}.bin"
        say(f"making {path.name}")
        with path.open("wb") as file:
            for piece in self.pieces(key, size):
                file.write(piece)
        return path

    def sum_of_keys(self, name):
        return f"{sum(fnv(key.encode()) for key in self.listings[name]) & MASK:016x}"
