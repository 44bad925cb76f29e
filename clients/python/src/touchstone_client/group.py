"""The group's public key. It signs statements and epoch records and nothing else."""

from __future__ import annotations

from touchstone_client import _ed25519, _secp256k1
from touchstone_client.errors import ArgumentError, GroupKeyError
from touchstone_client.suite import Suite


def as_bytes(value: bytes | str, what: str) -> bytes:
    """Return bytes that may be written as hexadecimal text."""
    if isinstance(value, bytes):
        return value
    try:
        # fromhex would skip white space.
        if value.isalnum():
            return bytes.fromhex(value)
    except (AttributeError, TypeError, ValueError):
        pass
    raise ArgumentError("invalid-hex", f"{what}: expected bytes or hexadecimal text")


class GroupKey:
    """A group key of one suite, checked once: canonical, and of prime order.

    ``key`` is bytes or hexadecimal text. A key that must not be pinned raises :class:`GroupKeyError`.
    """

    __slots__ = ("_bytes", "_point", "_suite")

    def __init__(self, suite: Suite | str, key: bytes | str) -> None:
        try:
            self._suite = Suite(suite)
        except ValueError:
            raise GroupKeyError("unsupported-suite", f"suite {suite!r} is not known") from None
        self._bytes = as_bytes(key, "group key")
        self._point: _secp256k1.Affine | None = None
        if len(self._bytes) != self._suite.key_bytes:
            got, want = len(self._bytes), self._suite.key_bytes
            raise GroupKeyError("bad-group-key", f"group key of suite {self._suite}: {got} bytes, must be {want}")
        if self._suite is Suite.ED25519:
            if not _ed25519.is_prime_order_key(self._bytes):
                raise GroupKeyError(
                    "bad-group-key",
                    f"group key of suite {self._suite}: not the canonical encoding of a point of prime order",
                )
        else:
            self._point = _secp256k1.key_point(self._bytes)
            if self._point is None:
                raise GroupKeyError("bad-group-key", f"group key of suite {self._suite}: not a compressed point with x below n")

    @property
    def suite(self) -> Suite:
        """The key's suite."""
        return self._suite

    def to_bytes(self) -> bytes:
        """Return the key's bytes."""
        return self._bytes

    def _verifies_digest(self, digest: bytes, signature: bytes) -> bool:
        """Whether the group signed this SHA-256 digest of a statement or an epoch record."""
        if self._point is not None:
            return _secp256k1.verify(self._point, digest, signature)
        return _ed25519.verify_strict(self._bytes, digest, signature)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GroupKey):
            return NotImplemented
        return (self._suite, self._bytes) == (other._suite, other._bytes)

    def __hash__(self) -> int:
        return hash((self._suite, self._bytes))

    def __repr__(self) -> str:
        return f"GroupKey({self._suite.value!r}, {self._bytes.hex()!r})"
