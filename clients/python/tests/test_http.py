"""The HTTP clients against endpoints that are down, behind, slow or lying, over real connections."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from support import (
    GROUP,
    NOW,
    PRICE,
    ROUND,
    STRANGER,
    Handler,
    Server,
    answer,
    as_json,
    events,
    leaf,
    price_event,
    self_signed,
    serve,
    update,
)
from touchstone_client import ArgumentError, Policy, PolicyError, Suite, VerifyError
from touchstone_client.http import (
    AllFailedError,
    AnswerError,
    AsyncClient,
    Client,
    EndpointError,
    Gap,
    Interrupted,
    Update,
    WatchEvent,
)

FRESH = Policy.fresh(10_000, now_ms=NOW)
GOOD = answer(as_json(update()))
# Nobody listens on the discard port of the loopback.
DOWN = "http://127.0.0.1:9"


def client(*servers: Server | str, timeout: float = 2.0, body_limit: int = 4_096, silence: float = 45.0) -> Client:
    urls = [server if isinstance(server, str) else server.url for server in servers]
    return Client(GROUP.verifier, urls, timeout=timeout, body_limit=body_limit, silence=silence)


def price_error(handler: Handler, policy: Policy = FRESH) -> AllFailedError:
    with serve(handler) as server, client(server) as c, pytest.raises(AllFailedError) as failed:
        c.price("BTC-USD", policy)
    return failed.value


def code_of(body: bytes, status: int = 200, **headers: str) -> str:
    return price_error(answer(body, status, **headers)).code


def test_the_signed_number_counts_and_not_the_json() -> None:
    with serve(GOOD) as server, client(server) as c:
        price = c.price("BTC-USD", FRESH)
        assert (str(price.price), price.round) == ("67000.00000000", ROUND)
        assert c.verifier.network_id == GROUP.verifier.network_id
    path, headers = server.requests[0]
    assert path == "/v1/feeds/BTC-USD/latest"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("touchstone-client-python/")


@pytest.mark.parametrize("suite", Suite, ids=str)
def test_several_feeds_come_under_one_signature(suite: Suite) -> None:
    both = update([leaf("BTC-USD"), leaf("ETH-USD", price=7)], suite=suite)
    with serve(answer(as_json(both))) as server, client(server) as c:
        prices = c.prices(["ETH-USD", "BTC-USD"], FRESH)
        assert {feed: str(price.price) for feed, price in prices.items()} == {
            "ETH-USD": "7E-8",
            "BTC-USD": "67000.00000000",
        }
        assert c.latest(["BTC-USD", "ETH-USD", "BTC-USD"]).feeds == ("BTC-USD", "ETH-USD")
    assert [path for path, _ in server.requests] == [
        "/v1/updates/latest?feeds=ETH-USD,BTC-USD",
        "/v1/updates/latest?feeds=BTC-USD,ETH-USD",
    ]


def test_endpoints_that_are_down_late_or_lying_are_passed_over() -> None:
    broken = answer(json.dumps({"code": "not-ready", "title": "Not ready\x1b[31m"}).encode(), 503)
    late = answer(as_json(update(round_number=ROUND - 60, timestamp_ms=NOW - 60_000)))
    lying = answer(as_json(update(group=STRANGER)))
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serve(handler)) for handler in (broken, late, lying, GOOD)]
        with client(DOWN, *servers) as c:
            assert str(c.price("BTC-USD", FRESH).price) == "67000.00000000"
        with client(DOWN, *servers[:3]) as c, pytest.raises(AllFailedError) as failed:
            c.price("BTC-USD", FRESH)
    errors = failed.value.errors
    assert [e.error.code for e in errors] == ["transport", "not-ready", "too-old", "bad-signature"]
    assert failed.value.code == "too-old"
    assert isinstance(failed.value.main_cause, PolicyError)
    assert isinstance(errors[1].error, AnswerError)
    assert errors[1].error.status == 503
    assert "\x1b" not in str(failed.value)
    assert pickle.loads(pickle.dumps(failed.value)).code == "too-old"  # noqa: S301 - its own bytes
    assert AllFailedError([errors[0], errors[3]]).code == "bad-signature"


def test_an_older_round_is_refused_where_the_caller_keeps_the_last_one() -> None:
    newer = Policy.fresh(10_000, now_ms=NOW, newer_than=ROUND)
    assert price_error(GOOD, newer).code == "not-newer"


def test_the_endpoint_that_answered_is_asked_first() -> None:
    with serve(answer(b"{}", 502)) as broken, serve(GOOD) as good, client(broken, good) as c:
        for _ in range(3):
            c.latest(["BTC-USD"])
        assert (len(broken.requests), len(good.requests)) == (1, 3)


def test_answers_about_something_else_are_refused() -> None:
    assert code_of(as_json(update([leaf("ETH-USD")]))) == "other-feed"
    assert code_of(as_json(update(network_id=bytes(32)))) == "wrong-network"
    with serve(GOOD) as server, client(server) as c, pytest.raises(AllFailedError) as failed:
        c.prices(["BTC-USD", "ETH-USD"], FRESH)
    assert failed.value.code == "other-feed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"null",
        b"[]",
        b"{}",
        b"[" * 2_000,
        b'{"update": 1}',
        b'{"update": null}',
        b'{"update": {"update": ""}}',
        b'{"update": "no base64"}',
        b'{"update": "AQE"}',
        b'{"update": "AQF="}',
        b'{"update": "\\ud800"}',
        b'{"update": "AQE=", "update": "AQE="}',
        b'{"update": "AQE=", "price": NaN}',
        b"\xff",
    ],
)
def test_malformed_answers_are_refused(body: bytes) -> None:
    assert code_of(body) == "malformed"


def test_answers_that_are_too_short_too_long_or_compressed_are_refused() -> None:
    assert code_of(as_json(b"\x01\x01")) == "truncated"
    assert code_of(as_json(b"")) == "truncated"
    assert code_of(b" " * 100_000) == "too-long"
    # Numbers that later servers may add are not looked at.
    for number in (b"1.5", b"-0", b"9" * 3_000):
        assert code_of(b'{"update": "AQE=", "price": ' + number + b"}") == "truncated"
    assert code_of(as_json(update()), content_encoding="gzip") == "malformed"
    assert code_of(as_json(update()), content_length="3000") == "transport"


def test_an_answer_without_end_is_left() -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1_000_000):
            request.wfile.write(b" " * 1_000)

    assert price_error(endless).code == "too-long"


def test_errors_of_http_keep_their_code() -> None:
    assert code_of(b'{"code": "unknown-feed"}', 404) == "unknown-feed"
    assert code_of(b'{"code": 7}', 404) == "http"
    assert code_of(b"<html>", 500) == "http"
    assert code_of(b"x" * 100_000, 500) == "http"
    assert code_of(as_json(update()), 304) == "http"
    long = price_error(answer(json.dumps({"code": "c" * 999, "detail": "\x00\x1b\u009bd"}).encode(), 400))
    assert len(long.code) == 200
    assert ": d" in str(long)


@contextlib.contextmanager
def raw_server(talk: Any) -> Iterator[str]:
    """A server below HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    def run(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(4_096)
            talk(connection, stop)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def silent(_: socket.socket, stop: threading.Event) -> None:
    stop.wait(10)


def drips_headers(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    while not stop.wait(0.02):
        connection.sendall(b"x")


def drips_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n")
    while not stop.wait(0.02):
        connection.sendall(b" ")


@pytest.mark.parametrize("talk", [silent, drips_headers, drips_body])
def test_an_endpoint_that_never_ends_its_answer_is_left(talk: Any) -> None:
    with raw_server(talk) as slow, serve(GOOD) as good, client(slow, good, timeout=0.3) as c:
        started = time.monotonic()
        assert c.price("BTC-USD", FRESH).round == ROUND
        assert time.monotonic() - started < 2


def test_an_answer_that_is_no_http_is_refused() -> None:
    with raw_server(lambda connection, _: connection.sendall(b"hello\r\n\r\n")) as url, client(url) as c:
        with pytest.raises(AllFailedError) as failed:
            c.latest(["BTC-USD"])
        assert failed.value.code == "transport"


def redirect(target: str, status: int = 302) -> Handler:
    return answer(b"", status, location=target)


def test_a_redirect_is_followed_and_what_comes_is_verified() -> None:
    with serve(GOOD) as good, serve(redirect(good.url + "/elsewhere")) as server, client(server) as c:
        assert c.price("BTC-USD", FRESH).round == ROUND
    with serve(answer(as_json(update(group=STRANGER)))) as lying, serve(redirect(lying.url)) as server:
        with client(server) as c, pytest.raises(AllFailedError) as failed:
            c.price("BTC-USD", FRESH)
        assert failed.value.code == "bad-signature"


def test_three_redirects_are_followed_and_no_fourth() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serve(GOOD))
        codes = []
        for _ in range(4):
            server = stack.enter_context(serve(redirect(server.url)))
            c = stack.enter_context(client(server))
            try:
                codes.append(str(c.price("BTC-USD", FRESH).round))
            except AllFailedError as error:
                codes.append(error.code)
    assert codes == [str(ROUND)] * 3 + ["transport"]


def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path) -> None:
    server_tls, client_tls = self_signed(tmp_path)
    with serve(GOOD) as good, serve(redirect(good.url), server_tls) as server:
        with Client(GROUP.verifier, [server.url], ssl_context=client_tls) as c, pytest.raises(AllFailedError) as failed:
            c.latest(["BTC-USD"])
        assert failed.value.code == "transport"
        assert "redirected" in str(failed.value)
        assert not good.requests
        with Client(GROUP.verifier, [server.url]) as c, pytest.raises(AllFailedError) as failed:
            c.latest(["BTC-USD"])
        assert "certificate" in str(failed.value)
    with serve(GOOD, server_tls) as server, Client(GROUP.verifier, [server.url], ssl_context=client_tls) as c:
        assert c.latest(["BTC-USD"]).round == ROUND


@pytest.mark.parametrize("target", ["/again", "ftp://127.0.0.1/", "file:///etc/passwd", "http://[", "//"])
def test_redirects_without_end_or_elsewhere_are_not_followed(target: str) -> None:
    with serve(redirect(target)) as server, client(server) as c, pytest.raises(AllFailedError) as failed:
        c.price("BTC-USD", FRESH)
    assert failed.value.code == "transport"
    assert len(server.requests) <= 4


@pytest.mark.parametrize("url", ["", "not a url", "ftp://h", "http://h?x=1", "http://h#x", "http://", 7, None])
def test_endpoints_must_be_urls(url: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        Client(GROUP.verifier, [url])
    assert refused.value.code == "config"


def test_arguments_are_checked() -> None:
    refused: list[Any] = [[], DOWN]
    for urls in refused:
        with pytest.raises(ArgumentError):
            Client(GROUP.verifier, urls)
    with pytest.raises(ArgumentError):
        Client(GROUP.verifier, [DOWN], timeout=0)
    with client(DOWN) as c:
        for feeds in ([], "BTC-USD", ["btc"], ["../x"], [f"F{i}-USD" for i in range(256)]):
            with pytest.raises(ArgumentError):
                c.latest(feeds)
    with pytest.raises(ArgumentError):
        c.latest(["BTC-USD"])
    c.close()


def test_the_pair_around_an_instant_is_checked() -> None:
    def pair(before: int, after: int | None) -> bytes:
        def item(steps: int) -> Any:
            data = update(round_number=ROUND + steps, timestamp_ms=NOW + 1_000 * steps)
            return {"update": base64.b64encode(data).decode()}

        return json.dumps({"before": item(before), "after": None if after is None else item(after)}).encode()

    def at(body: bytes) -> tuple[int, int] | str:
        with serve(answer(body)) as server, client(server) as c:
            try:
                before, after = c.around("BTC-USD", NOW + 500)
            except AllFailedError as error:
                return error.code
        assert server.requests[0][0] == f"/v1/feeds/BTC-USD/at?timestamp_ms={NOW + 500}"
        return before.round - ROUND, after.round - ROUND

    assert at(pair(0, 1)) == (0, 1)
    assert at(pair(0, None)) == "no-next-yet"
    assert at(pair(1, 0)) == "no-pair"
    assert at(pair(1, 2)) == "not-around"
    assert at(b'{"before": "x", "after": null}') == "malformed"
    assert at(b"{}") == "malformed"


def told(event: WatchEvent) -> str:
    if isinstance(event, Update):
        return f"{event.update.feeds[0]} {event.update.round - ROUND}"
    if isinstance(event, Gap):
        return f"gap {event.first_round - ROUND} {event.last_round - ROUND}"
    return event.error.error.code


def last_ids(server: Server) -> list[int | None]:
    ids = (headers.get("last-event-id") for _, headers in server.requests)
    return [None if text is None else int(text) - ROUND for text in ids]


def streams(*texts: str) -> tuple[Handler, list[str]]:
    """A handler that gives one text after the other, the last one again and again."""
    rest = list(texts)

    def handle(request: BaseHTTPRequestHandler) -> None:
        events(rest.pop(0) if len(rest) > 1 else rest[0])(request)

    return handle, rest


def btc(steps: int) -> str:
    return price_event(update(round_number=ROUND + steps), ROUND + steps)


def test_a_watch_resumes_where_its_connection_broke() -> None:
    handler, _ = streams(
        # The last one comes twice, and rounds never go back.
        btc(0) + btc(1) + ": still here\n\n",
        btc(1)
        + btc(0)
        + f'event: gap\ndata: {{"from":{ROUND + 2},"to":{ROUND + 3}}}\n\n'
        + "event: later-invention\ndata: {}\n\n"
        + btc(4),
        'event: cut-off\ndata: {"code":"slow-reader"}\n\n',
        "event: cut-off\ndata: x\n\n",
    )
    with serve(handler) as server, client(server) as c, c.watch(["BTC-USD"]) as watch:
        events_told = [next(watch) for _ in range(8)]
        assert iter(watch) is watch
    assert [told(event) for event in events_told] == [
        "BTC-USD 0",
        "BTC-USD 1",
        "transport",
        "gap 2 3",
        "BTC-USD 4",
        "transport",
        "transport",
        "transport",
    ]
    assert last_ids(server)[:4] == [None, 1, 4, 4]
    assert server.requests[0][0] == "/v1/stream?feeds=BTC-USD"
    waits = [event.retry_in for event in events_told if isinstance(event, Interrupted)]
    assert waits == [0.25, 0.25, 0.5, 1.0]
    last = events_told[-2]
    assert isinstance(last, Interrupted)
    assert "slow-reader" in str(last.error)


def test_a_watch_of_several_feeds_loses_none_when_it_is_cut_off_within_a_round() -> None:
    def item(feed: str, steps: int) -> str:
        return price_event(update([leaf(feed)], round_number=ROUND + steps))

    whole = item("BTC-USD", 1) + item("ETH-USD", 1)
    handler, _ = streams(item("BTC-USD", 0) + item("ETH-USD", 0) + item("BTC-USD", 1), whole)
    with serve(handler) as server, client(server) as c, c.watch(["BTC-USD", "ETH-USD"]) as watch:
        got = [told(next(watch)) for _ in range(5)]
    assert got == ["BTC-USD 0", "ETH-USD 0", "BTC-USD 1", "transport", "ETH-USD 1"]
    assert last_ids(server) == [None, 0]


def test_a_watch_starts_after_the_round_it_is_told() -> None:
    handler, _ = streams(btc(-1) + btc(0) + btc(1))
    with serve(handler) as server, client(server) as c, c.watch(["BTC-USD"], after=ROUND) as watch:
        assert told(next(watch)) == "BTC-USD 1"
    assert last_ids(server) == [0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (price_event(update(group=STRANGER)), "bad-signature"),
        (price_event(update([leaf("ETH-USD")])), "other-feed"),
        ("event: price\ndata: {}\n\n", "malformed"),
        ("event: price\ndata: []\n\n", "malformed"),
        ('event: gap\ndata: {"from":-1,"to":2}\n\n', "malformed"),
        ('event: gap\ndata: {"from":true,"to":2}\n\n', "malformed"),
        ("data: " + "x" * 1_100_000, "malformed"),
    ],
    ids=range(7),
)
def test_a_watch_leaves_an_endpoint_that_lies(text: str, code: str) -> None:
    with serve(events(text)) as lying, serve(events(btc(0))) as good, client(lying, good) as c, c.watch(["BTC-USD"]) as watch:
        first, second = next(watch), next(watch)
    assert isinstance(first, Interrupted)
    assert first.error.error.code == code
    assert first.error.endpoint.startswith(lying.url)
    assert isinstance(second, Update)


def test_a_watch_leaves_a_stream_that_falls_silent() -> None:
    def silent_stream(request: BaseHTTPRequestHandler) -> None:
        events(btc(0))(request)
        request.wfile.flush()
        time.sleep(2)

    with serve(silent_stream) as server, client(server, silence=0.2) as c, c.watch(["BTC-USD"]) as watch:
        assert [told(next(watch)) for _ in range(2)] == ["BTC-USD 0", "transport"]


def test_closing_wakes_whoever_waits() -> None:
    with raw_server(silent) as url:
        c = client(url, timeout=30)
        errors: list[BaseException] = []

        def wait() -> None:
            try:
                c.latest(["BTC-USD"])
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        c.close()
        thread.join(5)
        assert not thread.is_alive()
        assert errors


def test_threads_may_share_a_client() -> None:
    with serve(GOOD) as server, client(server) as c:
        rounds: list[int] = []
        threads = [threading.Thread(target=lambda: rounds.append(c.price("BTC-USD", FRESH).round)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert rounds == [ROUND] * 8


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.anyio
async def test_the_async_client_does_the_same() -> None:
    text = btc(0) + btc(1)

    def handle(request: BaseHTTPRequestHandler) -> None:
        (events(text) if request.path.startswith("/v1/stream") else GOOD)(request)

    with serve(handle) as server:
        async with AsyncClient(GROUP.verifier, [DOWN, server.url]) as c:
            price = await c.price("BTC-USD", FRESH)
            assert price.price.scaleb(8) == PRICE
            assert (await c.latest(["BTC-USD"])).round == ROUND
            with pytest.raises(AllFailedError):
                await c.around("BTC-USD", NOW)
            async with c.watch(["BTC-USD"]) as watch:
                got = []
                async for event in watch:
                    got.append(told(event))
                    if len(got) == 3:
                        break
            assert got == ["BTC-USD 0", "BTC-USD 1", "transport"]


def test_errors_name_their_endpoint() -> None:
    error = EndpointError("http://h/", VerifyError("truncated", "too short"))
    assert str(error) == "http://h/: too short"
