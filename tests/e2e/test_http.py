# SPDX-License-Identifier: Apache-2.0
"""The kind http against real servers (nginx, Python's http.server) and against one that has every odd habit of servers."""
import contextlib
import email.utils
import http.server
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

from command import TENON

BODY = random.Random(1).randbytes(300_000)
BIG = random.Random(2).randbytes((20 << 20) + 5)
FILES = {"x.csv": b"id,name\n1,a\n2,b\n", "big.bin": BODY, "empty": b"", "sub/z.csv": b"id\n9\n", "sub/deep/er/q.csv": b"id\n7\n",
         "a b/\u00fc&<x>%41?#'\"+;=.txt": b"odd", "-": b"dash", "sub.csv": b"id\n1\n", "a:b": b"colon", "b\\c": b"back", "a%2Fb": b"percent", "\u6f22": b"han"}
ORDER = sorted(FILES, key=lambda k: k.encode())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("the server does not start")


def run(*arguments, stdin=None):
    return subprocess.run([TENON, *map(str, arguments)], input=stdin, capture_output=True, timeout=60)


def good(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def result(*arguments):
    return json.loads(good(*arguments, "--json"))["result"]


def bad(*arguments):
    done = run(*arguments, "--json")
    assert done.returncode != 0, done.stdout
    return json.loads(done.stdout)["error"]


# ---- Real servers ----

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/octet-stream; types {{ text/html html; }} client_body_temp_path {folder}/1;
  proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port}; root {root};
    location / {{ autoindex on; }}
    location /json/ {{ alias {root}/; autoindex on; autoindex_format json; }}
    location /rounded/ {{ alias {root}/; autoindex on; autoindex_exact_size off; }}
    location /none/ {{ alias {root}/; }}
    location /packed/ {{ alias {root}/; gzip on; gzip_types *; gzip_min_length 1; }}
    location /secret/ {{ alias {root}/; autoindex on; auth_basic "x"; auth_basic_user_file {folder}/users; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@contextlib.contextmanager
def running(command, port, **more):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def nginx(root, tmp_path_factory):
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    assert program, "nginx is missing: tools/setup installs it"
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    (folder / "users").write_text("me:{PLAIN}pass word\n")
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            path.chmod(path.stat().st_mode | 0o11)
    (folder / "conf").write_text("user root;\n" * (os.getuid() == 0) + NGINX.format(folder=folder, root=root, port=port))
    with running([program, "-c", folder / "conf", "-e", folder / "log"], port) as url:
        yield url


@pytest.fixture(scope="module")
def python(root):
    port = free_port()
    with running([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], port, cwd=root) as url:
        yield url


@pytest.fixture(params=["nginx", "json", "rounded", "python"])
def server(request):
    if request.param == "python":
        return request.getfixturevalue("python")
    return request.getfixturevalue("nginx") + {"nginx": "", "json": "json/", "rounded": "rounded/"}[request.param]


def listed(url, *more):
    return result("ls", url, "--objects", *more)["objects"]


def test_all_keys_are_listed_in_order(server):
    rows = listed(server)
    assert [row["key"] for row in rows] == ORDER
    for row in rows:
        assert row["size"] in (None, len(FILES[row["key"]]))
        assert row["modified"] is None or "json" in server


def test_sizes_are_exact_or_unknown(nginx, root):
    exact = {row["key"]: row["size"] for row in listed(nginx)}
    assert exact == {key: len(data) for key, data in FILES.items()}
    rounded = {row["key"]: row["size"] for row in listed(nginx + "rounded/")}
    assert rounded["big.bin"] is None and rounded["x.csv"] == 16
    for row in listed(nginx + "json/"):
        seconds = int((root / row["key"]).stat().st_mtime)
        assert row["modified"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@pytest.mark.parametrize("prefix", ["sub", "sub/", "sub/d", "nothing/", "nothing", "a b/", "."])
def test_prefixes(python, prefix):
    assert [row["key"] for row in listed(python, "--prefix", prefix)] == [key for key in ORDER if key.startswith(prefix)]


@pytest.mark.parametrize("key", ORDER)
def test_every_key_is_gotten_and_seen(nginx, key):
    assert good("get", nginx + urllib.parse.quote(key), "-") == FILES[key]


@pytest.mark.parametrize("offset, length", [(0, 1), (0, 0), (299_990, None), (299_990, 1000), (300_000, None), (1, 299_999)])
@pytest.mark.parametrize("name", ["nginx", "python"])
def test_ranges(request, name, offset, length):
    more = [] if length is None else ["--length", length]
    url = request.getfixturevalue(name) + "big.bin"
    assert good("get", url, "-", "--offset", offset, *more) == BODY[offset:None if length is None else offset + length]


def test_what_cannot_be(server, tmp_path):
    assert bad("get", server + "big.bin", tmp_path / "out", "--offset", 300_001)["code"] == "DATA"
    assert bad("get", server + "nothing", tmp_path / "out")["code"] == "NOT_FOUND"
    assert bad("stat", server + "nothing")["code"] == "NOT_FOUND"
    assert bad("get", server + "sub", tmp_path / "out")["code"] == "NOT_FOUND"   # a folder's page is not an object
    assert bad("stat", server + "sub")["code"] == "NOT_FOUND"
    assert bad("get", server + "big.bin", tmp_path / "out", "--if-match", '"other"')["code"] == "CONFLICT"
    assert bad("put", __file__, server + "new")["code"] == "UNSUPPORTED"
    assert bad("ls", server + "nothing/", "--objects")["code"] == "NOT_FOUND"
    assert not (tmp_path / "out").exists()


def test_if_match(nginx):
    etag = result("stat", nginx + "big.bin")["etag"]
    assert good("get", nginx + "big.bin", "-", "--if-match", etag) == BODY


def test_tables(server):
    assert good("read", server + "x.csv") == b"id,name\n1,a\n2,b\n"
    assert [row["name"] for row in result("ls", server, "--tables")["tables"]] == [key for key in ORDER if key.endswith(".csv")]
    assert good("read", server + "sub/**/*.csv") == b"id\n7\n9\n"
    assert good("read", server + "s*.csv") == b"id\n1\n"


def test_a_server_that_packs_on_the_fly_is_asked_not_to(nginx):
    assert good("get", nginx + "packed/x.csv", "-") == FILES["x.csv"]
    assert result("stat", nginx + "packed/x.csv")["size"] == 16


def test_what_it_cannot_do_is_said(nginx):
    error = bad("copy", nginx + "x.csv", nginx + "y.csv")
    assert (error["code"], "http only reads" in error["message"]) == ("UNSUPPORTED", True)
    assert "end of the URL" in bad("read", nginx)["remedy"]


def test_no_index_page(nginx):
    assert bad("ls", nginx + "none/", "--objects")["code"] == "FORBIDDEN"
    assert good("get", nginx + "none/x.csv", "-") == FILES["x.csv"]


def test_basic_authentication(nginx):
    url = nginx.replace("http://", "http://me:pass%20word@") + "secret/"
    assert good("get", url + "x.csv", "-") == FILES["x.csv"]
    assert len(listed(url)) == len(FILES)
    error = bad("stat", url.replace("word", "wort") + "x.csv")
    assert (error["code"], error["stage"]) == ("UNAUTHENTICATED", "auth")
    assert "wort" not in json.dumps(error)
    assert "set auth" in bad("stat", nginx + "secret/x.csv")["remedy"]


# ---- One of every odd habit ----


class Odd(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status=200, body=b"", length=True, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def parts(self, data, **headers):
        """As a good server does."""
        asked = self.headers.get("Range")
        if not asked:
            return self.reply(body=data, Accept_Ranges="bytes", **headers)
        first, last = asked.removeprefix("bytes=").split("-")
        first, last = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if first >= len(data):
            return self.reply(416, Content_Range=f"bytes */{len(data)}", **headers)
        return self.reply(206, data[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}", **headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        name = self.path.split("?")[0].strip("/").replace("%E6%BC%A2", "han").replace("/", "_").replace(".", "_")
        getattr(self, name or "root", lambda: self.reply(404))()

    def no_head(self):
        self.reply(405) if self.command == "HEAD" else self.parts(BODY, ETag='"1"')

    def big(self):
        self.parts(BIG, ETag='"1"')

    def big_without_etag(self):
        self.parts(BIG)

    def big_moved(self):
        self.reply(302, Location="/big")

    def big_changes(self):
        first = self.headers.get("Range", "").startswith("bytes=0-")
        self.parts(BIG, ETag='"1"' if first else '"2"')

    def big_of_no_size(self):
        first, end = self.asked(BIG)
        self.reply(206, BIG[first:end], ETag='"1"', Content_Range=f"bytes {first}-{end - 1}/*")

    def big_breaks(self):
        """Each range twice: cut in its middle, then what is left."""
        first, end = self.asked(BIG)
        if self.command == "HEAD" or first % (8 << 20):
            return self.parts(BIG, ETag='"1"')
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(BIG)}")
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        self.wfile.write(BIG[first:(first + end) // 2])
        self.close_connection = True

    def no_ranges(self):
        self.reply(body=BODY, ETag='"1"')

    def no_size(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            for at in range(0, len(BODY), 100_000):
                self.wfile.write(b"%x\r\n" % len(BODY[at:at + 100_000]) + BODY[at:at + 100_000] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    def asked(self, data=BODY):
        """First and behind the last byte."""
        first, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
        return int(first), min(int(last or len(data)) + 1, len(data))

    def breaks(self, **headers):
        """Sends at most 100,000 bytes of what it announces."""
        asked = "Range" in self.headers
        first, end = self.asked()
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(BODY)}")
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        self.wfile.write(BODY[first:min(end, first + 100_000)])
        self.close_connection = True

    def breaks_with_etag(self):
        self.breaks(ETag='"1"')

    def breaks_with_a_date(self):
        self.breaks(Last_Modified="Wed, 12 Oct 2022 17:50:00 GMT")

    def breaks_with_a_date_of_now(self):
        self.breaks(Last_Modified=email.utils.formatdate(usegmt=True))

    def breaks_without(self):
        self.breaks()

    def breaks_and_changes(self):
        self.breaks(ETag=f'"{len(self.server.seen)}"')

    def breaks_and_forgets_ranges(self):
        if self.headers.get("Range"):
            return self.reply(body=BODY, ETag='"1"')
        self.breaks(ETag='"1"')

    def gives_less(self):
        """A part of each range, as a server may."""
        if "Range" not in self.headers:
            return self.reply(body=BODY, ETag='"1"')
        first, end = self.asked()
        end = min(end, first + 70_000)
        self.reply(206, BODY[first:end], ETag='"1"', Content_Range=f"bytes {first}-{end - 1}/{len(BODY)}")

    def other_range(self):
        self.reply(206, BODY[5:10], Content_Range=f"bytes 5-9/{len(BODY)}")

    def range_without_words(self):
        self.reply(206, BODY[5:10])

    def many_ranges(self):
        self.reply(206, b"--x\r\n", Content_Type="multipart/byteranges; boundary=x")

    def packed(self):
        self.reply(body=BODY, Content_Encoding="gzip")

    def stored_gz(self):
        self.reply(body=BODY, Content_Encoding="gzip")

    def escapes(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "\x1b[31m"\r\nContent-Type: text/\xe2\x80\xae\r\n\r\n' +
                         (b"" if self.command == "HEAD" else b"hello"))

    def no_end(self):
        """What comes could be all, or a part."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + (b"" if self.command == "HEAD" else BODY))
        self.close_connection = True

    def long_number(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n" + (b"" if self.command == "HEAD" else BODY))
        self.close_connection = True

    def weak(self):
        self.parts(BODY, ETag='W/"1"')

    def no_if_match(self):
        self.reply(body=BODY, ETag='"2"')

    def moved(self):
        self.reply(302, Location="/no_head")

    def away(self):
        self.reply(302, Location=self.server.other + "keeps_headers")

    def round(self):
        self.reply(302, Location="/round")

    def to_a_file(self):
        self.reply(302, Location="file:///etc/passwd")

    def to_metadata(self):
        self.reply(302, Location="http://169.254.169.254/latest/meta-data/")

    def keeps_headers(self):
        self.reply(body=json.dumps({k.lower(): v for k, v in self.headers.items()}).encode())

    def page(self, text, kind="text/html; charset=utf-8"):
        self.reply(body=text.encode(), Content_Type=kind)

    def blog(self):
        self.page("<html><title>My blog</title><a href='https://elsewhere.example/'>x</a><a href='/other/'>y</a></html>")

    def blank(self):
        self.page("<title>Index of /blank</title><h1>Index of /blank</h1>")

    def no_html(self):
        self.page("href=x", "text/plain")

    def loop(self):
        self.page("<title>Index of</title><a href='loop/'>loop</a>")

    def hostile(self):
        self.page("""<!DOCTYPE html><title>Index of /hostile/</title><!-- <a href="commented">x</a> --><script>"<a href='scripted'>"</script>
          <a href="?C=N;O=D">Name</a> <a href="?C=M&amp;O=A">Last modified</a> <a href="../">Parent</a> <a href="/">root</a> <a href="./">.</a>
          <a href="https://other.example/hostile/other-origin">x</a> <a href="//other.example/hostile/x">x</a> <a href="javascript:alert(1)">x</a>
          <a href="mailto:x@y">x</a> <a href="/hostile/../up">x</a> <a href="/hostile2/x">x</a> <a href="a/b">grandchild</a> <a href="%2e%2e/">up</a>
          <a href="..%2fup">x</a> <a href="x%2fy">x</a> <a href="nul%00">x</a> <a href="bad%zz">x</a> <a href="with?query">x</a> <a href="">x</a>
          <a href="file:///etc/passwd">x</a> <a HREF = '/hostile/absolute' >x</a> <A href=unquoted>x</A> <a href="&#x65;nti&#116;y&amp;">x</a>
          <a class="x" href="http://127.0.0.1:PORT/hostile/same-origin">x</a> <a href="frag#ment">x</a> <a href="  spaces  ">x</a> <a href="twice">x</a>
          <a href="twice">x</a> 21-Nov-2026 17:22 77 <a name="no-href">x</a> <a href="%E6%BC%A2/">x</a> <a href="unclosed""".replace("PORT", str(self.server.server_port)))

    def hostile_han(self):
        self.page("<title>Index of</title>")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def two():
    servers = [Server(("127.0.0.1", 0), Odd) for _ in range(2)]
    urls = [f"http://127.0.0.1:{s.server_port}/" for s in servers]
    for s, other in zip(servers, reversed(urls)):
        s.other, s.seen = other, []
        threading.Thread(target=s.serve_forever, daemon=True).start()
    yield servers[0], urls[0]
    for s in servers:
        s.shutdown()


@pytest.fixture
def odd(two):
    two[0].seen.clear()
    return two


@pytest.mark.parametrize("name", ["no_head", "no_ranges", "no_size", "breaks_with_etag", "breaks_with_a_date", "breaks_and_forgets_ranges",
                                  "gives_less", "weak", "moved", "stored.gz"])
@pytest.mark.parametrize("offset, length", [(0, None), (150_000, 120_000)])
def test_the_same_bytes_whatever_its_habits(odd, name, offset, length):
    more = [] if length is None else ["--length", length]
    assert good("get", odd[1] + name, "-", "--offset", offset, *more) == BODY[offset:None if length is None else offset + length]


@pytest.mark.parametrize("name, code", [("breaks_without", "UNREACHABLE"), ("breaks_with_a_date_of_now", "UNREACHABLE"), ("breaks_and_changes", "CONFLICT"), ("other_range", "DATA"),
                                        ("range_without_words", "DATA"), ("many_ranges", "DATA"), ("packed", "DATA"), ("round", "DATA"),
                                        ("to_a_file", "DATA"), ("nothing", "NOT_FOUND"), ("no_end", "DATA"), ("long_number", "DATA")])
def test_what_is_not_sure_is_an_error(odd, tmp_path, name, code):
    offset = 1 if "range" in name else 0
    assert bad("get", odd[1] + name, tmp_path / "out", "--offset", offset)["code"] == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, requests", [("big", 3), ("big_without_etag", 2), ("big_moved", 4), ("big_of_no_size", 2), ("big_breaks", 6)])
def test_big_objects(odd, tmp_path, name, requests):
    """By ranges side by side where the server says for sure which version they are of; else by all of it."""
    good("get", odd[1] + name, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == BIG
    assert len(odd[0].seen) == requests, [headers.get("Range") for _, _, headers in odd[0].seen]
    odd[0].seen.clear()
    assert good("get", odd[1] + name, "-", "--offset", 9 << 20, "--length", 1000) == BIG[9 << 20:(9 << 20) + 1000]


def test_ranges_of_another_version_are_refused(odd, tmp_path):
    assert bad("get", odd[1] + "big_changes", tmp_path / "out")["code"] == "CONFLICT"
    assert list(tmp_path.iterdir()) == []


def test_if_match_is_checked_by_us_too(odd, tmp_path):
    assert bad("get", odd[1] + "no_if_match", tmp_path / "out", "--if-match", '"1"')["code"] == "CONFLICT"
    assert "etag" not in result("stat", odd[1] + "weak") or result("stat", odd[1] + "weak")["etag"] is None


def test_stat_without_head(odd):
    assert result("stat", odd[1] + "no_head")["size"] == len(BODY)
    assert [method for method, *_ in odd[0].seen] == ["HEAD", "GET"]
    assert result("stat", odd[1] + "no_size")["size"] is None


def test_a_server_cannot_write_on_the_terminal(odd):
    said = good("stat", odd[1] + "escapes")
    assert b"text/\\u202e" in said and b"\x1b" not in said
    assert good("get", odd[1] + "escapes", "-") == b"hello"


LOGIN = ("--set", "auth=header", "--set", "header_name=X-API-Key", "--set", "header_value=s3cret")


def test_credentials_stay_with_their_origin(odd):
    kept = json.loads(good("get", odd[1] + "keeps_headers", "-", *LOGIN))
    assert kept["x-api-key"] == "s3cret"
    kept = json.loads(good("get", odd[1] + "away", "-", *LOGIN))
    assert "x-api-key" not in kept
    kept = json.loads(good("get", odd[1].replace("//", "//me:pw@") + "away", "-"))
    assert "authorization" not in kept
    kept = json.loads(good("get", odd[1] + "keeps_headers", "-", "--set", "auth=bearer", "--set", "token=t0k"))
    assert kept["authorization"] == "Bearer t0k"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Host", "Range"])
def test_headers_that_are_not_for_credentials(odd, name):
    error = bad("stat", odd[1] + "keeps_headers", "--set", "auth=header", "--set", f"header_name={name}", "--set", "header_value=0")
    assert error["code"] == "CONFIG" and f"header_name: the header {name}" in error["message"]


def test_a_query_goes_along(odd):
    good("get", odd[1] + "keeps_headers?sig=a%2Bb&x=1", "-")
    assert odd[0].seen[-1][1] == "/keeps_headers?sig=a%2Bb&x=1"


def test_no_redirect_reaches_a_forbidden_address(odd):
    done = run("get", odd[1] + "to_metadata", "-", "--egress", "no-metadata", "--timeout", "3s")
    assert b"FORBIDDEN" in done.stderr


def test_a_page_cannot_lead_elsewhere(odd):
    done = run("ls", odd[1] + "hostile/", "--objects", "--json")
    document = json.loads(done.stdout)
    assert [path for _, path, _ in odd[0].seen] == ["/hostile/", "/hostile/%E6%BC%A2/"]   # and to no other
    assert document["ok"], document
    assert [(row["key"], row["size"]) for row in document["result"]["objects"]] == [
        ("absolute", None), ("entity&", None), ("frag", None), ("same-origin", None), ("spaces", None), ("twice", 77), ("unquoted", None)]


def test_a_loop_of_folders_ends(odd):
    odd[0].RequestHandlerClass = type("Loop", (Odd,), {"do_GET": lambda self: (self.server.seen.append(1), Odd.loop(self))})
    try:
        assert bad("ls", odd[1] + "loop/", "--objects")["code"] == "LIMITED"
        assert len(odd[0].seen) == 32   # and it is not tried again
    finally:
        odd[0].RequestHandlerClass = Odd


@pytest.mark.parametrize("name", ["blog", "no_html"])
def test_other_pages_are_no_listings(odd, name):
    error = bad("ls", odd[1] + name + "/", "--objects")
    assert (error["code"], "index page" in error["message"]) == ("DATA", True)


def test_an_empty_folder(odd):
    assert listed(odd[1] + "blank/") == []


@pytest.mark.parametrize("url", ["http://h/a?x", "http://h/#f", "ftp://h/", "http://", "http:///x", "http://u@h/", "http://h/a b", "h/x", "http://h\\x/"])
def test_urls_that_are_none(url, tmp_path):
    (tmp_path / "tenon.yaml").write_text(f"connectors: {{web: {{kind: http, url: {json.dumps(url)}}}}}")
    done = subprocess.run([TENON, "stat", "web:x", "--json"], cwd=tmp_path, capture_output=True)
    assert json.loads(done.stdout)["error"]["code"] == "CONFIG"


@pytest.mark.parametrize("key", ["..", "../x", "a/../b", ".", "a/./b", "a/.."])
def test_keys_that_lead_out_are_refused(odd, key, tmp_path):
    (tmp_path / "tenon.yaml").write_text(f"connectors: {{web: {{kind: http, url: \"{odd[1]}\"}}}}")
    done = subprocess.run([TENON, "stat", f"web:{key}", "--json"], cwd=tmp_path, capture_output=True)
    assert json.loads(done.stdout)["error"]["code"] == "CONFIG"
    assert odd[0].seen == []


def test_the_test_names_the_layer(nginx, odd):
    def steps(url, *more):
        done = run("test", url, "--json", "--timeout", "3s", *more)
        document = json.loads(done.stdout)
        found = document["result"]["steps"] if document.get("result") else document["error"]["steps"]
        return [(step["name"], step["outcome"]) for step in found]

    assert steps(nginx)[-1] == ("probe", "ok")
    assert steps(odd[1] + "blog/")[-1] == ("probe", "warning")
    assert steps(nginx + "nothing/")[-1] == ("probe", "failed")
    assert steps(nginx + "none/")[-1] == ("permission", "failed")
    assert steps(nginx + "secret/")[-1] == ("auth", "failed")
    assert steps(f"http://127.0.0.1:{free_port()}/")[-1] == ("tcp", "failed")
    assert steps("http://nothing.invalid/")[-1] == ("dns", "failed")
    assert steps(nginx.replace("http:", "https:"))[-1] == ("tls", "failed")
