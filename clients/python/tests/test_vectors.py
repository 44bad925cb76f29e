"""Every shared vector."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from support import VECTORS, vector, vectors
from touchstone_client import (
    DEFAULT_MAX_SKEW_MS,
    GroupKey,
    GroupKeyError,
    Pin,
    Policy,
    PolicyError,
    Status,
    Suite,
    TouchstoneError,
    VerifiedPrice,
    VerifiedUpdate,
    Verifier,
    VerifyError,
    _manifest,
    _merkle,
    verify_at,
)
from touchstone_client._reader import Reader
from touchstone_client._update import Leaf, Statement

VALID, INVALID = vectors("update/valid"), vectors("update/invalid")
POLICIES: Any = vector("policy.json")


def verify(case: Any) -> VerifiedUpdate:
    return Verifier(case["network_id"], case["group_keys"]).verify(bytes.fromhex(case["update"]))


def decimal(mantissa: str, exponent: int) -> Decimal:
    sign, digits = int(mantissa.startswith("-")), tuple(map(int, mantissa.lstrip("-")))
    return Decimal((sign, digits, exponent))


@pytest.mark.parametrize("name", VALID)
def test_valid_updates_say_what_the_vectors_say(name: str) -> None:
    case = VALID[name]
    update, want = verify(case), case["valid"]
    assert update.to_bytes().hex() == case["update"]
    assert update.suite.value == want["suite"]
    got = update.statement
    assert {
        "network_id": got.network_id.hex(),
        "epoch": got.epoch,
        "round": str(got.round),
        "timestamp_ms": str(got.timestamp_ms),
        "feed_count": got.feed_count,
        "feeds_root": got.feeds_root.hex(),
        "observations_root": got.observations_root.hex(),
        "digest": got.digest().hex(),
    } == want["statement"]
    assert list(update.feeds) == [entry["feed"] for entry in want["entries"]]
    for entry in want["entries"]:
        check_entry(update, entry)


def check_entry(update: VerifiedUpdate, want: Any) -> None:
    status = Status.from_names(want["status"])
    assert int(status) == want["status_bits"]
    assert update.status(want["feed"]) == status
    policy = Policy.fresh(0, now_ms=update.timestamp_ms, max_skew_ms=2**64, allow_status=status)
    if status & Status.UNAVAILABLE:
        with pytest.raises(PolicyError) as refused:
            update.price(want["feed"], policy)
        assert refused.value.code == "unavailable"
        return
    got = update.price(want["feed"], policy)
    exponent = want["exponent"]
    assert got == VerifiedPrice(
        feed=want["feed"],
        price=decimal(want["price"], exponent),
        low=decimal(want["low"], exponent),
        high=decimal(want["high"], exponent),
        status=status,
        round=update.round,
        epoch=update.epoch,
        timestamp_ms=update.timestamp_ms,
        observed_at_ms=int(want["observed_at_ms"]),
        observers=want["observers"],
    )
    assert got.price.as_tuple().exponent == exponent


@pytest.mark.parametrize("name", INVALID)
def test_invalid_updates_are_refused_with_their_code(name: str) -> None:
    with pytest.raises(VerifyError) as refused:
        verify(INVALID[name])
    assert refused.value.code == INVALID[name]["code"]


def test_no_vector_is_missed_and_every_code_is_shown() -> None:
    assert len(VALID) >= 30
    assert len(INVALID) >= 90
    assert {case["code"] for case in INVALID.values()} >= {
        "bad-signature",
        "inclusion",
        "invalid-leaf",
        "leaf-index",
        "leaf-order",
        "no-entries",
        "path-length",
        "trailing-bytes",
        "truncated",
        "unknown-suite",
        "unknown-version",
        "unsupported-suite",
        "wrong-network",
    }


@pytest.mark.parametrize("case", vector("group-keys.json"), ids=lambda case: case["description"])
def test_weak_keys_are_not_pinned(case: Any) -> None:
    if "code" not in case:
        assert GroupKey(case["suite"], case["key"]).to_bytes().hex() == case["key"]
        return
    with pytest.raises(GroupKeyError) as refused:
        GroupKey(Suite(case["suite"]), bytes.fromhex(case["key"]))
    assert refused.value.code == case["code"]


@pytest.mark.parametrize("case", POLICIES["cases"], ids=lambda case: case["description"])
def test_policies_give_the_price_or_their_code(case: Any) -> None:
    verifier = Verifier(POLICIES["network_id"], {"ed25519": POLICIES["group_key"]})
    update = verifier.verify(bytes.fromhex(case["update"]))

    def price() -> str:
        terms: dict[str, Any] = {
            name: Status.from_names(value) if name == "allow_status" else int(value) for name, value in case["policy"].items()
        }
        if "at_ms" in terms:
            after = verifier.verify(bytes.fromhex(case["next"]))
            policy = Policy.at(verify_at(update, after, terms.pop("at_ms")), **terms)
        else:
            policy = Policy.fresh(**terms)
        return format(update.price(case["feed"], policy).price, "f")

    if "price" in case:
        assert price() == case["price"]
        return
    with pytest.raises(PolicyError) as refused:
        price()
    assert refused.value.code == case["code"]


def test_the_default_skew_is_the_vectors() -> None:
    assert POLICIES["default_max_skew_ms"] == DEFAULT_MAX_SKEW_MS
    assert len(POLICIES["cases"]) > 40


@pytest.mark.parametrize("name", ["network", "two-epochs"])
def test_good_pins_are_accepted(name: str) -> None:
    pin = Pin.load(VECTORS / "pin" / f"{name}.json")
    assert Verifier.from_pin(pin).network_id == pin.network_id


@pytest.mark.parametrize("name", vectors("pin/invalid"))
def test_bad_pins_are_refused_with_their_code(name: str) -> None:
    case = vector(f"pin/invalid/{name}.json")
    with pytest.raises(TouchstoneError) as refused:
        Verifier.from_pin(Pin.from_json(json.dumps(case["pin"])))
    assert refused.value.code == case["code"]


def test_canonical_statements_and_leaves() -> None:
    for case in vector("canonical/statement.json"):
        data = bytes.fromhex(case["bytes"])
        statement = Statement.read(Reader(data[16:]))
        assert (statement.to_bytes(), statement.digest().hex()) == (data, case["digest"])
    for case in vector("canonical/leaf.json"):
        data = bytes.fromhex(case["bytes"])
        leaf = Leaf.read(Reader(data))
        assert (leaf.to_bytes(), _merkle.leaf_hash(data).hex()) == (data, case["leaf_hash"])
        assert (leaf.feed, str(leaf.price), int(leaf.status)) == (case["feed"], case["price"], case["status_bits"])


def test_canonical_trees() -> None:
    for case in vector("canonical/merkle.json"):
        size, root = len(case["leaves"]), bytes.fromhex(case["root"])
        for index, (leaf, path) in enumerate(zip(case["leaves"], case["paths"], strict=True)):
            digest, hashes = _merkle.leaf_hash(bytes.fromhex(leaf)), [bytes.fromhex(text) for text in path]
            assert _merkle.path_length(index, size) == len(path)
            assert _merkle.is_included(digest, index, size, hashes, root)


def test_canonical_manifest_and_epoch_record() -> None:
    case = vector("canonical/manifest.json")
    assert _manifest.manifest_hash(_manifest.MANIFEST(case["manifest"], "")).hex() == case["hash"]
    case = vector("canonical/epoch-record.json")
    assert _manifest.record_digest(_manifest.RECORD(case["record"], "")).hex() == case["digest"]
