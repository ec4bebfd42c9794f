# SPDX-License-Identifier: Apache-2.0
"""Mail servers for tests: a real one that keeps what it gets (tests/servers/smtp.cjs), and a scripted one that misbehaves."""
import contextlib
import email
import email.policy
import json
import pathlib
import socket
import ssl
import struct
import threading

import node
from certificates import Authority

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "servers/smtp.cjs"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Capture:
    """port, and what has come: (envelope, bytes of the message) in order."""

    def __init__(self, port, folder, ca):
        self.port, self.folder, self.ca = port, folder, ca

    def take(self):
        """What came since the last call."""
        mails = []
        for path in sorted(self.folder.glob("*.eml")):
            envelope = path.with_suffix(".json")
            mails.append((json.loads(envelope.read_text()), path.read_bytes()))
            path.unlink()
            envelope.unlink()
        return mails

    def take_one(self):
        (mail,) = self.take()
        return mail[0], parse(mail[1])

    def url(self, user="mailer:secret-smtp@", scheme="smtp"):
        return f"{scheme}://{user}localhost:{self.port}"


def parse(data):
    message = email.message_from_bytes(data, policy=email.policy.SMTPUTF8)
    for part in message.walk():
        assert not part.defects, part.defects
    return message


@contextlib.contextmanager
def capture(folder, mode="starttls", **more):
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    ca = Authority(folder)
    certificate, key = ca.issue("localhost", "DNS:localhost,IP:127.0.0.1")
    out = folder / "mails"
    out.mkdir()
    port = free_port()
    with node.running(SCRIPT, port, out, key, certificate, mode, **more):
        yield Capture(port, out, ca.path)


OFFERS = ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10485760", "ENHANCEDSTATUSCODES"]


class Scripted:
    """Answers command by command. `answers` is {verb: bytes, or a list of them, or a function of (connection, line)}; what is
    not there is answered as a good server does. `.` is the end of a message. What came: `lines`, `mails`."""

    def __init__(self, answers=None, offers=OFFERS, tls=None, implicit=False, greeting=b"220 test ready\r\n"):
        self.answers, self.offers, self.tls, self.implicit, self.greeting = answers or {}, offers, tls, implicit, greeting
        self.lines, self.mails, self.groups, self.connections = [], [], [], 0
        self.over, self.ended = threading.Event(), threading.Event()   # of the server; of a connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()

    def url(self, user=""):
        return f"smtp://{user}localhost:{self.port}"

    def accept(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, ssl.SSLError, StopIteration), contextlib.closing(Connection(self, client)) as c:
            c.run()
        self.ended.set()


class Connection:
    def __init__(self, server, sock):
        self.server, self.sock, self.buffer, self.counts = server, sock, b"", {}

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise StopIteration

    def hang(self):
        self.server.over.wait(30)
        raise StopIteration

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise StopIteration
            self.server.groups.append(data)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def start_tls(self):
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)

    def run(self):
        if self.server.implicit:
            self.start_tls()
        if callable(self.server.greeting):
            self.server.greeting(self)
        else:
            self.send(self.server.greeting)
        while True:
            line = self.line()
            self.server.lines.append(line)
            self.answer(line, line.split(b" ")[0].decode("latin-1").upper())

    def answer(self, line, verb):
        scripted = self.server.answers.get(verb)
        if isinstance(scripted, list):
            n = self.counts[verb] = self.counts.get(verb, -1) + 1
            scripted = scripted[min(n, len(scripted) - 1)]
        if callable(scripted):
            scripted = scripted(self, line)
        reply = scripted if scripted is not None else self.usual(verb)
        self.send(reply)
        if verb == "STARTTLS" and reply.startswith(b"220"):
            self.start_tls()
        if verb == "DATA" and reply.startswith(b"354"):
            self.content()
        if verb == "QUIT":
            raise StopIteration

    def content(self):
        while not self.buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in self.buffer[-100_000:]:
            data = self.sock.recv(1 << 20)
            if not data:
                raise StopIteration
            self.buffer += data
        end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.index(b"\r\n.\r\n") + 2
        mail, self.buffer = self.buffer[:end], self.buffer[end + 3:]
        self.server.mails.append((b"\n" + mail).replace(b"\n..", b"\n.")[1:])
        self.answer(b".", ".")

    def usual(self, verb):
        if verb == "EHLO":
            offers = self.server.offers + (["STARTTLS"] if self.server.tls and not isinstance(self.sock, ssl.SSLSocket) else [])
            lines = ["test"] + offers
            return "".join(f"250{' ' if i + 1 == len(lines) else '-'}{o}\r\n" for i, o in enumerate(lines)).encode()
        return {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n", "STARTTLS": b"220 go\r\n", "AUTH": b"235 welcome\r\n",
                ".": b"250 2.0.0 taken\r\n"}.get(verb, b"250 2.1.0 fine\r\n")
