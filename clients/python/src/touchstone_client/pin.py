"""The pin: what a consumer keeps of a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

from touchstone_client import _ed25519, _json
from touchstone_client._manifest import (
    MANIFEST,
    RECORD,
    Json,
    check_manifest,
    check_record,
    manifest_hash,
    record_digest,
)
from touchstone_client.errors import PinError
from touchstone_client.group import GroupKey

if TYPE_CHECKING:
    import os

_PIN = _json.record(
    {
        "genesis_manifest": MANIFEST,
        "genesis_record": RECORD,
        "later": _json.array(_json.record({"manifest": MANIFEST, "record": RECORD})),
    },
    later=[],
)
_MEMBER_TAG = b"touchstone/eid/1"


@final
class Pin:
    """``network.json``: the genesis manifest and epoch record, and any later ones.

    :meth:`from_json` checks the forms and that the manifests are a chain of hashes. The signatures are checked when a
    verifier is made of it, and the group keys with them.
    """

    __slots__ = ("_epochs", "_network_id")

    def __init__(self, text: bytes | str) -> None:
        try:
            pin = _PIN(_json.loads(text.encode() if isinstance(text, str) else text), "")
            self._epochs: list[tuple[Json, Json]] = [(pin["genesis_manifest"], pin["genesis_record"])]
            self._epochs += [(epoch["manifest"], epoch["record"]) for epoch in pin["later"]]
            self._check_chain()
        except ValueError as error:
            raise PinError("bad-pin", f"not a pin: {error}") from None
        self._network_id = manifest_hash(self._epochs[0][0])

    @classmethod
    def from_json(cls, text: bytes | str) -> Pin:
        """Read and check a pin."""
        return cls(text)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pin:
        """Read and check the pin in a file."""
        return cls(Path(path).read_bytes())

    @property
    def network_id(self) -> bytes:
        """The network's id: the hash of its genesis manifest."""
        return self._network_id

    @property
    def network(self) -> str:
        """The network's name, for people. It is in the newest manifest and proves nothing."""
        return str(self._epochs[-1][0]["network"])

    @property
    def epoch(self) -> int:
        """The newest epoch that the pin knows."""
        return int(self._epochs[-1][0]["epoch"])

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feeds of the newest manifest."""
        return tuple(feed["name"] for feed in self._epochs[-1][0]["feeds"])

    def checked_keys(self) -> list[GroupKey]:
        """Return the group keys, after every signature in the pin was checked.

        :raises GroupKeyError: a key that must not be pinned.
        :raises PinError: ``bad-epoch-signature`` or ``bad-member-signature``.
        """
        keys = [GroupKey(entry["suite"], entry["group_key"]) for entry in self._epochs[0][1]["keys"]]
        for manifest, record in self._epochs:
            for key in keys:
                _check_group_signature(key, manifest["epoch"], record)
        _check_member_signatures(*self._epochs[0])
        return keys

    def _check_chain(self) -> None:
        before: Json | None = None
        for manifest, record in self._epochs:
            epoch = manifest["epoch"]
            try:
                check_manifest(manifest)
                check_record(record, manifest)
            except ValueError as error:
                raise ValueError(f"epoch {epoch}: {error}") from None
            if epoch != (0 if before is None else before["epoch"] + 1):
                raise ValueError(f"epoch {epoch}: epochs must start at 0 and follow each other")
            if manifest["previous"] != (None if before is None else manifest_hash(before).hex()):
                raise ValueError(f"epoch {epoch}: its manifest names another one before it")
            if list(_group_keys(record)) != list(_group_keys(self._epochs[0][1])):
                raise ValueError(f"epoch {epoch}: its group keys are not those of genesis")
            before = manifest

    def __repr__(self) -> str:
        return f"<Pin {self.network!r} network_id={self._network_id.hex()} epoch={self.epoch}>"


def _group_keys(record: Json) -> Iterator[tuple[str, str]]:
    return ((keys["suite"], keys["group_key"]) for keys in record["keys"])


def _check_group_signature(key: GroupKey, epoch: int, record: Json) -> None:
    signatures = (s["signature"] for s in record["group_signatures"] if s["suite"] == key.suite.value)
    signature = next(signatures, None)
    if signature is None:
        raise PinError("bad-epoch-signature", f"epoch {epoch}: the record lacks the group's {key.suite} signature")
    if not key._verifies_digest(record_digest(record), bytes.fromhex(signature)):
        text = f"epoch {epoch}: the {key.suite} signature on the record is not the group key's"
        raise PinError("bad-epoch-signature", text)


def _check_member_signatures(manifest: Json, record: Json) -> None:
    members, signatures = manifest["members"], record["member_signatures"]
    if len(members) != len(signatures):
        text = f"genesis record: {len(signatures)} members' signatures, must be {len(members)}"
        raise PinError("bad-member-signature", text)
    message = _MEMBER_TAG + record_digest(record)
    for member, signature in zip(members, signatures, strict=True):
        key = bytes.fromhex(member["identity"])
        if not _ed25519.is_prime_order_key(key) or not _ed25519.verify_zip215(key, message, bytes.fromhex(signature)):
            text = f"genesis record: the signature of member {member['id']} is not its identity's"
            raise PinError("bad-member-signature", text)
