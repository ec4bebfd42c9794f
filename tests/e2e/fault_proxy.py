# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a PostgreSQL server that does one thing wrong, at one message of the server's.

A step names a message from the server: its type, and which one of that type it is (H, d:3, Z:2); `R/10` is an
authentication request with that number. `accept` is before anything is read, `tls` the answer to the request for TLS.
Faults: stall (say nothing more, hold the connection), close (end it in good order), reset (cut it), cut (half of the
message, then close), garbage (other bytes in its place), flip (one bit of its body), and others below by name.
"""
import socket
import ssl
import struct
import threading

TLS_REQUEST = struct.pack(">II", 8, 80877103)
CANCEL_CODE = 80877102


class Closed(Exception):
    pass


def receive(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise Closed()
        data += more
    return data


class FaultProxy:
    def __init__(self, upstream, step=None, fault=None, certificate=None, address="127.0.0.1"):
        """upstream: path of the server's socket. certificate: (cert, key) to offer TLS with; else it is refused."""
        self.upstream, self.step, self.fault, self.certificate = upstream, step, fault, certificate
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.held, self.seen, self.cancels, self.forwarded = [], [], 0, 0
        self.over = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()
        for sock in self.held:
            sock.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.held.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    # --- One connection ---

    def serve(self, client):
        try:
            if self.step == "accept" and not self.harm(client, b"", None):
                return
            first = receive(client, 8)
            if first == TLS_REQUEST:
                client = self.answer_tls(client)
                first = receive(client, 8)
            size, code = struct.unpack(">II", first)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            self.held.append(server)
            server.sendall(first + receive(client, size - 8))
            if code == CANCEL_CODE:
                self.cancels += 1
                server.recv(1)
                return client.close()
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            self.answer(server, client)
        except (OSError, Closed, ssl.SSLError):
            client.close()

    def answer_tls(self, client):
        if self.step == "tls":
            if not self.harm(client, b"N", None):
                raise Closed()
            return client
        if not self.certificate:
            client.sendall(b"N")
            return client
        client.sendall(b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        client = context.wrap_socket(client, server_side=True)
        self.held.append(client)
        return client

    def pump(self, client, server):
        """What the client says goes on as it is."""
        try:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            server.close()

    def answer(self, server, client):
        counts = {}
        while True:
            header = receive(server, 5)
            kind = chr(header[0])
            message = header + receive(server, struct.unpack(">I", header[1:])[0] - 4)
            counts[kind] = counts.get(kind, 0) + 1
            names = [f"{kind}:{counts[kind]}", kind if counts[kind] == 1 else ""]
            if kind == "R":
                names.append(f"R/{struct.unpack('>I', message[5:9])[0]}")
            self.seen.append(names[0])
            if self.step in names:
                if not self.harm(client, message, server):
                    return
            else:
                client.sendall(message)
                self.forwarded += len(message)

    # --- What goes wrong ---

    def harm(self, client, message, server):
        """Does the fault in place of the message; answers whether the connection goes on."""
        name, _, argument = self.fault.partition(" ")
        return getattr(self, f"fault_{name}")(client, message, argument)

    def fault_stall(self, client, message, _):
        self.over.wait()
        return False

    def fault_close(self, client, message, _):
        client.shutdown(socket.SHUT_WR)
        self.over.wait()
        return False

    def fault_reset(self, client, message, _):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)  # wakes the thread that reads: the kernel cuts when nobody holds it any more
        client.close()
        return False

    def fault_cut(self, client, message, _):
        client.sendall(message[:max(len(message) // 2, 1)])
        return self.fault_close(client, message, _)

    def fault_garbage(self, client, message, _):
        client.sendall(b"\x07\x1b[garbage]" * 8)
        return self.fault_close(client, message, _)

    def fault_say(self, client, message, text):
        """Text in place of the message, then nothing more."""
        client.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
        self.over.wait(10)
        return False

    def fault_flip(self, client, message, _):
        harmed = bytearray(message)
        harmed[min(5 + (len(message) - 5) // 2, len(message) - 1)] ^= 0x10
        client.sendall(harmed)
        return True

    def fault_length(self, client, message, value):
        """The message with another length in front."""
        client.sendall(message[:1] + struct.pack(">I", int(value, 0)) + message[5:])
        return True

    def fault_type(self, client, message, kind):
        client.sendall(kind.encode() + message[1:])
        return True

    def fault_skip(self, client, message, _):
        return True

    def fault_twice(self, client, message, _):
        client.sendall(message + message)
        return True

    def fault_bytewise(self, client, message, _):
        """Not a fault: one byte at a time."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message:
            client.sendall(bytes([byte]))
        return True

    def fault_body(self, client, message, text):
        """The message with another body."""
        body = text.encode().decode("unicode_escape").encode("latin-1")
        client.sendall(message[:1] + struct.pack(">I", len(body) + 4) + body)
        return True

    def fault_error(self, client, message, sqlstate):
        """The server's own refusal in its place."""
        body = b"SFATAL\0VFATAL\0C" + sqlstate.encode() + b"\0Mas told by the test\0\0"
        client.sendall(b"E" + struct.pack(">I", len(body) + 4) + body)
        return self.fault_close(client, message, "")
