"""The binary price update: its form, and whether its leaves stand under the signed root.

The leaves hold numbers, so nothing of this module but :class:`Statement` is shown to callers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from touchstone_client import _merkle
from touchstone_client._reader import Reader
from touchstone_client.errors import VerifyError
from touchstone_client.feed import FEED_BYTES, KNOWN_STATUS_BITS, Status, is_feed_name
from touchstone_client.suite import Suite

UPDATE_VERSION = 1
STATEMENT_MAGIC = b"touchstone/att/1"
EXPONENT_MAX = 38


@dataclass(frozen=True, slots=True)
class Statement:
    """What the group signs once per round: 134 bytes. It commits to prices, but holds none."""

    network_id: bytes
    epoch: int
    round: int
    timestamp_ms: int
    feed_count: int
    feeds_root: bytes
    observations_root: bytes

    @classmethod
    def read(cls, reader: Reader) -> Statement:
        """Read the 118 bytes behind the magic."""
        return cls(
            network_id=reader.take(32, "network_id"),
            epoch=reader.uint(4, "epoch"),
            round=reader.uint(8, "round"),
            timestamp_ms=reader.uint(8, "timestamp_ms"),
            feed_count=reader.uint(2, "feed_count"),
            feeds_root=reader.take(32, "feeds_root"),
            observations_root=reader.take(32, "observations_root"),
        )

    def to_bytes(self) -> bytes:
        """Return the 134 bytes."""
        return b"".join(
            (
                STATEMENT_MAGIC,
                self.network_id,
                self.epoch.to_bytes(4, "big"),
                self.round.to_bytes(8, "big"),
                self.timestamp_ms.to_bytes(8, "big"),
                self.feed_count.to_bytes(2, "big"),
                self.feeds_root,
                self.observations_root,
            )
        )

    def digest(self) -> bytes:
        """Return SHA-256 of the 134 bytes: the message that is signed, in every suite."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One feed's result in one round: 92 bytes."""

    feed: str
    status: Status
    exponent: int
    price: int
    low: int
    high: int
    observed_at_ms: int
    observers: int

    @classmethod
    def read(cls, reader: Reader) -> Leaf:
        """Read a leaf, and refuse what no leaf may hold."""
        feed = _feed_of_bytes(reader.take(FEED_BYTES, "leaf feed"))
        status = reader.uint(1, "leaf status")
        if status & ~KNOWN_STATUS_BITS:
            raise VerifyError("invalid-leaf", "leaf status: unknown bits")
        leaf = cls(
            feed=feed,
            status=Status(status),
            exponent=reader.sint(1, "leaf exponent"),
            price=reader.sint(16, "leaf price"),
            low=reader.sint(16, "leaf low"),
            high=reader.sint(16, "leaf high"),
            observed_at_ms=reader.uint(8, "leaf observed_at_ms"),
            observers=reader.uint(2, "leaf observers"),
        )
        if abs(leaf.exponent) > EXPONENT_MAX:
            raise VerifyError("invalid-leaf", f"leaf exponent: must be from -{EXPONENT_MAX} to {EXPONENT_MAX}")
        if leaf.status & Status.UNAVAILABLE and (leaf.price, leaf.low, leaf.high) != (0, 0, 0):
            raise VerifyError("invalid-leaf", "leaf status: unavailable, yet it has a price")
        if not leaf.low <= leaf.price <= leaf.high:
            raise VerifyError("invalid-leaf", "leaf price: must lie from low to high")
        return leaf

    def to_bytes(self) -> bytes:
        """Return the 92 bytes."""
        return b"".join(
            (
                self.feed.encode("ascii").ljust(FEED_BYTES, b"\x00"),
                self.status.to_bytes(1, "big"),
                self.exponent.to_bytes(1, "big", signed=True),
                *(value.to_bytes(16, "big", signed=True) for value in (self.price, self.low, self.high)),
                self.observed_at_ms.to_bytes(8, "big"),
                self.observers.to_bytes(2, "big"),
            )
        )


def _feed_of_bytes(padded: bytes) -> str:
    name = padded.rstrip(b"\x00").decode("latin-1")
    if not is_feed_name(name):
        raise VerifyError("invalid-leaf", "leaf feed: not a zero-padded BASE-QUOTE name")
    return name


@dataclass(frozen=True, slots=True)
class Entry:
    """One feed of an update with its inclusion proof, from the leaf's sibling upwards."""

    leaf: Leaf
    index: int
    path: tuple[bytes, ...]

    @classmethod
    def read(cls, reader: Reader, feed_count: int) -> Entry:
        """Read an entry of a round that has ``feed_count`` leaves."""
        leaf = Leaf.read(reader)
        index = reader.uint(2, "leaf_index")
        length = reader.uint(1, "path_len")
        expected = _merkle.path_length(index, feed_count)
        if expected is None:
            raise VerifyError("leaf-index", f"leaf_index {index}: the statement has {feed_count} feeds")
        if length != expected:
            raise VerifyError("path-length", f"path of leaf {index} has {length} hashes, must have {expected}")
        return cls(leaf, index, tuple(reader.take(32, "path") for _ in range(length)))


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """An update of the right form. Whether it is true, its signature and :meth:`check_inclusion` say."""

    suite: Suite
    statement: Statement
    signature: bytes
    entries: tuple[Entry, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> PriceUpdate:
        """Read exactly one update, from the first byte to the last."""
        reader = Reader(data)
        version = reader.uint(1, "version")
        if version != UPDATE_VERSION:
            raise VerifyError("unknown-version", f"version {version}: this reader knows version {UPDATE_VERSION} only")
        byte = reader.uint(1, "suite")
        suite = Suite.of_byte(byte)
        if suite is None:
            raise VerifyError("unknown-suite", f"suite {byte}: known are 1 (ed25519) and 2 (secp256k1-keccak)")
        statement = Statement.read(reader)
        signature = reader.take(suite.signature_bytes, "signature")
        count = reader.uint(1, "count")
        if count == 0:
            raise VerifyError("no-entries", "count is 0: an update has at least one entry")
        entries: list[Entry] = []
        for _ in range(count):
            entry = Entry.read(reader, statement.feed_count)
            if entries and entries[-1].index >= entry.index:
                raise VerifyError("leaf-order", f"leaf_index {entry.index}: indices must be strictly ascending")
            entries.append(entry)
        reader.finish()
        return cls(suite, statement, signature, tuple(entries))

    def check_inclusion(self) -> None:
        """Refuse a leaf that is not under the statement's root."""
        for entry in self.entries:
            digest = _merkle.leaf_hash(entry.leaf.to_bytes())
            size, root = self.statement.feed_count, self.statement.feeds_root
            if not _merkle.is_included(digest, entry.index, size, entry.path, root):
                raise VerifyError("inclusion", f"{entry.leaf.feed} (leaf {entry.index}) is not included under feeds_root")
