# SPDX-License-Identifier: Apache-2.0
"""Language models: `tenon chat`, `embed`, `ls`, `test`, and vectors by text, on a service that answers as the cases of
tests/cases/llm say. The vendors' own clients ask the same service: both sides see the same events, and what we send
is what the vendors' own types of requests allow."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import node
from command import TENON, answer, environment, tenon

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers/llm"))
import server as llm  # noqa: E402

KINDS = ["ollama", "openai", "anthropic"]
CASES = [case for kind in KINDS for case in llm.read_cases(kind)]
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
TOOLS = [{"name": "get_weather", "description": "The weather of a city",
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}, {"name": "now"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture(scope="module")
def service():
    server = llm.Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the cases ask with."""
    path = tmp_path_factory.mktemp("ask")
    (path / "tools.json").write_text(json.dumps(TOOLS))
    (path / "schema.json").write_text(json.dumps(SCHEMA))
    (path / "dot.png").write_bytes(DOT)
    return path


def target(kind, service, model=None, key=llm.KEY):
    """A target and its settings, as words."""
    where = {"ollama": ["--set", f"url={service.url}"], "openai": ["--set", f"base_url={service.url}/v1"],
             "anthropic": ["--set", f"base_url={service.url}"]}[kind]
    named = ["--set", f"model={model}"] if model else []
    return [f"{kind}://", *where, *named, "--set", f"api_key={key}"]


def events_of(done):
    """The lines of `tenon chat --json`: events, and the last, which says whether all went well."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]


def told(events):
    """The same of all sides: text, calls, usage, finish."""
    usage = next((e for e in events if e["event"] == "usage"), {})
    done = next((e for e in events if e["event"] == "done"), {})
    return {"text": "".join(e["text"] for e in events if e["event"] == "text"),
            "calls": [[e["id"], e["name"], e["arguments"]] for e in events if e["event"] == "tool_call"],
            "usage": [usage.get(f"{k}_tokens") for k in ("input", "cached", "output")], "finish": done.get("finish")}


def has(wanted, found):
    """Members of objects that are wanted are there; all else is equal."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(k in found and has(v, found[k]) for k, v in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(has, wanted, found))
    return wanted == found


def ask(service, folder, kind, words, **more):
    *options, message = words
    first, *settings = target(kind, service, **more)
    return tenon("chat", first, message, *options, *settings, "--json", cwd=folder)


# --- Every case, by Tenon and by the vendor's client -------------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in CASES if "skip" not in c.tenon], ids=lambda c: c.model)
def test_a_case_is_told_as_it_is(service, folder, case):
    service.requests.clear()
    done = ask(service, folder, case.kind, case.ask, model=case.model)
    events, last = events_of(done)
    wanted = dict(case.tenon)
    if "code" not in wanted:
        assert last["ok"], last
        assert [e["event"] for e in events][-2:] == ["usage", "done"]
        assert told(events) == wanted
    else:
        before = wanted.pop("before", "")
        message, remedy = wanted.pop("message", ""), wanted.pop("remedy", "")
        assert not last["ok"] and has(wanted, last["error"]), last
        assert message in last["error"]["message"] and remedy in last["error"]["remedy"]
        assert last["error"]["remedy"] and llm.KEY not in done.stdout + done.stderr
        assert "".join(e["text"] for e in events if e["event"] == "text") == before
        assert not any(e["event"] == "done" for e in events)
    if case.request is not None:
        assert has(case.request, service.requests[-1][2]), service.requests[-1][2]


def test_a_model_may_stand_behind_the_target(service, folder, tmp_path):
    (tmp_path / "tenon.yaml").write_text(
        f"connectors: {{own: {{kind: ollama, url: '{service.url}', model: ollama-not-found, api_key: {llm.KEY}}}}}\n")
    events, last = events_of(tenon("chat", "own:ollama-text", "hello", "--json", cwd=tmp_path))
    assert last["ok"] and told(events)["text"] == "Grüß dich 😀"
    service.requests.clear()
    assert not events_of(tenon("chat", "own:a.b", "hello", "--json", cwd=tmp_path))[1]["ok"]
    assert service.requests[-1][2]["model"] == "a.b", "a point is a part of the name"
    lines = tenon("embed", "own:embedder", "one", cwd=tmp_path).stdout.splitlines()
    assert len(json.loads(lines[0])["vector"]) > 1


def test_the_first_event_is_tried_again_and_a_later_one_is_not(service, folder):
    for name, requests in (("server-error", 3), ("broken", 1), ("cut", 1), ("rate", 1)):
        service.requests.clear()
        ask(service, folder, "openai", ["hello"], model=f"openai-{name}")
        assert len(service.requests) == requests, name


# --- The vendors' clients: the same events of the same stream -----------------------------------------------------------


def options_of(words):
    """The words of a case as a client's caller would give them."""
    given, i = {"message": words[-1]}, 0
    while i < len(words) - 1:
        given[words[i].removeprefix("--")] = words[i + 1]
        i += 2
    return given


def openai_events(url, case):
    import openai
    given = options_of(case.ask)
    client = openai.OpenAI(base_url=url + "/v1", api_key=llm.KEY, max_retries=0)
    text, calls, usage, finish = "", {}, [None] * 3, None
    stream = client.chat.completions.create(model=given.get("model", case.model), stream=True,
                                            messages=[{"role": "user", "content": given["message"]}])
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for part in choice.delta.tool_calls or []:
                call = calls.setdefault(part.index, ["", "", ""])
                call[0] = part.id or call[0]
                call[1] = (part.function.name if part.function else None) or call[1]
                call[2] += (part.function.arguments if part.function else None) or ""
        if chunk.usage:
            details = chunk.usage.prompt_tokens_details
            usage = [chunk.usage.prompt_tokens, details.cached_tokens if details else None, chunk.usage.completion_tokens]
    return {"text": text, "calls": [[c[0], c[1], json.loads(c[2])] for c in calls.values()], "usage": usage, "finish": finish}


def anthropic_events(url, case):
    import anthropic
    given = options_of(case.ask)
    client = anthropic.Anthropic(base_url=url, api_key=llm.KEY, max_retries=0)
    with client.messages.stream(model=given.get("model", case.model), max_tokens=100,
                                messages=[{"role": "user", "content": given["message"]}]) as stream:
        message = stream.get_final_message()
    u = message.usage
    finish = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}.get(message.stop_reason)
    return {"text": "".join(b.text for b in message.content if b.type == "text"),
            "calls": [[b.id, b.name, b.input] for b in message.content if b.type == "tool_use"],
            "usage": [u.input_tokens + (u.cache_read_input_tokens or 0) + (u.cache_creation_input_tokens or 0),
                      u.cache_read_input_tokens, u.output_tokens], "finish": finish}


def ollama_events(url, case):
    import ollama
    given = options_of(case.ask)
    client = ollama.Client(host=url, headers={"Authorization": f"Bearer {llm.KEY}"})
    text, calls, last = "", [], None
    for part in client.chat(model=given.get("model", case.model), messages=[{"role": "user", "content": given["message"]}], stream=True):
        text += part.message.content or ""
        calls += [[getattr(c, "id", None), c.function.name, dict(c.function.arguments)] for c in part.message.tool_calls or []]
        last = part
    return {"text": text, "calls": calls, "usage": [last.prompt_eval_count, None, last.eval_count],
            "finish": "tool_calls" if calls else last.done_reason}


CLIENTS = {"openai": openai_events, "anthropic": anthropic_events, "ollama": ollama_events}


@pytest.mark.parametrize("case", [c for c in CASES if c.sdk != "nothing"], ids=lambda c: c.model)
def test_the_vendors_client_sees_the_same(service, case):
    if case.sdk == "same":
        found, wanted = CLIENTS[case.kind](service.url, case), dict(case.tenon)
        if case.kind == "ollama":  # its client knows no ids of calls
            found["calls"], wanted["calls"] = [c[1:] for c in found["calls"]], [c[1:] for c in wanted["calls"]]
        assert found == wanted
        return
    with pytest.raises(Exception) as raised:
        CLIENTS[case.kind](service.url, case)
    assert any(k.__name__ in case.sdk.split() for k in type(raised.value).__mro__), repr(raised.value)


# --- What we send, by the vendors' own types -----------------------------------------------------------------------------


def exhaust(value):
    """Parts of a request are only looked at when they are read."""
    if isinstance(value, dict):
        return {k: exhaust(v) for k, v in value.items()}
    return value if isinstance(value, (str, bytes, int, float, bool, type(None))) else [exhaust(v) for v in value]


def request_type(kind):
    if kind == "openai":
        from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as wanted
    elif kind == "anthropic":
        from anthropic.types.message_create_params import MessageCreateParamsStreaming as wanted
    else:
        from ollama._types import ChatRequest as wanted
    return wanted


@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_what_the_vendors_types_allow(service, folder, kind):
    import pydantic
    wanted = request_type(kind)
    adapter = pydantic.TypeAdapter(wanted)
    fields = set(wanted.model_fields if hasattr(wanted, "model_fields") else wanted.__annotations__)
    if not hasattr(wanted, "model_fields"):
        import typing
        fields = set(typing.get_type_hints(wanted))
    checked = 0
    for case in (c for c in CASES if c.kind == kind and c.request is not None):
        service.requests.clear()
        ask(service, folder, kind, case.ask, model=case.model)
        body = service.requests[-1][2]
        assert set(body) <= fields | ({"temperature"} if kind == "anthropic" else set())  # its newest models alone take none
        exhaust(adapter.validate_python(body)) if isinstance(adapter.validate_python(body), dict) else None
        checked += 1
    assert checked >= 3


# --- Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_ends_an_answer_in_the_middle(service, folder, kind):
    service.gone.clear()
    began = time.monotonic()
    events, last = events_of(ask(service, folder, kind, ["--timeout", "0.5s", "hello"], model=f"{kind}-hang"))
    assert last["error"]["code"] == "TIMEOUT" and time.monotonic() - began < 1.6
    assert events and events[0]["text"] == "Once upon"
    assert service.gone.wait(2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancel_drops_the_connection_at_once(service, folder, kind):
    service.gone.clear()
    service.hanging.clear()
    words = target(kind, service, model=f"{kind}-hang")
    child = subprocess.Popen([TENON, "chat", words[0], "hello", *words[1:]], env=environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    assert os.read(child.stdout.fileno(), 100) == b"Once upon"  # before the answer is whole
    assert service.hanging.wait(5)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(5) == 130 and time.monotonic() - sent < 0.75
    assert service.gone.wait(2) and service.gone_at - sent < 0.5
    child.stdout.close()


# --- The command -----------------------------------------------------------------------------------------------------------


def test_text_is_for_people_and_pipes(service, folder):
    words = target("openai", service, model="openai-text")
    done = tenon("chat", words[0], "hello", *words[1:])
    assert done.returncode == 0 and done.stdout == "Grüß dich 😀\n"
    assert "19 tokens read, 8 of them from the cache, 10 written; cost unknown (openai-text)" in done.stderr
    done = subprocess.run([TENON, "chat", words[0], *words[1:]], env=environment(), input="hello\n", capture_output=True, text=True, timeout=30)
    assert done.stdout == "Grüß dich 😀\n" and service.requests[-1][2]["messages"][-1]["content"] == "hello\n"
    done = tenon("chat", words[0], "hello", "--tools", folder / "tools.json", *words[1:], "-m", "openai-tools")
    assert done.stdout == 'get_weather({"city":"Paris \\"x\\""})\nnow({})\n'
    done = tenon("chat", words[0], "hello", *words[1:], "-m", "openai-content-filter")
    assert done.stdout == "Well, \n" and done.returncode == 5 and "a content filter stopped the answer" in done.stderr
    assert "hello" not in done.stderr  # nobody's question is in a message


@pytest.mark.parametrize("words, message", [
    ([], "the message is empty"), (["hi", "--image", "tools.json"], "no image of a known kind"),
    (["hi", "--image", "nowhere.png"], "nowhere.png"), (["hi", "--schema", "dot.png"], "not JSON"),
    (["hi", "--tools", "schema.json"], "no list of 1 to 128 tools"), (["hi", "--temperature", "warm"], "--temperature cannot be warm"),
    (["hi", "--max-tokens", "0"], "max_tokens is less than 1"), (["hi", "--stop", ""], "is empty")])
def test_what_cannot_be_asked_is_refused_before(service, folder, words, message):
    service.requests.clear()
    first, *settings = target("openai", service, model="openai-text")
    done = tenon("chat", first, *words, *settings, cwd=folder)
    assert done.returncode in (3, 2, 13, 14) and message in done.stderr and not service.requests, done.stderr


def test_no_model_is_named(service):
    first, *settings = target("openai", service)
    assert "no model is named" in tenon("chat", first, "hi", *settings).stderr


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_listed(service, kind):
    rows = answer("ls", *target(kind, service))["models"]
    assert [r["id"] for r in rows] == sorted([*service.cases, "embedder"])
    assert all(r["created"] for r in rows)
    assert all(r["bytes"] for r in rows) is (kind == "ollama") and all(r["name"] for r in rows) is (kind == "anthropic")


def test_pages_that_do_not_go_on_are_an_error(service):
    service.repeats_pages = True
    error = answer("ls", *target("anthropic", service), ok=False)
    service.repeats_pages = False
    assert error["code"] == "DATA" and "does not say where" in error["message"]


def test_a_schema_is_strict_where_it_is_closed(service, folder):
    for schema, strict in ((SCHEMA, True), ({"type": "object", "properties": {"a": {"type": "integer"}}}, False),
                           ({**SCHEMA, "properties": {"a": {"type": "object", "properties": {"b": {}}}}}, False)):
        (folder / "other.json").write_text(json.dumps(schema))
        ask(service, folder, "openai", ["--schema", "other.json", "hello"], model="openai-schema")
        assert service.requests[-1][2]["response_format"]["json_schema"]["strict"] is strict


def test_an_end_that_is_the_services_own_is_said(service, folder):
    words = target("openai", service, model="openai-other-finish")
    assert events_of(tenon("chat", words[0], "hello", *words[1:], "--json"))[0][-1]["reason"] == "abort"
    done = tenon("chat", words[0], "hello", *words[1:])
    assert done.returncode == 0 and 'ended it with "abort"' in done.stderr


def test_what_can_be_checked_of_a_schema_is_checked(service, folder):
    wrong = [{"type": "array", "pattern": "x"}, {"type": "array", "$defs": {}, "$id": "x"},
             {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"type": "string"}}}}}]
    for schema in wrong:
        (folder / "other.json").write_text(json.dumps(schema))
        last = events_of(ask(service, folder, "openai", ["--schema", "other.json", "hello"], model="openai-schema"))[1]
        assert "does not keep to its schema: a" in last["error"]["message"], schema
    (folder / "other.json").write_text(json.dumps({"$ref": "#/$defs/A", "$defs": {"A": SCHEMA}, "not": {"pattern": "x"}}))
    assert events_of(ask(service, folder, "openai", ["--schema", "other.json", "hello"], model="openai-schema"))[1]["ok"]
    service.requests.clear()
    (folder / "other.json").write_text('{"type": "bogus"}')
    last = events_of(ask(service, folder, "openai", ["--schema", "other.json", "hello"], model="openai-schema"))[1]
    assert last["error"]["code"] == "CONFIG" and "/type: it is no type" in last["error"]["message"] and not service.requests


# --- Tests of connections ---------------------------------------------------------------------------------------------------


def failed_step(*words):
    document = json.loads(tenon("test", *words, "--json").stdout)
    steps = document["result"]["steps"]
    return steps[-1]["name"], steps[-1]["outcome"], document.get("error", {})


def test_a_test_names_layer_and_remedy(service, unused_port):
    cases = [
        (target("openai", service, "openai-text"), None, "probe", ""),
        (target("anthropic", service, "anthropic-text"), None, "probe", ""),
        (target("ollama", service, "ollama-text"), None, "probe", ""),
        (target("openai", service, "openai-text", key="sk-bad"), "UNAUTHENTICATED", "auth", "check api_key"),
        (target("anthropic", service, "anthropic-text", key="sk-bad"), "UNAUTHENTICATED", "auth", "check api_key"),
        (target("ollama", service, "ollama-text", key="sk-bad"), "UNAUTHENTICATED", "auth", "check api_key"),
        (target("openai", service, "nowhere"), "NOT_FOUND", "probe", "check the model's name"),
        (target("anthropic", service, "nowhere"), "NOT_FOUND", "probe", "check the model's name"),
        (target("ollama", service, "nowhere"), "NOT_FOUND", "probe", "ollama pull"),
        (target("openai", service, "openai-quota"), "LIMITED", "probe", "add credit"),
        (target("anthropic", service, "anthropic-quota"), "LIMITED", "probe", "add credit"),
        (target("openai", service, "openai-scope"), "FORBIDDEN", "permission", "scope"),
        (["openai://", "--set", f"base_url={service.url}", "--set", "api_key=sk-good"], "NOT_FOUND", "probe", "https://host/v1"),
        (["anthropic://", "--set", f"base_url={service.url}/v1", "--set", "api_key=sk-good"], "NOT_FOUND", "probe", "without /v1"),
        (["ollama://", "--set", f"url={service.url}/v1", "--set", "api_key=sk-good"], "NOT_FOUND", "probe", "without /v1"),
        (["ollama://", "--set", f"url=http://127.0.0.1:{unused_port}"], "UNREACHABLE", "tcp", "server runs"),
    ]
    for words, code, step, remedy in cases:
        name, outcome, error = failed_step(*words)
        assert (name, error.get("code")) == (step, code), (words, error)
        assert remedy in (error.get("remedy") or ""), error


def test_a_list_for_anybody_proves_no_key(service):
    words = target("openai", service, "openai-text")
    auth = [s for s in json.loads(tenon("test", *words, "--json").stdout)["result"]["steps"] if s["name"] == "auth"]
    assert [s["evidence"] for s in auth] == ["the key is not refused"]


@pytest.fixture
def unused_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- aimock: somebody else's idea of the three services -------------------------------------------------------------------


@pytest.fixture(scope="module")
def aimock(tmp_path_factory):
    path = tmp_path_factory.mktemp("aimock")
    fixtures = [
        {"match": {"userMessage": "hello"}, "response": {"content": "Hi, streaming in chunks of any size."}},
        {"match": {"userMessage": "weather"}, "response": {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}},
        {"match": {"userMessage": "ratelimit"}, "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429}},
        {"match": {"inputText": "embed me"}, "response": {"embedding": [0.1, 0.2, 0.3]}}]
    (path / "f.json").write_text(json.dumps({"fixtures": fixtures}))
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with node.running("@copilotkit/aimock/dist/cli.js", "-p", port, "-f", path, "--strict", "-c", 3, ready="listening",
                      env={"AIMOCK_API_KEYS": llm.KEY}):
        yield type("Place", (), {"url": f"http://127.0.0.1:{port}"})


@pytest.mark.parametrize("kind", KINDS)
def test_aimock_answers(aimock, folder, kind):
    events, last = events_of(ask(aimock, folder, kind, ["hello"], model="gpt-4o"))
    assert last["ok"] and told(events)["text"] == "Hi, streaming in chunks of any size." and len(events) > 5
    events, last = events_of(ask(aimock, folder, kind, ["--tools", "tools.json", "the weather"], model="gpt-4o"))
    assert [c[1:] for c in told(events)["calls"]] == [["get_weather", {"city": "Paris"}]] and told(events)["finish"] == "tool_calls"
    _, last = events_of(ask(aimock, folder, kind, ["--timeout", "0.9s", "ratelimit"], model="gpt-4o"))
    assert (last["error"]["code"], last["error"]["vendor_code"]) == ("LIMITED", 9001)
    _, last = events_of(ask(aimock, folder, kind, ["hello"], model="gpt-4o", key="sk-bad"))
    assert (last["error"]["code"], last["error"]["stage"]) == ("UNAUTHENTICATED", "auth")
    assert "gpt-4o" in [m["id"] for m in answer("ls", *target(kind, aimock))["models"]]


def test_aimock_embeds(aimock):
    rows = [json.loads(line) for line in embed("openai", aimock, "embed me", model="text-embedding-3-small").stdout.splitlines()]
    assert close(rows[0]["vector"], [0.1, 0.2, 0.3])


# --- Embeddings ------------------------------------------------------------------------------------------------------------


def embed(kind, service, *words, model="embedder", **more):
    first, *settings = target(kind, service, model)
    return tenon("embed", first, *words, *settings, **more)


def close(a, b):
    return len(a) == len(b) and all(abs(x - y) < 1e-6 for x, y in zip(a, b))


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_texts_become_vectors_in_order(service, kind, tmp_path):
    texts = [f"text {i} ä" for i in range(1700)]
    (tmp_path / "lines.txt").write_text("\n".join(texts))
    service.embedded.clear()
    service.requests.clear()
    with open(tmp_path / "lines.txt") as lines:
        done = subprocess.run([TENON, "embed", *target(kind, service, "embedder")[:1], "-", *target(kind, service, "embedder")[1:]],
                              env=environment(), stdin=lines, capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["text"] for r in rows] == texts, done.stderr
    assert all(close(r["vector"], llm.vector_of(r["text"])) for r in rows)
    assert not any("dimensions" in body for _, _, body in service.requests)  # nobody asked for fewer
    assert sum(service.embedded) == 1700 and max(service.embedded) <= 256
    assert f"{sum(map(len, texts)):,} tokens read; cost unknown" in done.stderr


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_the_vendors_client_has_the_same_vectors(service, kind):
    ours = [json.loads(line)["vector"] for line in embed(kind, service, "one", "--text", "two").stdout.splitlines()]
    if kind == "openai":
        import openai
        reply = openai.OpenAI(base_url=service.url + "/v1", api_key=llm.KEY).embeddings.create(
            model="embedder", input=["one", "two"], encoding_format="float")
        theirs = [d.embedding for d in reply.data]
    else:
        import ollama
        theirs = ollama.Client(host=service.url, headers={"Authorization": f"Bearer {llm.KEY}"}).embed("embedder", ["one", "two"]).embeddings
    assert all(map(close, ours, theirs)) and len(ours) == 2


def test_a_column_of_a_file_keeps_the_others(service, tmp_path):
    import pyarrow.parquet
    rows = pyarrow.table({"n": list(range(1300)), "body": [f"b{i}" for i in range(1300)]})
    pyarrow.parquet.write_table(rows, tmp_path / "in.parquet")
    done = embed("openai", service, "--from", tmp_path / "in.parquet", "--column", "body", "-o", tmp_path / "out.parquet", "-d", 5)
    assert done.returncode == 0, done.stderr
    out = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert out.column("n").to_pylist() == list(range(1300)) and out.column_names == ["n", "body", "vector"]
    assert all(close(v, llm.vector_of(b, 5)) for b, v in zip(out["body"].to_pylist(), out["vector"].to_pylist()))


@pytest.mark.parametrize("model, message", [("one-short", "one vector for each text"), ("other-widths", "of another dimension"),
                                            ("no-numbers", "something else than numbers"), ("twice", "not one for each text")])
def test_vectors_that_are_not_right_are_refused(service, model, message):
    done = embed("openai", service, "a", "--text", "b", model=model)
    assert done.returncode == 14 and message in done.stderr and not done.stdout, done.stderr


def test_vectors_in_another_order_are_put_right_and_a_busy_service_is_asked_again(service):
    rows = [json.loads(line) for line in embed("openai", service, "a", "--text", "b", model="shuffled").stdout.splitlines()]
    assert all(close(r["vector"], llm.vector_of(r["text"])) for r in rows) and [r["text"] for r in rows] == ["a", "b"]
    service.fail_embeddings = 2
    assert embed("ollama", service, "a").returncode == 0
    service.fail_embeddings = 0


def test_what_cannot_be_embedded(service, tmp_path):
    (tmp_path / "x.csv").write_text("n,text\n1,a\n2,\n")
    (tmp_path / "none.csv").write_text("n,text\n")
    for words, message in ((["--from", tmp_path / "x.csv"], "row 2 has no text"), (["--from", tmp_path / "none.csv"], "no rows with texts"),
                           (["--from", tmp_path / "x.csv", "--column", "m"], "no column m"), (["a", "--from", "x"], "and --from too"),
                           (["--from", tmp_path / "x.csv", "--column", "n"], "is not text"), ([], "no rows with texts")):
        done = embed("openai", service, *words)
        assert done.returncode and message in done.stderr and not done.stdout, done.stderr
    for text, message in ((b"a\n\nb\n", "line 2 of stdin is blank"), (b"a\n\xff\n", "row 2 is not UTF-8")):
        done = subprocess.run([TENON, "embed", *target("openai", service, "embedder")[:1], "-", *target("openai", service, "embedder")[1:]],
                              env=environment(), input=text, capture_output=True, timeout=30)
        assert done.returncode == 14 and message in done.stderr.decode() and not done.stdout
    done = tenon("embed", *target("anthropic", service, "m")[:1], "a", *target("anthropic", service, "m")[1:])
    assert "no operation models.embed" in done.stderr


def test_vectors_are_kept_and_found_by_text(service, tmp_path):
    models = f"openai://?embedding_model=embedder&api_key={llm.KEY}&base_url={service.url.replace(':', '%3A')}%2Fv1"
    notes = f"faiss://{tmp_path}:notes"
    answer("vectors", "create", notes, "--dimension", llm.DIMENSION)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"id": f"n{i}", "document": f"note {i}", "metadata": {"i": i}}) + "\n"
                                                 for i in range(600)))
    done = answer("vectors", "upsert", notes, "--from", tmp_path / "rows.jsonl", "--embed", models)
    assert done == {"rows": 600, "inserted": 600}
    rows = answer("vectors", "query", notes, "--text", "note 17", "--text", "note 423", "--embed", models, "-k", 1)["rows"]
    assert [(r["query"], r["id"]) for r in rows] == [(0, "n17"), (1, "n423")] and all(r["score"] > 0.9999 for r in rows)
    (tmp_path / "with.jsonl").write_text('{"id": "a", "vector": [1], "document": "x"}\n')
    done = tenon("vectors", "upsert", notes, "--from", tmp_path / "with.jsonl", "--embed", models)
    assert "line 1: there is no place for its member" in done.stderr
    assert "without --embed" in tenon("vectors", "query", notes, "--text", "x").stderr
