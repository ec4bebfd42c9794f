# SPDX-License-Identifier: Apache-2.0
"""Parquet behind a URL: only what is needed travels, and no answer depends on what did not. Row groups are passed by for
what their statistics say, so answers are compared with those of plain Python over all rows, for filters of all sorts and columns of
all types, also where the bounds are looser than the values (as writers make them that cut long texts)."""
import concurrent.futures
import contextlib
import datetime as dt
import decimal
import http.server
import random
import subprocess
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command import TENON

GROUPS, ROWS = 16, 60


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        files, ranges = self.server.files, self.server.ranges
        name = self.path.strip("/")
        if name not in files:
            return self.send_error(404)
        data, asked = files[name], self.headers.get("Range") if ranges else None
        first, last = 0, len(data) - 1
        if asked:
            first, end = asked.removeprefix("bytes=").split("-")
            first, last = int(first), min(int(end or last), last)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("ETag", f'"{hash(data)}"')
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if self.command == "GET":
            with self.server.lock:
                self.server.moved += last + 1 - first
                self.server.requests += 1
                self.server.most = max(self.server.most, self.server.requests)
                self.server.lock.notify_all()
                if self.server.waits_for and last + 1 < len(data):   # for so many at once; the footer comes alone
                    self.server.lock.wait_for(lambda: self.server.most >= self.server.waits_for, 10)
            with contextlib.suppress(OSError):
                self.wfile.write(data[first:last + 1])
            self.wfile.flush()
            with self.server.lock:
                self.server.requests -= 1


@pytest.fixture(scope="module")
def server():
    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
    s = Server(("127.0.0.1", 0), Handler)
    s.waits_for, s.files, s.ranges, s.moved, s.requests, s.most, s.lock = 0, {}, True, 0, 0, 0, threading.Condition()
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield s
    s.shutdown()


@pytest.fixture(autouse=True)
def count(server):
    server.moved = server.most = server.waits_for = 0
    server.ranges = True


def read(server, name, *more):
    done = subprocess.run([TENON, "read", f"http://127.0.0.1:{server.server_port}/{name}", *more], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (more, done.stderr)
    return done.stdout


# ---- A file whose groups are told apart by every column ----

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


def text(r, n):
    """Bytewise order is not that of people: é comes behind z, capitals in front of a."""
    return r.choice(["a", "Z", "é", "zz", "", "ab", "\U0001F600"]) + "x" * r.choice([0, 1, 80]) + f"{n:05}"


def value(r, name, n):
    return {
        "id": lambda: n,
        "i8": lambda: n % 256 - 128,
        "u32": lambda: (n * 4_000_000) % (1 << 32),
        "u64": lambda: (n << 54) % (1 << 64),
        "i64": lambda: (n - 500) * 10_000_000_000,
        "dec9": lambda: decimal.Decimal(n - 480) / 100,
        "dec18": lambda: decimal.Decimal((n - 480) * 1_000_000_007) / 1000,
        "dec38": lambda: decimal.Decimal((n - 480) * 10 ** 25 + 1) / 100000,
        "day": lambda: dt.date(1960, 1, 1) + dt.timedelta(days=n * 11),
        "ms": lambda: EPOCH + dt.timedelta(milliseconds=(n - 400) * 123_456),
        "us": lambda: EPOCH + dt.timedelta(microseconds=(n - 400) * 987_654_321),
        "flag": lambda: n // (ROWS * 5) % 2 == 1,
        "word": lambda: text(r, n) if n % 3 else f"w{n // ROWS:03}",
        "sorted": lambda: f"k{n:06}" + "é" * (n % 3),
        "ratio": lambda: float("nan") if n % 50 == 7 else (n - 300) / 8,
        "same": lambda: n // ROWS // 4,
    }[name]()


TYPES = {"id": pa.int32(), "i8": pa.int8(), "u32": pa.uint32(), "u64": pa.uint64(), "i64": pa.int64(), "dec9": pa.decimal128(9, 2),
         "dec18": pa.decimal128(18, 3), "dec38": pa.decimal128(38, 5), "day": pa.date32(), "ms": pa.timestamp("ms", "UTC"),
         "us": pa.timestamp("us", "UTC"), "flag": pa.bool_(), "word": pa.string(), "sorted": pa.string(), "ratio": pa.float64(),
         "same": pa.int16()}


@pytest.fixture(scope="module")
def rows():
    r = random.Random(5)
    made = []
    for n in range(GROUPS * ROWS):
        group = n // ROWS
        row = {name: value(r, name, n) for name in TYPES}
        for i, name in enumerate(TYPES):
            if name != "id" and (group == i % GROUPS or (n * 7 + i) % 23 == 0 and group % 3):   # a group of NULLs alone, some with a few
                row[name] = None
        made.append(row)
    return made


def loosen(data, metadata):
    """Bounds of texts, of the same length, that nothing reaches: what a writer makes that cuts them."""
    data = bytearray(data)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for g in range(metadata.num_row_groups):
        for c in range(metadata.num_columns):
            s = metadata.row_group(g).column(c).statistics
            if metadata.schema.column(c).name not in ("word", "sorted") or not s or not s.has_min_max or min(len(s.min), len(s.max)) < 6:
                continue
            for old, new in ((s.min.encode(), s.min.encode()[:-2] + b"\0\0"), (s.max.encode(), s.max.encode()[:-2] + b"\xf4\x8f")):
                at = bytes(data).find(old, footer)
                while at >= 0:
                    data[at:at + len(old)] = new
                    at = bytes(data).find(old, at + 1)
    return bytes(data)


@pytest.fixture(scope="module")
def files(server, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("far")
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(TYPES.items())))
    for name, more in {"plain.parquet": {}, "none.parquet": {"write_statistics": False}, "decimals.parquet": {"store_decimal_as_integer": True},
                       "pages2.parquet": {"data_page_version": "2.0", "use_dictionary": False}}.items():
        pq.write_table(table, folder / name, row_group_size=ROWS, **more)
        server.files[name] = (folder / name).read_bytes()
    server.files["loose.parquet"] = loosen(server.files["plain.parquet"], pq.read_metadata(folder / "plain.parquet"))
    assert server.files["loose.parquet"] != server.files["plain.parquet"]
    r = random.Random(3)
    wide = pa.table({f"c{i}": [r.getrandbits(60) for _ in range(20000)] for i in range(6)} | {"n": range(20000)})
    pq.write_table(wide, folder / "wide", row_group_size=1000, use_dictionary=False, compression="none")
    server.files["wide.parquet"] = (folder / "wide").read_bytes()
    return list(server.files)


def literal(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, dt.datetime):
        return f"'{v.isoformat(sep=' ')}'"
    if isinstance(v, (str, dt.date)):
        return "'" + str(v).replace("'", "''") + "'"
    return format(v, "f") if isinstance(v, decimal.Decimal) else repr(v)


def key(v):
    """One order for all: text bytewise, NaN above every number."""
    return v.encode() if isinstance(v, str) else (v != v, 0 if v != v else v) if isinstance(v, float) else v


def near(r, v):
    """A value that is there, or one beside it."""
    if isinstance(v, str):
        return r.choice([v, v[:3], v + "!", v[:-1]])
    step = {dt.date: dt.timedelta(days=1), dt.datetime: dt.timedelta(milliseconds=1), decimal.Decimal: decimal.Decimal("0.01")}
    return v if isinstance(v, bool) or r.random() < 0.6 else v + r.choice([-1, 1]) * step.get(type(v), 1)


def random_filter(r, rows):
    name = r.choice([n for n in TYPES if n != "id"])
    there = [row[name] for row in rows if row[name] is not None and row[name] == row[name]]
    edges = [pick((row[name] for row in rows[g:g + ROWS] if row[name] is not None and row[name] == row[name]), key=key, default=there[0])
             for g in range(0, len(rows), ROWS) for pick in (min, max)]
    some = r.sample(edges, 3) if r.random() < 0.5 else [near(r, v) for v in r.sample(there, 3)]
    a, b, c = some
    low, high = sorted((a, b), key=key)
    ops = {"=": lambda v: key(v) == key(a), "<>": lambda v: key(v) != key(a), "<": lambda v: key(v) < key(a), "<=": lambda v: key(v) <= key(a),
           ">": lambda v: key(v) > key(a), ">=": lambda v: key(v) >= key(a)}
    how = r.choice([*ops, "in", "between", "is null", "is not null", "prefix"])
    if how in ops:
        return f"{name} {how} {literal(a)}", lambda row: row[name] is not None and ops[how](row[name])
    if how == "in":
        return f"{name} in ({literal(a)}, {literal(b)}, {literal(c)})", lambda row: row[name] is not None and row[name] in some
    if how == "between":
        return f"{name} between {literal(low)} and {literal(high)}", lambda row: row[name] is not None and key(low) <= key(row[name]) <= key(high)
    if how == "prefix":
        name, prefix = r.choice([("sorted", f"k{r.randrange(960):06}"[:r.randrange(1, 8)]), ("word", r.choice(["w0", "é", "Z", "w01"]))])
        return f"{name} like '{prefix}%'", lambda row: row[name] is not None and row[name].startswith(prefix)
    return f"{name} {how}", lambda row: (row[name] is None) == (how == "is null")


def test_answers_do_not_depend_on_what_is_passed_by(server, files, rows):
    r = random.Random(11)
    cases = []
    for i in range(50):
        filters = [random_filter(r, rows) for _ in range(r.choice([1, 1, 2]))]
        name = ["plain.parquet", "loose.parquet", "plain.parquet", "decimals.parquet", "loose.parquet", "pages2.parquet", "none.parquet"][i % 7]
        cases.append((name, " and ".join(f[0] for f in filters), [row["id"] for row in rows if all(f[1](row) for f in filters)]))
    assert sum(not wanted for *_, wanted in cases) < 20   # most find something

    def check(case):
        name, where, wanted = case
        said = read(server, name, "--columns", "id", "--where", where).split()
        return [f"{name}: {where}: {len(said) - 1} rows, {len(wanted)} wanted"] if said[1:] != [str(n) for n in wanted] else []

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert [wrong for found in pool.map(check, cases) for wrong in found] == []


def test_only_the_groups_that_may_match_travel(server, files):
    size, footer = len(server.files["wide.parquet"]), 2 * (64 << 10)   # conditions are read by the columns' types, so the footer comes twice
    group = size // 20
    read(server, "wide.parquet", "--where", "n between 7010 and 7020")
    assert server.moved <= 1.2 * (group + footer)
    server.moved = 0
    read(server, "wide.parquet", "--where", "n between 6990 and 7020")
    assert group < server.moved <= 1.2 * (2 * group + footer)
    server.moved = 0
    assert read(server, "wide.parquet", "--where", "n > 99999").split() == ["c0,c1,c2,c3,c4,c5,n"]
    assert server.moved <= footer
    server.moved = 0
    read(server, "wide.parquet", "--columns", "c1,c4")
    assert server.moved <= 1.2 * (size * 2 / 7 + footer)


def test_ranges_come_side_by_side(server, files):
    table = read(server, "wide.parquet", "--columns", "c1,c4")
    server.most, server.waits_for = 0, 3   # none of them is answered before three were asked for
    assert read(server, "wide.parquet", "--columns", "c1,c4") == table
    assert server.most >= 3


def test_files_of_our_own_can_be_passed_by_too(server, files, tmp_path):
    (tmp_path / "wide.parquet").write_bytes(server.files["wide.parquet"])
    subprocess.run([TENON, "copy", tmp_path / "wide.parquet", tmp_path / "own.parquet", "--set-out", "row_group_rows=2048"],
                   check=True, capture_output=True)
    server.files["own.parquet"] = (tmp_path / "own.parquet").read_bytes()
    assert pq.read_metadata(tmp_path / "own.parquet").num_row_groups == 10
    wanted = [str(n) for n in range(7010, 7021)]
    assert read(server, "own.parquet", "--columns", "n", "--where", "n between 7010 and 7020").split()[1:] == wanted
    server.moved = 0
    read(server, "own.parquet", "--where", "n between 7010 and 7020")
    assert server.moved <= 1.2 * (len(server.files["own.parquet"]) / 10 + (128 << 10))


def test_limits_take_the_first_groups(server, files):
    assert read(server, "wide.parquet", "--columns", "n", "--limit", "1500").split()[1:] == [str(n) for n in range(1500)]
    assert server.moved <= (64 << 10) + 3 * 8 * 1000 + (64 << 10)


def test_without_ranges_all_of_it_travels(server, files, rows):
    server.ranges = False
    assert read(server, "plain.parquet", "--columns", "id", "--where", "i64 > 0").split()[1:] == [
        str(row["id"]) for row in rows if row["i64"] is not None and row["i64"] > 0]
    size = len(server.files["wide.parquet"])
    server.moved = 0
    assert read(server, "wide.parquet", "--columns", "n", "--where", "n = 5").split() == ["n", "5"]
    assert server.moved <= 4 * size   # once for the footer, once for rows; what is begun and broken off counts here as if it had come


# ---- Bounds that cannot be right: not one group is passed by for them, here or afar, by us or by the engine ----

def footer_changed(data, change):
    size = int.from_bytes(data[-8:-4], "little")
    footer = change(data[-8 - size:-8])
    assert footer != data[-8 - size:-8]
    return data[:-8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def without_orders(footer, columns):
    list_of_orders = b"\x19" + bytes([columns << 4 | 12]) + b"\x1c\0\0" * columns
    assert footer.count(list_of_orders) == 1
    return footer.replace(list_of_orders, b"\xf9" + list_of_orders[1:])   # a field that nobody knows


def replaced(footer, *pairs):
    for old, new in pairs:
        assert old in footer
        footer = footer.replace(old, new)
    return footer


def whole(n):
    return b"\x08" + n.to_bytes(8, "little", signed=True)


def test_doubtful_bounds_decide_nothing(server, tmp_path):
    """Texts aaaa…, cccc…, eeee… and numbers beside them; in each file the bounds of the group in the middle are none."""
    r, columns = random.Random(7), {"id": range(6), "word": ["aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff"],
                                    "n": [1 << 40, 2 << 40, 3 << 40, 4 << 40, 5 << 40, 6 << 40]}
    columns["pad"] = [r.randbytes(60000) for _ in range(6)]
    pq.write_table(pa.table(columns), tmp_path / "sound.parquet", row_group_size=2, compression="none", use_dictionary=False)
    sound = (tmp_path / "sound.parquet").read_bytes()
    word, other, low, high = b"\x04cccc", b"\x04dddd", whole(3 << 40), whole(4 << 40)
    changes = {
        "orders": lambda f: without_orders(replaced(f, (word, b"\x04\0\0\0\0"), (other, b"\x04\0\0\0\1")), 4),
        "swapped": lambda f: replaced(f, (word, b"\x04????"), (other, word), (b"\x04????", other), (low, b"????????"), (high, low), (b"????????", high)),
        "short": lambda f: replaced(f, (low, b"\x01\0"), (high, b"\x01\0")),
        "empty": lambda f: replaced(f, (low, b"\0"), (high, b"\0")),
        "long": lambda f: replaced(f, (low, b"\xac\x02" + bytes(300)), (high, b"\x09" + bytes(9))),
    }
    cases = [("word = 'cccc'", "2"), ("word >= 'dddd' and word < 'eeee'", "3"), (f"n = {3 << 40}", "2"), (f"n > {3 << 40} and word < 'eeee'", "3"),
             (f"n between {3 << 40} and {4 << 40}", "2 3"), ("id = 3", "3"), ("n is null", "")]
    for name, change in changes.items():
        server.files[f"{name}.parquet"] = footer_changed(sound, change)
        (tmp_path / f"{name}.parquet").write_bytes(server.files[f"{name}.parquet"])
        for where, wanted in cases:
            more = ("--columns", "id", "--where", where)
            here = subprocess.run([TENON, "read", tmp_path / f"{name}.parquet", *more], capture_output=True, text=True, timeout=60)
            assert (here.returncode, here.stdout.split()[1:]) == (0, wanted.split()), (name, where, here.stderr)
            assert read(server, f"{name}.parquet", *more).split()[1:] == wanted.split(), (name, where)
        assert read(server, f"{name}.parquet", "--columns", "id,n").split()[1:] == [f"{i},{n}" for i, n in zip(columns["id"], columns["n"])]
