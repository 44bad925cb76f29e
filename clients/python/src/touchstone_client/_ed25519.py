"""Ed25519, by two rules.

The group's signatures are judged strictly: the equation without cofactor, over canonical bytes, with no small-order point.
Members' signatures are judged by ZIP-215, as the network itself does. ``cryptography`` does the arithmetic where its verdict
is enough; what it does not check (the key's order, a small-order R) and the cofactored equation are done here. All inputs are
public, so nothing here runs in constant time.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
_SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
_SIGN = 1 << 255

# Extended coordinates of RFC 8032 section 5.1.4: x = X/Z, y = Y/Z, x * y = T/Z.
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def decode(data: bytes) -> Point | None:
    """Return the point of 32 bytes, by whatever encoding (y >= p and a signed zero are taken), or none."""
    number = int.from_bytes(data, "little")
    y, negative = (number & ~_SIGN) % P, bool(number & _SIGN)
    u, v = (y * y - 1) % P, (_D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * _SQRT_OF_MINUS_1 % P
    if v * x * x % P != u:
        return None
    if bool(x & 1) != negative:
        x = -x % P
    return (x, y, 1, x * y % P)


def encode(point: Point) -> bytes:
    """Return the canonical 32 bytes of a point."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (_SIGN if x & 1 else 0)).to_bytes(32, "little")


def add(p: Point, q: Point) -> Point:
    """Return the sum; the formula is complete."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * _D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def negate(p: Point) -> Point:
    """Return the negative."""
    return (-p[0] % P, p[1], p[2], -p[3] % P)


def multiply(scalar: int, point: Point) -> Point:
    """Return a multiple."""
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def is_identity(p: Point) -> bool:
    """Whether it is the neutral element."""
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


_BASE_Y = 4 * pow(5, -1, P) % P
_BASE = decode(_BASE_Y.to_bytes(32, "little")) or IDENTITY


def _small_order_ys() -> frozenset[int]:
    """Return the y coordinates of the eight points whose order divides 8; x and -x share one."""
    for y in range(2, P):
        point = decode(y.to_bytes(32, "little"))
        torsion = multiply(L, point) if point else IDENTITY
        if not is_identity(multiply(4, torsion)):
            points = (multiply(k, torsion) for k in range(8))
            return frozenset(p[1] * pow(p[2], -1, P) % P for p in points)
    raise AssertionError("the curve has points of order 8")


_SMALL_ORDER_YS = _small_order_ys()


def is_canonical_and_large(data: bytes) -> bool:
    """Whether 32 bytes hold a canonical y that no point of small order has. Whether it is a point is not asked."""
    y = int.from_bytes(data, "little") & ~_SIGN
    return y < P and y not in _SMALL_ORDER_YS


def is_prime_order_key(data: bytes) -> bool:
    """Whether these are the canonical 32 bytes of a point of prime order."""
    if len(data) != 32 or not is_canonical_and_large(data):
        return False
    point = decode(data)
    return point is not None and is_identity(multiply(L, point))


def verify_strict(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is right by the strict rules, under a key that :func:`is_prime_order_key` let pass."""
    if len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    return s < L and is_canonical_and_large(r) and _library_verifies(key, message, signature)


def verify_zip215(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is right by ZIP-215, under a key that :func:`is_prime_order_key` let pass."""
    if len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    # What holds without the cofactor holds with it.
    if _library_verifies(key, message, signature):
        return True
    r, a = decode(signature[:32]), decode(key)
    if r is None or a is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    rest = add(multiply(s, _BASE), negate(add(r, multiply(k, a))))
    return is_identity(multiply(8, rest))


def _library_verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
