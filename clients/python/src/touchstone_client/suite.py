"""The signature suites of a network."""

from __future__ import annotations

import enum


class Suite(enum.Enum):
    """A signature suite, by its name in JSON."""

    #: FROST(Ed25519, SHA-512) of RFC 9591: an ordinary Ed25519 signature.
    ED25519 = "ed25519"
    #: FROST over secp256k1 with Keccak-256, for EVM verifiers: R.x, R.y, z.
    SECP256K1_KECCAK = "secp256k1-keccak"

    @classmethod
    def of_byte(cls, byte: int) -> Suite | None:
        """Return the suite of a byte of the wire form, if there is one."""
        return {1: cls.ED25519, 2: cls.SECP256K1_KECCAK}.get(byte)

    @property
    def byte(self) -> int:
        """Its byte in the wire form."""
        return 1 if self is Suite.ED25519 else 2

    @property
    def signature_bytes(self) -> int:
        """Length of a group signature."""
        return 64 if self is Suite.ED25519 else 96

    @property
    def key_bytes(self) -> int:
        """Length of a group key."""
        return 32 if self is Suite.ED25519 else 33

    def __str__(self) -> str:
        return self.value
