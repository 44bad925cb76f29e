"""Inclusion proofs of RFC 9162 section 2.1 over SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    """Return ``SHA-256(0x00 || data)``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def path_length(index: int, size: int) -> int | None:
    """Return the length that the proof of leaf ``index`` in a tree of ``size`` leaves must have, if there is one."""
    if not 0 <= index < size:
        return None
    last, length = size - 1, 0
    while last:
        # Only a last node without a right neighbour is carried up without a sibling.
        if index % 2 == 1 or index < last:
            length += 1
        index //= 2
        last //= 2
    return length


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash stands at ``index`` in the tree with this root (RFC 9162 section 2.1.3.2)."""
    if path_length(index, size) != len(path):
        return False
    last, digest = size - 1, leaf
    for sibling in path:
        if index % 2 == 1 or index == last:
            digest = node_hash(sibling, digest)
            while index % 2 == 0 and index:
                index //= 2
                last //= 2
        else:
            digest = node_hash(digest, sibling)
        index //= 2
        last //= 2
    return last == 0 and digest == root
