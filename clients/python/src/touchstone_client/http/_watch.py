"""A stream of verified updates that survives its connections."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import anyio
import httpx

from touchstone_client.errors import TouchstoneError
from touchstone_client.http import _sse
from touchstone_client.http._answers import gap_of, read_object, shown, update_of
from touchstone_client.http._errors import AnswerError, EndpointError
from touchstone_client.http._transport import transport_error
from touchstone_client.verifier import VerifiedUpdate

if TYPE_CHECKING:
    from touchstone_client.http._async import AsyncClient

_BACKOFF_FIRST = 0.25
_BACKOFF_MAX = 10.0
_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class Update:
    """A verified update that holds at least one feed that was asked for in a round not seen before."""

    update: VerifiedUpdate


@dataclass(frozen=True, slots=True)
class Gap:
    """The endpoint says that it has no signed round in this range. It is a claim."""

    first_round: int
    last_round: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A connection failed, ended, or an endpoint sent what does not verify; the watch goes on with the next endpoint."""

    error: EndpointError
    #: How long the watch waits before it connects again, in seconds.
    retry_in: float


WatchEvent = Update | Gap | Interrupted


class AsyncWatch:
    """A watch of some feeds, without end: ``async for event in watch``.

    Rounds of a feed come in strictly ascending order. Where it resumes is decided by the rounds that it verified, not by the
    ids that the stream claims. It is for one task at a time.
    """

    def __init__(self, client: AsyncClient, feeds: Sequence[str], after: int | None) -> None:
        self._client = client
        self._feeds = feeds
        self._start_after = after
        self._seen: dict[str, int] = {}
        self._attempt = 0
        self._failures = 0
        self._pause = 0.0
        self._stream: _Stream | None = None

    def __aiter__(self) -> AsyncWatch:
        return self

    async def __anext__(self) -> WatchEvent:
        return await self.next()

    async def next(self) -> WatchEvent:
        """Return the next event. There is always another one."""
        while True:
            pause, self._pause = self._pause, 0.0
            if pause:
                await anyio.sleep(pause)
            base = self._client._endpoint(self._attempt)
            try:
                if self._stream is None:
                    response = await self._client._open_stream(base, self._feeds, self._resume_after())
                    self._stream = _Stream(response, self._client._silence)
                told = self._take(await self._stream.next())
            except TouchstoneError as error:
                return await self._interrupted(EndpointError(base, error))
            self._failures = 0
            if told is not None:
                return told

    async def aclose(self) -> None:
        """Close the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    async def __aenter__(self) -> AsyncWatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _resume_after(self) -> int | None:
        """Return the round after which every feed's updates are still wanted."""
        if all(feed in self._seen for feed in self._feeds):
            return min(self._seen.values())
        return self._start_after

    def _take(self, event: _sse.Event) -> WatchEvent | None:
        if event.kind == "price":
            return self._take_price(event.data)
        if event.kind == "gap":
            return Gap(*gap_of(read_object(event.data.encode())))
        if event.kind == "cut-off":
            try:
                reason = read_object(event.data.encode()).get("code")
            except AnswerError:
                reason = None
            text = shown(reason) if isinstance(reason, str) else "no reason given"
            raise AnswerError("transport", f"the endpoint cut the stream off: {text}")
        # A kind that later servers may add.
        return None

    def _take_price(self, data: str) -> Update | None:
        update = self._client._accept(update_of(read_object(data.encode())), ())
        asked = [feed for feed in update.feeds if feed in self._feeds]
        if not asked:
            raise AnswerError("other-feed", f"asked for {self._feeds[0]}, the answer does not hold it")
        fresh = False
        for feed in asked:
            last = self._seen.get(feed, self._start_after)
            if last is None or update.round > last:
                self._seen[feed] = update.round
                fresh = True
        return Update(update) if fresh else None

    async def _interrupted(self, error: EndpointError) -> Interrupted:
        await self.aclose()
        self._attempt += 1
        self._pause = min(_BACKOFF_FIRST * 2 ** min(self._failures, _DOUBLINGS_MAX), _BACKOFF_MAX)
        self._failures += 1
        return Interrupted(error, self._pause)


class _Stream:
    def __init__(self, response: httpx.Response, silence: float) -> None:
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.aiter_raw()
        self._silence = silence
        self._parser = _sse.Parser()
        self._ready: deque[_sse.Event] = deque()

    async def next(self) -> _sse.Event:
        while not self._ready:
            self._ready.extend(self._parser.push(await self._chunk()))
        return self._ready.popleft()

    async def _chunk(self) -> bytes:
        with anyio.move_on_after(self._silence):
            try:
                return await self._chunks.__anext__()
            except StopAsyncIteration:
                raise AnswerError("transport", "the stream ended") from None
            except httpx.HTTPError as error:
                raise transport_error(error) from error
        raise AnswerError("transport", "the stream fell silent")

    async def aclose(self) -> None:
        await self._response.aclose()
