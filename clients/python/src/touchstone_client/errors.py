"""Errors. Each has a stable ``code``, the same in every client and contract."""

from __future__ import annotations


class TouchstoneError(Exception):
    """What every error of this package is.

    ``code`` is stable and meant for programs; the text is meant for people and may change.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class VerifyError(TouchstoneError):
    """Bytes are not a price update that the pinned network signed."""


class GroupKeyError(TouchstoneError):
    """A group key must not be pinned."""


class PinError(TouchstoneError):
    """A pin is broken in its form, its chain or its signatures."""


class PolicyError(TouchstoneError):
    """An authentic update gives no price under the caller's policy."""


class ArgumentError(TouchstoneError, ValueError):
    """An argument that no caller may give, such as a feed name that no feed can have."""
