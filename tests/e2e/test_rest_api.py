# SPDX-License-Identifier: Apache-2.0
"""The kind rest_api: its examples against recorded exchanges, and what no text case can say."""
import http.server
import json
import os
import pathlib
import shlex
import subprocess
import threading
import time
from urllib.parse import parse_qsl

import api_cases
import pytest
import stripe
from command import TENON, environment

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KEYS = {"SHOP_TOKEN": "test-shop-token", "GITHUB_TOKEN": "test-github-token", "STRIPE_KEY": "sk_test_canary", "NOTION_TOKEN": "test-notion-token"}
CASES = [case for path in sorted((SOURCE / "tests/cases/rest_api").glob("*.txt")) for case in api_cases.load(path)]


def run(*words, connectors, env=None, timeout=60):
    return subprocess.run([TENON, *words, "--connectors", connectors], env=environment({**KEYS, **(env or {})}),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)


@pytest.fixture(scope="module")
def service():
    service = api_cases.Service()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    """The example at the beginning of docs/rest_api.md."""
    page = (SOURCE / "docs/rest_api.md").read_text()
    path = tmp_path_factory.mktemp("docs") / "tenon.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    return path


def connectors_of(case, documented):
    if case.name == "docs":
        return documented
    example = SOURCE / f"examples/rest_api/{case.name}.yaml"
    return example if example.exists() else SOURCE / f"tests/cases/rest_api/{case.name}.yaml"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exchanges(case, service, documented):
    service.play(case)
    words = case.command.replace("BASE", service.base).split(" ") if "--input" in case.command else shlex.split(case.command)
    more = ["--json"] if case.error else ["-q"]
    done = run(*words, *more, "--set", f"base_url={service.base}", connectors=connectors_of(case, documented))
    assert not service.wrong, service.wrong
    assert not service.left, f"not asked: {service.left[0].method} {service.left[0].target}"
    if case.error:
        check_error(case.error, json.loads(done.stdout)["error"])
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.replace("\r", "").splitlines() == case.output
    for secret in KEYS.values():
        assert secret not in done.stdout + done.stderr


def check_error(expected, error):
    said, _, remedy = expected.partition(" | ")
    kind, message = said.split(": ", 1)
    assert [error["code"], error["stage"]] == kind.split(" "), error
    assert message in error["message"]
    assert remedy in (error["remedy"] or "")


# ---- The vendor's own client ----


class Loose(api_cases.Service):
    """The same exchanges for another client, whose headers and order of parameters are its own, and whose paths have the version."""

    def take(self, method, target, headers, body):
        x = self.left.pop(0)
        if self.plain(method, target) != self.plain(x.method, x.target):
            self.wrong.append(f"{method} {target} instead of {x.method} {x.target}")
        if x.body and sorted(parse_qsl(body.decode())) != sorted(parse_qsl(x.body)):
            self.wrong.append(f"{target}: body {body!r} instead of {x.body!r}")
        if headers.get("idempotency-key") != x.headers.get("idempotency-key"):
            self.wrong.append(f"{target}: idempotency-key {headers.get('idempotency-key')!r}")
        return x

    @staticmethod
    def plain(method, target):
        path, _, query = target.removeprefix("/v1").partition("?")
        return method, path, sorted(parse_qsl(query))


def test_stripes_own_client_asks_the_same_and_reads_the_same():
    service = Loose()
    client = stripe.StripeClient("sk_test_canary", base_addresses={"api": service.base}, max_network_retries=0).v1
    cases = [case for case in CASES if case.name == "stripe"]
    service.play(cases[0])
    rows = [(c.id, c.amount, c.currency, c.customer or "", str(c.paid).lower()) for c in
            client.charges.list({"limit": 100}).auto_paging_iter()]
    assert rows == [(i, int(n), *more) for i, n, *more in (line.split(",")[:5] for line in cases[0].output[1:])]
    assert not service.wrong and not service.left
    service.play(cases[1])
    made = client.customers.create({"email": "ada+x@example.com&admin=1", "name": "Ada Lövelace"}, {"idempotency_key": "7f0c-1234"})
    assert made.id == json.loads(cases[1].output[0])["id"]
    assert not service.wrong and not service.left
    service.stop()


# ---- What takes a service with a memory ----


class Pages(http.server.BaseHTTPRequestHandler):
    """/items?page=N: pages of 1,000 records, 200 of them; /slow: never an end."""
    protocol_version = "HTTP/1.1"
    asked = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append((self.path, time.monotonic()))
        if self.path.startswith("/slow"):
            time.sleep(30)
        page = int(self.path.partition("page=")[2] or 1)
        first = (page - 1) * 1000
        rows = [{"id": first + i, "text": "x" * 500, "n": {"a": [i]}} for i in range(1000)] if page <= 60 else []
        body = json.dumps({"items": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, time.monotonic()))
        self.close_connection = True   # and no answer


@pytest.fixture(scope="module")
def pages():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


ENDPOINTS = """
      items: {path: /items, query: {page: "{{page}}"}, records: items, pagination: {style: page, max_pages: 1000},
              columns: {id: int64, text: text, n: json}}
      few: {path: /items, query: {page: "{{page}}"}, records: items, pagination: {style: page, max_pages: 3}}
      slow: {path: /slow, records: ""}
      act: {path: /act, json: {a: "{{a}}"}}
"""


@pytest.fixture
def connectors(tmp_path, pages):
    path = tmp_path / "tenon.yaml"
    path.write_text(f"connectors:\n  api:\n    kind: rest_api\n    base_url: {pages}\n    endpoints:{ENDPOINTS}")
    Pages.asked.clear()
    return path


def peak_of(connectors, out, rows):
    """KiB that reading so many rows takes at most."""
    done = subprocess.run(["python3", "-c", PEAK, TENON, "read", "api:items", "-q", "-n", str(rows), "-o", out, "--connectors", connectors],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(os.environ.get("TENON_FLAVOUR", "plain") != "plain", reason="a sanitizer's memory says nothing")
def test_one_page_is_in_memory_at_a_time(connectors, tmp_path):
    few = peak_of(connectors, tmp_path / "few.jsonl", 2000)
    many = peak_of(connectors, tmp_path / "many.jsonl", 100000)
    assert many < few + (6 << 10)   # of 35 MB that came
    with open(tmp_path / "many.jsonl") as lines:
        assert [json.loads(line)["id"] for line in lines] == list(range(60000))
    assert len(Pages.asked) == 2 + 61


def test_a_copy_keeps_types(connectors, tmp_path):
    out = tmp_path / "items.parquet"
    assert run("copy", "api:items", str(out), "-q", "-n", "1500", connectors=connectors).returncode == 0
    columns = json.loads(run("describe", str(out), "--json", connectors=connectors).stdout)["result"]["columns"]
    assert [(c["name"], c["arrow"]) for c in columns] == [("id", "int64"), ("text", "text"), ("n", "text")]


PEAK = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)"""


def test_more_pages_than_are_allowed(connectors):
    done = run("read", "api:few", "--json", connectors=connectors)
    error = json.loads(done.stdout)["error"]
    assert (error["code"], len(Pages.asked)) == ("LIMITED", 3)
    assert "more than 3 pages" in error["message"] and "max_pages" in error["remedy"]


def test_a_deadline_ends_a_read(connectors):
    began = time.monotonic()
    done = run("read", "api:slow", "--json", "--timeout", "1s", connectors=connectors)
    assert json.loads(done.stdout)["error"]["code"] == "TIMEOUT"
    assert time.monotonic() - began < 3


def test_requests_are_spaced_out(connectors):
    began = time.monotonic()
    done = run("read", "api:items", "-q", "-n", "4500", "--set", "requests_per_second=4", connectors=connectors)
    assert done.returncode == 0, done.stderr
    assert len(Pages.asked) == 5
    assert time.monotonic() - began > 1.0   # four gaps; arrivals alone may bunch on a busy machine


def test_what_may_have_been_done_is_not_done_again(connectors):
    done = run("call", "api", "act", "--input", '{"a": 1}', "--json", connectors=connectors)
    error = json.loads(done.stdout)["error"]
    assert len(Pages.asked) == 1
    assert error["code"] == "UNREACHABLE" and "it may have been done" in error["message"]
    assert not error["retryable"]


# ---- Declarations ----

GOOD = ["json: '{{x}}'", "json: \"{{x}}{{y}}\"", "json: 'a {b}'", "json: {a: '{\"b\": \"{{x}}\"}'}",
        "xml: '<?xml version=\"1.0\"?><!-- > --><a b=\"{{x}}\" c=''>{{y}}'' d=\"<\"><![CDATA[<]]]]>{{x}}<b>{{y}}</b></a>'"]


@pytest.mark.parametrize("body", GOOD)
def test_declarations_that_are_fine(tmp_path, body):
    path = tmp_path / "tenon.yaml"
    path.write_text(f"connectors:\n  api:\n    kind: rest_api\n    base_url: http://localhost:1\n    endpoints:\n      x:\n        path: /a\n        {body}\n")
    answer = json.loads(run("actions", "api", "--json", connectors=path).stdout)
    assert answer["ok"], answer

BAD = [
    ("x: 5", "endpoint x: it is not an object"),
    ("x: {}", "endpoint x: it has no path"),
    ("x: {path: a}", "a path begins with one slash"),
    ("x: {pth: /a}", "endpoint x: it has no pth|did you mean path?"),
    ("'a b': {path: /a}", "its name is not 1 to 64"),
    ("x: {path: /a, method: TRACE}", "the method is none of"),
    ("x: {path: /a, method: GET, json: {}}", "GET has no body"),
    ("x: {path: /a, json: {}, form: {}}", "more than one body"),
    ("x: {path: /a, json: {}, records: /items}", "POST may change something|read_only: true"),
    ("x: {path: /a, columns: {a: text}}", "columns and pagination are for records"),
    ("x: {path: /a, records: '', columns: {a: number}}", "column a has a type that there is not: number"),
    ("x: {path: /a, records: '', columns: {a: {type: text, pth: /a}}}", "another member than type and path"),
    ("x: {path: /a, records: '', pagination: {style: pages}}", "a style that there is not"),
    ("x: {path: /a, records: '', pagination: {style: cursor}}", "wants next"),
    ("x: {path: /a, records: '', pagination: {style: page, max_pages: 0}}", "at least 1"),
    ("x: {path: /a, records: '', pagination: {style: page}}", "{{page}}, the variable of its pagination, stands in no template"),
    ("x: {path: /a, query: {c: '{{cursor}}'}, records: '', pagination: {style: cursor, next: /n}}", "it has to be {{cursor?}}"),
    ("x: {path: /a}\n    headers: {Content-Length: '5'}", "the header Content-Length is set by the connection"),
    ("x: {path: /a}\n    headers: {Host: b}", "the header Host is set by the connection"),
    ("x: {path: /a, headers: {authorization: b}}\n    auth: bearer\n    token: t", "is set by the connector's auth"),
    ("x: {path: /a, headers: {x-api-key: b}}\n    auth: api_key\n    api_key: t", "has the API key already"),
    ("x: {path: /a}\n    auth: api_key\n    api_key: t\n    api_key_header: Content-Length", "api_key_header: the header Content-Length is set by the connection"),
    ("x: {path: /a, headers: {Host: b}}", "the header Host is set by the connection"),
    ("x: {path: /a, query: {q: 1, key: mine}}\n    auth: api_key\n    api_key: t\n    api_key_query: key", "the query parameter key has the API key already"),
    ("x: {path: /a}\n    auth: basic\n    username: 'a:b'\n    password: p", "username has a colon in it"),
    ("x: {path: /a, query: {'{{q}}': 1}}", "endpoint x: query: the name {{q}} has {{ in it"),
    ("x: {path: /a, form: {'a{{q}}': 1}}", "endpoint x: form: the name a{{q}} has {{ in it"),
    ("x: {path: /a, json: {a: [{'{{q}}': 1}]}}", "endpoint x: the body: the name \"{{q}}\" has {{ in it"),
    ("x: {path: /a, json: '{\"a\": {{x}}}'}", "json is a text that looks like JSON|without the quotes"),
    ("x: {path: /a, json: ' [{{x}}]'}", "json is a text that looks like JSON"),
    ("x: {path: /a, xml: '<{{e}}/>'}", "endpoint x: the body: {{e}} stands in a tag"),
    ("x: {path: /a, xml: '<a></{{e}}>'}", "{{e}} stands in a tag"),
    ("x: {path: /a, xml: '<a b={{e}}/>'}", "{{e}} stands in a tag"),
    ("x: {path: /a, xml: '<a b=\"1\" {{e}}=\"2\"/>'}", "{{e}} stands in a tag"),
    ("x: {path: /a, xml: '<a><![CDATA[ > {{e}}]]></a>'}", "{{e}} stands in a CDATA section"),
    ("x: {path: /a, xml: '<a><!-- > {{e}} --></a>'}", "{{e}} stands in a comment"),
    ("x: {path: /a, xml: '<?xml version=\"{{e}}\"?><a/>'}", "{{e}} stands in a declaration"),
    ("x: {path: /a, headers: {'a b': c}}", "the header a b is no token"),
    ("x: {path: /a, headers: {a: \"b\\r\\nc: d\"}}", "line break"),
    ("x: {path: /a, query: {a: [1]}}", "a value of query is an array"),
    ("x: {path: /a, query: {a: '{{b'}}", "{{ begins no variable"),
    ("x: {path: /a, input: {b: {type: string}}}", "input has b, which stands in no template"),
    ("x: {path: '/{{b}}', input: {b: {pattern: a}}}", "input: the schema at /properties/b/pattern"),
    ("x: {path: '/{{b}}', input: {b: {type: string, default: 5}}}", 'the default of "b" does not meet its schema: it: string'),
    ("x: {path: /a, output: {type: text}}", "output: the schema at /type"),
    ("x: {path: /a, reply: xml}", "reply is neither json nor text"),
    ("x: {path: /a, read_only: maybe}", "read_only is neither true nor false"),
]


@pytest.mark.parametrize("text,says", BAD, ids=[says for _, says in BAD])
def test_declarations_that_are_wrong(tmp_path, text, says):
    path = tmp_path / "tenon.yaml"
    path.write_text(f"connectors:\n  api:\n    kind: rest_api\n    base_url: http://localhost:1\n    endpoints:\n      {text}\n")
    error = json.loads(run("actions", "api", "--json", connectors=path).stdout)["error"]
    message, _, remedy = says.partition("|")
    assert (error["code"], error["stage"]) == ("CONFIG", "config"), error
    assert message in error["message"] and remedy in error["remedy"]
