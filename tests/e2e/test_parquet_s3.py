# SPDX-License-Identifier: Apache-2.0
"""Parquet in S3: only the footer and the needed chunks travel, and the rows are those of the file at hand."""
import os
import random
import re
import socket
import struct
import threading
import urllib.parse

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from test_parquet import every_type
from test_s3 import Lake, s3  # noqa: F401 - a fixture

TAIL = 64 << 10
REPLY = 2048  # at most, of a reply: its head
COLUMNS, ROWS, GROUP = 50, 60_000, 15_000


class Relay:
    """Connections to the server, which are counted; `before(n)` is called before the n-th range is asked for."""

    def __init__(self, endpoint):
        at = urllib.parse.urlsplit(endpoint)
        self.upstream, self.held, self.before = (at.hostname, at.port), [], None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.clear()
        threading.Thread(target=self.accept, daemon=True).start()

    def clear(self):
        self.bytes, self.ranges, self.requests = 0, [], 0

    def close(self):
        self.listener.close()
        for sock in self.held:
            sock.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.upstream)
            self.held += [client, server]
            threading.Thread(target=self.requests_of, args=(client, server), daemon=True).start()
            threading.Thread(target=self.replies_of, args=(server, client), daemon=True).start()

    def requests_of(self, client, server):
        try:
            while data := client.recv(1 << 16):
                self.requests += len(re.findall(rb"(?:^|\n)(?:GET|HEAD) /", data))
                for first, last in re.findall(rb"\r\nrange: bytes=(\d+)-(\d+)", data, re.I):
                    self.ranges.append((int(first), int(last)))
                    if self.before:
                        self.before(len(self.ranges))
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def replies_of(self, server, client):
        try:
            while data := server.recv(1 << 16):
                self.bytes += len(data)
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture(scope="module")
def bucket(s3, tmp_path_factory):  # noqa: F811
    """One for all tests here, behind a relay: connector `far`."""
    relay, name = Relay(os.environ["TENON_S3_ENDPOINT"]), f"far-{random.randrange(1 << 40):x}"
    lake = Lake(tmp_path_factory.mktemp("far"), s3, name)
    lake.relay = relay
    s3.create_bucket(Bucket=name)
    keys = f"access_key_id: {os.environ['TENON_S3_ACCESS_KEY_ID']}, secret_access_key: $ENV:TENON_S3_SECRET_ACCESS_KEY"
    (lake.folder / "tenon.yaml").write_text(f"""
connectors:
  far: {{kind: s3, bucket: {name}, endpoint: "{relay.endpoint}", {keys}}}
""")
    yield lake
    relay.close()
    for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def far(bucket):
    bucket.relay.before = None
    bucket.relay.clear()
    return bucket


def rows(lake, *words):
    lake.good("read", *words, "-q", "-o", "rows.arrow")
    with pa.OSFile(str(lake.folder / "rows.arrow")) as file:
        return pa.ipc.open_stream(file).read_all()


def put(far, table, key="t.parquet", **options):
    pq.write_table(table, far.folder / key, **options)
    far.put(key, (far.folder / key).read_bytes())
    return pq.ParquetFile(far.folder / key).metadata


def bits(table):
    """NaN is not equal to itself, its bits are."""
    return pa.table({name: pa.chunked_array([c.view(pa.int64()) for c in column.chunks], pa.int64()) if column.type == pa.float64() else column
                     for name, column in zip(table.column_names, table.columns)})


def same(far, *words, key="t.parquet"):
    """The rows of the object are those of the file. Tells what travelled."""
    here = rows(far, f'./{key}', *words)
    far.relay.clear()
    there = rows(far, f'far:"{key}"', *words)
    moved = far.relay.bytes
    assert there.schema.equals(here.schema, check_metadata=True)
    assert bits(there).equals(bits(here))
    return moved


def chunk_bytes(metadata, columns, groups=None):
    return sum(metadata.row_group(g).column(c).total_compressed_size for g in range(metadata.num_row_groups)[:groups]
               for c in range(metadata.num_columns) if metadata.row_group(g).column(c).path_in_schema.split(".")[0] in columns)


def wide_table():
    pick = random.Random(7)
    return pa.table({f"c{i}": pa.array([pick.random() for _ in range(ROWS)]) if i % 3 else
                     pa.array([f"{pick.randrange(5000)}" for _ in range(ROWS)]) for i in range(COLUMNS)})


@pytest.fixture(scope="module")
def wide():
    return wide_table()


@pytest.fixture(scope="module")
def metadata(bucket, wide):
    """Of the object w.parquet, which nobody changes."""
    return put(bucket, wide, "w.parquet", row_group_size=GROUP)


@pytest.mark.parametrize("columns", [("c1", "c2", "c3"), ("c0", "c24", "c49"), ("c40", "c7", "c12")])
def test_three_of_fifty_columns_are_what_travels(far, metadata, columns):
    needed = chunk_bytes(metadata, columns) + metadata.serialized_size + 8
    moved = same(far, "--columns", ",".join(columns), key="w.parquet")
    print(f"moved {moved} bytes, {moved / needed:.3f} x the {needed} needed, in {len(far.relay.ranges)} ranges")
    assert moved <= 1.2 * needed


def test_columns_of_conditions_travel_too(far, metadata):
    needed = chunk_bytes(metadata, ("c1", "c3", "c30")) + metadata.serialized_size + 8
    words = ("--columns", "c1", "--where", "c3 = '77'", "--where", "c30 >= '4'")
    assert same(far, *words, key="w.parquet") <= 1.2 * needed
    assert rows(far, 'far:"w.parquet"', *words).num_rows > 0


def test_of_a_limit_the_first_groups_travel(far, metadata):
    for limit, groups in ((1, 1), (GROUP, 1), (GROUP + 1, 2), (ROWS + 5, 4)):
        needed = chunk_bytes(metadata, ("c5", "c6"), groups) + metadata.serialized_size + 8
        assert same(far, "--columns", "c5,c6", "--limit", limit, key="w.parquet") <= 1.2 * needed


def test_to_be_described_takes_the_footer(far, metadata):
    told = far.good("describe", 'far:"w.parquet"', "--json")
    assert b'"c49"' in told
    assert far.relay.bytes <= max(TAIL, metadata.serialized_size + 8) + 3 * REPLY
    assert len(far.relay.ranges) == 1
    far.relay.clear()
    assert rows(far, 'far:"w.parquet"', "--limit", 0).num_rows == 0
    assert far.relay.bytes <= TAIL + 3 * REPLY


def test_a_footer_that_is_longer_comes_in_two_ranges(far):
    table = pa.table({f"a column with a long name, number {i}": pa.array(range(100), pa.int64()) for i in range(300)})
    metadata = put(far, table, row_group_size=20)
    assert metadata.serialized_size > TAIL
    assert same(far) > 0
    far.relay.clear()
    far.good("describe", 'far:"t.parquet"')
    assert [last - first + 1 for first, last in far.relay.ranges] == [TAIL, metadata.serialized_size + 8 - TAIL]


WAYS = {
    "plain": dict(use_dictionary=False, compression="none"),
    "dictionaries": dict(use_dictionary=True, compression="zstd"),
    "version 2 pages": dict(data_page_version="2.0", compression="snappy"),
    "small pages": dict(data_page_size=2000, write_page_index=True),
    "page indexes": dict(write_page_index=True, write_page_checksum=True, data_page_size=5000),
    "gzip": dict(compression="gzip"),
    "no statistics": dict(write_statistics=False, compression="lz4"),
    "Bloom filters": dict(bloom_filter_options={"id": {"ndv": 3000}, "text": True, "int32": True}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_type_and_way_to_write_it(far, way):
    put(far, every_type(), row_group_size=300, **WAYS[way])
    same(far)
    for columns in ("id,list", "struct,map,timestamp_ns_tz", "text,dictionary,decimal38", "nested_ns,bool"):
        same(far, "--columns", columns)
    same(far, "--columns", "text", "--where", "id = 1234")
    same(far, "--columns", "id,fixed_list", "--where", "text = 'äöü'", "--where", "int32 <> 4")
    same(far, "--where", "id >= 900", "--where", "id < 1500", "--columns", "struct", "--limit", 17)
    same(far, "--columns", "timestamp_ns_tz,time64ns", "--limit", 301)
    same(far, "--columns", "id", "--order", "int32", "--limit", 20)


@pytest.mark.parametrize("encoding", ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN"])
def test_encodings(far, encoding):
    kind = pa.float64() if encoding == "BYTE_STREAM_SPLIT" else pa.int64()
    table = pa.table({f"c{i}": pa.array([(i * k) ** 2 % 100_003 for k in range(50_000)], kind) for i in range(8)})
    put(far, table, use_dictionary=False, column_encoding=encoding, row_group_size=9000)
    same(far, "--columns", "c3,c7")


def test_many_files_as_one_table(far, wide):
    for i in range(3):
        metadata = put(far, wide.slice(i * 1000, 30_000), f"part-{i}.parquet")
    needed = 3 * (chunk_bytes(metadata, ("c4",)) + 2 * TAIL)
    here = rows(far, "./part-*.parquet", "--columns", "c4")
    far.relay.clear()
    there = rows(far, 'far:"part-*.parquet"', "--columns", "c4")
    assert there.equals(here) and there.num_rows == 90_000
    assert far.relay.bytes <= 1.2 * needed


@pytest.mark.parametrize("nth", [2, 3, 5])
def test_an_object_that_is_replaced_meanwhile_is_a_conflict(far, wide, nth):
    put(far, wide, row_group_size=GROUP)
    other = (far.folder / "t.parquet").read_bytes()

    def replace(n):
        if n == nth:
            far.put("t.parquet", other[:100] + b"\xff" + other[101:])

    far.relay.before = replace
    error = far.bad("read", 'far:"t.parquet"', "--columns", "c1,c30", "-o", "out.arrow")
    assert error["code"] == "CONFLICT", error
    assert not (far.folder / "out.arrow").exists()


@pytest.mark.parametrize("compression", ["none", "zstd"])   # longer, shorter
def test_an_object_of_another_size_than_was_seen_is_looked_at_again(far, wide, compression):
    put(far, wide, row_group_size=GROUP, compression="snappy")
    pq.write_table(wide.slice(500), far.folder / "other.parquet", compression=compression)
    far.relay.before = lambda n: far.put("t.parquet", (far.folder / "other.parquet").read_bytes()) if n == 1 else None
    assert rows(far, 'far:"t.parquet"', "--columns", "c1").equals(rows(far, "./other.parquet", "--columns", "c1"))


def test_files_that_are_none_are_said_to_be_so(far, metadata):
    good = (far.folder / "w.parquet").read_bytes()
    size = struct.unpack("<I", good[-8:-4])[0]
    for bad in (good[:-1], good[:-4] + b"PARX", good[: len(good) // 2], good[:-8] + struct.pack("<I", 1 << 31) + b"PAR1", bytes(100_000),
                good[:-8 - size] + bytes(size) + good[-8:], good[:-8] + struct.pack("<I", size + 100_000) + b"PAR1", b"PAR1", b""):
        far.put("bad.parquet", bad)
        error = far.bad("read", 'far:"bad.parquet"', "--columns", "c1")
        assert (error["code"], "bad.parquet" in error["message"]) == ("DATA", True), error


def varint(n):
    """As Thrift's compact protocol writes a number."""
    out, n = b"", 2 * n
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def test_a_page_that_leaves_its_chunk_is_an_error(far):
    """What lies behind it did not come: the engine would take zeros for values."""
    table = pa.table({"a": pa.array(range(40_000), pa.int64()), "b": pa.array(range(40_000), pa.int64())})
    metadata = put(far, table, use_dictionary=False, compression="none", write_statistics=False)
    size = metadata.row_group(0).column(0).total_compressed_size
    said, lie = (b"\x16" + varint(n) + b"\x26" + varint(4) for n in (size, size - 100_000))   # its size, and where its pages begin
    good = (far.folder / "t.parquet").read_bytes()
    assert good.count(said) == 1 and len(lie) == len(said)
    far.put("t.parquet", good.replace(said, lie))
    error = far.bad("read", 'far:"t.parquet"', "--columns", "a")
    assert error["code"] == "DATA" and "chunk" in error["message"], error


@pytest.mark.parametrize("seed", range(3))
def test_hostile_footers_never_make_other_rows(far, seed):
    """Bytes of the footer are others: what is read from afar is what is read here, or an error."""
    pick, read = random.Random(seed), 0
    table = pa.table({f"c{i}": pa.array([pick.randrange(1000) for _ in range(20_000)], pa.int64()) for i in range(4)})
    put(far, table, use_dictionary=bool(seed % 2), compression="none", write_statistics=seed == 2, row_group_size=7000)
    good = (far.folder / "t.parquet").read_bytes()
    footer = len(good) - 8 - struct.unpack("<I", good[-8:-4])[0]
    end = good.index(b"ARROW:schema", footer)
    for _ in range(20):
        bad = bytearray(good)
        for _ in range(pick.choice([1, 1, 2])):
            bad[pick.randrange(footer, end)] = pick.randrange(256)
        (far.folder / "h.parquet").write_bytes(bad)
        far.put("h.parquet", bytes(bad))
        words = ("--columns", f"c{pick.randrange(4)}", "-q", "-o", "rows.arrow")
        if far.tenon("read", 'far:"h.parquet"', *words).returncode:
            continue
        there = pa.ipc.open_stream((far.folder / "rows.arrow").read_bytes()).read_all()
        assert far.tenon("read", "./h.parquet", *words).returncode == 0
        assert there.equals(pa.ipc.open_stream((far.folder / "rows.arrow").read_bytes()).read_all())
        read += 1
    assert read   # some bytes do not matter
