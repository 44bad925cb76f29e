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
        unchecked {
            for (; last != 0; last >>= 1) {
                // Only a last node without a right neighbour is carried up without a sibling.
                if (index & 1 == 1 || index < last) ++length;
                index >>= 1;
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
            // Whether the precompile answered: a call that fails, or that nobody answers, leaves something else in memory.
            function hash(start, length) -> digest, answered {
                answered := staticcall(gas(), 2, start, length, 0, 32)
                answered := and(answered, eq(returndatasize(), 32))
                digest := mload(0)
            }
            let answered
            let m := mload(0x40)
            mstore8(m, 0)
            calldatacopy(add(m, 1), leaf, 92)
            root, ok := hash(m, 93)
            mstore8(m, 1)
            for {} last { last := shr(1, last) } {
                let right := and(index, 1)
                if or(right, lt(index, last)) {
                    mstore(add(m, add(1, shl(5, right))), root)
                    mstore(add(m, sub(33, shl(5, right))), calldataload(path))
                    path := add(path, 32)
                    root, answered := hash(m, 65)
                    ok := and(ok, answered)
                }
                index := shr(1, index)
            }
        }
        if (!ok) revert Sha256Failed();
    }
}
