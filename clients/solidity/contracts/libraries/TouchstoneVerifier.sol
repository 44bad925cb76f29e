// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {
    BadSignature,
    Inclusion,
    InvalidLeaf,
    LeafIndex,
    LeafOrder,
    NoEntries,
    PathLength,
    Sha256Failed,
    TrailingBytes,
    Truncated,
    UnknownSuite,
    UnknownVersion,
    UnsupportedSuite,
    WrongNetwork
} from "../TouchstoneErrors.sol";
import {FeedName} from "./FeedName.sol";
import {FeedsTree} from "./FeedsTree.sol";
import {FrostSecp256k1} from "./FrostSecp256k1.sol";
import {Leaf} from "./Leaf.sol";
import {StatusBits} from "./StatusBits.sol";

/// @dev What a consumer pins: the network's name for ever, and its group key of suite 2 as `FrostSecp256k1.readKey` gives it.
struct Pin {
    bytes32 networkId;
    uint256 keyTag;
    uint256 keyX;
}

/// @dev What the group signed about a round, and where the entries of the update are. Only `TouchstoneVerifier.verify` makes one.
struct VerifiedUpdate {
    uint32 epoch;
    uint64 round;
    uint64 timestampMs;
    uint256 count;
    uint256 entries;
}

/// @title Price updates
/// @notice version u8 = 1 | suite u8 | statement without its first 16 bytes (118) | signature (64 or 96) | count u8 |
/// count * ( leaf (92) | leaf_index u16 | path_len u8 | path_len * 32 ), as docs/attestation.md has it. Everything is big-endian.
library TouchstoneVerifier {
    uint256 private constant VERSION = 1;
    uint256 private constant ED25519 = 1;
    uint256 private constant SECP256K1_KECCAK = 2;

    // Offsets of the fields.
    uint256 private constant NETWORK_ID = 2;
    uint256 private constant EPOCH = 34;
    uint256 private constant ROUND = 38;
    uint256 private constant TIMESTAMP_MS = 46;
    uint256 private constant FEED_COUNT = 54;
    uint256 private constant FEEDS_ROOT = 56;
    uint256 private constant SIGNATURE = 120;
    /// @dev leaf_index and path_len, behind the leaf.
    uint256 private constant ENTRY_HEAD = 95;

    /// @dev The first bytes of every statement.
    bytes16 private constant MAGIC = "touchstone/att/1";

    /// @notice Verifies an update: its form from the first byte to the last, the network, the suite, the signature and the
    /// inclusion of every leaf, in this order. Reverts with the first of these that fails.
    /// @param update The bytes.
    /// @param pin Whose updates are accepted.
    function verify(bytes calldata update, Pin memory pin) internal view returns (VerifiedUpdate memory verified) {
        (uint256 suite, uint256 end) = _readHead(update);
        verified.count = _uint(update, end, 1);
        if (verified.count == 0) revert NoEntries();
        unchecked {
            verified.entries = end + 1;
        }
        // Reads the form of every entry, and reports a leaf that is not included only if all the rest is in order.
        uint256 stray = _readEntries(update, verified.entries, verified.count);

        bytes32 networkId = _word(update, NETWORK_ID);
        if (networkId != pin.networkId) revert WrongNetwork(networkId);
        if (suite != SECP256K1_KECCAK) revert UnsupportedSuite(suite);
        if (!_isSigned(update, pin)) revert BadSignature();
        if (stray != 0) _revertInclusion(update, stray);

        verified.epoch = uint32(_uint(update, EPOCH, 4));
        verified.round = uint64(_uint(update, ROUND, 8));
        verified.timestampMs = uint64(_uint(update, TIMESTAMP_MS, 8));
    }

    /// @notice The entry at a position of a verified update: `entries` first, then as often as `count` says what came as `next`.
    function entryAt(bytes calldata update, uint256 position) internal pure returns (Leaf leaf, uint256 next) {
        unchecked {
            leaf = _leafAt(update, position);
            next = position + ENTRY_HEAD + 32 * _uint(update, position + 94, 1);
        }
    }

    /// @notice The first leaf of a feed in a verified update.
    function find(bytes calldata update, VerifiedUpdate memory verified, bytes32 feed)
        internal
        pure
        returns (bool found, Leaf leaf)
    {
        uint256 position = verified.entries;
        for (uint256 i = 0; i < verified.count; ++i) {
            (leaf, position) = entryAt(update, position);
            if (leaf.feed() == feed) return (true, leaf);
        }
    }

    /// @dev Everything in front of `count`; returns where that is.
    function _readHead(bytes calldata update) private pure returns (uint256 suite, uint256 end) {
        if (update.length < 1) revert Truncated();
        uint256 version = _uint(update, 0, 1);
        if (version != VERSION) revert UnknownVersion(version);
        if (update.length < 2) revert Truncated();
        suite = _uint(update, 1, 1);
        if (suite != ED25519 && suite != SECP256K1_KECCAK) revert UnknownSuite(suite);
        end = suite == ED25519 ? SIGNATURE + 64 : SIGNATURE + 96;
        if (update.length <= end) revert Truncated();
    }

    /// @dev Returns the position of the first entry whose leaf is not under the signed root, or 0.
    function _readEntries(bytes calldata update, uint256 position, uint256 count)
        private
        view
        returns (uint256 stray)
    {
        uint256 feedCount = _uint(update, FEED_COUNT, 2);
        bytes32 feedsRoot = _word(update, FEEDS_ROOT);
        // One more than the index before.
        uint256 least = 0;
        unchecked {
            for (; count != 0; --count) {
                _readLeaf(update, position);
                if (update.length < position + ENTRY_HEAD) revert Truncated();
                uint256 index = _uint(update, position + 92, 2);
                if (index >= feedCount) revert LeafIndex(index, feedCount);
                uint256 length = _uint(update, position + 94, 1);
                uint256 expected = FeedsTree.pathLength(index, feedCount - 1);
                if (length != expected) revert PathLength(index, length, expected);
                uint256 next = position + ENTRY_HEAD + 32 * length;
                if (update.length < next) revert Truncated();
                if (index < least) revert LeafOrder(index);
                least = index + 1;

                Leaf leaf = _leafAt(update, position);
                bytes32 root = FeedsTree.rootAbove(leaf, index, feedCount - 1, Leaf.unwrap(leaf) + ENTRY_HEAD);
                if (root != feedsRoot && stray == 0) stray = position;
                position = next;
            }
            if (update.length != position) revert TrailingBytes(update.length - position);
        }
    }

    /// @dev The form of a leaf. What is wrong in the bytes that are there counts before their end.
    function _readLeaf(bytes calldata update, uint256 position) private pure {
        unchecked {
            Leaf leaf = _leafAt(update, position);
            uint256 left = update.length - position;
            if (left < 32) revert Truncated();
            if (!FeedName.isValid(leaf.feed())) revert InvalidLeaf();
            if (left < 33) revert Truncated();
            if (!StatusBits.isKnown(leaf.status())) revert InvalidLeaf();
            if (left < 92) revert Truncated();
            if (!leaf.isValid()) revert InvalidLeaf();
        }
    }

    function _isSigned(bytes calldata update, Pin memory pin) private view returns (bool) {
        return FrostSecp256k1.verify(
            pin.keyTag,
            pin.keyX,
            statementDigest(update),
            uint256(_word(update, SIGNATURE)),
            uint256(_word(update, SIGNATURE + 32)),
            uint256(_word(update, SIGNATURE + 64))
        );
    }

    /// @notice SHA-256 of the statement's 134 bytes: what the group signs.
    /// @param update At least the 120 bytes up to the signature.
    function statementDigest(bytes calldata update) internal view returns (bytes32 digest) {
        bool ok;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, MAGIC)
            calldatacopy(add(m, 16), add(update.offset, NETWORK_ID), 118)
            ok := staticcall(gas(), 2, m, 134, 0, 32)
            ok := and(ok, eq(returndatasize(), 32))
            digest := mload(0)
        }
        if (!ok) revert Sha256Failed();
    }

    function _revertInclusion(bytes calldata update, uint256 position) private pure {
        unchecked {
            revert Inclusion(_leafAt(update, position).feed(), _uint(update, position + 92, 2));
        }
    }

    function _leafAt(bytes calldata update, uint256 position) private pure returns (Leaf leaf) {
        assembly {
            leaf := add(update.offset, position)
        }
    }

    /// @dev The 32 bytes at an offset. What is behind the end of the update is the caller's to avoid.
    function _word(bytes calldata update, uint256 offset) private pure returns (bytes32 word) {
        assembly {
            word := calldataload(add(update.offset, offset))
        }
    }

    /// @dev The unsigned number of `size` bytes at an offset.
    function _uint(bytes calldata update, uint256 offset, uint256 size) private pure returns (uint256) {
        unchecked {
            return uint256(_word(update, offset)) >> (256 - 8 * size);
        }
    }
}
