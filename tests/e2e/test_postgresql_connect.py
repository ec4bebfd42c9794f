# SPDX-License-Identifier: Apache-2.0
"""Connecting to PostgreSQL: what the steps of a test say, and what each failure is called. (TENON_PG_URL)"""
import contextlib
import pathlib
import re
import socket
import subprocess
import time

import pytest
from certificates import Authority, openssl
from fault_proxy import FaultProxy


def steps(tenon, url, *more):
    """{step: (outcome, evidence)}, facts, error of a test."""
    answer = tenon.json("test", url, *more)
    result = answer["result"]
    for step in result["steps"]:
        assert step["ms"] >= 0 and (step["outcome"] != "failed" or step["remedy"]), step
    return {s["name"]: (s["outcome"], s["evidence"]) for s in result["steps"]}, result["facts"], answer.get("error")


def url_of(pg, host=None, user=None, password=None, database=None, **parameters):
    host = host or f"127.0.0.1:{pg.port}"
    query = "&".join(f"{k}={v}" for k, v in parameters.items())
    password = pg.password if password is None else password
    return f"postgresql://{user or pg.user}:{password}@{host}/{database or pg.database}" + (f"?{query}" if query else "")


def fails(tenon, url, code, stage, message="", remedy="", sqlstate=None):
    said, _, error = steps(tenon, url)
    assert error, "it did not fail"
    assert (error["code"], error["stage"]) == (code, stage), error
    assert message in error["message"] and remedy in error["remedy"], error
    assert sqlstate is None or error["sqlstate"] == sqlstate, error
    assert list(said)[-1] == stage and said[stage][0] == "failed", said
    return error


# --- What works ------------------------------------------------------------------------------------------------------


def test_socket(tenon, pg):
    said, facts, error = steps(tenon, pg.url)
    assert not error
    assert {n: o for n, (o, _) in said.items()} == {"tcp": "ok", "tls": "skipped", "auth": "ok", "permission": "ok", "probe": "ok"}
    assert re.match(r"15\.\d+", facts["server_version"])
    assert (facts["identity"], facts["database"], facts["read_only"], facts["tls"]) == ("admin", pg.database, "no", "no")


def test_loopback_prefers_tls(tenon, pg):
    said, facts, error = steps(tenon, url_of(pg))
    assert not error and list(said) == ["dns", "tcp", "tls", "auth", "permission", "probe"]
    assert said["tls"][0] == "ok" and "TLSv1.3" in said["tls"][1] and "not verified" in said["tls"][1]
    assert facts["tls"].startswith("TLSv1.3")


def test_verified(tenon, pg):
    said, facts, error = steps(tenon, pg.tls_url)
    assert not error and said["tls"] == ("ok", "TLSv1.3, certificate and host name verified")
    said, _, error = steps(tenon, url_of(pg, host=f"localhost:{pg.port}", sslmode="verify-full", sslrootcert=f"{pg.certs}/ca.crt"))
    assert not error and "localhost has" in said["dns"][1]


def test_without_tls(tenon, pg):
    said, _, error = steps(tenon, pg.plain_url)
    assert not error and said["tls"] == ("skipped", "not encrypted (sslmode=disable)")


def test_client_certificate(tenon, pg, tmp_path):
    files = {"sslcert": f"{pg.certs}/certuser.crt", "sslkey": f"{pg.certs}/certuser.key", "sslrootcert": f"{pg.certs}/ca.crt"}
    url = url_of(pg, user="certuser", password="", sslmode="verify-full", **files)
    said, facts, error = steps(tenon, url)
    assert not error and facts["identity"] == "certuser"
    # the key with a password, and all of it as parameters
    openssl("ec", "-in", f"{pg.certs}/certuser.key", "-aes256", "-passout", "pass:secret-key", "-out", str(tmp_path / "locked.key"), folder=tmp_path)
    settings = [f"{k}=$FILE:{v}" for k, v in {**files, "sslkey": tmp_path / "locked.key"}.items()]
    args = [x for s in [*settings, "sslmode=verify-full"] for x in ("--set", s)]
    plain = f"postgresql://certuser@127.0.0.1:{pg.port}/{pg.database}"
    assert not steps(tenon, plain, *args, "--set", "sslpassword=secret-key")[2]
    error = steps(tenon, plain, *args, "--set", "sslpassword=wrong-secret")[2]
    assert error["stage"] == "tls" and "sslpassword" in error["remedy"] and "wrong-secret" not in str(error)
    assert fails(tenon, url_of(pg, user="certuser", sslmode="require"), "UNAUTHENTICATED", "auth", remedy="sslcert", sqlstate="28000")
    rows = tenon.read(url, "--query", "select usename from pg_stat_activity where pid = pg_backend_pid()").to_pylist()
    assert rows == [{"usename": "certuser"}]


# --- What does not ---------------------------------------------------------------------------------------------------


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_nothing_listens(tenon, pg):
    fails(tenon, url_of(pg, host=f"127.0.0.1:{free_port()}"), "UNREACHABLE", "tcp", "refused", "nothing listens there")
    fails(tenon, f"postgresql://u:p@%2Fnowhere/{pg.database}", "UNREACHABLE", "tcp", "No such file", "socket")
    fails(tenon, f"postgresql://u:p@{pg.socket.replace('/', '%2F')}:{free_port()}/x", "UNREACHABLE", "tcp", "No such file")


def test_no_such_host(tenon, pg):
    error = steps(tenon, url_of(pg, host="nowhere.invalid"))[2]
    assert error["stage"] == "dns" and "nowhere.invalid" in error["message"] and error["remedy"]


def test_passwords(tenon, pg):
    error = fails(tenon, url_of(pg, password="wrong-secret"), "UNAUTHENTICATED", "auth", "password authentication failed", "username and password", "28P01")
    assert "wrong-secret" not in str(error)
    fails(tenon, url_of(pg, user="nobody_here"), "UNAUTHENTICATED", "auth", "nobody_here", sqlstate="28P01")
    answer = steps(tenon, f"postgresql://{pg.user}@127.0.0.1:{pg.port}/{pg.database}")[2]
    assert answer["code"] == "UNAUTHENTICATED" and "none is given" in answer["remedy"]


def test_databases_and_roles(tenon, pg):
    fails(tenon, url_of(pg, database="nowhere"), "NOT_FOUND", "permission", "nowhere", "name of the database", "3D000")
    pg.run("drop role if exists r1", "drop role if exists r2", "drop role if exists r3", "drop database if exists closed",
           "create role r1 nologin password 'secret-r'", "create role r2 login password 'secret-r' connection limit 0",
           "create role r3 login password 'secret-r'")
    pg.run("create database closed")
    pg.run("revoke connect on database closed from public")
    try:
        fails(tenon, url_of(pg, user="r1", password="secret-r"), "FORBIDDEN", "auth", "log in", "LOGIN", "28000")
        error = fails(tenon, url_of(pg, user="r2", password="secret-r"), "LIMITED", "auth", "r2", "connections", "53300")
        assert error["retryable"]
        fails(tenon, url_of(pg, user="r3", password="secret-r", database="closed"), "FORBIDDEN", "permission", "closed", "GRANT", "42501")
        pg.run("alter role r3 valid until '2001-01-01'")
        fails(tenon, url_of(pg, user="r3", password="secret-r"), "UNAUTHENTICATED", "auth", sqlstate="28P01")
    finally:
        pg.run("drop database closed")
        pg.run("drop role r1", "drop role r2", "drop role r3")


@contextlib.contextmanager
def hba(pg, line):
    """A line in front of the server's pg_hba.conf for a while."""
    path = pathlib.Path(pg.folder) / "data/pg_hba.conf"
    text = path.read_text()
    path.write_text(line + "\n" + text)
    try:
        assert pg.value("select pg_reload_conf()")
        deadline = time.monotonic() + 10
        while not pg.value("select count(*) from pg_hba_file_rules where line_number = 1 and user_name = '{nobody_allowed}'"):
            assert time.monotonic() < deadline
        time.sleep(0.2)  # the view reads the file; the postmaster takes it in when the signal arrives
        yield
    finally:
        path.write_text(text)
        pg.value("select pg_reload_conf()")


def test_not_let_in(tenon, pg):
    fails(tenon, url_of(pg, sslmode="disable"), "TLS", "auth", "no encryption", "sslmode=require", "28000")
    with hba(pg, "host all nobody_allowed 127.0.0.1/32 reject"):
        fails(tenon, url_of(pg, user="nobody_allowed", sslmode="require"), "FORBIDDEN", "auth", "pg_hba.conf", "administrator", "28000")


def test_too_many_connections(tenon, pg):
    from psycopg import OperationalError
    kept = []
    try:
        with contextlib.suppress(OperationalError):
            for _ in range(int(pg.value("show max_connections"))):
                kept.append(pg.connect())
        error = steps(tenon, pg.url)[2]
        assert (error["code"], error["stage"], error["sqlstate"], error["retryable"]) == ("LIMITED", "auth", "53300", True)
    finally:
        for connection in kept:
            connection.close()


def test_wrong_parameters(tenon, pg):
    for url, word in [
        (f"postgresql://h/{pg.database}?sslmode=sometimes", "sslmode"), (f"postgresql://h:70000/{pg.database}", "host"),
        ("postgresql://h/x?sockte=/tmp", "sockte"), ("postgresql://h/x?connect_timeout=soon", "connect_timeout"), ("postgresql://h/x?passfile=/x", "passfile"),
        ("postgresql://h/x?service=x", "service"), ("postgresql://h/x?socket=/tmp", "socket"), ("postgresql://h/x?target_session_attrs=best", "target_session_attrs"),
        ("postgresql://h/x?sslrootcert=/nowhere.crt", "sslrootcert"), ("postgresql://h/x?host=/run&host=b", "host"),
    ]:
        error = tenon.error("test", url)
        assert error["code"] == "CONFIG" and error["stage"] == "config" and word in error["message"], (url, error)


def test_what_a_stranger_wrote(tenon, pg, tmp_path):
    """Each says which parameter it is."""
    not_pem = tmp_path / "ca.crt"
    not_pem.write_text("this is no certificate")
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    good, key = f"{pg.certs}/certuser.crt", f"{pg.certs}/certuser.key"
    for parameters, word in [
        ({"sslrootcert": not_pem}, "sslrootcert is not PEM"), ({"sslcert": not_pem}, "sslcert is not PEM"), ({"sslrootcert": broken}, "sslrootcert cannot be used"),
        ({"sslcert": broken, "sslkey": key}, "sslcert cannot be used"), ({"sslcert": good, "sslkey": broken}, "sslkey cannot be used"),
        ({"sslcert": good}, "sslcert is given without sslkey"), ({"sslkey": key}, "sslkey is given without sslcert"),
    ]:
        error = tenon.error("test", url_of(pg, sslmode="verify-full" if "sslrootcert" in parameters else "require", **parameters))
        assert error["code"] == "CONFIG" and word in error["message"] and "/proc" not in error["message"], error
    for host, word in [("[::1", "lacks the ]"), ("h:99999", "port"), ("h:abc", "port"), ("", "neither host nor socket")]:
        error = tenon.error("test", f"postgresql://u:p@{host}/d" if host else "postgresql://u:p@/d?host=")
        assert error["code"] == "CONFIG" and word in error["message"], error
    for options in ("-c foo", "-c work_mem=much", "-c nothing=1"):
        error = tenon.error("test", pg.url, "--set", f"options={options}")
        assert error["code"] == "CONFIG" and error["stage"] == "auth" and "options" in error["remedy"], error
    answer = tenon.run("test", f"postgresql://admin:secret-wr@ng@127.0.0.1:{pg.port}/{pg.database}", "--json")
    assert b"wr@ng" not in answer.stdout + answer.stderr and b"ng@127" not in answer.stdout + answer.stderr
    assert b"UNAUTHENTICATED" in answer.stdout


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def served(pg, authority):
    """Gives the real server another certificate."""
    open_ = []

    def start(name, alternatives, days=30):
        proxy = FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}", certificate=authority.issue(name, alternatives, days))
        open_.append(proxy)
        return f"localhost:{proxy.port}"

    yield start
    for proxy in open_:
        proxy.__exit__()


def test_untrusted_certificate(tenon, pg, served, authority):
    host = served("good", "DNS:localhost")
    fails(tenon, url_of(pg, host, sslmode="verify-full", sslrootcert=f"{pg.certs}/ca.crt"), "TLS", "tls", "certificate", "sslrootcert")
    fails(tenon, url_of(pg, host, sslmode="verify-full"), "TLS", "tls", "certificate", "sslrootcert")
    fails(tenon, url_of(pg, host, sslmode="verify-ca"), "TLS", "tls", "certificate")
    assert not steps(tenon, url_of(pg, host, sslmode="verify-full", sslrootcert=authority.path))[2]
    said, _, error = steps(tenon, url_of(pg, host, sslmode="require"))
    assert not error and said["tls"][0] == "ok"


def test_expired_certificate(tenon, pg, served, authority):
    host = served("expired", "DNS:localhost", days=0)
    time.sleep(1.1)
    error = fails(tenon, url_of(pg, host, sslmode="verify-full", sslrootcert=authority.path), "TLS", "tls", "expired", "renew")
    assert not error["retryable"]
    assert not steps(tenon, url_of(pg, host, sslmode="require"))[2]


def test_certificate_of_another_host(tenon, pg, served, authority):
    host = served("other", "DNS:db.example.com")
    fails(tenon, url_of(pg, host, sslmode="verify-full", sslrootcert=authority.path), "TLS", "tls", "another host name", "verify-ca")
    said, _, error = steps(tenon, url_of(pg, host, sslmode="verify-ca", sslrootcert=authority.path))
    assert not error and "host name not" in said["tls"][1]


def test_tls_is_refused(tenon, pg):
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}") as proxy:
        for mode in ("require", "verify-ca", "verify-full"):
            fails(tenon, url_of(pg, f"127.0.0.1:{proxy.port}", sslmode=mode), "TLS", "tls", "does not offer", "sslmode=disable")
        assert not steps(tenon, url_of(pg, f"127.0.0.1:{proxy.port}", sslmode="prefer"))[2]


def own_address():
    """An address of this machine that is not its loopback's."""
    words = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return next((w for w in words if "." in w and not w.startswith("127.")), None)


def test_elsewhere_is_verified_unless_said_otherwise(tenon, pg, authority):
    address = own_address()
    if not address:
        pytest.skip("this machine has its loopback alone")
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}", certificate=authority.issue("elsewhere", f"IP:{address}"), address=address) as proxy:
        host = f"{address}:{proxy.port}"
        fails(tenon, url_of(pg, host), "TLS", "tls", "certificate", "sslrootcert")
        said, _, error = steps(tenon, url_of(pg, host, sslrootcert=authority.path))
        assert not error and said["tls"][1].endswith("certificate and host name verified")
        said, _, error = steps(tenon, url_of(pg, host, sslmode="require"))
        assert not error and said["tls"][0] == "warning" and "not verified" in said["tls"][1]


# --- Several hosts ---------------------------------------------------------------------------------------------------


def test_several_hosts(tenon, pg):
    closed, good = f"127.0.0.1:{free_port()}", f"127.0.0.1:{pg.port}"
    said, facts, error = steps(tenon, url_of(pg, f"{closed},{good}"))
    assert not error and facts["identity"] == "admin"
    answer = tenon.json("test", url_of(pg, f"{closed},nowhere.invalid,{good}"))["result"]["steps"]
    warned = [(s["name"], s["outcome"]) for s in answer if s["outcome"] == "warning"]
    assert warned == [("tcp", "warning"), ("dns", "warning")]
    fails(tenon, url_of(pg, f"{closed},{closed}"), "UNREACHABLE", "tcp")
    # what one server refuses is the answer; nobody else is asked
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}") as proxy:
        fails(tenon, url_of(pg, f"{good},127.0.0.1:{proxy.port}", password="wrong-secret"), "UNAUTHENTICATED", "auth")
        assert not proxy.seen


def test_a_silent_host_does_not_take_all_the_time(tenon, pg):
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}", "accept", "stall") as proxy:
        hosts = f"127.0.0.1:{proxy.port},127.0.0.1:{pg.port}"
        assert not steps(tenon, url_of(pg, hosts, connect_timeout="1"))[2]
        assert not steps(tenon, url_of(pg, hosts), "--timeout", "4s")[2]


def test_target_session_attrs(tenon, pg):
    for attrs, fine in (("any", True), ("read-write", True), ("primary", True), ("prefer-standby", True), ("read-only", False), ("standby", False)):
        error = steps(tenon, url_of(pg, target_session_attrs=attrs))[2]
        assert (error is None) == fine, attrs
        if error:
            assert (error["code"], error["stage"]) == ("UNREACHABLE", "permission") and attrs in error["message"]
    said, facts, error = steps(tenon, url_of(pg, target_session_attrs="read-only", options="-c%20default_transaction_read_only=on"))
    assert not error and facts["read_only"] == "yes"
    assert steps(tenon, url_of(pg, target_session_attrs="read-write", options="-c%20default_transaction_read_only=on"))[2]


# --- A connector with a URL ------------------------------------------------------------------------------------------


def test_a_url_in_a_connector(tenon, pg, tmp_path):
    """What it says counts where nothing else is said; it may come from the environment, and is a secret whole."""
    (tmp_path / "tenon.yaml").write_text(
        "connectors:\n"
        "  shop: {kind: postgresql, url: '$ENV:SHOP_URL', application_name: of the file}\n"
        "  odd: {kind: postgresql, url: 'postgresql://u:canary-secret@h/d?nonsense=1'}\n"
        "  half: {kind: postgresql, url: 'postgresql://u:canary-%zz@h/d'}\n")
    file = ("--connectors", tmp_path / "tenon.yaml")
    query = "select current_setting('application_name') as a, current_user::text as u"
    rows = tenon.read("shop", *file, "--query", query, env={"SHOP_URL": f"{pg.url}?application_name=of+the+url"}).to_pylist()
    assert rows == [{"a": "of the file", "u": "admin"}]
    for name, word in (("odd", "nonsense"), ("half", "percent"), ("shop", "SHOP_URL")):
        done = tenon.run("test", name, *file, "--json")
        assert b"CONFIG" in done.stdout and word.encode() in done.stdout and b"canary" not in done.stdout + done.stderr


# --- The catalog's size ----------------------------------------------------------------------------------------------


def test_no_sweep_of_the_catalog(tenon, pg):
    """A test asks one question, whatever there is."""
    with FaultProxy(f"{pg.socket}/.s.PGSQL.{pg.port}") as proxy:
        assert not steps(tenon, url_of(pg, f"127.0.0.1:{proxy.port}", sslmode="disable"))[2]
        assert sum(s.startswith("Z:") for s in proxy.seen) == 2 and sum(s.startswith("D:") for s in proxy.seen) == 1
