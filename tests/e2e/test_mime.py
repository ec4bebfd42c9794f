# SPDX-License-Identifier: Apache-2.0
"""Messages of any UTF-8 against another's eyes: Python's email package reads what was meant, exactly."""
import base64
import email
import json
import random
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest

from smtp_server import Scripted, parse

LETTERS = ["abcdefgh XYZ 0123 -_.,;:!?()[]<>@\"'\\=?*%&/#+~^|{}$`", "äöüßéèñçø ŁŚźżđ", "привет мир ", "日本語の件名 漢字", "مرحبا بالعالم ",
           "🎉🚀👩‍👩‍👧‍👦🇩🇪 ", "e\u0301a\u0308 \u200b\u00a0", "\u2028\u0085\u061c\u202e", "=?utf-8?q?x?= ", "  "]
COUNT = 200


def text(rng, longest):
    pools = rng.sample(LETTERS, rng.randint(1, 4)) if rng.random() < 0.8 else LETTERS[:1]
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, longest)))


def line(rng, longest=60):
    return text(rng, longest).replace("\n", " ")


def body(rng):
    parts = [rng.choice([line(rng, 120), line(rng, 2000), ".", "..", "", "From here", "=_mabc", "--=_x", " ", "a\tb", "end ", "x\ry",
                         "".join(map(chr, range(1, 10))), "-- "]) for _ in range(rng.randint(0, 12))]
    return rng.choice(["\n", "\r\n"]).join(parts)


def mailbox(rng):
    return {"name": line(rng, rng.choice([8, 40, 150])).strip(), "address": f"{rng.choice(['ada', 'a.b+c', 'x_y', 'o%27neil'])}{rng.randint(1, 99)}@example.com"}


def spelled(m):
    quoted = m["name"].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{m["address"]}>' if m["name"] else m["address"]


def attachment(rng, i):
    data = rng.randbytes(rng.choice([0, 1, 56, 57, 58, 1000]))
    name = (line(rng, rng.choice([10, 60, 200])).strip().replace("/", "_") or "x") + rng.choice([".bin", ".png", ".txt", ""])
    return {"name": name, "content_id": rng.choice([None, f"id{i}@example.com"]), "data": data}


def mail(rng):
    m = {"from": mailbox(rng), "to": [mailbox(rng) for _ in range(rng.randint(1, 6))], "cc": [mailbox(rng) for _ in range(rng.randint(0, 2))],
         "subject": line(rng, rng.choice([10, 80, 400])), "text": body(rng), "html": body(rng) if rng.random() < 0.5 else None,
         "attachments": [attachment(rng, i) for i in range(rng.choice([0, 0, 1, 3]))],
         "headers": {"X-Note": line(rng, 200).strip(), "List-Unsubscribe": "<https://example.com/" + "u" * rng.choice([5, 500]) + ">, <mailto:u@example.com>"}}
    if not rng.randint(0, 9):
        m["text"] = None
    return m


def as_line(m):
    def coded(a):
        return {k: v for k, v in {**a, "data": base64.b64encode(a["data"]).decode()}.items() if v is not None}
    return json.dumps({**m, "from": spelled(m["from"]), "to": [spelled(a) for a in m["to"]], "cc": [spelled(a) for a in m["cc"]],
                       "attachments": [coded(a) for a in m["attachments"]]})


@pytest.fixture(scope="module")
def pairs(tenon, tmp_path_factory):
    rng = random.Random(20261121)
    meant = [mail(rng) for _ in range(COUNT)]
    path = tmp_path_factory.mktemp("mime") / "mails.jsonl"
    path.write_text("\n".join(map(as_line, meant)))
    with Scripted(offers=["PIPELINING"]) as server:
        done = tenon.json("send", server.url(), "--from-file", path)
        assert done["ok"], done["error"]
        assert len(server.mails) == COUNT
        return list(zip(meant, server.mails))


def lines_of(value):
    return (value or "").replace("\r\n", "\n")


def content(part):
    return part.get_payload(decode=True).decode().replace("\r\n", "\n")


def test_it_travels_everywhere(pairs):
    for _, data in pairs:
        assert data.isascii() and b"\0" not in data
        head = data.split(b"\r\n\r\n", 1)[0]
        for row in data.split(b"\r\n"):
            assert len(row) <= 998 and b"\r" not in row and b"\n" not in row
        for row in head.split(b"\r\n"):
            assert row.strip(b" ") and (len(row) <= 78 or b" " not in row.strip() or b"https" in row), row


def names_of(raw):
    """Python's newer parser puts spaces between encoded words of a name; the older one reads them as RFC 2047 has it."""
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([raw.replace("\r\n", "")])]


def test_addresses_and_subjects_are_what_was_meant(pairs):
    for meant, data in pairs:
        seen, raw = parse(data), email.message_from_bytes(data)
        assert seen["Subject"] == meant["subject"] or seen["Subject"].strip() == meant["subject"].strip() == ""
        assert seen["X-Note"].strip() == meant["headers"]["X-Note"] or "=?" in meant["headers"]["X-Note"]
        assert seen["List-Unsubscribe"] == meant["headers"]["List-Unsubscribe"]
        for field in ("from", "to", "cc"):
            want = [(a["name"], a["address"]) for a in (meant[field] if field != "from" else [meant["from"]])]
            assert names_of(raw[field] or "") == want
            assert [a.addr_spec for a in (seen[field].addresses if want else [])] == [address for _, address in want]
        assert ("Cc" in seen) == bool(meant["cc"])


def test_bodies_and_attachments_are_what_was_meant(pairs):
    for meant, data in pairs:
        seen = parse(data)
        leaves = [p for p in seen.walk() if not p.is_multipart()]
        bodies = [p for p in leaves if p.get_content_disposition() is None]
        want = [("text/plain", meant["text"])] * (meant["text"] is not None or meant["html"] is None) + [("text/html", meant["html"])] * (meant["html"] is not None)
        assert [p.get_content_type() for p in bodies] == [kind for kind, _ in want]
        for part, (_, value) in zip(bodies, want):
            came, value = content(part), lines_of(value)
            # the only body of a mail ends with a line's end, whatever was given
            assert came == value or (not seen.is_multipart() and came == value + "\n")
        files = [p for p in leaves if p.get_content_disposition()]
        inline = [a for a in meant["attachments"] if a["content_id"] and meant["html"] is not None]
        want = inline + [a for a in meant["attachments"] if a not in inline]
        assert len(files) == len(want)
        for part, a in zip(files, want):
            assert part.get_filename() == a["name"] and part.get_payload(decode=True) == a["data"]
            assert part.get_content_disposition() == ("inline" if a in inline else "attachment")
            assert part["Content-ID"] == (a["content_id"] and f"<{a['content_id']}>")
        if meant["html"] is not None and meant["text"] is not None:
            assert any(p.get_content_type() == "multipart/alternative" for p in seen.walk())
        if inline:
            assert any(p.get_content_type() == "multipart/related" for p in seen.walk())
