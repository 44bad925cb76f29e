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
import {Leaf, LeafFields} from "./Leaf.sol";
import {StatusBits} from "./StatusBits.sol";
import {VerifiedUpdate} from "./VerifiedUpdate.sol";

/// @title Price updates
/// @notice version u8 = 1 | suite u8 | statement without its first 16 bytes (118) | signature (64 or 96) | count u8 |
/// count * ( leaf (92) | leaf_index u16 | path_len u8 | path_len * 32 ), as docs/attestation.md has it. Everything is big-endian.
/// @dev Places are places in the calldata. Nothing behind the end of the update is ever taken for a part of it.
library TouchstoneVerifier {
    uint256 private constant VERSION = 1;
    uint256 private constant ED25519 = 1;
    uint256 private constant SECP256K1_KECCAK = 2;

    // Where the fields are, from the beginning of the update.
    uint256 private constant SUITE = 1;
    uint256 private constant NETWORK_ID = 2;
    uint256 private constant FEED_COUNT = 54;
    uint256 private constant FEEDS_ROOT = 56;
    uint256 private constant SIGNATURE = 120;
    // And from the beginning of an entry, which is a leaf's.
    uint256 private constant LEAF_INDEX = 92;
    uint256 private constant PATH_LENGTH = 94;
    uint256 private constant PATH = 95;

    /// @dev The first bytes of every statement.
    bytes16 private constant MAGIC = "touchstone/att/1";

    /// @notice Verifies an update: its form from the first byte to the last, the network, the suite, the signature and the
    /// inclusion of every leaf, in this order. Reverts with the first of these that fails.
    /// @param update The bytes.
    /// @param networkId The network that is pinned.
    /// @param keyTag Its group key of suite 2, as `FrostSecp256k1.readKey` gives it.
    /// @param keyX The same.
    function verify(bytes calldata update, bytes32 networkId, uint256 keyTag, uint256 keyX)
        internal
        view
        returns (VerifiedUpdate)
    {
        (uint256 start, uint256 end) = _bounds(update);
        // A leaf that is not under the root is reported only if everything before it is in order.
        (uint256 suite, Leaf stray) = _readForm(start, end);
        bytes32 got = _word(start + NETWORK_ID);
        if (got != networkId) revert WrongNetwork(got);
        if (suite != SECP256K1_KECCAK) revert UnsupportedSuite(suite);
        if (!_isSigned(start + SIGNATURE, _statementDigest(start), keyTag, keyX)) revert BadSignature();
        if (Leaf.unwrap(stray) != 0) revert Inclusion(stray.feed(), _uint16(Leaf.unwrap(stray) + LEAF_INDEX));
        return VerifiedUpdate.wrap(start);
    }

    /// @dev Reverts unless the bytes are one update in form. `stray` is the first leaf that is not under the signed root, or 0.
    function _readForm(uint256 start, uint256 end) private view returns (uint256 suite, Leaf stray) {
        unchecked {
            if (end == start) revert Truncated();
            uint256 version = _uint8(start);
            if (version != VERSION) revert UnknownVersion(version);
            if (end - start == SUITE) revert Truncated();
            suite = _uint8(start + SUITE);
            if (suite != SECP256K1_KECCAK && suite != ED25519) revert UnknownSuite(suite);
            uint256 place = start + SIGNATURE + (suite == ED25519 ? 64 : 96);
            if (place >= end) revert Truncated();
            uint256 count = _uint8(place);
            if (count == 0) revert NoEntries();
            ++place;

            uint256 feedCount = _uint16(start + FEED_COUNT);
            bytes32 feedsRoot = _word(start + FEEDS_ROOT);
            // One more than the index before.
            uint256 least = 0;
            for (; count != 0; --count) {
                Leaf leaf = Leaf.wrap(place);
                (uint256 index, uint256 next) = _readEntry(leaf, end, feedCount);
                if (index < least) revert LeafOrder(index);
                least = index + 1;
                bytes32 root = FeedsTree.rootAbove(leaf, index, feedCount - 1, place + PATH);
                if (root != feedsRoot && Leaf.unwrap(stray) == 0) stray = leaf;
                place = next;
            }
            if (place != end) revert TrailingBytes(end - place);
        }
    }

    /// @dev The form of an entry: the leaf's index, and where the entry ends.
    function _readEntry(Leaf leaf, uint256 end, uint256 feedCount) private pure returns (uint256 index, uint256 next) {
        unchecked {
            uint256 place = Leaf.unwrap(leaf);
            uint256 left = end - place;
            if (left < LeafFields.BYTES) _revertCutOff(leaf, left);
            if (!FeedName.isValid(leaf.feed()) || !leaf.isValid()) revert InvalidLeaf();
            if (left < PATH) revert Truncated();
            index = _uint16(place + LEAF_INDEX);
            if (index >= feedCount) revert LeafIndex(index, feedCount);
            uint256 length = _uint8(place + PATH_LENGTH);
            uint256 expected = FeedsTree.pathLength(index, feedCount - 1);
            if (length != expected) revert PathLength(index, length, expected);
            next = place + PATH + 32 * length;
            if (next > end) revert Truncated();
        }
    }

    /// @dev A leaf that is cut off. What is wrong in the fields that are whole counts before their end.
    function _revertCutOff(Leaf leaf, uint256 left) private pure {
        if (left >= 32 && !FeedName.isValid(leaf.feed())) revert InvalidLeaf();
        if (left >= 33 && !StatusBits.isKnown(leaf.status())) revert InvalidLeaf();
        revert Truncated();
    }

    function _isSigned(uint256 signature, bytes32 digest, uint256 keyTag, uint256 keyX) private pure returns (bool) {
        unchecked {
            uint256 rx = uint256(_word(signature));
            uint256 ry = uint256(_word(signature + 32));
            uint256 z = uint256(_word(signature + 64));
            return FrostSecp256k1.verify(keyTag, keyX, digest, rx, ry, z);
        }
    }

    /// @dev SHA-256 of the statement's 134 bytes: what the group signs.
    function _statementDigest(uint256 start) private view returns (bytes32 digest) {
        bool ok;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, MAGIC)
            calldatacopy(add(m, 16), add(start, NETWORK_ID), 118)
            ok := staticcall(gas(), 2, m, 134, 0, 32)
            ok := and(ok, eq(returndatasize(), 32))
            digest := mload(0)
        }
        if (!ok) revert Sha256Failed();
    }

    function _bounds(bytes calldata update) private pure returns (uint256 start, uint256 end) {
        assembly {
            start := update.offset
            end := add(start, update.length)
        }
    }

    function _word(uint256 place) private pure returns (bytes32 value) {
        assembly {
            value := calldataload(place)
        }
    }

    function _uint8(uint256 place) private pure returns (uint256 value) {
        assembly {
            value := byte(0, calldataload(place))
        }
    }

    function _uint16(uint256 place) private pure returns (uint256 value) {
        assembly {
            value := shr(240, calldataload(place))
        }
    }
}
