"""The only door to a number: what the caller must state before it sees a price."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, final

from touchstone_client._update import Leaf, Statement
from touchstone_client.errors import ArgumentError, PolicyError
from touchstone_client.feed import Status

if TYPE_CHECKING:
    from touchstone_client.verifier import VerifiedUpdate

#: How far a timestamp may be ahead of the caller's clock unless the policy says otherwise, in milliseconds.
DEFAULT_MAX_SKEW_MS = 2_000
_MADE_BY_CHECK = object()


def now_ms() -> int:
    """Return the system's clock in Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class VerifiedPrice:
    """A price with everything that the group signed about it.

    The numbers are exact: mantissa and exponent of each :class:`~decimal.Decimal` are the signed ones. ``format(price, "f")``
    writes one without an exponent. Arithmetic on them rounds as the decimal context says, 28 digits by default.
    """

    #: The feed.
    feed: str
    #: Lower median of the observations.
    price: Decimal
    #: Not below the lowest honest observation.
    low: Decimal
    #: Not above the highest honest observation.
    high: Decimal
    #: No bit, or bits that the policy allows.
    status: Status
    #: The round.
    round: int
    #: The epoch.
    epoch: int
    #: The round's time, in Unix milliseconds.
    timestamp_ms: int
    #: Time of the trades behind the price, in Unix milliseconds.
    observed_at_ms: int
    #: How many members observed the feed.
    observers: int


@final
class Bracket:
    """Proof that one update is the last that was shown at or before an instant. Only :func:`verify_at` makes one.

    What remains are rounds between the two updates that exist and were not shown. :attr:`gap` is 1 where there can be none,
    which a policy asks for unless its ``max_gap`` says otherwise; a network that signed nothing for some rounds leaves an
    honest gap.
    """

    __slots__ = ("before", "gap", "instant_ms")

    def __init__(self, made_by: object, before: Statement, gap: int, instant_ms: int) -> None:
        if made_by is not _MADE_BY_CHECK:
            raise TypeError("only verify_at makes a Bracket")
        #: The statement of the update before the instant.
        self.before = before
        #: How many rounds the two updates are apart.
        self.gap = gap
        #: The instant, in Unix milliseconds.
        self.instant_ms = instant_ms


def verify_at(before: VerifiedUpdate, after: VerifiedUpdate, instant_ms: int) -> Bracket:
    """Check that the updates stand around an instant: the first at or before it, the second after it in time and round.

    :raises PolicyError: ``no-pair`` or ``not-around``.
    """
    _whole("instant_ms", instant_ms)
    gap = after.round - before.round
    if before.network_id != after.network_id or gap <= 0:
        raise PolicyError(
            "no-pair",
            "the update before the instant and the one after it must be of one network and in order "
            f"(rounds {before.round}, {after.round})",
        )
    if not before.timestamp_ms <= instant_ms < after.timestamp_ms:
        raise PolicyError(
            "not-around",
            f"{instant_ms} does not lie from {before.timestamp_ms} to before {after.timestamp_ms}, "
            "the times of the two updates",
        )
    return Bracket(_MADE_BY_CHECK, before.statement, gap, instant_ms)


@final
class Policy:
    """The conditions under which a caller accepts a price.

    There is no policy without a statement about time: it is made by :meth:`fresh` or :meth:`at`. Everything else is strict
    until it is allowed.
    """

    __slots__ = (
        "_allow_status",
        "_bracket",
        "_max_age_ms",
        "_max_gap",
        "_max_skew_ms",
        "_max_trade_age_ms",
        "_min_observers",
        "_newer_than",
        "_now_ms",
    )

    def __init__(self) -> None:
        raise TypeError("a policy begins with Policy.fresh(max_age_ms=...) or Policy.at(bracket)")

    @classmethod
    def fresh(
        cls,
        max_age_ms: int,
        *,
        now_ms: int | None = None,
        newer_than: int | None = None,
        max_trade_age_ms: int | None = None,
        min_observers: int = 0,
        allow_status: Status = Status.OK,
        max_skew_ms: int = DEFAULT_MAX_SKEW_MS,
    ) -> Policy:
        """Return a policy for now: the round is at most ``max_age_ms`` old.

        :param now_ms: the caller's clock in Unix milliseconds; by default the system's, at the time of each check.
        :param newer_than: refuse rounds that are not above this one, the last that the caller saw.
        :param max_trade_age_ms: refuse prices whose trades are older than this.
        :param min_observers: refuse prices that fewer members observed.
        :param allow_status: status bits to accept by name; an unavailable feed has no price whatever is allowed.
        :param max_skew_ms: how far timestamps may be ahead of now.
        """
        policy = cls._conditions(newer_than, max_trade_age_ms, min_observers, allow_status, max_skew_ms)
        policy._max_age_ms = _whole("max_age_ms", max_age_ms)
        policy._now_ms = None if now_ms is None else _whole("now_ms", now_ms)
        return policy

    @classmethod
    def at(
        cls,
        bracket: Bracket,
        *,
        max_gap: int = 1,
        newer_than: int | None = None,
        max_trade_age_ms: int | None = None,
        min_observers: int = 0,
        allow_status: Status = Status.OK,
        max_skew_ms: int = DEFAULT_MAX_SKEW_MS,
    ) -> Policy:
        """Return a policy for the price at a past instant, of the update before it. See :func:`verify_at`.

        :param max_gap: how many rounds the updates around the instant may be apart. Whoever picks the pair can leave out
            any round that lies between them, so a larger gap gives a choice among as many prices.

        The other conditions are those of :meth:`fresh`, with the instant for now.
        """
        if not isinstance(bracket, Bracket):
            raise ArgumentError("invalid-argument", "bracket: must be what verify_at returned")
        policy = cls._conditions(newer_than, max_trade_age_ms, min_observers, allow_status, max_skew_ms)
        policy._bracket = bracket
        policy._max_gap = _whole("max_gap", max_gap)
        return policy

    @classmethod
    def _conditions(
        cls,
        newer_than: int | None,
        max_trade_age_ms: int | None,
        min_observers: int,
        allow_status: Status,
        max_skew_ms: int,
    ) -> Policy:
        policy = object.__new__(cls)
        policy._bracket = None
        policy._max_age_ms = policy._max_gap = 0
        policy._now_ms = None
        policy._newer_than = None if newer_than is None else _whole("newer_than", newer_than)
        policy._max_trade_age_ms = None if max_trade_age_ms is None else _whole("max_trade_age_ms", max_trade_age_ms)
        policy._min_observers = _whole("min_observers", min_observers)
        if not isinstance(allow_status, Status):
            raise ArgumentError("invalid-argument", "allow_status: must be a Status")
        policy._allow_status = allow_status
        policy._max_skew_ms = _whole("max_skew_ms", max_skew_ms)
        return policy

    # Set in _conditions, fresh and at.
    _allow_status: Status
    _bracket: Bracket | None
    _max_age_ms: int
    _max_gap: int
    _max_skew_ms: int
    _max_trade_age_ms: int | None
    _min_observers: int
    _newer_than: int | None
    _now_ms: int | None

    def _check(self, statement: Statement, leaf: Leaf) -> None:
        if self._bracket is None:
            reference_ms = now_ms() if self._now_ms is None else self._now_ms
            self._check_fresh(statement, reference_ms)
        else:
            reference_ms = self._bracket.instant_ms
            self._check_at(statement, self._bracket)
        if self._newer_than is not None and statement.round <= self._newer_than:
            text = f"round {statement.round} is not newer than {self._newer_than}, the last one seen"
            raise PolicyError("not-newer", text)
        self._check_leaf(leaf, reference_ms)

    def _check_fresh(self, statement: Statement, reference_ms: int) -> None:
        self._check_ahead("the round's timestamp", statement.timestamp_ms, reference_ms)
        age_ms = reference_ms - statement.timestamp_ms
        if age_ms > self._max_age_ms:
            text = f"round {statement.round} is {age_ms} ms old, allowed are {self._max_age_ms} ms"
            raise PolicyError("too-old", text)

    def _check_at(self, statement: Statement, bracket: Bracket) -> None:
        if statement != bracket.before:
            raise PolicyError(
                "other-update",
                f"round {statement.round} is not the update before the instant; ask round {bracket.before.round}",
            )
        if bracket.gap > self._max_gap:
            text = f"the updates around the instant are {bracket.gap} rounds apart, allowed are {self._max_gap}"
            raise PolicyError("gap", text)

    def _check_leaf(self, leaf: Leaf, reference_ms: int) -> None:
        if leaf.status & Status.UNAVAILABLE:
            text = f"{leaf.feed} has no price in this round (status {leaf.status})"
            raise PolicyError("unavailable", text)
        refused = Status(int(leaf.status) & ~int(self._allow_status))
        if refused:
            raise PolicyError("status", f"{leaf.feed} is {refused}, which the policy does not allow")
        if leaf.observers < self._min_observers:
            text = f"{leaf.feed} has {leaf.observers} observers, asked for are {self._min_observers}"
            raise PolicyError("too-few-observers", text)
        self._check_ahead("the trades' timestamp", leaf.observed_at_ms, reference_ms)
        age_ms = reference_ms - leaf.observed_at_ms
        if self._max_trade_age_ms is not None and age_ms > self._max_trade_age_ms:
            text = f"the trades behind {leaf.feed} are {age_ms} ms old, allowed are {self._max_trade_age_ms} ms"
            raise PolicyError("trade-too-old", text)

    def _check_ahead(self, what: str, timestamp_ms: int, reference_ms: int) -> None:
        ahead_ms = timestamp_ms - reference_ms
        if ahead_ms > self._max_skew_ms:
            text = f"{what} is {ahead_ms} ms ahead of now, allowed are {self._max_skew_ms} ms"
            raise PolicyError("ahead-of-now", text)


def price_of(statement: Statement, leaf: Leaf | None, feed: str, policy: Policy) -> VerifiedPrice:
    """Return the price in a leaf that was verified, if the policy lets it out."""
    if not isinstance(policy, Policy):
        raise ArgumentError("invalid-argument", "policy: must be made by Policy.fresh or Policy.at")
    if leaf is None:
        raise PolicyError("no-feed", f"the update does not hold {feed}")
    policy._check(statement, leaf)
    return VerifiedPrice(
        feed=leaf.feed,
        price=_decimal(leaf.price, leaf.exponent),
        low=_decimal(leaf.low, leaf.exponent),
        high=_decimal(leaf.high, leaf.exponent),
        status=leaf.status,
        round=statement.round,
        epoch=statement.epoch,
        timestamp_ms=statement.timestamp_ms,
        observed_at_ms=leaf.observed_at_ms,
        observers=leaf.observers,
    )


def _decimal(mantissa: int, exponent: int) -> Decimal:
    # Decimal's own operations would round to the context.
    digits = tuple(int(digit) for digit in str(abs(mantissa)))
    return Decimal((int(mantissa < 0), digits, exponent))


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentError("invalid-argument", f"{name}: must be a whole number, 0 or above, not {value!r}")
    return value
