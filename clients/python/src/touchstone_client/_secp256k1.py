"""FROST signatures over secp256k1 with Keccak-256, as EVM contracts check them.

A signature is ``R.x | R.y | z``, 96 bytes big-endian; it is right if and only if R is a point of the curve, 0 < z < n, the
challenge c is not 0, and ``z * G == R + c * P``. Only public data is handled, so nothing here runs in constant time.
"""

from __future__ import annotations

from collections.abc import Callable

from touchstone_client._keccak import RATE, keccak256

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CHALLENGE_DST = b"FROST-secp256k1-KECCAK256-v1chal"
_CHALLENGE_BYTES = 48

Affine = tuple[int, int]
G: Affine = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

# Jacobian coordinates: x = X/Z^2, y = Y/Z^3; Z is 0 at infinity.
Jacobian = tuple[int, int, int]
_INFINITY: Jacobian = (1, 1, 0)


def _double(p: Jacobian) -> Jacobian:
    x, y, z = p
    yy = y * y % P
    s = 4 * x * yy % P
    m = 3 * x * x % P
    x3 = (m * m - 2 * s) % P
    return (x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P)


def _add(p: Jacobian, q: Jacobian) -> Jacobian:
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    z1z1, z2z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2z2 % P, q[0] * z1z1 % P
    s1, s2 = p[1] * z2z2 * q[2] % P, q[1] * z1z1 * p[2] % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if h == 0:
        return _double(p) if r == 0 else _INFINITY
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return (x3, (r * (v - x3) - s1 * hhh) % P, p[2] * q[2] * h % P)


def combine(a: int, p: Affine, b: int, q: Affine) -> Affine | None:
    """Return ``a * p + b * q``, or none if that is infinity."""
    jp, jq = (*p, 1), (*q, 1)
    table = (_INFINITY, jp, jq, _add(jp, jq))
    result = _INFINITY
    for i in reversed(range(max(a.bit_length(), b.bit_length()))):
        result = _add(_double(result), table[(a >> i & 1) | (b >> i & 1) << 1])
    if result[2] == 0:
        return None
    inverse = pow(result[2], -1, P)
    return (result[0] * inverse * inverse % P, result[1] * pow(inverse, 3, P) % P)


def is_on_curve(point: Affine) -> bool:
    """Whether both coordinates are reduced and satisfy the curve's equation."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - x * x * x - 7) % P == 0


def compress(point: Affine) -> bytes:
    """Return the 33 bytes of SEC 1."""
    return bytes((2 + point[1] % 2,)) + point[0].to_bytes(32, "big")


def decompress(data: bytes) -> Affine | None:
    """Return the point of 33 bytes of SEC 1, or none."""
    if len(data) != 33 or data[0] not in (2, 3):
        return None
    x = int.from_bytes(data[1:], "big")
    y = pow(x * x * x + 7, (P + 1) // 4, P)
    if y % 2 != data[0] % 2:
        y = P - y
    return (x, y) if is_on_curve((x, y)) else None


def expand_message_xmd(message: bytes, dst: bytes, length: int, digest: Callable[[bytes], bytes], block_bytes: int) -> bytes:
    """Return ``length`` uniform bytes (RFC 9380 section 5.3.1)."""
    suffix = dst + bytes((len(dst),))
    first = digest(bytes(block_bytes) + message + length.to_bytes(2, "big") + b"\x00" + suffix)
    block, out, counter = bytes(len(first)), b"", 0
    while len(out) < length:
        counter += 1
        mixed = bytes(a ^ b for a, b in zip(first, block, strict=True))
        block = digest(mixed + bytes((counter,)) + suffix)
        out += block
    return out[:length]


def challenge(r: Affine, key: Affine, message: bytes) -> int:
    """Return the challenge: hash_to_field of RFC 9380 of ``compress(R) | compress(P) | message``."""
    text = compress(r) + compress(key) + message
    uniform = expand_message_xmd(text, CHALLENGE_DST, _CHALLENGE_BYTES, keccak256, RATE)
    return int.from_bytes(uniform, "big") % N


def key_point(data: bytes) -> Affine | None:
    """Return the point of a group key, or none if it must not be pinned: an EVM contract needs x < n."""
    point = decompress(data)
    return point if point is not None and point[0] < N else None


def verify(key: Affine, message: bytes, signature: bytes) -> bool:
    """Whether a signature is right, under a key that :func:`key_point` let pass."""
    if len(signature) != 96:
        return False
    rx, ry, z = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32, 64))
    if not is_on_curve((rx, ry)) or not 0 < z < N:
        return False
    c = challenge((rx, ry), key, message)
    negative = (key[0], P - key[1])
    return c != 0 and combine(z, G, c, negative) == (rx, ry)
