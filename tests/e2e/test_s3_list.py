# SPDX-License-Identifier: Apache-2.0
"""Long listings of S3, side by side: every key once and in order, however the keys are written, for a few more requests."""
import bisect
import http.server
import json
import os
import random
import subprocess
import threading
import time
import urllib.parse

import pytest

from command import TENON


class Lister(http.server.BaseHTTPRequestHandler):
    """ListObjectsV2 of the server's keys, a little late."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        query = {k: v[0] for k, v in urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True).items()}
        server, keys = self.server, self.server.keys
        with server.lock:
            server.requests += 1
            server.under_way += 1
            server.most = max(server.most, server.under_way)
        time.sleep(server.delay_s)
        after = query.get("continuation-token", query.get("start-after", "")).encode()
        at = max(bisect.bisect_right(keys, after), bisect.bisect_left(keys, query["prefix"].encode()))
        page = []
        while at < len(keys) and len(page) < 1000 and keys[at].startswith(query["prefix"].encode()):
            page.append(keys[at])
            at += 1
        more = at < len(keys) and keys[at].startswith(query["prefix"].encode())
        entries = "".join(f"<Contents><Key>{urllib.parse.quote(k)}</Key><Size>{len(k)}</Size></Contents>" for k in page)
        token = f"<NextContinuationToken>{page[-1].decode()}</NextContinuationToken>" if more else ""
        body = (f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
                f"{token.replace('&', '&amp;').replace('<', '&lt;')}{entries}</ListBucketResult>").replace("&lt;NextC", "<NextC").replace("&lt;/NextC", "</NextC").encode()
        with server.lock:
            server.under_way -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def lister():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lister)
    server.daemon_threads = True
    server.lock, server.requests, server.under_way, server.most, server.delay_s = threading.Lock(), 0, 0, 0, 0.02
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()


def listed(server, *more):
    done = subprocess.run([TENON, "ls", "s3://bucket", "--objects", "--json", "--set", f"endpoint=http://127.0.0.1:{server.server_port}",
                           "--set", "region=us-east-1", "--set", "parallel_listing=yes", *more], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return [o["key"].encode() for o in json.loads(done.stdout)["result"]["objects"]]


def words(count):
    pick = random.Random(1)
    return ["".join(pick.choice("etaoin shrdlu") for _ in range(pick.randrange(3, 12))) for _ in range(count)]


SETS = {
    "none": [],
    "one": ["a"],
    "a page": [f"{i:04}" for i in range(1000)],
    "a page and one": [f"{i:04}" for i in range(1001)],
    "numbers": [f"logs/part-{i:06}.parquet" for i in range(30000)],
    "numbers without zeros": [f"logs/{i}" for i in range(20000)],
    "hexadecimal": [f"{random.Random(i).getrandbits(128):032x}" for i in range(20000)],
    "dates": [f"year={y}/month={m:02}/day={d:02}/{h:02}-{p}.csv" for y in range(2019, 2027) for m in range(1, 13) for d in range(1, 29)
              for h in range(0, 24, 6) for p in "ab"],
    "words": words(20000),
    "beyond ASCII": [f"größe/{chr(0x4e00 + i % 3000)}/{i}" for i in range(12000)],
    "odd": [f"a&b <{i}> +%\"'/ {i % 7}\t" for i in range(5000)],
    "all in one place": ["a"] + [f"zzz/zzz/zzz/{i:05}" for i in range(9000)] + ["~"],
    "deep": ["/".join(f"{i:04}") + "/x" for i in range(8000)],
}


@pytest.mark.parametrize("name", SETS)
def test_every_key_comes_once_and_in_order(lister, name):
    lister.keys = sorted({k.encode() for k in SETS[name]})
    assert listed(lister) == lister.keys
    pages = len(lister.keys) // 1000 + 1
    assert lister.requests <= 2 * pages + 60, (lister.requests, pages)
    if pages >= 20:
        assert lister.most >= 4
    if pages <= 2:
        assert lister.requests <= pages + 1


def test_a_prefix_bounds_it(lister):
    lister.keys = sorted(f"{a}/{i:05}".encode() for a in "abc" for i in range(9000))
    assert listed(lister, "--prefix", "b/") == [k for k in lister.keys if k.startswith(b"b/")]


def test_disorder_is_said(lister):
    lister.keys = sorted(f"{i:05}".encode() for i in range(9000))
    shuffled = lister.keys[:]
    random.Random(3).shuffle(shuffled)
    original = Lister.do_GET

    def late_disorder(self):
        if self.server.requests == 6:
            self.server.keys = shuffled
        original(self)
    Lister.do_GET = late_disorder
    try:
        done = subprocess.run([TENON, "ls", "s3://bucket", "--objects", "--json", "--set", f"endpoint=http://127.0.0.1:{lister.server_port}",
                               "--set", "region=us-east-1", "--set", "parallel_listing=yes"], capture_output=True)
    finally:
        Lister.do_GET = original
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "DATA" and "parallel_listing=no" in error["remedy"]


@pytest.mark.skipif(os.environ.get("TENON_FLAVOUR") != "plain", reason="a sanitizer's memory says nothing")
def test_memory_does_not_grow_with_the_listing(lister):
    most = []
    for count in (60000, 240000):
        lister.keys = [f"{i:07}".encode() for i in range(count)]
        lister.delay_s = 0
        done = subprocess.run(["/usr/bin/env", "python3", "-c",
                               "import resource,subprocess,sys; subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
                               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                               TENON, "ls", "s3://bucket", "--objects", "--json", "--set", f"endpoint=http://127.0.0.1:{lister.server_port}",
                               "--set", "region=us-east-1", "--set", "parallel_listing=yes"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        most.append(int(done.stdout))
    assert most[1] < 64 * 1024 and most[1] < most[0] + 16 * 1024, most
