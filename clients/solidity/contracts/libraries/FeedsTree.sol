// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Sha256Failed} from "../TouchstoneErrors.sol";
import {Leaf} from "./Leaf.sol";

/// @title The tree over the leaves of a round
/// @notice Hashes and proofs of RFC 9162, section 2.1: a leaf hashes as `SHA-256(0x00 | leaf)`, a node as
/// `SHA-256(0x01 | left | right)`, so neither can be shown as the other.
library FeedsTree {
    /// @notice How long the proof of leaf `index` is in a tree whose last leaf is `last`.
    /// @param index At most `last`.
    function pathLength(uint256 index, uint256 last) internal pure returns (uint256 length) {
        assembly {
            for {} last { last := shr(1, last) } {
                // Only a last node without a right neighbour is carried up without a sibling.
                length := add(length, or(and(index, 1), lt(index, last)))
                index := shr(1, index)
            }
        }
    }

    /// @notice The root above a leaf. The proof has the length that `pathLength` says.
    /// @param leaf The leaf.
    /// @param index Its index, at most `last`.
    /// @param last Index of the last leaf.
    /// @param path Where the proof begins in the calldata: hashes from the leaf's sibling upwards.
    function rootAbove(Leaf leaf, uint256 index, uint256 last, uint256 path) internal view returns (bytes32 root) {
        bool ok;
        assembly ("memory-safe") {
            // Behind the free memory pointer: 0x00 | leaf, and then 0x01 | left | right.
            let m := mload(0x40)
            mstore8(m, 0)
            calldatacopy(add(m, 1), leaf, 92)
            // A call that fails, or that nobody answers, leaves something else in memory.
            ok := staticcall(gas(), 2, m, 93, 0, 32)
            ok := and(ok, eq(returndatasize(), 32))
            mstore8(m, 1)
            for {} last { last := shr(1, last) } {
                let right := and(index, 1)
                if or(right, lt(index, last)) {
                    right := shl(5, right)
                    mstore(add(m, add(1, right)), mload(0))
                    mstore(add(m, sub(33, right)), calldataload(path))
                    path := add(path, 32)
                    ok := and(ok, staticcall(gas(), 2, m, 65, 0, 32))
                    ok := and(ok, eq(returndatasize(), 32))
                }
                index := shr(1, index)
            }
            root := mload(0)
        }
        if (!ok) revert Sha256Failed();
    }
}
