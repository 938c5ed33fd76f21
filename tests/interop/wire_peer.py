"""A second, independent speaker of the wire protocol, for testing hypha from outside.

Written from spec wire.md alone and sharing no code with the library: what both agree on is the
protocol. It can misbehave on purpose. Standard library only.
"""

import socket
import ssl
import struct
import subprocess
import time

MAGIC = bytes.fromhex("d9efb67d")


# ---- values: wire.md 1 ----

def varint(n):
    if n < 0xFD:
        return bytes([n])
    if n <= 0xFFFF:
        return b"\xfd" + struct.pack("<H", n)
    if n <= 0xFFFFFFFF:
        return b"\xfe" + struct.pack("<I", n)
    return b"\xff" + struct.pack("<Q", n)


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return varint(len(raw)) + raw


def semver(text):
    core, _, build = text.partition("+")
    core, _, pre = core.partition("-")
    numbers = [int(part) for part in core.split(".")]
    return struct.pack("<QQQ", *numbers) + string(pre) + string(build)


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, n):
        if self.at + n > len(self.raw):
            raise ValueError("truncated")
        self.at += n
        return self.raw[self.at - n:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        first = self.number("B")
        if first < 0xFD:
            return first
        value = self.number({0xFD: "H", 0xFE: "I", 0xFF: "Q"}[first])
        if value < {0xFD: 0xFD, 0xFE: 0x10000, 0xFF: 0x100000000}[first]:
            raise ValueError("varint not minimal")
        return value

    def string(self):
        return self.take(self.varint()).decode()

    def semver(self):
        major, minor, patch = (self.number("Q") for _ in range(3))
        pre, build = self.string(), self.string()
        return f"{major}.{minor}.{patch}" + (f"-{pre}" if pre else "") + (
            f"+{build}" if build else "")

    def end(self):
        if self.at != len(self.raw):
            raise ValueError("trailing bytes")


# ---- messages: wire.md 3 ----

def version_payload(app="dchatd", version="0.4.1", connect="tcp://127.0.0.1:1/", resolve=None,
                    ext=(), node_id="", timestamp=None, features=()):
    raw = string(node_id) + string(app) + semver(version)
    raw += struct.pack("<Q", int(time.time()) if timestamp is None else timestamp)
    raw += string(connect)
    raw += b"\x00" if resolve is None else b"\x01" + string(resolve)
    raw += varint(len(ext)) + b"".join(string(url) for url in ext)
    raw += varint(len(features)) + b"".join(string(n) + struct.pack("<I", v) for n, v in features)
    return raw


def verack_payload(app="dchatd", version="0.4.1"):
    return semver(version) + string(app)


def getaddr_payload(most=8, transports=("tcp",)):
    return struct.pack("<I", most) + varint(len(transports)) + b"".join(
        string(name) for name in transports)


def addr_payload(entries):
    return varint(len(entries)) + b"".join(
        string(url) + struct.pack("<Q", seen) for url, seen in entries)


def parse(command, payload):
    r = Reader(payload)
    if command in ("ping", "pong"):
        fields = {"nonce": r.number("H")}
    elif command == "getaddr":
        fields = {"max": r.number("I"), "transports": [r.string() for _ in range(r.varint())]}
    elif command == "addr":
        fields = {"addrs": [(r.string(), r.number("Q")) for _ in range(r.varint())]}
    elif command == "verack":
        fields = {"version": r.semver(), "app": r.string()}
    elif command == "version":
        fields = {"node_id": r.string(), "app": r.string(), "version": r.semver(),
                  "timestamp": r.number("Q"), "connect": r.string()}
        fields["resolve"] = r.string() if r.number("B") else None
        fields["ext"] = [r.string() for _ in range(r.varint())]
        fields["features"] = [(r.string(), r.number("I")) for _ in range(r.varint())]
    elif command == "DchatMsg":
        fields = {"msg": r.string()}
    else:
        raise ValueError(f"unknown command {command!r}")
    r.end()
    return fields


def frame(command, payload, magic=MAGIC):
    return magic + string(command) + varint(len(payload)) + payload


# ---- TLS: wire.md 6 ----

def make_certificate(folder, name="cert", san="DNS:dark.fi", algorithm="ed25519", extra=()):
    """A self-signed certificate in PEM files; returns (certificate, key)."""
    cert, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    new = ["-newkey", "ed25519"] if algorithm == "ed25519" else [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", *new, "-nodes", "-subj", "/CN=x", "-days", "30",
                    "-addext", f"subjectAltName={san}", "-keyout", key, "-out", cert, *extra],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


def tls_context(server, certificate=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


# ---- one connection ----

class Closed(Exception):
    """The other side closed the connection."""


class Peer:
    """A connection to (or from) the node under test. Every wait has a deadline."""

    def __init__(self, sock, magic=MAGIC, patience=10):
        self.sock, self.magic, self.patience = sock, magic, patience
        self.sock.settimeout(patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seen = []  # every frame that came: (command, fields)
        self.buffer = b""

    @classmethod
    def dial(cls, port, source="127.0.0.1", host="127.0.0.1", tls=None, **options):
        sock = socket.create_connection((host, port), timeout=10, source_address=(source, 0))
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname="dark.fi")
        return cls(sock, **options)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return "tcp://%s:%d/" % self.sock.getsockname()[:2]

    def send_raw(self, raw):
        try:
            self.sock.sendall(raw)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error

    def send(self, command, payload):
        self.send_raw(frame(command, payload, self.magic))

    def _fill(self, n, deadline):
        while len(self.buffer) < n:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLError) as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed("EOF")
            self.buffer += more

    def _take(self, n, deadline):
        self._fill(n, deadline)
        raw, self.buffer = self.buffer[:n], self.buffer[n:]
        return raw

    def _take_varint(self, deadline):
        first = self._take(1, deadline)
        if first[0] < 0xFD:
            return first[0]
        rest = self._take({0xFD: 2, 0xFE: 4, 0xFF: 8}[first[0]], deadline)
        return Reader(first + rest).varint()

    def receive(self, patience=None):
        """The next frame as (command, fields); strict about every byte."""
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        magic = self._take(4, deadline)
        if magic != self.magic:
            raise ValueError(f"wrong magic {magic.hex()}")
        command = self._take(self._take_varint(deadline), deadline).decode()
        payload = self._take(self._take_varint(deadline), deadline)
        fields = parse(command, payload)
        self.seen.append((command, fields))
        return command, fields

    def expect(self, wanted, answer_pings=True, patience=None):
        """Read on until `wanted` comes, answering pings and getaddrs meanwhile."""
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        while True:
            command, fields = self.receive(max(0.001, deadline - time.monotonic()))
            if command == "ping" and answer_pings:
                self.send("pong", struct.pack("<H", fields["nonce"]))
            if command == "getaddr" and command != wanted:
                self.send("addr", addr_payload([]))
            if command == wanted:
                return fields

    def expect_closed(self, patience=None):
        """Read and drop until the connection ends; returns the frames that came."""
        seen = []
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        try:
            while True:
                seen.append(self.receive(max(0.001, deadline - time.monotonic())))
        except Closed:
            return seen

    def handshake(self, version=None, verack=None):
        """Symmetric, wire.md 5.3. Returns the other side's version fields."""
        self.send("version", version_payload() if version is None else version)
        theirs = {}
        while set(theirs) != {"version", "verack"}:
            command, fields = self.receive()
            if command in ("version", "verack"):
                assert command not in theirs, f"a second {command}"
                theirs[command] = fields
            if command == "version":
                self.send("verack", verack_payload() if verack is None else verack)
        return theirs["version"]
