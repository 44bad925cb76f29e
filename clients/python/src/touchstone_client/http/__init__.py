"""Fetching updates from aggregators, none of which is trusted.

An aggregator can withhold, delay or send garbage; it cannot make a client accept a price that the pinned network did not
sign, one of another feed, or an older one than the policy allows. Of an answer's JSON only ``update`` is read, and what it
holds is verified. Needs the extra ``http``: ``pip install 'touchstone-client[http]'``.
"""

from touchstone_client.http._async import AsyncClient
from touchstone_client.http._errors import AllFailedError, AnswerError, EndpointError
from touchstone_client.http._sync import Client, Watch
from touchstone_client.http._watch import AsyncWatch, Gap, Interrupted, Update, WatchEvent

__all__ = [
    "AllFailedError",
    "AnswerError",
    "AsyncClient",
    "AsyncWatch",
    "Client",
    "EndpointError",
    "Gap",
    "Interrupted",
    "Update",
    "Watch",
    "WatchEvent",
]
