"""The forms of manifest and epoch record, and every rule that a manifest in force obeys."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

from touchstone_client import _json as j
from touchstone_client._update import EXPONENT_MAX
from touchstone_client.feed import is_feed_name
from touchstone_client.suite import Suite

Json = dict[str, Any]

MEMBERS_MAX = 128
FEEDS_MAX = 1_000
_SOURCES_MAX = 64
_NAME_BYTES_MAX = 64
_ADDRESS_BYTES_MAX = 255
_INTERVAL_MS = (50, 86_400_000)
_EXACT_MAX = 1 << 53
_SIGNED_OF_RECORD = ("epoch", "manifest_hash", "keys", "coin_key", "coin_shares", "transcript")

_U16, _U32, _U64 = j.integer(0, 2**16 - 1), j.integer(0, 2**32 - 1), j.integer(0, 2**64 - 1)
_HASH = j.hexadecimal(32)
_FEED_NAME = j.matching(is_feed_name, "a feed name")
_SUITE = j.matching(lambda text: text in {suite.value for suite in Suite}, "a known suite")

MANIFEST = j.record(
    {
        "network": j.text,
        "epoch": _U32,
        "previous": j.optional(_HASH),
        "interval_ms": _U64,
        "first_round": _U64,
        "first_round_at_ms": _U64,
        "f": _U16,
        "suites": j.array(_SUITE),
        "members": j.array(j.record({"id": _U16, "identity": _HASH, "address": j.text})),
        "feeds": j.array(
            j.record(
                {
                    "name": _FEED_NAME,
                    "exponent": j.integer(-128, 127),
                    "sources": j.array(j.record({"source": j.text, "pair": _FEED_NAME})),
                    "min_sources": _U16,
                    "max_quote_age_ms": _U64,
                    "outlier_mads_milli": _U32,
                    "outlier_floor_ppm": _U32,
                }
            )
        ),
    },
    previous=None,
)

RECORD = j.record(
    {
        "epoch": _U32,
        "manifest_hash": _HASH,
        "keys": j.array(
            j.record(
                {
                    "suite": _SUITE,
                    "group_key": j.hexadecimal(),
                    "verifying_shares": j.array(j.hexadecimal()),
                }
            )
        ),
        "coin_key": _HASH,
        "coin_shares": j.array(_HASH),
        "transcript": _HASH,
        "member_signatures": j.array(j.hexadecimal(64)),
        "group_signatures": j.array(j.record({"suite": _SUITE, "signature": j.hexadecimal()})),
    }
)


def manifest_hash(manifest: Json) -> bytes:
    """Return the hash by which everybody refers to a manifest. At genesis it is the network id."""
    return hashlib.sha256(b"touchstone/man/1" + j.canonical(manifest)).digest()


def record_digest(record: Json) -> bytes:
    """Return the digest of an epoch record that members and the group sign."""
    signed = {name: record[name] for name in _SIGNED_OF_RECORD}
    return hashlib.sha256(b"touchstone/epo/1" + j.canonical(signed)).digest()


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)


def _ascend(items: list[Any]) -> bool:
    return all(a < b for a, b in pairwise(items))


def check_manifest(manifest: Json) -> None:
    """Refuse a manifest that cannot be in force.

    :raises ValueError: the first value outside its range, by its key.
    """
    size = len(manifest["network"].encode())
    _require(1 <= size <= _NAME_BYTES_MAX, f"network: must have 1 to {_NAME_BYTES_MAX} bytes")
    first = manifest["epoch"] == 0
    _require((manifest["previous"] is None) == first, "previous: must be null at epoch 0 and a hash afterwards")
    low, high = _INTERVAL_MS
    _require(low <= manifest["interval_ms"] <= high, f"interval_ms: must be from {low} to {high}")
    for name in ("first_round", "first_round_at_ms"):
        _require(manifest[name] <= _EXACT_MAX, f"{name}: must be at most 2^53")
    suites = [Suite(name).byte for name in manifest["suites"]]
    _require(bool(suites) and _ascend(suites), "suites: must name at least one suite, in ascending order, each once")
    _check_members(manifest)
    feeds = manifest["feeds"]
    _require(1 <= len(feeds) <= FEEDS_MAX, f"feeds: must be 1 to {FEEDS_MAX}")
    names = [feed["name"] for feed in feeds]
    _require(_ascend(names), "feeds: must be sorted by name, each once")
    for feed in feeds:
        _check_feed(feed, frozenset(names))


def _check_members(manifest: Json) -> None:
    members, f = manifest["members"], manifest["f"]
    n = len(members)
    _require(1 <= n <= MEMBERS_MAX, f"members: n ({n}) must be from 1 to {MEMBERS_MAX}")
    _require(3 * f + 1 <= n, f"members: f ({f}) must be at most {(n - 1) // 3} where n is {n}")
    for i, member in enumerate(members):
        place = f"members[{i}]"
        _require(member["id"] == i, f"{place}.id: must be its position")
        address = member["address"]
        _require(
            len(address.encode()) <= _ADDRESS_BYTES_MAX and ":" in address,
            f"{place}.address: must be host:port of at most {_ADDRESS_BYTES_MAX} bytes",
        )
        earlier = (other["identity"] for other in members[:i])
        _require(member["identity"] not in earlier, f"{place}.identity: is another member's")


def _check_feed(feed: Json, names: frozenset[str]) -> None:
    place, sources = f"feeds[{feed['name']}]", feed["sources"]
    _require(abs(feed["exponent"]) <= EXPONENT_MAX, f"{place}.exponent: must be from -{EXPONENT_MAX} to {EXPONENT_MAX}")
    _require(1 <= len(sources) <= _SOURCES_MAX, f"{place}.sources: must be 1 to {_SOURCES_MAX}")
    _require(1 <= feed["min_sources"] <= len(sources), f"{place}.min_sources: must be from 1 to {len(sources)}")
    _require(1 <= feed["max_quote_age_ms"] <= _EXACT_MAX, f"{place}.max_quote_age_ms: must be from 1 to 2^53")
    _require(feed["outlier_floor_ppm"] < 1_000_000, f"{place}.outlier_floor_ppm: must be below 1000000")
    for market in sources:
        _check_market(market, feed, names)


def _check_market(market: Json, feed: Json, names: frozenset[str]) -> None:
    place = f"feeds[{feed['name']}].sources[{market['source']} {market['pair']}]"
    _require(feed["sources"].count(market) == 1, f"{place}: is listed twice")
    size = len(market["source"].encode())
    _require(1 <= size <= _NAME_BYTES_MAX, f"{place}: source must have 1 to {_NAME_BYTES_MAX} bytes")
    base, quote = feed["name"].split("-")
    market_base, market_quote = market["pair"].split("-")
    _require(market_base == base, f"{place}: must be a market of {base}")
    if market_quote != quote:
        by = f"{market_quote}-{quote}"
        _require(by in names and by != feed["name"], f"{place}: needs the feed {by} for its conversion")


def check_record(record: Json, manifest: Json) -> None:
    """Refuse an epoch record that does not fit its manifest.

    :raises ValueError: what does not fit.
    """
    n = len(manifest["members"])
    _require(
        record["epoch"] == manifest["epoch"] and record["manifest_hash"] == manifest_hash(manifest).hex(),
        "epoch record: it is the record of another manifest",
    )
    suites = [keys["suite"] for keys in record["keys"]]
    _require(suites == manifest["suites"], "epoch record: its suites are not the manifest's")
    shares = [record["coin_shares"], *(keys["verifying_shares"] for keys in record["keys"])]
    _require(
        all(len(of_members) == n for of_members in shares),
        "epoch record: it must hold one verifying share for each member",
    )
