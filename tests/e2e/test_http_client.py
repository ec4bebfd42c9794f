# SPDX-License-Identifier: Apache-2.0
"""What the HTTP client says of proxies, of certificates that are set, and of replies that are too much: one kind stands for all."""
import json
import pathlib
import zlib

import pytest

from test_http_faults import Nobody, reply, service  # noqa: F401 - a fixture

LOGIN = "ada:l0velace"


@pytest.fixture
def ask(tenon, tmp_path):
    """Calls an endpoint of rest_api with these settings; answers the error's document, which must not have the proxy's login."""
    tenon.path = str(pathlib.Path(tenon.path).resolve())

    def ask(url, **settings):
        lines = {"kind": "rest_api", "base_url": url, "endpoints": json.dumps({"all": {"path": "/all"}}), **settings}
        (tmp_path / "tenon.yaml").write_text("connectors:\n  api:\n" + "".join(f"    {k}: {v!r}\n" for k, v in lines.items()))
        done = tenon.run("call", "api", "all", "--json", cwd=tmp_path)
        assert b"l0velace" not in done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert not document["ok"], document
        return document["error"]
    return ask


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_run(ask, scheme):
    nobody = Nobody()
    error = ask(f"{scheme}://10.1.2.3:8000/v1", proxy=f"http://{LOGIN}@127.0.0.1:{nobody.port}")
    nobody.stop()
    assert (error["code"], error["stage"]) == ("UNREACHABLE", "tcp")
    assert f"{scheme}://10.1.2.3:8000/v1/all: cannot connect to the proxy 127.0.0.1:{nobody.port}" in error["message"]
    assert "proxy" in error["remedy"]


def test_a_proxy_that_nobody_knows(ask):
    error = ask("https://10.1.2.3/v1", proxy=f"http://{LOGIN}@nothing.invalid:3128")
    assert error["stage"] == "dns" and error["message"].startswith("the proxy: ") and "nothing.invalid" in error["message"]


@pytest.mark.parametrize("status, code, stage", [("407 Login", "UNAUTHENTICATED", "auth"), ("403 No", "FORBIDDEN", "permission"),
                                                 ("502 Gone", "UNREACHABLE", "tcp")])
def test_a_proxy_that_does_not_let_through(ask, service, status, code, stage):
    proxy = service(reply(status=status.encode(), headers=b"Proxy-Authenticate: Basic realm=x\r\n"))
    error = ask("https://10.1.2.3/v1", proxy=f"http://{LOGIN}@127.0.0.1:{proxy.port}")
    assert (error["code"], error["stage"]) == (code, stage), error
    assert f"the proxy 127.0.0.1:{proxy.port}" in error["message"] and status[:3] in error["message"]
    assert proxy.requests[0].startswith(b"CONNECT 10.1.2.3:443 ")


def test_a_proxy_s_url_that_is_none(ask):
    error = ask("https://10.1.2.3/v1", proxy="http://")
    assert error["code"] == "CONFIG" and "http://host:port" in error["remedy"]


@pytest.mark.parametrize("settings, what", [({"ca": "certs/ca.pem"}, "ca has no certificate"), ({"ca": "-----BEGIN nothing"}, "ca has no certificate"),
                                            ({"certificate": "mine.pem", "key": "mine.key"}, "certificate has no certificate")])
def test_a_file_s_name_is_no_certificate(ask, settings, what):
    error = ask("https://127.0.0.1:1", **settings)
    assert (error["code"], error["stage"]) == ("CONFIG", "config") and what in error["message"] and "$FILE:" in error["remedy"]


@pytest.mark.parametrize("header, what", [(b"", "does not say where"), (b"Location: file:///etc/passwd?x\r\n", "redirects to file:///etc/passwd, where")])
def test_redirects_that_lead_nowhere(ask, service, header, what):
    error = ask(f"http://127.0.0.1:{service(reply(status=b'302 Found', headers=header)).port}")
    assert error["code"] == "DATA" and what in error["message"], error


def test_a_head_without_end(ask, service):
    error = ask(f"http://127.0.0.1:{service(b'HTTP/1.1 200 OK' + bytes([13, 10]) + b'X: ' + b'y' * (4 << 20)).port}")
    assert error["code"] == "LIMITED" and "a line that is too long" in error["message"]


def test_a_reply_that_unpacks_to_a_gigabyte(ask, service):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, again = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    packed = first + 1023 * again   # its end is missing, and nobody comes so far
    assert len(packed) < 2 << 20
    error = ask(f"http://127.0.0.1:{service(reply(packed, headers=b'Content-Encoding: gzip' + bytes([13, 10]))).port}")
    assert error["code"] == "LIMITED" and ("unpacked" in error["message"] or "bytes" in error["message"]), error


def test_a_key_in_the_place_of_a_user_is_not_shown(tenon):
    error = tenon.run("chat", "openai://sk-zzzSECRET@127.0.0.1:1/v1?model=x", "hi")
    assert error.returncode and b"zzzSECRET" not in error.stdout + error.stderr and b"openai://***@127.0.0.1:1/v1" in error.stderr
