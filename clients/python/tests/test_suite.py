"""The suite that updates are asked for in, and hostile endpoints that answer in the other one."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support import (
    GROUP,
    NETWORK_ID,
    NOW,
    ROUND,
    Handler,
    Server,
    answer,
    as_json,
    events,
    leaf,
    network_of_the_environment,
    price_event,
    serve,
    update,
)
from touchstone_client import ArgumentError, Pin, Policy, Suite, Verifier
from touchstone_client.http import AllFailedError, AsyncClient, Client, Interrupted, Update

BOTH = (Suite.ED25519, Suite.SECP256K1_KECCAK)
OTHER = {Suite.ED25519: Suite.SECP256K1_KECCAK, Suite.SECP256K1_KECCAK: Suite.ED25519}
FRESH = Policy.fresh(10_000, now_ms=NOW)
PATHS = ["/v1/feeds/BTC-USD/latest", "/v1/updates/latest", "/v1/feeds/BTC-USD/at", "/v1/stream"]


def verifier(pinned: Sequence[Suite]) -> Verifier:
    keys = {key.suite: key for key in GROUP.keys}
    return Verifier(NETWORK_ID, [keys[suite] for suite in pinned])


def signed(suite: Suite, steps: int = 0) -> bytes:
    leaves = [leaf("BTC-USD"), leaf("ETH-USD")]
    return update(leaves, suite=suite, round_number=ROUND + steps, timestamp_ms=NOW + 1_000 * steps)


def pair(before: Suite, after: Suite) -> bytes:
    items = [{"update": base64.b64encode(data).decode()} for data in (signed(before), signed(after, 1))]
    return json.dumps(dict(zip(("before", "after"), items, strict=True))).encode()


def stubborn(suite: Suite) -> Handler:
    """A handler that answers every kind of request in one suite, whatever is asked."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        if path == "/v1/stream":
            events(price_event(signed(suite), ROUND))(request)
        elif path.endswith("/at"):
            answer(pair(suite, suite))(request)
        else:
            answer(as_json(signed(suite)))(request)

    return handle


def every(pinned: Sequence[Suite], server: Server, suite: Suite | None = None) -> list[str]:
    """Return what each kind of request comes to: the suite of the answer, or an error's code."""

    def code(call: Any) -> str:
        try:
            return str(call())
        except AllFailedError as error:
            return error.code

    with Client(verifier(pinned), [server.url], suite=suite) as c:
        codes = [
            code(lambda: c.latest(["BTC-USD"]).suite),
            code(lambda: c.latest(["BTC-USD", "ETH-USD"]).suite),
            code(lambda: c.around("BTC-USD", NOW)[1].suite),
        ]
        with c.watch(["BTC-USD"]) as watch:
            event = next(watch)
    if isinstance(event, Update):
        return [*codes, str(event.update.suite)]
    assert isinstance(event, Interrupted)
    return [*codes, event.error.error.code]


def suites_asked(server: Server) -> list[list[str]]:
    urls = [urlsplit(path) for path, _ in server.requests]
    assert [url.path for url in urls] == PATHS
    return [parse_qs(url.query, strict_parsing=bool(url.query)).get("suite", []) for url in urls]


@pytest.mark.parametrize(
    ("pinned", "asked"),
    [
        ([Suite.ED25519], []),
        ([Suite.SECP256K1_KECCAK, Suite.ED25519], []),
        ([Suite.SECP256K1_KECCAK], ["secp256k1-keccak"]),
    ],
)
def test_without_an_ed25519_key_the_lowest_pinned_suite_is_asked_for(pinned: list[Suite], asked: list[str]) -> None:
    with serve(stubborn(pinned[0])) as server:
        assert every(pinned, server) == [str(pinned[0])] * 4
    assert suites_asked(server) == [asked] * 4


@pytest.mark.parametrize("suite", BOTH, ids=str)
def test_the_suite_is_asked_for_in_every_request(suite: Suite) -> None:
    with serve(stubborn(suite)) as server:
        assert every(BOTH, server, suite) == [str(suite)] * 4
    assert suites_asked(server) == [[str(suite)]] * 4


@pytest.mark.parametrize("suite", BOTH, ids=str)
def test_an_authentic_answer_in_another_suite_is_refused(suite: Suite) -> None:
    with serve(stubborn(OTHER[suite])) as server:
        assert every(BOTH, server, suite) == ["other-suite"] * 4
    with serve(stubborn(suite)) as server:
        # Any pinned suite will do for whoever names none.
        assert every(BOTH, server) == [str(suite)] * 4


@pytest.mark.parametrize("before", BOTH, ids=str)
def test_either_update_of_a_pair_may_be_the_one_in_another_suite(before: Suite) -> None:
    with serve(answer(pair(before, OTHER[before]))) as server:
        with Client(verifier(BOTH), [server.url], suite=Suite.ED25519) as c, pytest.raises(AllFailedError) as failed:
            c.around("BTC-USD", NOW)
        assert failed.value.code == "other-suite"
        with Client(verifier(BOTH), [server.url]) as c:
            assert [item.suite for item in c.around("BTC-USD", NOW)] == [before, OTHER[before]]


def test_an_endpoint_in_another_suite_is_passed_over() -> None:
    suite = Suite.SECP256K1_KECCAK
    with (
        serve(stubborn(Suite.ED25519)) as other,
        serve(stubborn(suite)) as willing,
        Client(verifier(BOTH), [other.url, willing.url], suite=suite) as c,
    ):
        assert c.prices(["BTC-USD"], FRESH)["BTC-USD"].round == ROUND
        assert c.latest(["BTC-USD"]).suite is suite
    asked = [path for path, _ in other.requests + willing.requests]
    assert asked == ["/v1/feeds/BTC-USD/latest?suite=secp256k1-keccak"] * 3


def test_what_is_not_authentic_is_that_first_and_the_suite_comes_before_the_feed() -> None:
    wrong = update([leaf("ETH-USD")], suite=Suite.SECP256K1_KECCAK)

    def code(pinned: Sequence[Suite], suite: Suite) -> str:
        with Client(verifier(pinned), [server.url], suite=suite) as c, pytest.raises(AllFailedError) as failed:
            c.latest(["BTC-USD"])
        return failed.value.code

    with serve(answer(as_json(wrong))) as server:
        assert code([Suite.ED25519], Suite.ED25519) == "unsupported-suite"
        assert code(BOTH, Suite.ED25519) == "other-suite"
        assert code(BOTH, Suite.SECP256K1_KECCAK) == "other-feed"


def test_a_network_that_lacks_the_suite_says_so() -> None:
    problem = {"code": "invalid-query", "detail": "suite (secp256k1-keccak): this network signs with ed25519"}
    with (
        serve(answer(json.dumps(problem).encode(), 400)) as server,
        Client(verifier([Suite.SECP256K1_KECCAK]), [server.url]) as c,
        pytest.raises(AllFailedError) as failed,
    ):
        c.latest(["BTC-USD"])
    assert failed.value.code == "invalid-query"
    assert "this network signs with ed25519" in str(failed.value)


@pytest.mark.parametrize("suite", ["", "ed25519", "ed25519&x=y", 1, b"ed25519"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_only_a_suite_can_be_asked_for(kind: Any, suite: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        kind(verifier(BOTH), ["http://127.0.0.1:9"], suite=suite)
    assert refused.value.code == "config"


def test_a_verifier_tells_its_suites_in_order() -> None:
    assert verifier([Suite.SECP256K1_KECCAK, Suite.ED25519]).suites == BOTH
    assert verifier([Suite.SECP256K1_KECCAK]).suites == (Suite.SECP256K1_KECCAK,)


def test_an_aggregator_gives_every_suite_of_its_network_to_whoever_pins_that_one_alone() -> None:
    url, path = network_of_the_environment()
    pin = Pin.load(path)
    for key in pin.checked_keys():
        with Client(Verifier(pin.network_id, [key]), [url]) as c:
            latest = c.latest(pin.feeds)
            pair = c.around(pin.feeds[0], latest.timestamp_ms - 1)
            assert [item.suite for item in (latest, *pair)] == [key.suite] * 3
            with c.watch(pin.feeds[:1]) as watch:
                event = next(watch)
            assert isinstance(event, Update)
            assert event.update.suite is key.suite
