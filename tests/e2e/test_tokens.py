# SPDX-License-Identifier: Apache-2.0
"""Tokens with a real OpenID provider, which rotates refresh tokens and kills a grant whose old token is used again."""
import base64
import http.cookiejar
import http.server
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import types
import urllib.error
import urllib.parse
import urllib.request

import pytest

import node
import smtp_server

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TENON", "build/plain/tenon")).resolve().parent
REDIRECT = "http://127.0.0.1:8069/cb"


class Provider:
    def __init__(self, port, lifetime):
        self.url, self.lifetime = f"http://127.0.0.1:{port}", lifetime
        self.token_url, self.api_url = self.url + "/token", self.url + "/me"

    def get(self, path, data=None):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=10) as answer:
            return json.load(answer)

    def log(self):
        return self.get("/test/log")

    def next(self, **how):
        self.get("/test/next?" + urllib.parse.urlencode(how), b"")

    def refresh_token(self, client="conn"):
        """What a person's consent in a browser comes to."""
        class Stop(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, request, file, code, message, headers, url):
                return None if url.startswith(REDIRECT) else super().redirect_request(request, file, code, message, headers, url)
        opener = urllib.request.build_opener(Stop, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        query = urllib.parse.urlencode({"client_id": client, "response_type": "code", "redirect_uri": REDIRECT, "prompt": "consent",
                                        "scope": "openid offline_access email"})
        with pytest.raises(urllib.error.HTTPError) as stopped:
            opener.open(f"{self.url}/auth?{query}", timeout=10)
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(stopped.value.headers["Location"]).query)["code"][0]
        form = urllib.parse.urlencode({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
                                       "client_id": client, "client_secret": "secret-oauth"})
        return self.get("/token", form.encode())["refresh_token"]


@pytest.fixture(scope="module")
def provider():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with node.running(SOURCE / "tests/servers/oidc.mjs", port, 4):
        yield Provider(port, 4)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asker")
    sanitizers = ["-fsanitize=address,undefined"] if BUILD.name == "asan" else []
    runtime = [subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()] if sanitizers else []
    subprocess.run(["cc", "-std=gnu17", "-O1", "-g", *sanitizers, "-Wall", "-Wextra", "-Werror", "-I", SOURCE / "include", "-o", folder / "asker",
                    SOURCE / "tests/e2e/asker.c", f"-L{BUILD}", "-ltenon", "-lpthread", f"-Wl,-rpath,{BUILD}"], check=True)
    subprocess.run(["cc", "-std=gnu17", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", folder / "meddle.so",
                    SOURCE / "tests/e2e/meddle.c", "-ldl"], check=True)
    return types.SimpleNamespace(asker=folder / "asker", preload=":".join([*runtime, str(folder / "meddle.so")]))


class Grants:
    def __init__(self, provider, programs, tenon, state):
        self.provider, self.programs, self.tenon, self.state = provider, programs, tenon, state
        self.folder = state / "tenon/grants"

    def put(self, token, name="mail", client="conn"):
        done = self.tenon.run("grant", name, "--token-url", self.provider.token_url, "--client-id", client,
                              input=token.encode() + b"\n", env={"XDG_STATE_HOME": str(self.state)})
        assert done.returncode == 0, done.stderr

    def start(self, threads=1, ms=0, grant="mail", client="conn", api=True, secret="secret-oauth", meddle=None, **more):
        env = {**os.environ, "ASKER_SECRET": secret}
        if meddle:
            env |= {"LD_PRELOAD": self.programs.preload, **{k: str(v) for k, v in meddle.items()}}
        return subprocess.Popen([self.programs.asker, self.folder, self.provider.token_url, self.provider.api_url if api else "-", client,
                                 grant, str(threads), str(ms)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **more)

    def end(self, process, timeout=30):
        out, err = process.communicate(timeout=timeout)
        assert process.returncode == 0, (process.returncode, out, err)
        words = dict(re.findall(r"^(\S+) (\d+)$", out, re.M))
        error = re.search(r"^error (.*)$", out, re.M)
        uses = int(words.pop("uses"))
        return types.SimpleNamespace(tokens=set(words), uses=uses, error=error and error.group(1))

    def ask(self, **more):
        return self.end(self.start(**more))

    def kept(self, name="mail"):
        return json.loads((self.folder / f"{name}.grant").read_text())


@pytest.fixture
def grants(provider, programs, tenon, tmp_path):
    return Grants(provider, programs, tenon, tmp_path)


def test_one_refresh_for_each_expiry_among_threads_and_processes(grants, provider):
    grants.put(provider.refresh_token())
    before = len(provider.log())
    ends = [grants.end(p) for p in [grants.start(threads=8, ms=5000 if BUILD.name == "plain" else 2500) for _ in range(4)]]
    asked = provider.log()[before:]
    tokens = set().union(*(e.tokens for e in ends))
    assert [e.error for e in ends] == [None] * 4
    assert all(e.uses > 20 for e in ends)
    # of 4 s, a token is given out for 2: at 0, 2 and 4 s, and never two of them at once
    assert all(a["status"] == 200 and a["grant"] == "refresh_token" for a in asked)
    assert len(asked) == len(tokens) and (3 if BUILD.name == "plain" else 2) <= len(asked) <= 6
    gaps = [b["at"] - a["at"] for a, b in zip(asked, asked[1:])]
    assert all(gap >= 1800 for gap in gaps), gaps
    # each process saw each of them, but perhaps the first and the last
    assert all(len(tokens - e.tokens) <= 2 for e in ends)


def test_a_process_killed_between_rotation_and_storing(grants, provider):
    grants.put(provider.refresh_token())
    # the first file put in place says that a refresh is pending, the second has the new token
    killed = grants.start(meddle={"MEDDLE_RENAME": 2})
    killed.communicate(timeout=20)
    assert killed.returncode == -signal.SIGKILL
    assert provider.log()[-1]["status"] == 200
    assert grants.kept()["pending_ms"] > 0
    for _ in range(2):
        error = grants.ask().error
        assert error.startswith("UNAUTHENTICATED retryable=0") and "is lost" in error and "authorize again" in error, error
    # that is remembered: the service was asked once more, not twice
    assert [a.get("error") for a in provider.log()[-2:]] == [None, "invalid_grant"]
    grants.put(provider.refresh_token())
    assert grants.ask().uses == 1


def test_a_process_killed_before_it_asked(grants, provider):
    grants.put(provider.refresh_token())
    killed = grants.start(meddle={"MEDDLE_RENAME": 1})
    killed.communicate(timeout=20)
    assert killed.returncode == -signal.SIGKILL
    assert grants.ask().uses == 1


def test_a_service_that_is_down_for_a_moment(grants, provider):
    grants.put(provider.refresh_token())
    provider.next(status=503, times=9)
    error = grants.ask().error
    provider.next(times=0)
    assert error.startswith("UNREACHABLE retryable=1") and "503" in error
    assert "pending_ms" not in grants.kept()
    provider.next(status=503, times=1)
    assert grants.ask().uses == 1   # a call that may be repeated is


def test_an_answer_that_was_lost_on_the_way(grants, provider):
    """The service rotated, and a proxy made a 502 of it: the old token is tried once more, and the grant is gone."""
    grants.put(provider.refresh_token())
    provider.next(status=502, times=1, after=1)
    error = grants.ask().error
    assert error.startswith("UNAUTHENTICATED") and "authorize again" in error


def test_the_lock_of_a_dead_process(grants, provider):
    grants.put(provider.refresh_token())
    provider.next(hang=1, times=1)
    before = len(provider.log())
    hanging = grants.start()
    while len(provider.log()) == before:
        time.sleep(0.02)
    waiting = grants.start()
    time.sleep(0.3)
    assert waiting.poll() is None
    hanging.kill()
    hanging.communicate()
    assert grants.end(waiting).uses == 1


def test_a_store_that_cannot_be_written_costs_no_grant(grants, provider):
    grants.put(provider.refresh_token())
    before = len(provider.log())
    error = grants.ask(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))).error
    assert error.startswith("LIMITED") and "ulimit -f" in error, error
    assert len(provider.log()) == before
    assert grants.ask().uses == 1


def test_clocks_that_differ(grants, provider):
    grants.put(provider.refresh_token())
    assert grants.ask().uses == 1
    before = len(provider.log())
    # far ahead: it looks old; then far behind: it was got in the future. Each is one refresh, and none costs the grant
    assert grants.ask(meddle={"MEDDLE_CLOCK_S": 7200}).error is None
    assert grants.ask().error is None
    assert grants.ask(meddle={"MEDDLE_CLOCK_S": -7200}).error is None
    assert grants.ask().error is None
    asked = provider.log()[before:]
    assert all(a["status"] == 200 for a in asked) and len(asked) <= 4


def test_files_that_others_could_read_are_refused(grants, provider):
    grants.put(provider.refresh_token())
    path = grants.folder / "mail.grant"
    assert grants.folder.stat().st_mode & 0o777 == 0o700 and path.stat().st_mode & 0o777 == 0o600
    before = len(provider.log())
    path.chmod(0o644)
    assert f"chmod 600 {path};" in grants.ask().error   # as it can be given
    path.chmod(0o600)
    grants.folder.chmod(0o755)
    assert "chmod 700" in grants.ask().error
    grants.folder.chmod(0o700)
    path.rename(grants.folder / "other")
    path.symlink_to("other")
    assert grants.ask().error.startswith("CONFIG")
    assert len(provider.log()) == before


def test_a_store_with_rubbish(grants, provider):
    grants.put("x")
    for text in (b"", b"\0" * 100, b'{"tenon_grant":1}', b"[" * 100000, b'{"tenon_grant":1,"refresh_token":"sesame",'):
        (grants.folder / "mail.grant").write_bytes(text)
        error = grants.ask().error
        assert error.startswith(("DATA", "LIMITED", "NOT_FOUND")) and "sesame" not in error, error
        assert "mail" in error, error


def test_client_credentials(grants, provider):
    before = len(provider.log())
    assert grants.ask(grant="-", client="machine", api=False, threads=8, ms=500).error is None
    asked = provider.log()[before:]
    assert [(a["grant"], a["status"]) for a in asked] == [("client_credentials", 200)]
    error = grants.ask(grant="-", client="machine", api=False, secret="wrong-secret", threads=8).error
    assert error.startswith("UNAUTHENTICATED retryable=0") and "invalid_client" in error and "wrong-secret" not in error
    assert [(a["status"], a["error"]) for a in provider.log()[before + 1:]] == [(401, "invalid_client")]
    assert not grants.folder.exists()


def test_a_token_that_the_api_refuses(grants, provider):
    """It was no good before its time: one refresh, and the calls go on."""
    grants.put(provider.refresh_token())
    assert grants.ask().uses == 1
    provider.get("/test/forget?" + urllib.parse.urlencode({"token": grants.kept()["access_token"]}), b"")
    before = len(provider.log())
    ends = grants.ask(threads=8)
    assert ends.error is None and ends.uses == 8
    assert len(provider.log()) == before + 1


class SlowTokens(http.server.BaseHTTPRequestHandler):
    """A token endpoint that rotates, and takes its time to say so."""
    seconds, asked = 6, []

    def log_message(self, *_):
        pass

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        self.asked.append(form["refresh_token"])
        time.sleep(self.seconds)
        body = b'{"access_token": "a2", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r2"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def slow(tenon, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowTokens)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    SlowTokens.asked.clear()
    url = f"http://127.0.0.1:{server.server_port}/token"
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    program = str(pathlib.Path(tenon.path).resolve())
    subprocess.run([program, "grant", "mail", "--token-url", url, "--client-id", "conn"], input=b"r1\n", env=env, check=True)
    (tmp_path / "tenon.yaml").write_text(f"connectors:\n  api: {{kind: rest_api, base_url: 'http://127.0.0.1:1', auth: oauth_refresh, "
                                         f"token_url: '{url}', client_id: conn, grant: mail, endpoints: {{a: {{path: /}}}}}}\n")

    def start(*words):
        signals = (signal.SIGTERM, signal.SIG_DFL)
        process = subprocess.Popen([program, "call", "api", "a", *words], env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(*signals))
        while not SlowTokens.asked:
            time.sleep(0.01)
        return process
    yield types.SimpleNamespace(start=start, kept=lambda: json.loads((tmp_path / "tenon/grants/mail.grant").read_text()))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("how", ["signal", "deadline"])
def test_a_process_that_is_told_to_end_keeps_the_grant(slow, how):
    """Longer than five seconds, which was all that it waited once."""
    process = slow.start(*(["--timeout", "300ms"] if how == "deadline" else []))
    if how == "signal":
        process.send_signal(signal.SIGTERM)
    text = ""
    while "waiting, at most 30 s" not in text:
        line = process.stderr.readline()
        assert line, text
        text += line
    assert "the grant mail" in text
    if how == "deadline":
        process.send_signal(signal.SIGTERM)   # the first one, and there is nothing to cancel
    process.communicate(timeout=30)
    assert process.returncode == {"signal": 143, "deadline": 8}[how]
    assert slow.kept()["refresh_token"] == "r2"
    assert SlowTokens.asked == ["r1"]


def test_a_second_signal_ends_the_wait(slow):
    process = slow.start()
    process.send_signal(signal.SIGTERM)
    while "waiting, at most" not in process.stderr.readline():
        assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM and time.monotonic() - began < 3
    assert slow.kept()["pending_ms"] > 0


# ---- Through a kind ------------------------------------------------------------------------------------------------------------

ENDPOINTS = {"who": {"path": "/test/api", "records": "/items"}, "quote": {"path": "/test/quote"}}


@pytest.fixture
def api(grants, provider, tenon, tmp_path):
    def write(**parameters):
        lines = {"kind": "rest_api", "base_url": provider.url, "endpoints": json.dumps(ENDPOINTS), "token_url": provider.token_url,
                 "client_secret": "secret-oauth", "test_endpoint": "who", **parameters}
        (tmp_path / "tenon.yaml").write_text("connectors:\n  api:\n" + "".join(f"    {k}: {v!r}\n" for k, v in lines.items()))

    def run(*args):
        done = tenon.run(*args, "--json", env={"XDG_STATE_HOME": str(grants.state)}, cwd=tmp_path)
        return json.loads(done.stdout)
    tenon.path = str(pathlib.Path(tenon.path).resolve())
    return types.SimpleNamespace(write=write, run=run)


def test_an_api_by_client_credentials(api, provider):
    api.write(auth="oauth_client_credentials", client_id="machine", scope="api")
    before = len(provider.log())
    answer = api.run("call", "api", "who", "--input", "{}")
    assert answer["ok"], answer
    assert "machine" in json.dumps(answer["result"]) and "secret-oauth" not in json.dumps(answer)
    assert [a["grant"] for a in provider.log()[before:]] == ["client_credentials"]
    assert api.run("test", "api")["ok"]


def test_an_api_by_a_grant(api, grants, provider):
    api.write(auth="oauth_refresh", client_id="conn-basic", grant="person@example.com")
    error = api.run("call", "api", "who")["error"]
    assert error["code"] == "NOT_FOUND" and "authorize" in error["remedy"], error
    grants.put(provider.refresh_token("conn-basic"), name="person@example.com", client="conn-basic")
    before = len(provider.log())
    answer = api.run("call", "api", "who")
    assert answer["ok"] and "user1" in json.dumps(answer["result"]), answer
    # the next process takes the token that this one got; when the API refuses it, it gets another one and goes on
    assert api.run("call", "api", "who")["ok"]
    assert len(provider.log()) == before + 1
    provider.get("/test/forget?" + urllib.parse.urlencode({"token": grants.kept("person@example.com")["access_token"]}), b"")
    assert api.run("test", "api")["ok"]
    assert len(provider.log()) == before + 2


def test_a_test_says_that_no_token_was_to_be_had(api, grants, provider):
    """Neither the service nor its certificate has been seen then."""
    def steps(answer):
        return {s["name"]: s["outcome"] for s in answer["result"]["steps"]}
    grants.put(provider.refresh_token("conn-basic"), name="person@example.com", client="conn-basic")
    api.write(auth="oauth_refresh", client_id="conn-basic", grant="person@example.com", token_url=provider.url + "/another")
    answer = api.run("test", "api")
    assert answer["error"]["code"] == "CONFIG" and "another token_url" in answer["error"]["message"], answer
    assert steps(answer) == {"dns": "ok", "tcp": "ok", "auth": "failed"}
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))   # and does not listen
        api.write(auth="oauth_client_credentials", client_id="machine", token_url=f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        answer = api.run("test", "api")
    assert answer["error"]["code"] == "UNREACHABLE" and steps(answer) == {"dns": "ok", "tcp": "ok", "auth": "failed"}, answer


def test_a_token_that_the_api_quotes(api, grants, provider):
    api.write(auth="oauth_refresh", client_id="conn-basic", grant="person@example.com")
    grants.put(provider.refresh_token("conn-basic"), name="person@example.com", client="conn-basic")
    error = api.run("call", "api", "quote")["error"]
    token = grants.kept("person@example.com")["access_token"]
    assert error["code"] == "FORBIDDEN" and "may not" in error["message"], error
    assert token not in json.dumps(error) and base64.b64encode(token.encode()).decode()[:20] not in json.dumps(error)


def test_what_a_wrong_secret_says(api, provider):
    api.write(auth="oauth_client_credentials", client_id="machine", client_secret="wrong-secret")
    answer = api.run("test", "api")
    assert not answer["ok"] and answer["error"]["code"] == "UNAUTHENTICATED" and answer["error"]["stage"] == "auth", answer
    assert "invalid_client" in answer["error"]["message"] and "wrong-secret" not in json.dumps(answer)


def test_the_page_s_example_runs(grants, provider, tenon, tmp_path):
    """As it stands, but for the services' names; where the page says what a person does, one does it."""
    page = (SOURCE / "docs/tokens.md").read_text()
    yaml, lines = re.search(r"```yaml\n(.*?)```\n\n```\n(.*?)```", page, re.S).groups()
    for name in ("https://api.example.com", "https://idp.example.com"):
        yaml, lines = yaml.replace(name, provider.url), lines.replace(name, provider.url)
    (tmp_path / "tenon.yaml").write_text(yaml)
    (tmp_path / "refresh-token").write_text(provider.refresh_token("conn-basic"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tenon").symlink_to(pathlib.Path(tenon.path).resolve())
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "XDG_STATE_HOME": str(grants.state), "STOCK_SECRET": "secret-oauth",
           "MINE_SECRET": "secret-oauth"}
    said = ""
    for line in lines.splitlines():
        process = subprocess.Popen(["bash", "-c", line], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        if "authorize" in line:
            url = next(text.strip() for text in process.stderr if text.startswith("http"))
            browser().open(url, timeout=10).close()
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, (line, err)
        said += out
    assert said.count("machine") == 1 and said.count("user1") == 3, said


def test_mail_by_a_grant(grants, provider, tenon, tmp_path):
    """XOAUTH2 with a token that the server takes to the provider; one that was withdrawn is replaced while logging in."""
    grants.put(provider.refresh_token("conn-basic"), client="conn-basic")
    with smtp_server.capture(tmp_path / "smtp", env={"TOKEN_API": provider.url + "/test/api"}) as server:
        settings = {"ca": f"$FILE:{server.ca}", "from": "me@example.com", "auth": "oauth_refresh", "grant": "mail",
                    "token_url": provider.token_url, "client_id": "conn-basic", "client_secret": "secret-oauth"}
        def send():
            done = tenon.run("send", server.url("mailer@"), *(x for k, v in settings.items() for x in ("--set", f"{k}={v}")),
                             "--to", "you@example.com", "--text", "hello", "--json", env={"XDG_STATE_HOME": str(grants.state)})
            return json.loads(done.stdout)
        before = len(provider.log())
        assert send()["ok"] and send()["ok"]
        assert len(provider.log()) == before + 1
        token = grants.kept()["access_token"]
        provider.get("/test/forget?" + urllib.parse.urlencode({"token": token}), b"")
        assert send()["ok"]
        assert len(provider.log()) == before + 2 and grants.kept()["access_token"] != token
        assert len(server.take()) == 3
        settings["grant"] = "nobody"
        error = send()["error"]
        assert error["code"] == "NOT_FOUND" and error["stage"] == "auth" and "tenon grant" in error["remedy"], error


# ---- Consent --------------------------------------------------------------------------------------------------------------------

def browser():
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def status_of(url, data=None):
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code


@pytest.fixture
def desktop(api, grants, provider, tenon, tmp_path):
    api.write(auth="oauth_refresh", client_id="desktop", client_secret="", grant="me", authorize_url=f"{provider.url}/auth?prompt=consent",
              scope="openid offline_access email")

    def start(*more):
        process = tenon.start("authorize", "api", "--json", *more, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "XDG_STATE_HOME": str(grants.state)})
        for line in process.stderr:
            if line.startswith("http"):
                return process, line.strip()
        raise RuntimeError(process.communicate())
    return start


def end_of(process):
    out, err = process.communicate(timeout=20)
    return json.loads(out), err


def test_a_person_consents_in_a_browser(desktop, api, grants, provider):
    process, url = desktop()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert query["prompt"] == "consent" and query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    home = query["redirect_uri"]
    # connections that say nothing, and what is no answer, keep nobody from it
    quiet = [socket.create_connection(urllib.parse.urlsplit(home).netloc.split(":")) for _ in range(12)]
    assert status_of(home + "favicon.ico") == 404
    assert status_of(home) == 404
    assert status_of(home + "?code=forged&state=" + "A" * 43) == 400
    assert status_of(home + "?error=access_denied&state=forged") == 400
    assert status_of(home + f"?code=a&code=b&state={query['state']}") == 400
    assert status_of(home, b"x") == 404
    page = browser().open(url, timeout=10).read().decode()
    assert "go back to Tenon" in page
    answer, _ = end_of(process)
    assert answer["ok"], answer
    kept = grants.kept("me")
    assert kept["client_id"] == "desktop" and kept["refresh_token"] and kept["refresh_token"] not in json.dumps(answer)
    called = api.run("call", "api", "who")
    assert called["ok"] and "user1" in json.dumps(called["result"]), called
    for s in quiet:
        s.close()


def test_a_person_refuses(desktop, grants):
    process, url = desktop()
    assert "Nothing was granted" in browser().open(url + "&login_hint=deny", timeout=10).read().decode()
    answer, _ = end_of(process)
    assert answer["error"]["code"] == "FORBIDDEN" and "access_denied: refused" in answer["error"]["message"]
    assert not grants.folder.exists() or not list(grants.folder.glob("*.grant"))


def test_a_code_that_the_service_does_not_know(desktop):
    process, url = desktop()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert status_of(f"{query['redirect_uri']}?code=stolen-code&state={query['state']}") == 200
    answer, _ = end_of(process)
    assert answer["error"]["code"] == "UNAUTHENTICATED" and "stolen-code" not in json.dumps(answer)


def test_nobody_comes(desktop):
    process, _ = desktop("--timeout", "300ms")
    answer, _ = end_of(process)
    assert answer["error"]["code"] == "TIMEOUT" and "browser" in answer["error"]["message"]
    process, _ = desktop()
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(10) == 130 and time.monotonic() - began < 1


def test_what_cannot_be_consented_to(api, provider):
    api.write(auth="oauth_client_credentials", client_id="machine")
    assert api.run("authorize", "api")["error"]["code"] == "CONFIG"
    api.write(auth="oauth_refresh", client_id="desktop", grant="me")
    assert "authorize_url" in api.run("authorize", "api")["error"]["message"]
    api.write(auth="oauth_refresh", client_id="desktop", grant="me", authorize_url="http://idp.example.com/auth")
    assert "https" in api.run("authorize", "api")["error"]["remedy"]
    assert api.run("authorize", "http://127.0.0.1:1/")["error"]["code"] == "UNSUPPORTED"
