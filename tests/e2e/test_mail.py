# SPDX-License-Identifier: Apache-2.0
"""Mail through a real server: what arrives is what was written, and every recipient has an outcome."""
import base64
import json
import pathlib
import re
import shlex

import pytest

import smtp_server
from smtp_server import parse


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with smtp_server.capture(tmp_path_factory.mktemp("smtp")) as s:
        yield s


@pytest.fixture(scope="module")
def implicit(tmp_path_factory):
    with smtp_server.capture(tmp_path_factory.mktemp("smtps"), "implicit") as s:
        yield s


def options(server, **more):
    settings = {"ca": f"$FILE:{server.ca}", "from": "Me <me@example.com>", **more}
    return [x for key, value in settings.items() for x in ("--set", f"{key}={value}")]


def send(tenon, server, *args, url=None, input=None, **more):
    return tenon.result("send", url or server.url(), *options(server, **more), *args, input=input)


def text_of(part):
    return part.get_content().replace("\r\n", "\n")


# --- Reaching it -----------------------------------------------------------------------------------------------------

def test_the_test_walks_every_step(tenon, server):
    test = tenon.result("test", server.url(), *options(server, test_recipient="you@example.com"))
    assert [(s["name"], s["outcome"]) for s in test["steps"]] == [(n, "ok") for n in (
        "dns", "tcp", "probe", "tls", "auth", "permission")]
    assert test["facts"]["tls"].startswith("TLSv1.") and test["facts"]["largest_message"] == str(1 << 20)
    assert not server.take(), "it sent something"


@pytest.mark.parametrize("settings, code, stage, said", [
    ({"password": "wrong"}, "UNAUTHENTICATED", "auth", "app password"),
    ({"from": "me@forged.org"}, "FORBIDDEN", "permission", "this login may use"),
    ({"test_recipient": "you@relay.org"}, "FORBIDDEN", "permission", "own domains"),
    ({"test_recipient": "you@reject.org"}, "NOT_FOUND", "permission", "nobody has it"),
    ({"tls": "implicit"}, "TLS", "tls", "tls=starttls"),
    ({"ca": ""}, None, None, None),
    ({"host": "nowhere.invalid"}, "UNREACHABLE", "dns", ""),
])
def test_the_test_names_layer_and_remedy(tenon, server, settings, code, stage, said):
    answer = tenon.json("test", server.url(), *options(server, **settings))
    if code is None:
        assert answer["ok"], "this machine's own server needs no CA"
        (tls,) = [s for s in answer["result"]["steps"] if s["name"] == "tls"]
        assert tls["outcome"] == "warning" and "tls=starttls" in tls["remedy"]
        return
    assert not answer["ok"] and answer["error"]["code"] == code and answer["error"]["stage"] == stage
    assert said in answer["error"]["remedy"], answer["error"]
    assert answer["result"]["steps"][-1]["outcome"] == "failed"


def test_tls_from_the_first_byte(tenon, implicit, server):
    send(tenon, implicit, "--to", "a@example.com", "-t", "x", url=implicit.url(scheme="smtps"))
    envelope, _ = implicit.take_one()
    assert envelope["secure"] and envelope["user"] == "mailer"
    error = tenon.error("test", implicit.url(), *options(implicit, connect_timeout="500ms"))
    assert error["code"] == "TIMEOUT" and "tls=implicit" in error["remedy"]
    error = tenon.error("test", server.url(scheme="smtps"), *options(server))
    assert error["code"] == "TLS" and "tls=starttls" in error["remedy"]


@pytest.mark.parametrize("auth", ["plain", "login", "xoauth2"])
def test_ways_to_log_in(tenon, server, auth):
    secret = {"token": "secret-token"} if auth == "xoauth2" else {"password": "secret-smtp"}
    send(tenon, server, "--to", "a@example.com", "-t", "x", url=server.url("mailer@"), auth=auth, **secret)
    assert server.take_one()[0]["user"] == "mailer"
    wrong = {key: "not-it-at-all" for key in secret}
    answer = tenon.run("send", server.url("mailer@"), *options(server, auth=auth, **wrong), "--to", "a@example.com", "-t", "x", "--json")
    error = json.loads(answer.stdout)["error"]
    assert error["code"] == "UNAUTHENTICATED" and error["stage"] == "auth"
    assert b"not-it-at-all" not in answer.stdout + answer.stderr
    assert base64.b64encode(b"not-it-at-all") not in answer.stdout + answer.stderr


# --- What arrives ----------------------------------------------------------------------------------------------------

def test_a_mail_with_everything(tenon, server, tmp_path):
    logo, table = bytes(range(256)) * 3, b"a,b\n1,2\n"
    (tmp_path / "logo 1.png").write_bytes(logo)
    (tmp_path / "Übersicht.csv").write_bytes(table)
    html = '<p>Größe</p><img src="cid:logo-1.png">'
    sent = send(tenon, server, "--to", '"Lovelace, Ada" <ada@example.com>', "--to", "bo@bücher.example", "--cc", "Ünal <u@example.com>",
                "--bcc", "hidden@example.com", "--reply-to", "office@example.com", "--subject", "Grüße 🎉", "--text", "Größe\n.\n..end\n",
                "--html", html, "--inline", tmp_path / "logo 1.png", "--attach", tmp_path / "Übersicht.csv",
                "--header", "List-Id: <news.example.com>")
    assert sent["accepted"] == 4 and [o["outcome"] for o in sent["outcomes"]] == ["accepted"] * 4
    envelope, mail = server.take_one()
    assert envelope["from"] == "me@example.com" and envelope["secure"]
    # the server shows domains as people read them; on the wire the name was ASCII, as in the header
    assert envelope["to"][0] == "ada@example.com" and envelope["to"][2:] == ["u@example.com", "hidden@example.com"]
    assert str(mail["To"]) == '"Lovelace, Ada" <ada@example.com>, bo@xn--bcher-kva.example'
    assert [(a.display_name, a.addr_spec) for a in mail["Cc"].addresses] == [("Ünal", "u@example.com")]
    assert mail["Bcc"] is None and b"hidden@" not in mail.as_bytes()
    assert mail["Subject"] == "Grüße 🎉" and mail["Reply-To"] == "office@example.com" and mail["List-Id"] == "<news.example.com>"
    assert mail["Message-ID"] == f"<{sent['outcomes'][0]['id']}>" and mail["Date"].datetime.tzinfo
    assert mail.get_content_type() == "multipart/mixed"
    assert text_of(mail.get_body(("plain",))) == "Größe\n.\n..end\n"
    related = mail.get_body(("related",))
    assert text_of(related.get_body(("html",))).rstrip("\n") == html
    (image,) = [p for p in related.walk() if p.get_content_type() == "image/png"]
    assert image["Content-ID"] == "<logo-1.png>" and image.get_content() == logo and image.get_filename() == "logo 1.png"
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "Übersicht.csv" and attached.get_payload(decode=True) == table
    assert attached.get_content_type() == "text/csv"


def test_dots_and_long_lines_arrive_as_they_are(tenon, server):
    text = ".\n..\n.a\n\n.\n" + "x" * 5000 + "\nFrom here\nend \n" + "y" * 990 + "\n." * 3000
    send(tenon, server, "--to", "a@example.com", "--text", text)
    _, mail = server.take_one()
    assert text_of(mail).rstrip("\n") == text.rstrip("\n")


def test_every_recipient_has_an_outcome(tenon, server):
    answer = tenon.json("send", server.url(), *options(server), "--to", "good@example.com", "--to", "no@reject.org", "--cc", "late@greylist.org",
                        "--text", "x")
    outcomes = [(o["recipient"], o["outcome"], o["code"], o["enhanced"]) for o in answer["result"]["outcomes"]]
    assert outcomes == [("good@example.com", "accepted", 250, None), ("no@reject.org", "refused", 550, "5.1.1"),
                        ("late@greylist.org", "deferred", 451, "4.7.1")]
    assert server.take_one()[0]["to"] == ["good@example.com"]
    done = tenon.run("send", server.url(), *options(server), "--to", "no@reject.org", "--text", "x")
    assert done.returncode == 3 and b"no such user" in done.stdout and b"nobody has it" in done.stderr
    assert tenon.error("send", server.url(), *options(server), "--to", "a@example.com", "--text", "SPAM-SPAM-SPAM")["code"] == "FORBIDDEN"
    assert not server.take()


def test_what_is_too_big_is_not_sent(tenon, server, tmp_path):
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    error = tenon.error("send", server.url(), *options(server), "--to", "a@example.com", "--attach", tmp_path / "big")
    assert error["code"] == "LIMITED" and "1048576 at most" in error["message"] and not error["retryable"]


def test_addresses_beyond_ascii(tenon, server):
    send(tenon, server, "--to", "Jörg <jörg@example.com>", "--text", "x")
    envelope, mail = server.take_one()
    assert envelope["utf8"] and envelope["to"] == ["jörg@example.com"]
    assert mail["To"].addresses[0].addr_spec.encode(errors="surrogateescape").decode() == "jörg@example.com"


def test_many_in_one_session(tenon, server):
    lines = [{"to": f"r{i}@example.com", "subject": f"№ {i}", "text": f"Mail {i}\n." if i % 3 else None} for i in range(300)]
    lines[7]["to"] = ["a@reject.org", "b@reject.org"]
    lines[70]["to"] = ["late@greylist.org", "fine@example.com"]
    lines[150]["text"] = "SPAM-SPAM-SPAM"
    lines[200]["subject"] = "two\r\nBcc: x@example.com"
    lines[299]["attachments"] = [{"name": "a.bin", "data": base64.b64encode(b"\0\xff").decode()}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    answer = tenon.json("send", server.url(), *options(server), "--text", "default", "--from-file", "-", input=text.encode())
    result = answer["result"]
    bad = {(o["message"], o["recipient"]): o["outcome"] for o in result["outcomes"] if o["outcome"] != "accepted"}
    assert bad == {(8, "a@reject.org"): "refused", (8, "b@reject.org"): "refused", (71, "late@greylist.org"): "deferred",
                   (151, "r150@example.com"): "refused", (201, "r200@example.com"): "refused"}
    assert result["accepted"] == 297 and result["refused"] == 4 and result["deferred"] == 1
    (control,) = [o for o in result["outcomes"] if o["message"] == 201]
    assert control["code"] is None and "control character" in control["problem"]
    mails = server.take()
    assert len({envelope["session"] for envelope, _ in mails}) == 1
    want = [i for i in range(300) if i not in (7, 150, 200)]
    for i, (envelope, data) in zip(want, mails, strict=True):
        mail = parse(data)
        assert mail["Subject"] == f"№ {i}"
        assert envelope["to"] == (["fine@example.com"] if i == 70 else [f"r{i}@example.com"])
        body = text_of(mail.get_body(("plain",)) if i == 299 else mail)
        assert body.rstrip("\n") == (f"Mail {i}\n." if i % 3 else "default")
    (attached,) = parse(mails[-1][1]).iter_attachments()
    assert attached.get_content() == b"\0\xff"


@pytest.mark.parametrize("line, said", [('{"to":"b@example.com","texte":"x"}', "texte"), ('{"to":"bad"}', "bad"), ('{"to":"b@example.com","subject":5}', "text"),
                                        ('{"to":"b@example.com","attachments":["a.txt"]}', '"name"'), ("[]", "object"),
                                        ('{"to":["b@example.com","c"],"text":"x"}', '"c"')])
def test_a_wrong_line_does_not_keep_the_others(tenon, server, line, said):
    lines = '{"to":"a@example.com","text":"x"}\n' + line + '\n{"to":"c@example.com","text":"x"}\n'
    answer = tenon.json("send", server.url(), *options(server), "--from-file", "-", input=lines.encode())
    outcomes = answer["result"]["outcomes"]
    assert answer["error"]["code"] == "CONFIG"
    assert [o["outcome"] for o in outcomes if o["message"] != 2] == ["accepted"] * 2
    (wrong, *_) = [o for o in outcomes if o["message"] == 2]
    assert wrong["outcome"] == "refused" and said in wrong["problem"]
    assert len(server.take()) == 2


def test_a_line_that_is_no_json_ends_it(tenon, server):
    answer = tenon.json("send", server.url(), *options(server), "--from-file", "-",
                        input=b'{"to":"a@example.com","text":"x"}\n\n{"to":\n{"to":"c@example.com"}\n')
    assert answer["error"]["code"] == "DATA" and "line 3" in answer["error"]["message"]
    assert [o["outcome"] for o in answer["result"]["outcomes"]] == ["accepted"] and len(server.take()) == 1


def test_images_that_nobody_would_see_are_refused(tenon, server, tmp_path):
    for name in ("logo é.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    logo = tmp_path / "logo é.png"
    mail = ["send", server.url(), *options(server), "--to", "a@example.com"]
    error = tenon.error(*mail, "--html", '<img src="cid:logo é.png">', "--inline", logo)
    assert error["code"] == "CONFIG" and "cid:logo---.png" in error["remedy"]
    assert tenon.error(*mail, "--text", "x", "--inline", tmp_path / "b.png")["code"] == "CONFIG"
    html = '<img src="cid:logo---.png">'
    assert "logo---.png" in tenon.error(*mail, "--html", html, "--inline", logo, "--inline", logo)["message"]
    tenon.result(*mail, "--html", html, "--inline", logo)
    assert server.take_one()[0]["to"] == ["a@example.com"]


def test_a_mail_with_nothing_in_it_is_refused(tenon, server):
    error = tenon.error("send", server.url(), *options(server), "--to", "a@example.com")
    assert error["code"] == "CONFIG" and "--text" in error["remedy"] and not server.take()


def test_one_who_is_named_twice_gets_it_once(tenon, server):
    sent = send(tenon, server, "--to", "a@example.com", "--to", "b@example.com", "--cc", "A <a@example.com>", "--bcc", "b@example.com", "-t", "x")
    assert [o["recipient"] for o in sent["outcomes"]] == ["a@example.com", "b@example.com"] and sent["accepted"] == 2
    assert server.take_one()[0]["to"] == ["a@example.com", "b@example.com"]


def test_dry_run_connects_to_nothing(tenon):
    done = tenon.run("send", "smtp://me@nowhere.invalid", "--from", "me@example.com", "--to", "a@example.com", "-s", "Hi", "-t", "x", "--dry-run")
    assert done.returncode == 0 and parse(done.stdout)["Subject"] == "Hi"
    hidden = ["send", "smtp://me@nowhere.invalid", "--from", "me@example.com", "--to", "a@example.com", "--bcc", "h@example.com", "-t", "x", "--dry-run"]
    done = tenon.run(*hidden)
    assert b"h@example.com" not in done.stdout and b"bcc: h@example.com" in done.stderr
    assert tenon.result(*hidden)["recipients"] == ["a@example.com", "h@example.com"]


def test_the_first_page_runs(tenon, server, tmp_path):
    """docs/mail.md from its top, with this server for smtp.example.com."""
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/mail.md").read_text()
    yaml, commands, lines = re.findall(r"^```\w*\n(.*?)^```", page, re.M | re.S)[:3]
    yaml = yaml.replace("host: smtp.example.com", f"host: localhost\n    ca: $FILE:{server.ca}").replace("port: 587", f"port: {server.port}")
    (tmp_path / "tenon.yaml").write_text(yaml)
    (tmp_path / "invitations.jsonl").write_text(lines.replace("\n", "") + "\n")
    for command in commands.splitlines():
        done = tenon.run(*shlex.split(command)[1:], cwd=tmp_path, env={"MAIL_PASSWORD": "secret-smtp"})
        assert done.returncode == 0, done.stderr
    (one, _), (many, data) = server.take()
    assert one["from"] == "shop@example.com" and many["to"] == ["ada@example.com", "bo@example.com"]
    assert parse(data)["List-Id"] == "<news.example.com>"


# --- What is refused before anything travels ---------------------------------------------------------------------------

INJECTIONS = ["a@example.com\r\nRCPT TO:<b@example.com>", "a@example.com> SIZE=1", "a b@example.com", "a@exa\nmple.com",
              '"a\r\n"@example.com', "a@example.com,b@example.com"]


@pytest.mark.parametrize("field", ["to", "from"])
def test_no_address_leaves_its_place(tenon, server, field):
    for text in INJECTIONS:
        line = {"to": "a@example.com", "text": "x", field: text}
        answer = tenon.json("send", server.url(), *options(server), "--from-file", "-", input=json.dumps(line).encode())
        assert not answer["ok"] and answer["error"]["remedy"], text
    assert not server.take()


@pytest.mark.parametrize("line", [   # all ways are in tests/contract/mail.c
    {"subject": "x\r\nBcc: b@example.com"}, {"headers": {"X-A": "x\r\n\r\nbody"}}, {"to": "A\r\nB <a@example.com>"},
    {"attachments": [{"type": "text/plain\r\nX: y", "text": "x"}]}, {"headers": {"X-Long": "x" * 1000}}, {"to": []}])
def test_no_header_ends_its_line(tenon, server, line):
    answer = tenon.json("send", server.url(), *options(server), "--from-file", "-", input=json.dumps({"to": "a@example.com", **line}).encode())
    assert not answer["ok"] and answer["error"]["code"] in ("CONFIG", "DATA") and answer["error"]["remedy"]
    assert not server.take()


def test_nothing_is_sent_readable_to_a_stranger(tenon):
    with smtp_server.Scripted() as s:   # offers no TLS
        error = tenon.error("send", s.url("u:secret@"), "--set", "tls=starttls", "--to", "a@example.com", "-t", "x", "--from", "b@example.com")
        assert error["code"] == "TLS" and error["stage"] == "tls"
        assert not [line for line in s.lines if line.startswith((b"AUTH", b"MAIL"))]
        for line in s.lines:
            assert re.match(rb"EHLO|STARTTLS|QUIT", line)
