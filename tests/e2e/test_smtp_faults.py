# SPDX-License-Identifier: Apache-2.0
"""Mail through a network and servers that misbehave: a typed error in time, an honest outcome, nothing sent twice."""
import base64
import concurrent.futures
import http.server
import json
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

import smtp_server
from smtp_server import Scripted
from test_http_faults import BAD, Blackhole, Certificates, Nobody

LIMIT_S = 1.5
BIG = "x" * 70 + "\n"


def mails(*texts):
    return "".join(json.dumps({"to": f"r{i}@example.com", "text": text}) + "\n" for i, text in enumerate(texts)).encode()


def send(tenon, url, *args, input=mails("one"), timeout="30s"):
    """Answers (error or None, [outcome of each recipient], seconds)."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(input)
        file.flush()
        began = time.monotonic()
        done = tenon.run("send", url, "--set", "from=me@example.com", *args, "--from-file", file.name, "--timeout", timeout, "--json")
        took = time.monotonic() - began
    answer = json.loads(done.stdout)
    return answer.get("error"), [o["outcome"] for o in answer.get("result", {}).get("outcomes", [])], took


def hang(c, *_):
    c.hang()


def reset(c, *_):
    c.reset()


def close(c, *_):
    raise StopIteration


def drip(c, *_):
    for byte in b"220 a server that is very slow\r\n":
        c.send(bytes([byte]))
        if c.server.over.wait(0.3):
            raise StopIteration


def stop_reading(c, _):
    c.send(b"354 go on\r\n")
    c.hang()


# What the server does, and: the error's code (None: no error), its stage, the outcomes of two mails.
LOST = ["unsent", "unsent"]
NOT_WITHOUT_MAIL = {"RCPT": b"503 5.5.1 MAIL first\r\n", "DATA": b"503 5.5.1 MAIL first\r\n"}
CASES = {
    "all is well": ({}, None, None, ["accepted"] * 2),
    "says nothing": ({"greeting": hang}, "TIMEOUT", "tls", LOST),
    "one byte now and then": ({"greeting": drip}, "TIMEOUT", None, LOST),
    "resets at once": ({"greeting": reset}, "UNREACHABLE", None, LOST),
    "closes at once": ({"greeting": close}, "UNREACHABLE", "query", LOST),
    "takes nobody": ({"greeting": b"554 5.7.1 go away\r\n"}, "FORBIDDEN", "query", LOST),
    "is too busy": ({"greeting": b"421 4.3.2 too many connections\r\n"}, "UNREACHABLE", "query", LOST),
    "is no mail server": ({"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, "DATA", "query", LOST),
    "a line without end": ({"greeting": b"220 " + b"x" * 100_000}, "DATA", "query", LOST),
    "a reply without end": ({"greeting": b"220-x\r\n" * 10_000}, "DATA", "query", LOST),
    "a NUL in its greeting": ({"greeting": b"220 a\0b\r\n"}, "DATA", "query", LOST),
    "bare line feeds": ({"greeting": b"220 a\n"}, "DATA", "query", LOST),
    "a bare CR": ({"greeting": b"220 a\rb\r\n"}, "DATA", "query", LOST),
    "two greetings": ({"greeting": b"220 a\r\n250 b\r\n"}, "DATA", "query", LOST),
    "EHLO in two codes": ({"answers": {"EHLO": b"250-a\r\n251 b\r\n"}}, "DATA", "query", LOST),
    "EHLO refused": ({"answers": {"EHLO": b"550 no\r\n"}}, "FORBIDDEN", "query", LOST),
    "EHLO unknown": ({"answers": {"EHLO": b"502 what\r\n"}}, None, None, ["accepted"] * 2),
    "cut in EHLO": ({"answers": {"EHLO": lambda c, _: (c.send(b"250-tes"), c.reset())}}, "UNREACHABLE", "query", LOST),
    "MAIL refused": ({"answers": {"MAIL": b"550 5.7.1 not you\r\n", **NOT_WITHOUT_MAIL}}, "FORBIDDEN", "permission", ["refused"] * 2),
    "MAIL later": ({"answers": {"MAIL": b"451 4.3.0 later\r\n", **NOT_WITHOUT_MAIL}}, "LIMITED", "permission", ["deferred"] * 2),
    "MAIL without login": ({"answers": {"MAIL": b"530 5.7.0 log in first\r\n", **NOT_WITHOUT_MAIL}}, "UNAUTHENTICATED", "permission", ["refused"] * 2),
    "MAIL refused, RCPT and DATA taken": ({"answers": {"MAIL": b"550 no\r\n"}}, "DATA", "query", ["refused", "unsent"]),
    "MAIL, RCPT and DATA refused once": ({"answers": {"MAIL": [b"550 no\r\n", b"250 ok\r\n"], "RCPT": [b"503 no\r\n", b"250 ok\r\n"],
                                                      "DATA": [b"503 no\r\n", b"354 go\r\n"]}}, "FORBIDDEN", None, ["refused", "accepted"]),
    "MAIL answered 354": ({"answers": {"MAIL": b"354 go on\r\n"}}, "DATA", "query", LOST),
    "4xx bursts": ({"answers": {"RCPT": b"450 4.2.0 busy\r\n"}}, "LIMITED", "permission", ["deferred"] * 2),
    "RCPT full": ({"answers": {"RCPT": b"552 5.2.2 mailbox full\r\n"}}, "LIMITED", "permission", ["refused"] * 2),
    "RCPT refused, DATA taken": ({"answers": {"RCPT": b"550 5.1.1 nobody\r\n", ".": b"250 taken\r\n"}}, "NOT_FOUND", "permission", ["refused"] * 2),
    "ends the session in RCPT": ({"answers": {"RCPT": b"421 shutting down\r\n"}}, "UNREACHABLE", "query", LOST),
    "resets in RCPT": ({"answers": {"RCPT": reset}}, "UNREACHABLE", "query", LOST),
    "hangs in DATA": ({"answers": {"DATA": hang}}, "TIMEOUT", "write", LOST),
    "DATA refused": ({"answers": {"DATA": b"554 5.5.1 no valid recipients\r\n"}}, "FORBIDDEN", "write", ["refused"] * 2),
    "DATA refused once": ({"answers": {"DATA": [b"451 4.3.0 later\r\n", b"354 go on\r\n"]}}, "LIMITED", "write", ["deferred", "accepted"]),
    "stops reading": ({"answers": {"DATA": stop_reading}}, "TIMEOUT", "write", LOST),
    "content refused": ({"answers": {".": b"554 5.7.1 spam\r\n"}}, "FORBIDDEN", "write", ["refused"] * 2),
    "content later": ({"answers": {".": [b"451 4.7.1 greylisted\r\n", b"250 ok\r\n"]}}, "LIMITED", "write", ["deferred", "accepted"]),
    "hangs behind the dot": ({"answers": {".": hang}}, "TIMEOUT", "write", ["unknown", "unsent"]),
    "resets behind the dot": ({"answers": {".": reset}}, "UNREACHABLE", "query", ["unknown", "unsent"]),
    "closes behind the dot": ({"answers": {".": close}}, "UNREACHABLE", "query", ["unknown", "unsent"]),
    "ends the session behind the dot": ({"answers": {".": b"421 4.3.2 shutting down\r\n"}}, "UNREACHABLE", "query", ["deferred", "unsent"]),
    "half an answer to the dot": ({"answers": {".": lambda c, _: (c.send(b"250 2.0.0 tak"), c.reset())}}, "UNREACHABLE", "query", ["unknown", "unsent"]),
    "nonsense to the dot": ({"answers": {".": b"hello\r\n"}}, "DATA", "query", ["unknown", "unsent"]),
    "354 to the dot": ({"answers": {".": b"354 more\r\n"}}, "DATA", "query", ["unknown", "unsent"]),
}
ONLY_PIPELINED = ("MAIL refused, RCPT and DATA taken", "MAIL, RCPT and DATA refused once")   # else they are not said
NETWORK = {"nobody listens": (Nobody, "UNREACHABLE", "tcp"), "a black hole": (Blackhole, "TIMEOUT", "tcp")}
WAYS = {"pipelined": smtp_server.OFFERS, "one by one": [o for o in smtp_server.OFFERS if o != "PIPELINING"]}
RUNS = [(way, name) for way in WAYS for name in CASES if way == "pipelined" or name not in ONLY_PIPELINED]


@pytest.fixture(scope="module")
def runs(tenon):
    """All of them side by side: most only wait. {(way, case): (error, outcomes, seconds, server)}"""
    def one(way, name):
        config = CASES[name][0]
        text = BIG * 60_000 if name == "stops reading" else "one"
        with Scripted(**{"offers": [o for o in WAYS[way] if "SIZE" not in o], **config}) as server:
            timeout = "%.0fms" % (LIMIT_S * 1000) if CASES[name][1] == "TIMEOUT" else "30s"
            return (*send(tenon, server.url(), input=mails(text, "two"), timeout=timeout), server)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = {(way, name): pool.submit(one, way, name) for way, name in RUNS}
        came = {key: job.result() for key, job in jobs.items()}
    # on a machine with much else to do: what was late is tried once more, alone
    return {key: run if run[2] < LIMIT_S + 1 else one(*key) for key, run in came.items()}


@pytest.mark.parametrize("way, name", RUNS)
def test_what_a_server_does_wrong(runs, way, name):
    _, code, stage, outcomes = CASES[name]
    error, came, took, server = runs[way, name]
    assert took < LIMIT_S + 1
    assert came == outcomes, error
    if code is None:
        assert error is None
        return
    assert error["code"] == code and error["remedy"], error
    assert stage is None or error["stage"] == stage, error
    if outcomes[:1] == ["unknown"]:
        assert not error["retryable"] and "arrive twice" in error["remedy"]
    if outcomes[:1] in (["unknown"], ["unsent"]) and any(line.startswith(b"MAIL") for line in server.lines):
        assert server.connections == 1, "it tried again"


@pytest.mark.parametrize("name", NETWORK)
def test_what_a_network_does_wrong(tenon, name):
    make, code, stage = NETWORK[name]
    place = make()
    try:
        error, outcomes, took = send(tenon, f"smtp://127.0.0.1:{place.port}", timeout="%.0fms" % (LIMIT_S * 1000))
    finally:
        place.stop()
    assert (error["code"], error["stage"], outcomes) == (code, stage, ["unsent"]) and error["remedy"] and took < LIMIT_S + 1


def numbered(count):
    return "".join(json.dumps({"to": [f"a{i}@example.com", f"b{i}@example.com"], "text": "x"}) + "\n" for i in range(count)).encode()


@pytest.mark.parametrize("server_does, accepted", [
    ({"answers": {"MAIL": [b"250 ok\r\n", b"250 ok\r\n", b"421 4.3.2 shutting down\r\n"]}}, 4),
    ({"answers": {".": [b"250 ok\r\n", hang]}}, 2), ({"greeting": b"554 5.7.1 go away\r\n"}, 0), ({"greeting": hang}, 0)])
def test_all_that_is_left_is_unsent(tenon, server_does, accepted, tmp_path):
    path = tmp_path / "forty.jsonl"
    path.write_bytes(numbered(40))
    with Scripted(**server_does) as server:
        done = tenon.json("send", server.url(), "--set", "from=me@example.com", "--from-file", path, "--timeout", "1s")
    result = done["result"]
    outcomes = [(o["message"], o["recipient"]) for o in result["outcomes"]]
    assert not done["ok"] and outcomes == [(i + 1, f"{x}{i}@example.com") for i in range(40) for x in "ab"]
    assert result["accepted"] == accepted and result["accepted"] + result["unsent"] + result["unknown"] == 80
    assert all(o["problem"] and o["remedy"] for o in result["outcomes"] if o["outcome"] != "accepted")


@pytest.mark.parametrize("server_does, read", [({"answers": {"MAIL": [b"250 ok\r\n", b"421 4.3.2 bye\r\n"]}}, 2), ({"greeting": b"554 no\r\n"}, 0)])
def test_a_pipe_is_not_read_to_its_end(tenon, server_does, read):
    with Scripted(**server_does) as server:
        done = tenon.json("send", server.url(), "--set", "from=me@example.com", "--from-file", "-", input=numbered(9))
    assert f"stdin was read to its line {read}, and what follows is unsent" in done["error"]["message"]
    assert len(done["result"]["outcomes"]) == 2 * read


def test_egress_policies_hold_for_mail(tenon):
    with Scripted() as server:
        error, _, _ = send(tenon, server.url(), "--egress", "public-only")
        assert error["code"] == "FORBIDDEN" and server.connections == 0


def test_a_session_that_ends_with_the_last_answer(tenon):
    with Scripted(answers={".": b"421 4.3.2 shutting down\r\n"}) as server:
        error, outcomes, _ = send(tenon, server.url())
        assert error["code"] == "LIMITED" and error["retryable"] and outcomes == ["deferred"]


@pytest.mark.parametrize("verb", ["DATA", "."])
def test_a_signal_ends_it_and_the_outcome_is_said(tenon, verb, tmp_path):
    """While the server is silent: before the content, and behind its dot."""
    path = tmp_path / "mails.jsonl"
    path.write_bytes(mails("one", "two", "three"))
    with Scripted(answers={verb: hang}) as server:
        process = tenon.start("send", server.url(), "--set", "from=me@example.com", "--from-file", path, "--json",
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (server.mails if verb == "." else b"DATA" in server.lines) and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        answer = json.loads(process.communicate(timeout=10)[0])
        assert time.monotonic() - began < 1 and process.returncode == 130
        assert answer["error"]["code"] == "CANCELLED"
        assert [o["outcome"] for o in answer["result"]["outcomes"]] == ["unknown" if verb == "." else "unsent", "unsent", "unsent"]


@pytest.mark.parametrize("auth, secret", [("plain", "password"), ("login", "password"), ("xoauth2", "token")])
def test_a_server_that_repeats_the_login_as_it_was_sent(tenon, auth, secret):
    """In base64, whole and cut; as the answer, and as the last words of the session."""
    seen = []

    def refuse(code):
        def answer(c, line):
            if auth == "login":
                c.send(b"334 VXNlcm5hbWU6\r\n")
                c.line()
                c.send(b"334 UGFzc3dvcmQ6\r\n")
                line = c.line()
            seen.append(line.split(b" ")[-1])
            return b"%d no: %s and %s\r\n" % (code, seen[-1], seen[-1][:20])
        return answer
    for code in (535, 421):
        with Scripted(offers=[*smtp_server.OFFERS, "AUTH PLAIN LOGIN XOAUTH2"], answers={"AUTH": refuse(code)}) as server:
            done = tenon.run("test", server.url("u@"), "--set", f"auth={auth}", "--set", f"{secret}=canary-secret-{'x' * 40}", "--json")
            assert done.returncode and len(seen[-1]) > 20
            assert seen[-1][:12] not in done.stdout + done.stderr and b"***" in done.stdout


@pytest.mark.parametrize("challenge", [False, True])
@pytest.mark.parametrize("code", [535, 421])
def test_a_server_that_repeats_the_token_that_it_decoded(tenon, tmp_path, code, challenge):
    """Whole and cut; one that is set, and one from the keeper, which is no secret of the connector's."""
    token = "canary-of-an-access-token-" + "x" * 30

    def refuse(c, line):
        said = base64.b64decode(line.split(b" ")[-1] if line.split(b" ")[2:] else b"").replace(b"\1", b" ")
        if challenge:
            c.send(b"334 " + said + b"\r\n")
            c.line()
        return b"%d no: %s and %s\r\n" % (code, said, token[:20].encode())

    class Tokens(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    tokens = http.server.HTTPServer(("127.0.0.1", 0), Tokens)
    threading.Thread(target=tokens.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{tokens.server_port}/"
    for more in (["auth=xoauth2", f"token={token}"], ["auth=oauth_client_credentials", f"token_url={url}", "client_id=c", "client_secret=s3cr3t"]):
        with Scripted(offers=[*smtp_server.OFFERS, "AUTH PLAIN LOGIN XOAUTH2"], answers={"AUTH": refuse}) as server:
            done = tenon.run("test", server.url("u@"), *(w for m in more for w in ("--set", m)), "--json")
            error = json.loads(done.stdout)["error"]
            assert token[:10].encode() not in done.stdout + done.stderr and "***" in error["message"], error
            assert "Bearer" in error["message"]   # it did repeat it
    tokens.shutdown()
    tokens.server_close()


@pytest.mark.parametrize("verb, reply", [("AUTH", b"535 5.7.8 %s is wrong\r\n"), ("MAIL", b"550 5.7.1 %s\r\n"), (".", b"250 2.0.0 ok %s\r\n")])
def test_a_server_that_repeats_secrets(tenon, verb, reply):
    offers = [*smtp_server.OFFERS, "AUTH PLAIN"]
    with Scripted(offers=offers, answers={verb: reply % b"canary-secret"}) as server:
        for more in (["--json"], []):
            done = tenon.run("send", server.url("u:canary-secret@"), "--from", "me@example.com", "--to", "a@example.com", "-t", "x", *more)
            assert b"canary" not in done.stdout + done.stderr and (done.returncode == 0) == (verb == ".")


@pytest.mark.parametrize("escape", [b"\x1b[2J", b"\xff\xfe", "\u202e".encode(), b"\x07"])
def test_what_a_server_says_cannot_move_the_cursor(tenon, escape):
    with Scripted(answers={"RCPT": b"550 5.1.1 no" + escape + b"body\r\n"}) as server:
        done = tenon.run("send", server.url(), "--from", "me@example.com", "--to", "a@example.com", "-t", "x")
        assert done.returncode == 3 and escape not in done.stdout + done.stderr


# --- How it talks ----------------------------------------------------------------------------------------------------

def test_a_mail_costs_one_way_there_and_back(tenon):
    """A content travels with the next envelope, and nothing else is waited for."""
    with Scripted() as server:
        error, outcomes, _ = send(tenon, server.url(), input=mails("a", ".b", "c"))
        server.ended.wait(5)
        assert not error and outcomes == ["accepted"] * 3 and [m.split(b"\r\n\r\n", 1)[1] for m in server.mails] == [b"a\r\n", b".b\r\n", b"c\r\n"]
        assert [line.split(b" ")[0] for line in server.lines] == [b"EHLO"] + [b"MAIL", b"RCPT", b"DATA"] * 3 + [b"QUIT"]


def test_recipients_of_a_refused_mail_are_reset(tenon):
    with Scripted(answers={"DATA": [b"451 later\r\n", b"354 go\r\n"]}) as server:
        send(tenon, server.url(), input=mails("a", "b"))
        verbs = [line.split(b" ")[0] for line in server.lines]
        assert verbs[:8] == [b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"MAIL", b"RCPT", b"DATA"]


@pytest.mark.parametrize("way", WAYS)
def test_hundreds_of_recipients(tenon, way):
    line = json.dumps({"to": [f"r{i}@example.com" for i in range(350)], "text": "x"}) + "\n"
    with Scripted(offers=WAYS[way], answers={"RCPT": [b"250 ok\r\n"] * 349 + [b"550 5.1.1 nobody\r\n"]}) as server:
        error, outcomes, _ = send(tenon, server.url(), input=line.encode() * 2)
        assert outcomes == ["accepted"] * 349 + ["refused"] + ["refused"] * 350
        assert len(server.mails) == 1


def test_size_is_said_and_kept(tenon):
    with Scripted(offers=["PIPELINING", "SIZE 3000"]) as server:
        error, outcomes, _ = send(tenon, server.url(), input=mails("x" * 60 + "\n", BIG * 50, "y"))
        assert outcomes == ["refused", "accepted", "accepted"] or outcomes == ["accepted", "refused", "accepted"]
        assert error["code"] == "LIMITED" and len(server.mails) == 2
        sizes = [int(line.split(b"SIZE=")[1]) for line in server.lines if line.startswith(b"MAIL")]
        assert sizes == [len(m) for m in server.mails]


def test_addresses_beyond_ascii_need_a_server_that_knows_them(tenon):
    with Scripted(offers=["PIPELINING"]) as server:
        line = {"to": ["jörg@example.com"], "text": "x"}
        error, outcomes, _ = send(tenon, server.url(), input=json.dumps(line).encode())
        assert error["code"] == "UNSUPPORTED" and "SMTPUTF8" in error["remedy"] and outcomes == ["refused"]
        line = {"to": ["jorg@bücher.example"], "text": "x"}
        error, outcomes, _ = send(tenon, server.url(), input=json.dumps(line).encode())
        assert outcomes == ["accepted"] and b"RCPT TO:<jorg@xn--bcher-kva.example>" in server.lines


# --- TLS -------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_what_comes_in_the_clear_behind_starttls_is_refused(tenon, certificates):
    def inject(c, _):
        return b"220 go\r\n250 you may trust me\r\n"
    with Scripted(tls=certificates.context("good"), answers={"STARTTLS": inject}) as server:
        error, outcomes, _ = send(tenon, server.url("u:secret@"), "--set", "tls=starttls", "--set", "insecure=true")
        assert error["code"] == "TLS" and "in the clear" in error["message"] and outcomes == ["unsent"]
        assert not [line for line in server.lines if line.startswith((b"AUTH", b"MAIL"))]


@pytest.mark.parametrize("answer", [b"454 4.7.0 not now\r\n", b"502 5.5.1 what\r\n"])
def test_starttls_that_is_refused_is_not_done_without(tenon, certificates, answer):
    for mode in ("starttls", "auto"):
        with Scripted(tls=certificates.context("good"), answers={"STARTTLS": answer}) as server:
            error, _, _ = send(tenon, server.url("u:secret@"), "--set", f"tls={mode}")
            assert error and not [line for line in server.lines if line.startswith((b"AUTH", b"MAIL"))]


def test_starttls_that_is_taken_out_is_not_done_without(tenon):
    with Scripted() as server:
        error, _, _ = send(tenon, server.url("u:secret@"), "--set", "tls=starttls")
        assert error["code"] == "TLS" and "STARTTLS" in error["remedy"]
        assert not [line for line in server.lines if line.startswith((b"AUTH", b"MAIL"))]


def test_what_was_offered_in_the_clear_does_not_count(tenon, certificates):
    seen = []

    def ehlo(c, _):
        seen.append(isinstance(c.sock, ssl.SSLSocket))
        return b"250-a\r\n250 SIZE 10\r\n" if seen[-1] else b"250-a\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 SIZE 1000000\r\n"
    with Scripted(tls=certificates.context("good"), answers={"EHLO": ehlo}) as server:
        error, outcomes, _ = send(tenon, server.url(), "--set", "tls=starttls", "--set", f"ca=$FILE:{certificates.authority.path}")
        assert seen == [False, True] and outcomes == ["refused"] and error["code"] == "LIMITED"


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("name", ["good", *BAD])
def test_certificates(tenon, certificates, name, implicit):
    with Scripted(tls=certificates.context(name), implicit=implicit) as server:
        error, outcomes, took = send(tenon, f"smtp://u:secret@localhost:{server.port}", "--set", f"tls={'implicit' if implicit else 'starttls'}",
                                     "--set", f"ca=$FILE:{certificates.authority.path}", "--set", "auth=none")
        assert took < 10
        if name == "good":
            assert not error and outcomes == ["accepted"]
            return
        assert error["code"] == "TLS" and error["stage"] == "tls" and error["remedy"] and outcomes == ["unsent"]
        assert not [line for line in server.lines if line.startswith((b"AUTH", b"MAIL"))]


@pytest.mark.parametrize("way", [{"tls": "implicit"}, {"tls": "starttls"}], ids=lambda w: w["tls"])
@pytest.mark.parametrize("habit, code", [(hang, "TIMEOUT"), (close, "TLS"), (reset, "TLS")], ids=["hangs", "closes", "resets"])
def test_a_handshake_that_comes_to_nothing(tenon, certificates, way, habit, code):
    def go_and(c, _):
        c.send(b"220 go\r\n")
        habit(c)
    implicit = way["tls"] == "implicit"
    with Scripted(greeting=habit, answers={}) if implicit else Scripted(tls=certificates.context("good"), answers={"STARTTLS": go_and}) as server:
        error, outcomes, took = send(tenon, server.url(), "--set", f"tls={way['tls']}", "--set", "connect_timeout=500ms")
        if habit is reset and error["stage"] == "tcp":
            code = "UNREACHABLE"  # it came before the handshake was begun
        assert (error["code"], outcomes) == (code, ["unsent"]) and error["remedy"] and took < 5, error
        assert error["stage"] == "tls" or habit is reset and error["stage"] == "tcp"


@pytest.mark.parametrize("answers", [{"STARTTLS": hang}, {"STARTTLS": lambda c, _: (c.send(b"220 go\r\n"), c.hang())}], ids=["no answer", "no handshake"])
def test_a_deadline_behind_starttls_is_named(tenon, certificates, answers):
    with Scripted(tls=certificates.context("good"), answers=answers) as server:
        error, _, _ = send(tenon, server.url(), "--set", "tls=starttls", timeout="500ms")
        assert (error["code"], error["stage"]) == ("TIMEOUT", "tls") and "tls=implicit" not in error["remedy"], error


def test_the_systems_authorities_are_trusted(tenon, certificates):
    """Where no ca is given; OpenSSL takes another place for them from SSL_CERT_FILE."""
    for path, good in ((certificates.authority.path, True), ("/dev/null", False)):
        with Scripted(tls=certificates.context("good")) as server:
            done = tenon.run("send", server.url(), "--set", "tls=starttls", "--from", "me@example.com", "--to", "a@example.com", "-t", "x", "--json",
                             env={"SSL_CERT_FILE": str(path), "SSL_CERT_DIR": "/nowhere"})
            answer = json.loads(done.stdout)
            assert answer["ok"] == good
            assert good or (answer["error"]["code"] == "TLS" and "CA" in answer["error"]["remedy"])


def test_a_client_certificate_is_shown(tenon, certificates, tmp_path):
    context = certificates.context("good")
    context.load_verify_locations(certificates.authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = certificates.authority.issue("client", "DNS:client")
    base = ["--set", "tls=starttls", "--set", f"ca=$FILE:{certificates.authority.path}"]
    with Scripted(tls=context) as server:
        error, _, _ = send(tenon, server.url(), *base)
        assert error and error["code"] in ("TLS", "UNREACHABLE")
        error, outcomes, _ = send(tenon, server.url(), *base, "--set", f"certificate=$FILE:{certificate}", "--set", f"key=$FILE:{key}")
        assert not error and outcomes == ["accepted"]
        error, _, _ = send(tenon, server.url(), *base, "--set", f"certificate=$FILE:{certificate}",
                           "--set", f"key=$FILE:{certificates.authority.path.parent / 'ca.key'}")
        assert error["code"] == "CONFIG" and "key" in error["remedy"]
