"""Names of feeds, and what must be known about a price before it is used."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from touchstone_client.errors import ArgumentError

FEED_BYTES = 32
_NAME = re.compile(r"[A-Z0-9.]{1,15}-[A-Z0-9.]{1,15}")


def is_feed_name(text: str) -> bool:
    """Whether the text is ``BASE-QUOTE``, each part 1 to 15 of ``A-Z 0-9 .``."""
    return _NAME.fullmatch(text) is not None


def check_feed_name(text: str) -> str:
    """Return the name of a feed as it is, or raise :class:`ArgumentError`."""
    if not isinstance(text, str) or not is_feed_name(text):
        raise ArgumentError(
            "invalid-feed-name",
            f"{text!r}: a feed name is BASE-QUOTE, each part 1 to 15 of the characters A-Z, 0-9 and '.'",
        )
    return text


class Status(enum.IntFlag):
    """Status bits of a price; no bit set means ok."""

    OK = 0
    #: Fewer sources or conversion anchors than the manifest asks for.
    DEGRADED = 1
    #: The newest trade is older than the feed's bound.
    STALE = 2
    #: Halted by governance.
    HALTED = 4
    #: A conversion used a currency that is off its peg.
    DEPEGGED = 8
    #: The feed's market is closed.
    MARKET_CLOSED = 16
    #: No price: no policy makes one.
    UNAVAILABLE = 128

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Status:
        """Return the status with these bits, such as ``["stale", "market-closed"]``."""
        status = cls.OK
        for name in names:
            bit = _BIT_BY_NAME.get(name)
            if bit is None:
                raise ArgumentError("invalid-status", f"unknown status {name!r}; known are {', '.join(_BIT_BY_NAME)}")
            status |= bit
        return status

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bits that are set, as the API writes them."""
        return tuple(name for name, bit in _BIT_BY_NAME.items() if self & bit)

    def __str__(self) -> str:
        return "+".join(self.names) or "ok"


_BIT_BY_NAME = {
    "degraded": Status.DEGRADED,
    "stale": Status.STALE,
    "halted": Status.HALTED,
    "depegged": Status.DEPEGGED,
    "market-closed": Status.MARKET_CLOSED,
    "unavailable": Status.UNAVAILABLE,
}
KNOWN_STATUS_BITS = sum(_BIT_BY_NAME.values())
