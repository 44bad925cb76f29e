"""Properties of the verifier and of policies."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import GROUP, NETWORK_ID, NOW, PRICE, ROUND, leaf, update, vectors, with_status
from touchstone_client import (
    ArgumentError,
    Bracket,
    GroupKey,
    Pin,
    Policy,
    PolicyError,
    Status,
    Suite,
    TouchstoneError,
    VerifiedUpdate,
    Verifier,
    VerifyError,
    verify_at,
)

VERIFIER = GROUP.verifier
SUITES = pytest.mark.parametrize("suite", Suite, ids=str)
KNOWN = st.integers(0, 31).map(Status)
TWELVE = vectors("update/valid")["tree-00012-three"]


def code_of(data: bytes, verifier: Verifier = VERIFIER) -> str | None:
    try:
        verifier.verify(data)
    except VerifyError as error:
        return error.code
    return None


def price_code(data: bytes, policy: Policy, feed: str = "BTC-USD") -> str | None:
    try:
        VERIFIER.verify(data).price(feed, policy)
    except PolicyError as error:
        return error.code
    return None


@SUITES
def test_both_suites_verify(suite: Suite) -> None:
    verified = VERIFIER.verify(update(suite=suite))
    assert verified.suite is suite
    assert str(verified.price("BTC-USD", Policy.fresh(0, now_ms=NOW)).price) == "67000.00000000"


def test_a_suite_that_is_not_pinned_is_unsupported() -> None:
    for suite in Suite:
        others = [key for key in GROUP.keys if key.suite is not suite]
        assert code_of(update(suite=suite), Verifier(NETWORK_ID, others)) == "unsupported-suite"


@SUITES
def test_every_shorter_and_longer_input_is_refused(suite: Suite) -> None:
    data = update([leaf("BTC-USD"), leaf("ETH-USD"), leaf("LTC-USD")], suite=suite)
    assert code_of(data) is None
    for end in range(len(data)):
        assert code_of(data[:end]) == "truncated"
    for extra in (b"\x00", b"\xff", data):
        assert code_of(data + extra) == "trailing-bytes"


def test_every_shorter_vector_is_truncated() -> None:
    verifier, data = Verifier(TWELVE["network_id"], TWELVE["group_keys"]), bytes.fromhex(TWELVE["update"])
    assert {code_of(data[:end], verifier) for end in range(len(data))} == {"truncated"}


def test_a_byte_put_in_anywhere_is_refused() -> None:
    data = update()
    for at in range(len(data)):
        assert code_of(data[:at] + b"\x00" + data[at:]) is not None
        assert code_of(data[:at] + data[at + 1 :]) is not None


@settings(deadline=None)
@given(st.binary(max_size=500), st.sampled_from([b"", b"\x01\x01", b"\x01\x02"]))
def test_no_bytes_crash_or_verify(data: bytes, start: bytes) -> None:
    assert code_of(start + data) is not None


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 8), st.data())
def test_no_bit_of_an_update_can_be_changed(count: int, data: st.DataObject) -> None:
    changed = bytearray(update([leaf(f"F{i}-USD") for i in range(count)]))
    for bit in data.draw(st.sets(st.integers(0, len(changed) * 8 - 1), min_size=1, max_size=4)):
        changed[bit // 8] ^= 1 << bit % 8
    assert code_of(bytes(changed)) is not None


def test_no_bit_of_a_whole_update_can_be_changed() -> None:
    data = update([leaf("BTC-USD"), leaf("ETH-USD")])
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert code_of(bytes(changed)) is not None, bit


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.data())
def test_every_leaf_of_every_tree_is_found(count: int, data: st.DataObject) -> None:
    verified = VERIFIER.verify(update([leaf(f"F{i}-USD", price=i) for i in range(count)]))
    pick = data.draw(st.integers(0, count - 1))
    price = verified.price(f"F{pick}-USD", Policy.fresh(0, now_ms=NOW))
    assert price.price.scaleb(8) == pick


@settings(deadline=None)
@given(*[st.integers(0, 2_000)] * 3, *[st.integers(0, 1_000)] * 3)
def test_a_fresh_price_is_never_older_or_further_ahead_than_stated(
    timestamp: int, traded: int, now: int, max_age: int, max_trade_age: int, skew: int
) -> None:
    data = update([leaf(observed_at_ms=traded)], timestamp_ms=timestamp)
    policy = Policy.fresh(max_age, now_ms=now, max_trade_age_ms=max_trade_age, max_skew_ms=skew)
    holds = timestamp <= now + skew and now <= timestamp + max_age
    holds = holds and traded <= now + skew and now <= traded + max_trade_age
    assert (price_code(data, policy) is None) == holds


@settings(deadline=None)
@given(KNOWN, KNOWN)
def test_only_statuses_that_are_allowed_by_name_pass(status: Status, allowed: Status) -> None:
    policy = Policy.fresh(0, now_ms=NOW, allow_status=allowed)
    refused = price_code(update([with_status(status)]), policy)
    assert refused == ("status" if int(status) & ~int(allowed) else None)


@given(KNOWN)
def test_statuses_have_names(status: Status) -> None:
    assert Status.from_names(status.names) == status
    assert str(status) == ("+".join(status.names) or "ok")


@settings(deadline=None)
@given(*[st.integers(0, 5)] * 5, st.integers(0, 3))
def test_a_pair_stands_around_its_instant(
    first_round: int, second_round: int, first_ms: int, second_ms: int, instant: int, max_gap: int
) -> None:
    leaves = [leaf(observed_at_ms=0)]
    before = VERIFIER.verify(update(leaves, round_number=first_round, timestamp_ms=first_ms))
    after = VERIFIER.verify(update(leaves, round_number=second_round, timestamp_ms=second_ms))
    around = first_round < second_round and first_ms <= instant < second_ms
    try:
        bracket = verify_at(before, after, instant)
    except PolicyError as error:
        assert not around
        assert error.code in ("no-pair", "not-around")
        return
    assert around
    policy = Policy.at(bracket, max_gap=max_gap)
    assert (price_code(before.to_bytes(), policy) is None) == (second_round - first_round <= max_gap)
    # Another update of the same round is not the one that stands before the instant.
    other = update([leaf(price=1, observed_at_ms=0)], round_number=first_round, timestamp_ms=first_ms)
    assert price_code(other, policy) == "other-update"
    # The update after the instant is a witness only.
    assert price_code(after.to_bytes(), policy) == "other-update"


def test_a_pair_is_of_one_network() -> None:
    before = VERIFIER.verify(update())
    other = bytes(32)
    data = update(round_number=ROUND + 1, timestamp_ms=NOW + 1, network_id=other)
    with pytest.raises(PolicyError) as refused:
        verify_at(before, Verifier(other, GROUP.keys).verify(data), NOW)
    assert refused.value.code == "no-pair"


def test_of_a_feed_that_is_signed_twice_the_first_leaf_counts() -> None:
    verified = VERIFIER.verify(update([leaf(price=1), leaf(price=2)]))
    assert verified.price("BTC-USD", Policy.fresh(0, now_ms=NOW)).price.scaleb(8) == 1


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(0, 9))
def test_rounds_that_were_seen_are_refused(round_number: int, last: int) -> None:
    policy = Policy.fresh(0, now_ms=NOW, newer_than=last)
    refused = price_code(update(round_number=round_number), policy)
    assert refused == (None if round_number > last else "not-newer")


def test_by_default_the_clock_is_the_systems() -> None:
    assert price_code(update(), Policy.fresh(10_000)) == "too-old"
    assert price_code(update(), Policy.fresh(10**12)) is None


def test_numbers_keep_every_digit() -> None:
    low, high = -(2**127), 2**127 - 1
    wide = replace(leaf(), price=-1, low=low, high=high, exponent=-38)
    price = VERIFIER.verify(update([wide])).price("BTC-USD", Policy.fresh(0, now_ms=NOW))
    assert price.low.as_tuple() == (1, tuple(map(int, str(-low))), -38)
    assert price.high.as_tuple() == (0, tuple(map(int, str(high))), -38)
    assert format(price.price, "f") == "-0." + "0" * 37 + "1"


def test_an_update_shows_no_number() -> None:
    verified = VERIFIER.verify(update([leaf(price=987_654_321)]))
    public = [getattr(verified, name) for name in dir(verified) if not name.startswith("_")]
    assert "BTC-USD" in repr(verified)
    assert "987654321" not in repr(verified) + repr([value for value in public if not callable(value)])


def test_what_is_verified_is_made_by_the_verifier_only() -> None:
    verified = VERIFIER.verify(update())
    with pytest.raises(TypeError):
        VerifiedUpdate(None, verified._update, b"")
    with pytest.raises(TypeError):
        Bracket(None, verified.statement, 1, 0)
    with pytest.raises(TypeError):
        Policy()


def test_arguments_that_nobody_may_give_are_refused() -> None:
    verified = VERIFIER.verify(update())
    fresh: Any = Policy.fresh
    policy: Any = None
    wrong_bytes: Any = bytearray(32)
    for call in (
        lambda: fresh(-1),
        lambda: fresh(1.5),
        lambda: fresh(True),
        lambda: fresh(1, allow_status=1),
        lambda: fresh(1, max_skew_ms=None),
        lambda: Policy.at(policy),
        lambda: verified.price("BTC-USD", policy),
        lambda: verified.price("btc-usd", Policy.fresh(1)),
        lambda: verify_at(verified, verified, -1),
        lambda: Verifier(NETWORK_ID, []),
        lambda: Verifier(NETWORK_ID[1:], GROUP.keys),
        lambda: Verifier("00 " * 32, GROUP.keys),
        lambda: GroupKey("ed25519", "zz"),
        lambda: GroupKey("ed25519", wrong_bytes),
        lambda: Status.from_names(["open"]),
    ):
        with pytest.raises(ArgumentError):
            call()
    with pytest.raises(TypeError):
        fresh()


def test_the_first_key_of_a_suite_counts() -> None:
    other = GroupKey("ed25519", "58" + "66" * 31)
    assert code_of(update(), Verifier(NETWORK_ID, [GROUP.keys[0], other])) is None
    assert code_of(update(), Verifier(NETWORK_ID, [other, GROUP.keys[0]])) == "bad-signature"


def test_hexadecimal_text_pins_as_well_as_bytes() -> None:
    keys = {key.suite.value: key.to_bytes().hex() for key in GROUP.keys}
    assert Verifier(NETWORK_ID.hex(), keys).verify(update()).round == ROUND
    assert "suites" in repr(VERIFIER)
    assert GROUP.keys[0] == GroupKey(Suite.ED25519, GROUP.keys[0].to_bytes())
    assert len({*GROUP.keys, *GROUP.keys}) == 2


def test_a_buffer_may_be_used_again() -> None:
    buffer = bytearray(update())
    verified = VERIFIER.verify(buffer)
    assert VERIFIER.verify(memoryview(buffer)).to_bytes() == update()
    buffer[:] = bytes(len(buffer))
    assert verified.to_bytes() == update()


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(PolicyError("too-old", "text")))  # noqa: S301 - its own bytes
    assert (error.code, str(error), isinstance(error, TouchstoneError)) == ("too-old", "text", True)


def test_the_feed_must_be_in_the_update() -> None:
    assert price_code(update(), Policy.fresh(0, now_ms=NOW), "ETH-USD") == "no-feed"
    assert VERIFIER.verify(update()).status("ETH-USD") is None
    assert VERIFIER.verify(update())._leaves["BTC-USD"].price == PRICE


def test_pins_are_no_verifiers() -> None:
    with pytest.raises(TouchstoneError):
        Pin.from_json("{}")
