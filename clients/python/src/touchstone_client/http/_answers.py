"""The parts of the API's JSON that the client reads. Whatever is not here is not looked at."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from typing import Any

from touchstone_client import _json
from touchstone_client.http._errors import AnswerError

_TEXT_SHOWN_MAX = 200
_ROUND = _json.integer(0, 2**64 - 1)


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        value = _json.loads(body, other_numbers=True)
    except ValueError as error:
        raise malformed(str(error)) from None
    if not isinstance(value, dict):
        raise malformed("not a JSON object")
    return value


def update_of(answer: Any) -> bytes:
    """Return the binary update in an answer."""
    if not isinstance(answer, dict):
        raise malformed("not a JSON object")
    text = answer.get("update")
    if not isinstance(text, str):
        raise malformed("update: must be Base64 text")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise malformed(f"update: {error}") from None
    # The decoder takes set bits behind the last byte.
    if base64.b64encode(data).decode("ascii") != text:
        raise malformed("update: not canonical Base64")
    return data


def gap_of(answer: dict[str, Any]) -> tuple[int, int]:
    """Return the first and the last round of a gap."""
    try:
        return _ROUND(answer.get("from"), "gap.from"), _ROUND(answer.get("to"), "gap.to")
    except ValueError as error:
        raise malformed(str(error)) from None


def problem_of(status: int, reason: str, body: bytes) -> AnswerError:
    """Return the error of an HTTP status, with the code of its problem document (RFC 9457) where there is one."""
    try:
        problem = read_object(body)
    except AnswerError:
        problem = {}
    texts = {name: text for name, text in problem.items() if isinstance(text, str)}
    code = shown(texts.get("code", "http"))
    detail = shown(texts.get("detail", texts.get("title", reason)))
    return AnswerError(code, f"HTTP {status}: {code}: {detail}", status)


def malformed(why: str) -> AnswerError:
    """Return the error of an answer that is not what the API says."""
    return AnswerError("malformed", f"the answer is malformed: {shown(why)}")


def shown(text: str) -> str:
    """Return a server's text without what could confuse a terminal."""
    visible = (c for c in text[: 4 * _TEXT_SHOWN_MAX] if unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(visible)[:_TEXT_SHOWN_MAX]
