"""JSON that is read strictly, and its canonical form (RFC 8785)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

#: Reads one value at a place, for the text of errors, and returns its normal form; raises ValueError.
Shape = Callable[[Any, str], Any]
_INTEGER_DIGITS_MAX = 20


def loads(data: bytes, *, other_numbers: bool = False) -> Any:
    """Read JSON, and refuse what readers disagree on: repeated keys and numbers that are no integers.

    :param other_numbers: give None for other numbers instead, where what is not looked at may hold any.
    :raises ValueError: whatever is wrong with it.
    """
    number = _skip_number if other_numbers else _refuse_number
    text = data.decode("utf-8")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=lambda text: int(text) if _is_integer(text) else number(text),
            parse_float=number,
            parse_constant=_refuse_number,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a value of ASCII keys, text, integers, lists and null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _is_integer(text: str) -> bool:
    return len(text) <= _INTEGER_DIGITS_MAX and text != "-0"


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text[:40]} is no integer in range")


def _skip_number(_: str) -> None:
    return None


def integer(low: int, high: int) -> Shape:
    """Return the shape of an integer."""

    def read(value: Any, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{place}: must be an integer from {low} to {high}")
        return value

    return read


def text(value: Any, place: str) -> str:
    """Read text without lone surrogates."""
    if not isinstance(value, str):
        raise ValueError(f"{place}: must be text")
    value.encode("utf-8")
    return value


def matching(test: Callable[[str], bool], what: str) -> Shape:
    """Return the shape of text that passes a test."""

    def read(value: Any, place: str) -> str:
        if not test(text(value, place)):
            raise ValueError(f"{place}: must be {what}")
        return str(value)

    return read


def hexadecimal(count: int | None = None) -> Shape:
    """Return the shape of bytes as hexadecimal text; the normal form is lower-case."""

    def read(value: Any, place: str) -> str:
        digits = text(value, place)
        if digits.strip("0123456789abcdefABCDEF") or len(digits) % 2 or count not in (None, len(digits) // 2):
            raise ValueError(f"{place}: must be {'' if count is None else f'{count} '}bytes in hexadecimal")
        return digits.lower()

    return read


def optional(shape: Shape) -> Shape:
    """Return the shape of a value or null."""
    return lambda value, place: None if value is None else shape(value, place)


def array(shape: Shape) -> Shape:
    """Return the shape of a list."""

    def read(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError(f"{place}: must be a list")
        return [shape(item, f"{place}[{i}]") for i, item in enumerate(value)]

    return read


def record(members: Mapping[str, Shape], **defaults: Any) -> Shape:
    """Return the shape of an object with exactly these members, of which those with a default may be missing."""

    def read(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"{place}: must be an object")
        unknown = value.keys() - members.keys()
        missing = members.keys() - value.keys() - defaults.keys()
        if unknown or missing:
            raise ValueError(f"{place}: unknown {sorted(unknown)}, missing {sorted(missing)}")
        return {
            name: shape(value[name], f"{place}.{name}" if place else name) if name in value else defaults[name]
            for name, shape in members.items()
        }

    return read
