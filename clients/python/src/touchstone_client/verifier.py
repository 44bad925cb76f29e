"""From bytes to a :class:`VerifiedUpdate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from touchstone_client._update import Leaf, PriceUpdate, Statement
from touchstone_client.errors import ArgumentError, VerifyError
from touchstone_client.feed import Status, check_feed_name
from touchstone_client.group import GroupKey, as_bytes
from touchstone_client.pin import Pin
from touchstone_client.policy import Policy, VerifiedPrice, price_of
from touchstone_client.suite import Suite

_MADE_BY_VERIFIER = object()


@final
class VerifiedUpdate:
    """A price update that the pinned network signed. Only :meth:`Verifier.verify` makes one.

    It shows what it is about, but no number: :meth:`price` hands those out, against a stated policy.
    """

    __slots__ = ("_bytes", "_leaves", "_update")

    def __init__(self, made_by: object, update: PriceUpdate, data: bytes) -> None:
        if made_by is not _MADE_BY_VERIFIER:
            raise TypeError("only Verifier.verify makes a VerifiedUpdate")
        self._update = update
        self._leaves: dict[str, Leaf] = {}
        for entry in update.entries:
            self._leaves.setdefault(entry.leaf.feed, entry.leaf)
        self._bytes = data

    @property
    def statement(self) -> Statement:
        """What the group signed. It commits to prices, but holds none."""
        return self._update.statement

    @property
    def suite(self) -> Suite:
        """The suite of the signature that was checked."""
        return self._update.suite

    @property
    def network_id(self) -> bytes:
        """The network."""
        return self._update.statement.network_id

    @property
    def epoch(self) -> int:
        """The epoch."""
        return self._update.statement.epoch

    @property
    def round(self) -> int:
        """The round."""
        return self._update.statement.round

    @property
    def timestamp_ms(self) -> int:
        """The round's time in Unix milliseconds: lower median of the contributors' clocks."""
        return self._update.statement.timestamp_ms

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feeds that the update holds, in the order of their leaves."""
        return tuple(entry.leaf.feed for entry in self._update.entries)

    def status(self, feed: str) -> Status | None:
        """Return a feed's status, if the update holds the feed."""
        leaf = self._leaves.get(feed)
        return None if leaf is None else leaf.status

    def price(self, feed: str, policy: Policy) -> VerifiedPrice:
        """Return the feed's price, or raise :class:`PolicyError` with the first condition that is not met."""
        return price_of(self.statement, self._leaves.get(check_feed_name(feed)), feed, policy)

    def to_bytes(self) -> bytes:
        """Return the binary form, to keep or to hand on to another verifier."""
        return self._bytes

    def __repr__(self) -> str:
        return (
            f"<VerifiedUpdate network={self.network_id.hex()} epoch={self.epoch} round={self.round} "
            f"timestamp_ms={self.timestamp_ms} suite={self.suite} feeds={list(self.feeds)}>"
        )


class Verifier:
    """What a consumer pins: the network's id for ever, and its group key in one or more suites.

    ``network_id`` and keys are bytes or hexadecimal text; ``group_keys`` are :class:`GroupKey` objects or a mapping from
    suite to key, such as ``{"ed25519": "197f..."}``. Of several keys of one suite the first counts.
    """

    __slots__ = ("_keys", "_network_id")

    def __init__(
        self,
        network_id: bytes | str,
        group_keys: Iterable[GroupKey] | Mapping[str, bytes | str] | Mapping[Suite, bytes | str],
    ) -> None:
        self._network_id = as_bytes(network_id, "network id")
        if len(self._network_id) != 32:
            raise ArgumentError("invalid-network-id", f"network id: {len(self._network_id)} bytes, must be 32")
        if isinstance(group_keys, Mapping):
            group_keys = [GroupKey(suite, key) for suite, key in group_keys.items()]
        self._keys: dict[Suite, GroupKey] = {}
        for key in group_keys:
            self._keys.setdefault(key.suite, key)
        if not self._keys:
            raise ArgumentError("no-key", "pin at least one group key")

    @classmethod
    def from_pin(cls, pin: Pin) -> Verifier:
        """Return the verifier of a pinned network.

        The group's signature on every epoch record and the members' signatures on the genesis record are checked: whoever
        wrote the pin held records of keys that work. That they are the right ones is what the pin is trusted for.
        """
        return cls(pin.network_id, pin.checked_keys())

    @property
    def network_id(self) -> bytes:
        """The pinned network."""
        return self._network_id

    @property
    def suites(self) -> tuple[Suite, ...]:
        """The suites of which a key is pinned, in ascending order."""
        return tuple(sorted(self._keys, key=lambda suite: suite.byte))

    def verify(self, data: bytes | bytearray | memoryview) -> VerifiedUpdate:
        """Verify a binary price update: its form, the network, the group's signature, and the inclusion of every leaf.

        :raises VerifyError: the first of these that fails.
        """
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        update = PriceUpdate.from_bytes(data)
        statement = update.statement
        if statement.network_id != self._network_id:
            raise VerifyError(
                "wrong-network",
                f"the update is of network {statement.network_id.hex()}, pinned is {self._network_id.hex()}",
            )
        key = self._keys.get(update.suite)
        if key is None:
            raise VerifyError(
                "unsupported-suite", f"the update is signed with {update.suite}, for which no group key is pinned"
            )
        if not key._verifies_digest(statement.digest(), update.signature):
            raise VerifyError(
                "bad-signature", f"the {update.suite} signature is not the pinned group key's over this statement"
            )
        update.check_inclusion()
        return VerifiedUpdate(_MADE_BY_VERIFIER, update, data)

    def __repr__(self) -> str:
        return f"<Verifier network={self._network_id.hex()} suites={[str(suite) for suite in self._keys]}>"
