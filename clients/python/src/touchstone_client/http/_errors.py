"""Why no endpoint gave a usable answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from touchstone_client.errors import PolicyError, TouchstoneError, VerifyError


class AnswerError(TouchstoneError):
    """One endpoint gave no answer, or none that is about what was asked.

    ``status`` is the HTTP status where that is what is wrong; ``code`` is then the endpoint's own.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.status = status


@dataclass(frozen=True, slots=True)
class EndpointError:
    """One endpoint and what is wrong with its answer."""

    #: The endpoint's base URL.
    endpoint: str
    #: An :class:`AnswerError`, or the verifier's or the policy's refusal.
    error: TouchstoneError

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.error}"


class AllFailedError(TouchstoneError):
    """Every endpoint failed, each for its own reason, in the order in which they were tried."""

    def __init__(self, errors: Sequence[EndpointError]) -> None:
        self.errors = tuple(errors)
        text = "; ".join(str(error) for error in self.errors)
        super().__init__(self.main_cause.code, f"no endpoint gave a usable answer: {text}")

    def __reduce__(self) -> tuple[type[AllFailedError], tuple[tuple[EndpointError, ...]]]:
        return (AllFailedError, (self.errors,))

    @property
    def main_cause(self) -> TouchstoneError:
        """The error that says most: a policy's refusal of an authentic answer, then a forged answer, then the first."""
        for kind in (PolicyError, VerifyError, TouchstoneError):
            for failed in self.errors:
                if isinstance(failed.error, kind):
                    return failed.error
        raise AssertionError("there is at least one endpoint")
