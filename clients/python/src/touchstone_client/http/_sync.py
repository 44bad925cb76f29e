"""The blocking client: the async one on a thread of its own, so that time-outs hold for whole answers."""

from __future__ import annotations

import asyncio
import ssl
import threading
import weakref
from collections.abc import Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from touchstone_client.errors import ArgumentError
from touchstone_client.http import _async
from touchstone_client.http._watch import AsyncWatch, WatchEvent
from touchstone_client.policy import Policy, VerifiedPrice
from touchstone_client.suite import Suite
from touchstone_client.verifier import VerifiedUpdate, Verifier

T = TypeVar("T")


async def _end_others() -> None:
    """Wake the threads that still wait for an answer."""
    # What is about to end by itself (generators of answers that were not read to their end) may do so.
    await _settle()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await _settle()


async def _settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class _Loop:
    """An event loop on a daemon thread, so that a client nobody closed does not keep its process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="touchstone-client", daemon=True)
        self._thread.start()
        self._stop = weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        loop.run_forever()
        loop.run_until_complete(_end_others())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; whoever interrupts the wait cancels it."""
        if not self._stop.alive:
            work.close()
            raise ArgumentError("config", "the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Run one last coroutine and end the thread. A second call does nothing."""
        if not self._stop.alive:
            last.close()
            return
        try:
            self.call(last)
        finally:
            self._stop()
            self._thread.join()


class Client:
    """A blocking client of one network over any number of endpoints; threads may share it.

    It takes what :class:`AsyncClient` takes, and its methods do the same.
    """

    def __init__(
        self,
        verifier: Verifier,
        endpoints: Sequence[str],
        *,
        suite: Suite | None = None,
        timeout: float = _async.DEFAULT_TIMEOUT,
        connect_timeout: float = _async.DEFAULT_CONNECT_TIMEOUT,
        body_limit: int = _async.DEFAULT_BODY_LIMIT,
        silence: float = _async.DEFAULT_SILENCE,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._client = _async.AsyncClient(
            verifier,
            endpoints,
            suite=suite,
            timeout=timeout,
            connect_timeout=connect_timeout,
            body_limit=body_limit,
            silence=silence,
            ssl_context=ssl_context,
        )
        self._loop = _Loop()

    @property
    def verifier(self) -> Verifier:
        """The verifier."""
        return self._client.verifier

    def price(self, feed: str, policy: Policy) -> VerifiedPrice:
        """Return a feed's price; an endpoint whose answer the policy refuses is passed over as well.

        :raises AllFailedError: with every endpoint's reason.
        """
        return self._loop.call(self._client.price(feed, policy))

    def prices(self, feeds: Iterable[str], policy: Policy) -> dict[str, VerifiedPrice]:
        """Return the prices of several feeds, all of one round.

        :raises AllFailedError: with every endpoint's reason.
        """
        return self._loop.call(self._client.prices(feeds, policy))

    def latest(self, feeds: Iterable[str]) -> VerifiedUpdate:
        """Return the latest update of these feeds, under one signature.

        :raises AllFailedError: with every endpoint's reason.
        """
        return self._loop.call(self._client.latest(feeds))

    def around(self, feed: str, instant_ms: int) -> tuple[VerifiedUpdate, VerifiedUpdate]:
        """Return the last update of a feed at or before an instant (Unix milliseconds) and the next one after it.

        :raises AllFailedError: with every endpoint's reason; among them pairs that do not stand around the instant.
        """
        return self._loop.call(self._client.around(feed, instant_ms))

    def watch(self, feeds: Iterable[str], *, after: int | None = None) -> Watch:
        """Return a stream of verified updates of these feeds, from the next one on, or from the one after round ``after``."""
        return Watch(self._client.watch(feeds, after=after), self._loop)

    def close(self) -> None:
        """Close every connection and end the client's thread."""
        self._loop.stop(self._client.aclose())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Watch:
    """A watch of some feeds, without end: ``for event in watch``. See :class:`AsyncWatch`."""

    def __init__(self, watch: AsyncWatch, loop: _Loop) -> None:
        self._watch = watch
        self._loop = loop

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> WatchEvent:
        return self.next()

    def next(self) -> WatchEvent:
        """Return the next event. There is always another one."""
        return self._loop.call(self._watch.next())

    def close(self) -> None:
        """Close the connection."""
        self._loop.call(self._watch.aclose())

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
