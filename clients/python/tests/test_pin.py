"""Pins that are broken in ways beyond the shared vectors."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import support
from support import VECTORS, vector
from touchstone_client import Pin, PinError, Suite, TouchstoneError, Verifier, _json, _manifest

GOOD = vector("pin/network.json")
Change = Callable[[Any], object]


def code_of(pin: Any) -> str | None:
    text = pin if isinstance(pin, bytes) else json.dumps(pin).encode()
    try:
        Verifier.from_pin(Pin.from_json(text))
    except TouchstoneError as error:
        return error.code
    return None


def changed(change: Change) -> Any:
    pin = copy.deepcopy(GOOD)
    change(pin)
    return pin


def manifest(**values: Any) -> Change:
    return lambda pin: pin["genesis_manifest"].update(values)


def record(**values: Any) -> Change:
    return lambda pin: pin["genesis_record"].update(values)


def feed(**values: Any) -> Change:
    return lambda pin: pin["genesis_manifest"]["feeds"][0].update(values)


def market(**values: Any) -> Change:
    return lambda pin: pin["genesis_manifest"]["feeds"][0]["sources"][0].update(values)


def member(**values: Any) -> Change:
    return lambda pin: pin["genesis_manifest"]["members"][1].update(values)


@pytest.mark.parametrize(
    "change",
    [
        manifest(network=""),
        manifest(network="x" * 65),
        manifest(network="\ud800"),
        manifest(network=7),
        manifest(epoch=1),
        manifest(epoch=-1),
        manifest(epoch=True),
        manifest(epoch="0"),
        manifest(previous="00" * 32),
        manifest(interval_ms=49),
        manifest(interval_ms=86_400_001),
        manifest(first_round=2**53 + 1),
        manifest(first_round_at_ms=2**53 + 1),
        manifest(f=2),
        manifest(suites=[]),
        manifest(suites=["ed25519", "ed25519"]),
        manifest(suites=["secp256k1-keccak", "ed25519"]),
        manifest(suites=["unknown"]),
        manifest(members=[]),
        manifest(feeds=[]),
        manifest(feeds=GOOD["genesis_manifest"]["feeds"][::-1]),
        manifest(feeds=[None]),
        manifest(unknown=1),
        feed(name="aave-usd"),
        feed(exponent=39),
        feed(sources=[]),
        feed(min_sources=0),
        feed(min_sources=4),
        feed(max_quote_age_ms=0),
        feed(outlier_floor_ppm=1_000_000),
        feed(sources=[{"source": "kraken", "pair": "AAVE-USD"}] * 2),
        market(source=""),
        market(source="s" * 65),
        market(pair="BTC-USD"),
        market(pair="AAVE-JPY"),
        member(id=2),
        member(address="localhost"),
        member(address=":" * 256),
        member(identity=GOOD["genesis_manifest"]["members"][0]["identity"]),
        member(identity="4a72"),
        record(epoch=1),
        record(manifest_hash="00" * 32),
        record(keys=[]),
        record(coin_shares=[]),
        record(coin_key="zz" * 32),
        record(transcript="0" * 63),
        record(member_signatures=["00" * 63] * 4),
        lambda pin: pin["genesis_record"].pop("coin_key"),
        lambda pin: pin["genesis_record"]["keys"][0].update(verifying_shares=[]),
        lambda pin: pin.update(later={}),
        lambda pin: pin.update(later=[{"manifest": pin["genesis_manifest"]}]),
        lambda pin: pin.update(more=1),
        lambda pin: pin.pop("genesis_record"),
    ],
)
def test_broken_forms_are_refused(change: Change) -> None:
    assert code_of(changed(change)) == "bad-pin"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        json.dumps(GOOD).encode() + b"x",
        json.dumps(GOOD).replace('"epoch": 0', '"epoch": 0.0').encode(),
        json.dumps(GOOD).replace('"epoch": 0', '"epoch": -0').encode(),
        json.dumps(GOOD).replace('"epoch": 0', '"epoch": NaN').encode(),
        json.dumps(GOOD).replace('"epoch": 0', '"epoch": 0, "epoch": 0').encode(),
        json.dumps(GOOD).replace('"epoch": 0', '"epoch": ' + "1" * 5_000).encode(),
    ],
    ids=range(12),
)
def test_texts_that_readers_disagree_on_are_refused(text: bytes) -> None:
    assert code_of(text) == "bad-pin"


def test_text_without_utf_8_is_refused() -> None:
    with pytest.raises(PinError):
        Pin.from_json("\ud800")


def test_what_may_be_missing_may_be_missing() -> None:
    assert code_of(GOOD) is None
    assert code_of(changed(lambda pin: pin.pop("later"))) is None
    assert code_of(changed(lambda pin: pin["genesis_manifest"].pop("previous"))) is None


def test_upper_case_hexadecimal_is_the_same_pin() -> None:
    upper = changed(record(transcript=GOOD["genesis_record"]["transcript"].upper()))
    assert code_of(upper) is None


def test_signatures_of_another_length_or_missing() -> None:
    def signature(text: str) -> Change:
        return lambda pin: pin["genesis_record"]["group_signatures"][0].update(signature=text)

    assert code_of(changed(signature("00"))) == "bad-epoch-signature"
    assert code_of(changed(signature("0"))) == "bad-pin"
    assert code_of(changed(record(member_signatures=[]))) == "bad-member-signature"
    assert code_of(changed(record(member_signatures=["00" * 64] * 4))) == "bad-member-signature"


def test_a_pin_says_what_it_pins() -> None:
    pin = Pin.load(VECTORS / "pin" / "two-epochs.json")
    assert (pin.network, pin.epoch) == ("vectors", 1)
    assert "BTC-USD" in pin.feeds
    assert pin.network_id.hex() in repr(pin)


@pytest.mark.parametrize("suites", [[Suite.ED25519], [Suite.SECP256K1_KECCAK], list(Suite)], ids=str)
def test_pins_of_either_suite_and_of_both(suites: list[Suite]) -> None:
    made = support.pin(suites)
    verifier = Verifier.from_pin(Pin.from_json(json.dumps(made)))
    for suite in suites:
        assert verifier.verify(support.update(suite=suite, network_id=verifier.network_id)).suite is suite
    for signed in made["genesis_record"]["group_signatures"]:
        kept = signed["signature"]
        signed["signature"] = kept[:-1] + ("1" if kept[-1] == "0" else "0")
        assert code_of(made) == "bad-epoch-signature"
        signed["signature"] = kept
    made["genesis_record"]["group_signatures"].pop()
    assert code_of(made) == "bad-epoch-signature"


@pytest.mark.parametrize(
    ("number", "previous", "suites", "code"),
    [
        (1, None, [Suite.ED25519], None),
        (2, None, [Suite.ED25519], "bad-pin"),
        (1, "00" * 32, [Suite.ED25519], "bad-pin"),
        (1, None, [Suite.SECP256K1_KECCAK], "bad-pin"),
    ],
    ids=["the next one", "one left out", "after another one", "with another key"],
)
def test_epochs_follow_each_other(number: int, previous: str | None, suites: list[Suite], code: str | None) -> None:
    made = support.pin([Suite.ED25519])
    genesis = _manifest.manifest_hash(made["genesis_manifest"]).hex()
    manifest, of_it = support.epoch(suites, epoch=number, previous=previous or genesis)
    assert code_of(made | {"later": [{"manifest": manifest, "record": of_it}]}) == code


def test_an_identity_for_which_anybody_can_sign_is_refused() -> None:
    neutral = "01" + "00" * 31
    made = support.pin(members=[{"id": 0, "identity": neutral, "address": "127.0.0.1:9000"}])
    made["genesis_record"]["member_signatures"] = [neutral + "00" * 32]
    assert code_of(made) == "bad-member-signature"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_character_of_a_pin_can_be_changed_unseen(data: st.DataObject) -> None:
    """A pin either stays the same for its reader, or is refused."""
    text = bytearray(json.dumps(GOOD, separators=(",", ":")).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 127))
    try:
        pin = Pin.from_json(bytes(text))
        Verifier.from_pin(pin)
    except TouchstoneError:
        return
    # What passed is a hexadecimal digit of the other case.
    assert pin.network_id == Pin.from_json(json.dumps(GOOD)).network_id


@given(st.binary(max_size=200))
def test_no_bytes_crash(data: bytes) -> None:
    assert code_of(data) == "bad-pin"


def test_canonical_text() -> None:
    value = {"b": [1, None, '\b\f\n\r\t\x1f"\\/é\u2028<'], "a": "\U0001f600"}
    want = '{"a":"\U0001f600","b":[1,null,"\\b\\f\\n\\r\\t\\u001f\\"\\\\/é\u2028<"]}'
    assert _json.canonical(value) == want.encode()
