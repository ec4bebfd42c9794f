# SPDX-License-Identifier: Apache-2.0
"""The kind s3 against a server that checks signatures; boto3 reads what we put, and the reverse."""
import hashlib
import json
import os
import random
import subprocess
import urllib.request

import boto3
import botocore.client
import pyarrow as pa
import pyarrow.parquet
import pytest

from command import TENON

PART = 8 << 20
ODD_KEYS = ["plain", "a b", "a+b", "a%20b", "é/ü/漢字", "..", "./x", "a//b", "x/../y", "quote'\"<>&", "tilde~", "q?u=1&v#f",
            "tab\tin", "star*", "colon:colon", "back\\slash", "emoji😀", "a=b;c,d", "[x]{y}", "end/"]
# SeaweedFS keeps objects in folders: these it changes or refuses whoever asks
KEPT_BY_FOLDERS = {"..", "./x", "a//b", "x/../y", "end/", "back\\slash"}


def random_bytes(size):
    return random.Random(size).randbytes(size)


@pytest.fixture(scope="module")
def s3():
    return boto3.client("s3", endpoint_url=os.environ["TENON_S3_ENDPOINT"], region_name="us-east-1",
                        aws_access_key_id=os.environ["TENON_S3_ACCESS_KEY_ID"],
                        aws_secret_access_key=os.environ["TENON_S3_SECRET_ACCESS_KEY"],
                        config=botocore.client.Config(s3={"addressing_style": "path"}))


@pytest.fixture
def lake(s3, tmp_path):
    """A folder with a tenon.yaml whose connectors are a bucket of the test's own."""
    bucket = f"b-{random.randrange(1 << 40):x}"
    s3.create_bucket(Bucket=bucket)
    keys = f"access_key_id: {os.environ['TENON_S3_ACCESS_KEY_ID']}, secret_access_key: $ENV:TENON_S3_SECRET_ACCESS_KEY"
    (tmp_path / "tenon.yaml").write_text(f"""
connectors:
  lake: {{kind: s3, bucket: {bucket}, endpoint: "{os.environ['TENON_S3_ENDPOINT']}", {keys}}}
  tls: {{kind: s3, bucket: {bucket}, endpoint: "{os.environ['TENON_S3_TLS_ENDPOINT']}", ca: "$FILE:{os.environ['TENON_S3_CA']}", {keys}}}
  untrusted: {{kind: s3, bucket: {bucket}, endpoint: "{os.environ['TENON_S3_TLS_ENDPOINT']}", {keys}}}
""")
    yield Lake(tmp_path, s3, bucket)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)


class Lake:
    def __init__(self, folder, s3, bucket):
        self.folder, self.s3, self.bucket = folder, s3, bucket

    def tenon(self, *arguments, stdin=None):
        return subprocess.run([TENON, *map(str, arguments)], cwd=self.folder, input=stdin, capture_output=True)

    def good(self, *arguments, stdin=None):
        done = self.tenon(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def bad(self, *arguments, stdin=None):
        done = self.tenon(*arguments, "--json", stdin=stdin)
        assert done.returncode != 0
        return json.loads(done.stdout)["error"]

    def put(self, key, data):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()


@pytest.mark.parametrize("size", [0, 1, 1000, PART - 1, PART, PART + 1, 3 * PART + 12345])
def test_bytes_come_back_whatever_their_number(lake, size):
    data = random_bytes(size)
    (lake.folder / "in").write_bytes(data)
    lake.good("put", "in", "lake:file")
    lake.good("put", "-", "lake:stream", stdin=data)
    assert lake.get("file") == data
    assert lake.get("stream") == data
    lake.put("theirs", data)
    for key in ("file", "stream", "theirs"):
        lake.good("get", f"lake:{key}", "out")
        assert (lake.folder / "out").read_bytes() == data


@pytest.mark.parametrize("offset, length", [(0, 0), (0, 1), (5, 10), (PART - 3, 7), (PART, PART), (1, 2 * PART + 5), (2 * PART + 99, None),
                                            (2 * PART + 100, None)])
def test_parts_of_objects(lake, offset, length):
    data = random_bytes(2 * PART + 100)
    lake.put("x", data)
    more = [] if length is None else ["--length", length]
    assert lake.good("get", "lake:x", "-", "--offset", offset, *more) == data[offset:None if length is None else offset + length]


def test_a_range_behind_the_end_is_said(lake):
    lake.put("x", b"123")
    assert lake.bad("get", "lake:x", "out", "--offset", 4)["code"] == "DATA"
    assert not (lake.folder / "out").exists()


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_are_taken_as_they_are(lake, key):
    if key in KEPT_BY_FOLDERS:
        pytest.skip("the server keeps objects in folders, and changes such a key itself")
    lake.good("put", "-", f"lake:{key}", stdin=key.encode())
    assert lake.get(key) == key.encode()
    assert lake.good("get", f"lake:{key}", "-") == key.encode()
    listed = json.loads(lake.good("ls", "lake", "--objects", "--json"))["result"]["objects"]
    assert [o["key"] for o in listed] == [key]
    lake.good("rm", f"lake:{key}")
    assert lake.bad("stat", f"lake:{key}")["code"] == "NOT_FOUND"


def test_stat_says_what_the_service_says(lake):
    lake.put("x", b"12345")
    told = json.loads(lake.good("stat", "lake:x", "--json"))["result"]
    head = lake.s3.head_object(Bucket=lake.bucket, Key="x")
    assert (told["size"], told["etag"]) == (5, head["ETag"])
    assert told["modified"] == head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_conditions_are_kept(lake):
    lake.good("put", "-", "lake:x", "--if-absent", stdin=b"first")
    assert lake.bad("put", "-", "lake:x", "--if-absent", stdin=b"second")["code"] == "CONFLICT"
    assert lake.get("x") == b"first"
    big = random_bytes(PART + 1)
    assert lake.bad("put", "-", "lake:x", "--if-absent", stdin=big)["code"] == "CONFLICT"
    assert lake.get("x") == b"first"
    assert "Uploads" not in lake.s3.list_multipart_uploads(Bucket=lake.bucket)
    assert lake.bad("get", "lake:x", "out", "--if-match", '"nonsense"')["code"] == "CONFLICT"
    names = [o["Key"] for o in lake.s3.list_objects_v2(Bucket=lake.bucket)["Contents"]]
    assert names == ["x"]   # nothing is left of trying the conditions out


def test_a_stream_that_breaks_leaves_nothing(lake):
    upload = subprocess.Popen([TENON, "put", "-", "lake:y"], cwd=lake.folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    upload.stdin.write(bytes(2 * PART))
    upload.stdin.flush()
    upload.terminate()
    assert upload.wait(10) != 0
    assert lake.bad("stat", "lake:y")["code"] == "NOT_FOUND"
    assert "Uploads" not in lake.s3.list_multipart_uploads(Bucket=lake.bucket)


def test_a_signed_url_is_good_for_anybody(lake):
    lake.put("a b", b"signed")
    assert lake.bad("presign", "lake:a b", "--expires", "0")["code"] == "CONFIG"
    url = lake.good("presign", "lake:a b").decode().removesuffix("\n")
    assert urllib.request.urlopen(url).read() == b"signed"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url.replace("a%20b", "a%20c"))
    url = lake.good("presign", "lake:new", "--put", "--expires", "1m").decode().strip()
    urllib.request.urlopen(urllib.request.Request(url, b"by url", method="PUT", headers={"Content-Type": ""}))
    assert lake.get("new") == b"by url"


def test_many_keys_are_listed_page_by_page(lake):
    keys = sorted(f"k/{i % 7}/{i:05}" for i in range(2345))
    for key in keys:
        lake.put(key, b"")
    told = json.loads(lake.good("ls", "lake", "--objects", "--json"))["result"]["objects"]
    assert sorted(o["key"] for o in told) == keys
    told = json.loads(lake.good("ls", "lake", "--objects", "--prefix", "k/3/", "--json"))["result"]["objects"]
    assert [o["key"] for o in told] == [k for k in keys if k.startswith("k/3/")]


def test_rows_go_there_and_back(lake):
    table = pa.table({"id": pa.array(range(1000), pa.int64()), "name": [f"n{i}" if i % 3 else None for i in range(1000)],
                      "amount": pa.array([i / 4 for i in range(1000)], pa.float64())})
    pyarrow.parquet.write_table(table, lake.folder / "in.parquet")
    for name in ("a.parquet", "a.csv", "a.jsonl", "a.arrow"):
        lake.good("copy", "in.parquet", f"lake:rows/{name}")
    assert pyarrow.parquet.read_table(pa.BufferReader(lake.get("rows/a.parquet"))).to_pylist() == table.to_pylist()
    assert pa.ipc.open_stream(lake.get("rows/a.arrow")).read_all().to_pylist() == table.to_pylist()
    lake.good("copy", 'lake:"rows/a.parquet"', "back.parquet")
    assert pyarrow.parquet.read_table(lake.folder / "back.parquet").to_pylist() == table.to_pylist()
    assert lake.good("read", 'lake:"rows/a.csv"', "--where", "id >= 998", "--columns", "id", "--format", "csv").split() == [b"id", b"998", b"999"]


def test_a_url_names_the_object(lake):
    lake.put("dir/x.csv", b"a,b\n1,2\n")
    endpoint = os.environ["TENON_S3_ENDPOINT"].replace(":", "%3A")
    keys = f"access_key_id={os.environ['TENON_S3_ACCESS_KEY_ID']}&secret_access_key=$ENV:TENON_S3_SECRET_ACCESS_KEY"
    url = f"s3://{lake.bucket}/dir/x.csv?endpoint={endpoint}&region=us-east-1&{keys.replace('$ENV:', '$ENV%3A')}"
    assert lake.good("read", url, "--format", "csv") == b"a,b\n1,2\n"
    assert lake.good("get", url, "-") == b"a,b\n1,2\n"


@pytest.mark.parametrize("settings, stage, code, remedy", [
    (["secret_access_key=wrong"], "auth", "UNAUTHENTICATED", "secret_access_key"),
    (["access_key_id=AKNOBODY"], "auth", "UNAUTHENTICATED", "access_key_id"),
    (["bucket=there-is-none-of-it"], "query", "NOT_FOUND", "bucket"),
    (["endpoint=http://127.0.0.1:1"], "tcp", "UNREACHABLE", "listens"),
    (["endpoint=http://there.is.no.such.host.invalid"], "dns", "UNREACHABLE", "spelling"),
    (["endpoint=https://127.0.0.1:{plain}"], "tls", "TLS", "TLS"),
    (["endpoint=ftp://x"], "config", "CONFIG", "https://"),
    (["bucket=a/b"], "config", "CONFIG", "bucket"),
    (["access_key_id="], "config", "CONFIG", "both"),
])
def test_the_test_says_what_is_wrong(lake, settings, stage, code, remedy):
    plain = os.environ["TENON_S3_ENDPOINT"].rsplit(":", 1)[1]
    more = [word for s in settings for word in ("--set", s.format(plain=plain))]
    error = lake.bad("test", "lake", *more)
    assert (error["stage"], error["code"]) == (stage, code), error
    assert remedy in error["remedy"]
    assert "secret-s3-key" not in json.dumps(error)


def test_keys_come_from_the_environment_where_that_is_asked(lake):
    lake.put("x", b"by environment")
    words = ["get", f"s3://{lake.bucket}/x", "-", "--set", f"endpoint={os.environ['TENON_S3_ENDPOINT']}"]
    keys = {"AWS_ACCESS_KEY_ID": os.environ["TENON_S3_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": os.environ["TENON_S3_SECRET_ACCESS_KEY"],
            "AWS_REGION": "us-east-1"}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

    def get(*more, env):
        return subprocess.run([TENON, *words, *more], env=env, capture_output=True)
    assert get("--set", "credentials=environment", env={**clean, **keys}).stdout == b"by environment"
    assert b"FORBIDDEN" in get(env={**clean, **keys}).stderr   # nobody asked for them
    wrong = get("--set", "credentials=environment", "--set", "secret_access_key=other", env={**clean, **keys}).stderr
    assert b"UNAUTHENTICATED" in wrong   # what is given goes first
    none = get("--set", "credentials=environment", env=clean).stderr
    assert b"CONFIG" in none and b"AWS_ACCESS_KEY_ID" in none


def test_certificates_are_verified(lake):
    lake.put("x", b"over TLS")
    assert lake.good("get", "tls:x", "-") == b"over TLS"
    error = lake.bad("test", "untrusted")
    assert (error["stage"], error["code"]) == ("tls", "TLS")
    assert "CA" in error["remedy"]
    assert lake.good("get", "untrusted:x", "-", "--set", "insecure=true") == b"over TLS"
    steps = json.loads(lake.good("test", "tls", "--json"))["result"]["steps"]
    assert [s["name"] for s in steps] == ["dns", "tcp", "tls", "auth", "probe"]


def test_memory_is_flat(lake):
    data = random_bytes(1 << 20) * 96
    lake.put("big", data)
    done = subprocess.run(["/usr/bin/env", "python3", "-c",
                           "import resource,subprocess,sys; subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
                           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)",
                           TENON, "get", "lake:big", "-"], cwd=lake.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if os.environ["TENON_FLAVOUR"] == "plain":
        assert int(done.stderr.split()[-1]) < 100 * 1024
    got = subprocess.run([TENON, "get", "lake:big", "-"], cwd=lake.folder, capture_output=True).stdout
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
