"""Server-sent events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchstone_client.http import AnswerError
from touchstone_client.http._sse import EVENT_BYTES_MAX, Event, Parser


def parse(data: bytes) -> list[tuple[str, str]]:
    return [(event.kind, event.data) for event in Parser().push(data)]


def test_examples_of_the_standard() -> None:
    assert parse(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("message", "YHOO\n+2\n10")]
    text = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert parse(text) == [("message", "first event"), ("message", "second event"), ("message", " third event")]
    assert parse(b"data\n\ndata\ndata\n\ndata:") == [("message", ""), ("message", "\n")]


def test_types_line_ends_and_a_byte_order_mark() -> None:
    text = b"\xef\xbb\xbfevent: price\r\ndata: a\r\n\r\n:\r\n\r\ndata: b\r\revent: lost\n\ndata: \xff\n\n"
    assert parse(text) == [("price", "a"), ("message", "b"), ("message", "\ufffd")]


def test_memory_is_bounded() -> None:
    for piece, size in ((b"x" * 1_000, 1_000), (b"data:abc\n", 8)):
        parser = Parser()
        for _ in range(EVENT_BYTES_MAX // size):
            parser.push(piece)
        with pytest.raises(AnswerError):
            parser.push(piece)


LINES = st.lists(
    st.tuples(
        st.sampled_from([b"id: 1", b"data: a", b"data:b", b"data", b"event:c", b":", b"x", b""]),
        st.sampled_from([b"\r", b"\n", b"\r\n"]),
    ).map(b"".join),
    max_size=20,
).map(b"".join)


@given(LINES, st.data())
def test_how_the_bytes_are_cut_does_not_matter(text: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    parser, events = Parser(), list[Event]()
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        events += parser.push(text[start:end])
    assert events == Parser().push(text)
    single = Parser()
    assert events == [event for byte in text for event in single.push(bytes((byte,)))]


@given(st.binary(max_size=500))
def test_no_bytes_crash(data: bytes) -> None:
    Parser().push(data)
