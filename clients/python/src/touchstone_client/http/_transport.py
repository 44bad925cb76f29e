"""Requests with bounds on everything: time, bytes, redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from touchstone_client.errors import ArgumentError
from touchstone_client.http._answers import malformed, problem_of, shown
from touchstone_client.http._errors import AnswerError

PROBLEM_BYTES_MAX = 16 * 1024
_REDIRECTS_MAX = 3
_SCHEMES = ("http", "https")


def base_url(text: str) -> str:
    """Return an endpoint's base URL with a slash at its end."""
    try:
        url = httpx.URL(text.rstrip("/") + "/")
    except (AttributeError, TypeError, httpx.InvalidURL):
        raise ArgumentError("config", f"endpoint {text!r}: not a URL") from None
    if url.scheme not in _SCHEMES or not url.host or url.query or url.fragment:
        raise ArgumentError("config", f"endpoint {text!r}: must be an http or https URL without a query")
    return str(url)


class Transport:
    """An HTTP client. Whole answers are timed by the caller, who cancels."""

    def __init__(self, *, user_agent: str, connect_timeout: float, body_limit: int, ssl_context: ssl.SSLContext | None) -> None:
        self._body_limit = body_limit
        self._http = httpx.AsyncClient(
            # Compressed answers could unpack to any size.
            headers={"user-agent": user_agent, "accept-encoding": "identity"},
            timeout=httpx.Timeout(None, connect=connect_timeout),
            follow_redirects=False,
            verify=True if ssl_context is None else ssl_context,
        )

    async def get(self, url: str) -> bytes:
        """Return the body of a whole answer."""
        response = await self.open(url, {"accept": "application/json"})
        try:
            return await self.read(response, self._body_limit)
        finally:
            await response.aclose()

    async def open(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """Return an answer whose body is still to be read; the caller closes it."""
        try:
            request = self._http.build_request("GET", url, headers=dict(headers))
            for _ in range(_REDIRECTS_MAX + 1):
                response = await self._http.send(request, stream=True)
                following = response.next_request
                if following is None:
                    break
                await response.aclose()
                refused = following.url.scheme not in _SCHEMES or (
                    request.url.scheme == "https" and following.url.scheme != "https"
                )
                if refused:
                    raise AnswerError("transport", "redirected to where it must not be")
                request = following
            else:
                raise AnswerError("transport", f"more than {_REDIRECTS_MAX} redirects")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise transport_error(error) from error
        if not response.is_success:
            try:
                body = await self.read(response, PROBLEM_BYTES_MAX)
            except AnswerError:
                body = b""
            finally:
                await response.aclose()
            raise problem_of(response.status_code, response.reason_phrase, body)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise malformed("compressed, which was not asked for")
        return response

    async def read(self, response: httpx.Response, limit: int) -> bytes:
        """Return a body of at most ``limit`` bytes."""
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                if len(body) + len(chunk) > limit:
                    raise AnswerError("too-long", f"the answer is longer than {limit} bytes")
                body += chunk
        except httpx.HTTPError as error:
            raise transport_error(error) from error
        return bytes(body)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def transport_error(error: Exception) -> AnswerError:
    return AnswerError("transport", shown(str(error)) or type(error).__name__)
