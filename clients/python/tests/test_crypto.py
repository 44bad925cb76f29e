"""The curves and hashes, against published answers, other implementations and hostile inputs."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from support import SECP_SECRET, schnorr
from touchstone_client import GroupKey, GroupKeyError, Suite, _ed25519, _merkle, _secp256k1
from touchstone_client._keccak import keccak256

SECRET = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
KEY = SECRET.public_key().public_bytes_raw()
SECP_KEY = _secp256k1.combine(SECP_SECRET, _secp256k1.G, 0, _secp256k1.G)
assert SECP_KEY is not None
DIGEST = hashlib.sha256(b"a statement").digest()
SECP_SIGNATURE = schnorr(SECP_SECRET, DIGEST, 424242)


def torsion() -> list[_ed25519.Point]:
    """The eight points of small order."""
    point = next(
        t
        for y in range(2, 100)
        if (p := _ed25519.decode(y.to_bytes(32, "little")))
        and not _ed25519.is_identity(_ed25519.multiply(4, t := _ed25519.multiply(_ed25519.L, p)))
    )
    return [_ed25519.multiply(k, point) for k in range(8)]


TORSION = torsion()


def test_ed25519_arithmetic_agrees_with_the_library() -> None:
    for seed in range(8):
        secret = hashlib.sha512(bytes([seed]) * 32).digest()[:32]
        scalar = int.from_bytes(secret, "little") & ((1 << 254) - 8) | 1 << 254
        public = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw()
        assert _ed25519.encode(_ed25519.multiply(scalar, _ed25519._BASE)) == public


def test_points_of_small_order_are_known() -> None:
    encodings = {_ed25519.encode(point) for point in TORSION}
    assert len(encodings) == 8
    assert not any(_ed25519.is_canonical_and_large(data) for data in encodings)
    with_sign = {data[:31] + bytes((data[31] ^ 0x80,)) for data in encodings}
    assert not any(_ed25519.is_canonical_and_large(data) for data in with_sign)


@pytest.mark.parametrize("index", range(1, 8))
def test_a_key_with_a_small_order_part_is_refused(index: int) -> None:
    point = _ed25519.decode(KEY)
    assert point is not None
    mixed = _ed25519.encode(_ed25519.add(point, TORSION[index]))
    with pytest.raises(GroupKeyError) as refused:
        GroupKey(Suite.ED25519, mixed)
    assert refused.value.code == "bad-group-key"


def test_strict_rules() -> None:
    signature = SECRET.sign(DIGEST)
    assert _ed25519.verify_strict(KEY, DIGEST, signature)
    s = int.from_bytes(signature[32:], "little")
    above = signature[:32] + (s + _ed25519.L).to_bytes(32, "little")
    assert not _ed25519.verify_strict(KEY, DIGEST, above)
    assert not _ed25519.verify_zip215(KEY, DIGEST, above)
    assert not _ed25519.verify_strict(KEY, DIGEST, signature + b"\x00")
    assert not _ed25519.verify_strict(KEY, DIGEST, signature[:63])
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not _ed25519.verify_strict(KEY, DIGEST, bytes(flipped))


def secret_scalar() -> int:
    seed = hashlib.sha512(bytes([9]) * 32).digest()[:32]
    return int.from_bytes(seed, "little") & ((1 << 254) - 8) | 1 << 254


def signature_with(r: _ed25519.Point, nonce: int, encoded: bytes | None = None) -> bytes:
    """A signature by the secret key whose R is chosen."""
    encoded = _ed25519.encode(r) if encoded is None else encoded
    k = int.from_bytes(hashlib.sha512(encoded + KEY + DIGEST).digest(), "little")
    return encoded + ((nonce + k * secret_scalar()) % _ed25519.L).to_bytes(32, "little")


def test_small_order_and_mixed_r_pass_zip215_and_not_the_strict_rules() -> None:
    for point in TORSION:
        # Without the strict rules even the equation without cofactor holds for the neutral R.
        assert _ed25519.verify_zip215(KEY, DIGEST, signature_with(point, 0))
        assert not _ed25519.verify_strict(KEY, DIGEST, signature_with(point, 0))
    nonce_point = _ed25519.multiply(5, _ed25519._BASE)
    for point in TORSION[1:]:
        mixed = signature_with(_ed25519.add(nonce_point, point), 5)
        assert _ed25519.verify_zip215(KEY, DIGEST, mixed)
        assert not _ed25519.verify_strict(KEY, DIGEST, mixed)
    # y = p + 1 is the neutral element by another encoding, as is y = 1 with the sign bit.
    for encoded in ((_ed25519.P + 1).to_bytes(32, "little"), (1 | 1 << 255).to_bytes(32, "little")):
        assert _ed25519.verify_zip215(KEY, DIGEST, signature_with(TORSION[0], 0, encoded))
        assert not _ed25519.verify_strict(KEY, DIGEST, signature_with(TORSION[0], 0, encoded))


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=64, max_size=64))
def test_zip215_refuses_what_nobody_signed(signature: bytes) -> None:
    assert not _ed25519.verify_zip215(KEY, DIGEST, signature)


def test_keccak_known_answers() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_keccak_with_the_padding_of_sha3_is_sha3(data: bytes) -> None:
    assert keccak256(data, padding=0x06) == hashlib.sha3_256(data).digest()


def test_expand_message_of_rfc_9380() -> None:
    """The suite of appendix K.1: SHA-256, 32 bytes."""
    dst = b"QUUX-V01-CS02-with-expander-SHA256-128"

    def expand(message: bytes, length: int = 32) -> bytes:
        return _secp256k1.expand_message_xmd(message, dst, length, lambda data: hashlib.sha256(data).digest(), 64)

    assert expand(b"").hex() == "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235"
    assert expand(b"abc").hex() == "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615"
    assert len(expand(b"", 128)) == 128


@settings(max_examples=20, deadline=None)
@given(st.integers(1, _secp256k1.N - 1), st.integers(1, _secp256k1.N - 1), st.integers(1, _secp256k1.N - 1))
def test_secp256k1_arithmetic_agrees_with_the_library(secret: int, a: int, b: int) -> None:
    def public(number: int) -> bytes:
        key = ec.derive_private_key(number % _secp256k1.N, ec.SECP256K1()).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    point = _secp256k1.decompress(public(secret))
    assert point is not None
    total = (a + b * secret) % _secp256k1.N
    combined = _secp256k1.combine(a, _secp256k1.G, b, point)
    if total == 0:
        assert combined is None
    else:
        assert combined is not None
        assert _secp256k1.compress(combined) == public(total)


def test_secp256k1_corners() -> None:
    g, n = _secp256k1.G, _secp256k1.N
    assert _secp256k1.combine(n, g, 0, g) is None
    assert _secp256k1.combine(0, g, 0, g) is None
    assert _secp256k1.combine(1, g, n - 1, g) is None
    assert _secp256k1.combine(1, g, 1, g) == _secp256k1.combine(2, g, 0, g)
    assert _secp256k1.decompress(b"\x04" + bytes(32)) is None
    assert _secp256k1.decompress(b"\x02" + _secp256k1.P.to_bytes(32, "big")) is None
    # x = 5 is no point's.
    assert _secp256k1.decompress(b"\x02" + (5).to_bytes(32, "big")) is None
    # Points with x from n to p - 1 exist, and no contract could check under them.
    x = next(x for x in range(n, n + 99) if _secp256k1.decompress(b"\x02" + x.to_bytes(32, "big")) is not None)
    with pytest.raises(GroupKeyError) as refused:
        GroupKey(Suite.SECP256K1_KECCAK, b"\x02" + x.to_bytes(32, "big"))
    assert refused.value.code == "bad-group-key"


def test_secp256k1_signatures() -> None:
    assert SECP_KEY is not None
    rx, ry, z = (int.from_bytes(SECP_SIGNATURE[i : i + 32], "big") for i in (0, 32, 64))

    def verify(x: int, y: int, scalar: int) -> bool:
        signature = b"".join(number.to_bytes(32, "big") for number in (x, y, scalar))
        assert SECP_KEY is not None
        return _secp256k1.verify(SECP_KEY, DIGEST, signature)

    assert verify(rx, ry, z)
    assert not verify(rx, _secp256k1.P - ry, z)
    assert not verify(rx, ry, 0)
    assert not verify(rx, ry, _secp256k1.N)
    assert not verify(rx, ry, _secp256k1.N - z)
    assert not verify(0, 0, z)
    assert not verify(rx, ry ^ 1, z)
    assert not _secp256k1.verify(SECP_KEY, DIGEST, SECP_SIGNATURE[:95])
    assert not _secp256k1.verify(SECP_KEY, bytes(32), SECP_SIGNATURE)


def test_secp256k1_coordinates_must_be_reduced() -> None:
    """R with x = 1 has a second encoding of x, p + 1, that fits 32 bytes."""
    small = next(p for x in range(1, 99) if (p := _secp256k1.decompress(b"\x02" + x.to_bytes(32, "big"))))
    assert _secp256k1.is_on_curve(small)
    assert not _secp256k1.is_on_curve((small[0] + _secp256k1.P, small[1]))
    assert not _secp256k1.is_on_curve((small[0], small[1] + _secp256k1.P))


@pytest.mark.parametrize(
    ("r", "z", "c", "holds"),
    [
        (5, 26, 3, True),
        # With c = 0 anybody could sign: z * G == R.
        (5, 5, 0, False),
        (_secp256k1.N - 21, 0, 3, False),
        (5, 26 + _secp256k1.N, 3, False),
    ],
)
def test_scalars_out_of_range_are_refused_though_the_equation_holds(
    r: int, z: int, c: int, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _secp256k1.combine(7, _secp256k1.G, 0, _secp256k1.G)
    point = _secp256k1.combine(r, _secp256k1.G, 0, _secp256k1.G)
    assert key is not None
    assert point is not None
    signature = b"".join(number.to_bytes(32, "big") for number in (*point, z))
    monkeypatch.setattr(_secp256k1, "challenge", lambda *_: c)
    assert _secp256k1.verify(key, DIGEST, signature) == holds


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 767))
def test_no_bit_of_a_secp256k1_signature_can_be_changed(bit: int) -> None:
    assert SECP_KEY is not None
    flipped = bytearray(SECP_SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not _secp256k1.verify(SECP_KEY, DIGEST, bytes(flipped))


def test_paths_of_another_length_are_refused() -> None:
    node, sibling = _merkle.leaf_hash(b"1"), _merkle.leaf_hash(b"2")
    root = _merkle.node_hash(node, sibling)
    assert _merkle.is_included(node, 0, 2, [sibling], root)
    for index, size, path in ((0, 1, [sibling]), (0, 3, [sibling]), (0, 2, []), (2, 2, [sibling]), (0, 0, [])):
        assert not _merkle.is_included(node, index, size, path, root)


@pytest.mark.parametrize(
    ("suite", "key", "code"),
    [
        ("ed25519", bytes(31), "bad-group-key"),
        ("ed25519", bytes(33), "bad-group-key"),
        ("secp256k1-keccak", bytes(32), "bad-group-key"),
        ("secp256k1-keccak", b"\x05" + bytes(32), "bad-group-key"),
        ("bls12-381", bytes(48), "unsupported-suite"),
    ],
)
def test_keys_of_other_forms_are_refused(suite: str, key: bytes, code: str) -> None:
    with pytest.raises(GroupKeyError) as refused:
        GroupKey(suite, key)
    assert refused.value.code == code
