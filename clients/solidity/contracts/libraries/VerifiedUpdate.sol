// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Leaf} from "./Leaf.sol";

/// @dev A price update that was verified: where it begins in the calldata. Only `TouchstoneVerifier.verify` makes one, and as
/// calldata does not change, it stays verified.
type VerifiedUpdate is uint256;

using VerifiedUpdateFields for VerifiedUpdate global;

/// @title What the group signed about a round
library VerifiedUpdateFields {
    /// @notice Which manifest is in force.
    function epoch(VerifiedUpdate update) internal pure returns (uint32 value) {
        assembly {
            value := shr(224, calldataload(add(update, 34)))
        }
    }

    /// @notice The round.
    function round(VerifiedUpdate update) internal pure returns (uint64 value) {
        assembly {
            value := shr(192, calldataload(add(update, 38)))
        }
    }

    /// @notice The round's time, in Unix milliseconds.
    function timestampMs(VerifiedUpdate update) internal pure returns (uint64 value) {
        assembly {
            value := shr(192, calldataload(add(update, 46)))
        }
    }

    /// @notice How many entries there are; at least one.
    function count(VerifiedUpdate update) internal pure returns (uint8 value) {
        assembly {
            value := byte(0, calldataload(add(update, 216)))
        }
    }

    /// @notice The leaf of the first entry. `Leaf.next` leads to the others.
    function first(VerifiedUpdate update) internal pure returns (Leaf leaf) {
        assembly {
            leaf := add(update, 217)
        }
    }

    /// @notice The first leaf of a feed.
    function find(VerifiedUpdate update, bytes32 feed) internal pure returns (bool found, Leaf leaf) {
        leaf = update.first();
        for (uint256 left = update.count(); left != 0; --left) {
            if (leaf.feed() == feed) return (true, leaf);
            leaf = leaf.next();
        }
    }
}
