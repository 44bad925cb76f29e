"""Verifies prices of a Touchstone network.

A consumer pins one network; whoever hands it a price update, over whatever way, can withhold it but cannot forge, alter or
disguise it. :mod:`touchstone_client.http` fetches updates from aggregators, none of which is trusted.
"""

from touchstone_client._update import Statement
from touchstone_client._version import __version__
from touchstone_client.errors import (
    ArgumentError,
    GroupKeyError,
    PinError,
    PolicyError,
    TouchstoneError,
    VerifyError,
)
from touchstone_client.feed import Status
from touchstone_client.group import GroupKey
from touchstone_client.pin import Pin
from touchstone_client.policy import DEFAULT_MAX_SKEW_MS, Bracket, Policy, VerifiedPrice, verify_at
from touchstone_client.suite import Suite
from touchstone_client.verifier import VerifiedUpdate, Verifier

__all__ = [
    "DEFAULT_MAX_SKEW_MS",
    "ArgumentError",
    "Bracket",
    "GroupKey",
    "GroupKeyError",
    "Pin",
    "PinError",
    "Policy",
    "PolicyError",
    "Statement",
    "Status",
    "Suite",
    "TouchstoneError",
    "VerifiedPrice",
    "VerifiedUpdate",
    "Verifier",
    "VerifyError",
    "__version__",
    "verify_at",
]
