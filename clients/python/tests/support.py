"""Shared by the tests: the vectors, a network made up for tests, and a local HTTP server of any manners."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from touchstone_client import GroupKey, Status, Suite, Verifier, _manifest, _merkle, _secp256k1
from touchstone_client._update import Entry, Leaf, Statement

REPOSITORY = Path(__file__).resolve().parents[3]
VECTORS = REPOSITORY / "tests" / "vectors"

NOW = 1_790_000_100_000
ROUND = 1_790_000_100
PRICE = 6_700_000_000_000
NETWORK_ID = bytes([7]) * 32
SECP_SECRET = 0x1234_5678_9ABC_DEF0_1234_5678


def vector(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def vectors(folder: str) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((VECTORS / folder).glob("*.json"))}


def schnorr(secret: int, message: bytes, nonce: int) -> bytes:
    """Sign as one signer of suite 2 would."""
    r = _secp256k1.combine(nonce, _secp256k1.G, 0, _secp256k1.G)
    key = _secp256k1.combine(secret, _secp256k1.G, 0, _secp256k1.G)
    assert r is not None
    assert key is not None
    z = (nonce + _secp256k1.challenge(r, key, message) * secret) % _secp256k1.N
    return b"".join(number.to_bytes(32, "big") for number in (*r, z))


@dataclass(frozen=True)
class Group:
    """A group of one signer."""

    secret: Ed25519PrivateKey = field(default_factory=lambda: Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))
    secp_secret: int = SECP_SECRET

    @property
    def keys(self) -> list[GroupKey]:
        point = _secp256k1.combine(self.secp_secret, _secp256k1.G, 0, _secp256k1.G)
        assert point is not None
        return [
            GroupKey(Suite.ED25519, self.secret.public_key().public_bytes_raw()),
            GroupKey(Suite.SECP256K1_KECCAK, _secp256k1.compress(point)),
        ]

    @property
    def verifier(self) -> Verifier:
        return Verifier(NETWORK_ID, self.keys)

    def sign(self, digest: bytes, suite: Suite = Suite.ED25519) -> bytes:
        if suite is Suite.ED25519:
            return self.secret.sign(digest)
        nonce = int.from_bytes(hashlib.sha512(b"nonce" + digest).digest(), "big") % _secp256k1.N
        return schnorr(self.secp_secret, digest, nonce)


GROUP = Group()
STRANGER = Group(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32), 77)


def leaf(feed: str = "BTC-USD", price: int = PRICE, observed_at_ms: int = NOW) -> Leaf:
    return Leaf(feed, Status.OK, -8, price, price, price, observed_at_ms, 4)


def tree(leaves: Sequence[Leaf]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Root and inclusion proofs, straight from the recursive definition of RFC 9162 section 2.1."""

    def build(hashes: list[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
        if len(hashes) == 1:
            return hashes[0], [()]
        split = 1 << (len(hashes) - 1).bit_length() - 1
        (left, lefts), (right, rights) = build(hashes[:split]), build(hashes[split:])
        paths = [(*path, right) for path in lefts] + [(*path, left) for path in rights]
        return _merkle.node_hash(left, right), paths

    return build([_merkle.leaf_hash(item.to_bytes()) for item in leaves])


def update(
    leaves: Sequence[Leaf] | None = None,
    *,
    round_number: int = ROUND,
    timestamp_ms: int = NOW,
    group: Group = GROUP,
    suite: Suite = Suite.ED25519,
    network_id: bytes = NETWORK_ID,
) -> bytes:
    """A signed update of all leaves of a round."""
    leaves = [leaf()] if leaves is None else leaves
    root, paths = tree(leaves)
    statement = Statement(network_id, 0, round_number, timestamp_ms, len(leaves), root, bytes(32))
    out = bytes((1, suite.byte)) + statement.to_bytes()[16:] + group.sign(statement.digest(), suite)
    out += bytes((len(leaves),))
    for index, (item, path) in enumerate(zip(leaves, paths, strict=True)):
        entry = Entry(item, index, path)
        out += entry.leaf.to_bytes() + index.to_bytes(2, "big") + bytes((len(path),)) + b"".join(path)
    return out


def with_status(status: Status) -> Leaf:
    return replace(leaf(), status=status)


MEMBER = Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32)


def epoch(suites: Sequence[Suite] = tuple(Suite), **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and record of a network of one member, whose group is :data:`GROUP`."""
    identity = MEMBER.public_key().public_bytes_raw().hex()
    manifest: dict[str, Any] = vector("pin/network.json")["genesis_manifest"]
    manifest |= {
        "f": 0,
        "suites": [suite.value for suite in suites],
        "members": [{"id": 0, "identity": identity, "address": "127.0.0.1:9000"}],
        **changes,
    }
    keys = {key.suite: key.to_bytes().hex() for key in GROUP.keys}
    record: dict[str, Any] = {
        "epoch": manifest["epoch"],
        "manifest_hash": _manifest.manifest_hash(manifest).hex(),
        "keys": [{"suite": s.value, "group_key": keys[s], "verifying_shares": [keys[s]]} for s in suites],
        "coin_key": "00" * 32,
        "coin_shares": ["00" * 32],
        "transcript": "00" * 32,
    }
    digest = _manifest.record_digest(record)
    record["member_signatures"] = [MEMBER.sign(b"touchstone/eid/1" + digest).hex()]
    record["group_signatures"] = [{"suite": s.value, "signature": GROUP.sign(digest, s).hex()} for s in suites]
    return manifest, record


def pin(suites: Sequence[Suite] = tuple(Suite), **changes: Any) -> dict[str, Any]:
    """A pin of such a network."""
    manifest, record = epoch(suites, **changes)
    return {"genesis_manifest": manifest, "genesis_record": record}


def network_of_the_environment() -> tuple[str, str]:
    """Return the URL of the aggregator and the path of the pin that the environment names, or skip the test."""
    names = ("TOUCHSTONE_URL", "TOUCHSTONE_PIN")
    url, pin = (os.environ.get(name, "") for name in names)
    if not (url and pin):
        text = f"set {' and '.join(names)} to try a network that runs"
        if "all" in os.environ.get("TOUCHSTONE_REQUIRE", ""):
            pytest.fail(text)
        pytest.skip(text)
    return url, pin


def as_json(data: bytes) -> bytes:
    """An answer of the API: what is not signed lies."""
    return json.dumps({"price": "1.0", "update": base64.b64encode(data).decode()}).encode()


@dataclass
class Server:
    """A real HTTP server on the loopback."""

    url: str
    requests: list[tuple[str, dict[str, str]]]


Handler = Callable[[BaseHTTPRequestHandler], None]


def self_signed(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a server on the loopback, and of a client that trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, encoding = folder / "server.pem", serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(secret + certificate.public_bytes(encoding))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(encoding).decode())


@contextlib.contextmanager
def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    seen: list[tuple[str, dict[str, str]]] = []

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            with contextlib.suppress(ConnectionError):
                handler(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Server(f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(body: bytes, status: int = 200, **headers: str) -> Handler:
    """A handler that gives this answer."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def events(text: str) -> Handler:
    """A handler that gives these server-sent events and ends."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.end_headers()
        request.wfile.write(text.encode())

    return handle


def price_event(data: bytes, event_id: int | None = None) -> str:
    text = f"event: price\ndata: {as_json(data).decode()}\n"
    return text + ("" if event_id is None else f"id: {event_id}\n") + "\n"
