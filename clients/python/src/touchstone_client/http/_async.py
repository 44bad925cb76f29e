"""Failover, and the checks that an answer is about what was asked."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

import anyio
import httpx

from touchstone_client._version import __version__
from touchstone_client.errors import ArgumentError, TouchstoneError
from touchstone_client.feed import check_feed_name
from touchstone_client.http._answers import read_object, update_of
from touchstone_client.http._errors import AllFailedError, AnswerError, EndpointError
from touchstone_client.http._transport import Transport, base_url
from touchstone_client.http._watch import AsyncWatch
from touchstone_client.policy import Policy, VerifiedPrice, verify_at
from touchstone_client.suite import Suite
from touchstone_client.verifier import VerifiedUpdate, Verifier

T = TypeVar("T")

DEFAULT_TIMEOUT = 5.0
DEFAULT_CONNECT_TIMEOUT = 2.0
DEFAULT_BODY_LIMIT = 8 << 20
DEFAULT_SILENCE = 45.0
_FEEDS_MAX = 255


class AsyncClient:
    """A client of one network over any number of endpoints, on asyncio or trio.

    Every call tries the endpoints in turn, from the one that answered last, until one gives an authentic answer that is
    about what was asked.

    :param endpoints: base URLs of aggregators, such as ``https://prices.example.org``.
    :param suite: asks for updates signed in this suite, and takes no others. By default any pinned suite will do: endpoints
        answer in the network's first one, and a client whose verifier lacks an Ed25519 key asks for what it has.
    :param timeout: how long one endpoint may take for a whole answer, in seconds.
    :param connect_timeout: how long a connection may take, in seconds.
    :param body_limit: the longest answer that is read, in bytes.
    :param silence: a stream that says nothing for so many seconds, not even a comment, is dead.
    :param ssl_context: for endpoints whose certificates are not of a public authority.
    """

    def __init__(
        self,
        verifier: Verifier,
        endpoints: Sequence[str],
        *,
        suite: Suite | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        body_limit: int = DEFAULT_BODY_LIMIT,
        silence: float = DEFAULT_SILENCE,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(endpoints, str) or not endpoints:
            raise ArgumentError("config", "endpoints: give a list of at least one URL")
        if min(timeout, connect_timeout, body_limit, silence) <= 0:
            raise ArgumentError("config", "timeouts and body_limit must be above 0")
        if not isinstance(suite, Suite | None):
            raise ArgumentError("config", "suite: must be a Suite")
        self._endpoints = [base_url(text) for text in endpoints]
        self._verifier = verifier
        self._suite = _suite_to_ask(verifier) if suite is None else suite
        self._timeout = timeout
        self._silence = silence
        self._preferred = 0
        self._transport = Transport(
            user_agent=f"touchstone-client-python/{__version__}",
            connect_timeout=connect_timeout,
            body_limit=body_limit,
            ssl_context=ssl_context,
        )

    @property
    def verifier(self) -> Verifier:
        """The verifier."""
        return self._verifier

    async def price(self, feed: str, policy: Policy) -> VerifiedPrice:
        """Return a feed's price; an endpoint whose answer the policy refuses is passed over as well.

        :raises AllFailedError: with every endpoint's reason.
        """
        return (await self.prices([feed], policy))[feed]

    async def prices(self, feeds: Iterable[str], policy: Policy) -> dict[str, VerifiedPrice]:
        """Return the prices of several feeds, all of one round.

        :raises AllFailedError: with every endpoint's reason.
        """
        names = _feed_list(feeds)

        async def ask(base: str) -> dict[str, VerifiedPrice]:
            update = await self._latest_from(base, names)
            return {feed: update.price(feed, policy) for feed in names}

        return await self._first(ask)

    async def latest(self, feeds: Iterable[str]) -> VerifiedUpdate:
        """Return the latest update of these feeds, under one signature.

        :raises AllFailedError: with every endpoint's reason.
        """
        names = _feed_list(feeds)

        async def ask(base: str) -> VerifiedUpdate:
            return await self._latest_from(base, names)

        return await self._first(ask)

    async def around(self, feed: str, instant_ms: int) -> tuple[VerifiedUpdate, VerifiedUpdate]:
        """Return the last update of a feed at or before an instant (Unix milliseconds) and the next one after it.

        :raises AllFailedError: with every endpoint's reason; among them pairs that do not stand around the instant.
        """
        names = _feed_list([feed])

        async def ask(base: str) -> tuple[VerifiedUpdate, VerifiedUpdate]:
            url = self._in_suite(f"{base}v1/feeds/{feed}/at?timestamp_ms={instant_ms:d}")
            answer = read_object(await self._transport.get(url))
            before = self._accept(update_of(answer.get("before")), names)
            if answer.get("after") is None:
                raise AnswerError("no-next-yet", "no update after this instant has been signed yet: ask again in a moment")
            after = self._accept(update_of(answer["after"]), names)
            verify_at(before, after, instant_ms)
            return before, after

        return await self._first(ask)

    def watch(self, feeds: Iterable[str], *, after: int | None = None) -> AsyncWatch:
        """Return a stream of verified updates of these feeds, from the next one on, or from the one after round ``after``."""
        return AsyncWatch(self, _feed_list(feeds), after)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _first(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """Try every endpoint once, from the preferred one on."""
        errors: list[EndpointError] = []
        count = len(self._endpoints)
        for index in ((self._preferred + i) % count for i in range(count)):
            base = self._endpoints[index]
            try:
                answer = await self._within_timeout(ask(base))
            except TouchstoneError as error:
                errors.append(EndpointError(base, error))
            else:
                self._preferred = index
                return answer
        raise AllFailedError(errors)

    async def _within_timeout(self, answer: Awaitable[T]) -> T:
        with anyio.move_on_after(self._timeout):
            return await answer
        raise AnswerError("transport", f"no whole answer within {self._timeout:g} s")

    async def _latest_from(self, base: str, feeds: Sequence[str]) -> VerifiedUpdate:
        path = f"v1/feeds/{feeds[0]}/latest" if len(feeds) == 1 else f"v1/updates/latest?feeds={','.join(feeds)}"
        answer = read_object(await self._transport.get(self._in_suite(base + path)))
        return self._accept(update_of(answer), feeds)

    def _in_suite(self, url: str) -> str:
        """Return the URL that asks for the suite that is wanted, if there is one."""
        return url if self._suite is None else f"{url}{'&' if '?' in url else '?'}suite={self._suite}"

    def _accept(self, data: bytes, feeds: Sequence[str]) -> VerifiedUpdate:
        """Verify bytes and check that they are in the suite, and hold every feed, that was asked for."""
        update = self._verifier.verify(data)
        if self._suite not in (None, update.suite):
            raise AnswerError("other-suite", f"asked for a signature in {self._suite}, got one in {update.suite}")
        for feed in feeds:
            if update.status(feed) is None:
                raise AnswerError("other-feed", f"asked for {feed}, the answer does not hold it")
        return update

    def _endpoint(self, attempt: int) -> str:
        """Return the endpoint to stream from at the ``attempt``-th attempt."""
        return self._endpoints[(self._preferred + attempt) % len(self._endpoints)]

    async def _open_stream(self, base: str, feeds: Sequence[str], after: int | None) -> httpx.Response:
        headers = {"accept": "text/event-stream"}
        if after is not None:
            headers["last-event-id"] = str(after)
        url = self._in_suite(f"{base}v1/stream?feeds={','.join(feeds)}")
        return await self._within_timeout(self._transport.open(url, headers))


def _suite_to_ask(verifier: Verifier) -> Suite | None:
    """Return the lowest pinned suite, unless it is Ed25519: endpoints answer in the network's first one by themselves."""
    lowest = verifier.suites[0]
    return None if lowest is Suite.ED25519 else lowest


def _feed_list(feeds: Iterable[str]) -> tuple[str, ...]:
    if isinstance(feeds, str):
        raise ArgumentError("invalid-argument", "feeds: give a list of names")
    names = tuple(dict.fromkeys(check_feed_name(feed) for feed in feeds))
    if not 1 <= len(names) <= _FEEDS_MAX:
        raise ArgumentError("invalid-argument", f"feeds: give 1 to {_FEEDS_MAX}")
    return names
