"""Server-sent events, as the HTML standard defines them in section 9.2.6, with bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from touchstone_client.http._errors import AnswerError

#: The longest event that is read, in bytes over all its lines.
EVENT_BYTES_MAX = 1 << 20
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type, ``message`` unless the stream names one, and its data lines joined by line feeds.

    Ids are not kept: where to resume is decided by the rounds that were verified.
    """

    kind: str
    data: str


class Parser:
    """Takes bytes as they come and gives the events that are complete."""

    def __init__(self) -> None:
        self._line = bytearray()
        # The last byte was a carriage return, so that a line feed now belongs to it.
        self._after_cr = False
        self._started = False
        self._size = 0
        self._kind = ""
        self._data: list[str] = []

    def push(self, data: bytes) -> list[Event]:
        """Take the next bytes; after an error the stream is of no use."""
        if not data:
            return []
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
            if not data:
                return []
        self._after_cr = data.endswith(b"\r")
        events = []
        *complete, rest = _LINE_END.split(data)
        for piece in complete:
            self._extend(piece)
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._extend(rest)
        return events

    def _extend(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > EVENT_BYTES_MAX:
            raise AnswerError("malformed", f"an event is longer than {EVENT_BYTES_MAX} bytes")
        self._line += piece

    def _end_line(self) -> Event | None:
        line = self._line.decode("utf-8", "replace")
        self._line.clear()
        if not self._started:
            self._started = True
            line = line.removeprefix("\ufeff")
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._kind = value
        elif field == "data":
            self._data.append(value)
        # All else is a comment (no field before the colon), id, retry, or a field that is not known.
        return None

    def _dispatch(self) -> Event | None:
        kind, data = self._kind, self._data
        self._size, self._kind, self._data = 0, "", []
        return Event(kind or "message", "\n".join(data)) if data else None
