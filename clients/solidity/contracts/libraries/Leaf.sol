// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FeedName} from "./FeedName.sol";
import {StatusBits} from "./StatusBits.sol";

/// @dev One feed of a round, 92 bytes: where it begins in the calldata. Whoever makes one knows that it ends in there, too.
type Leaf is uint256;

using LeafFields for Leaf global;

/// @title The fields of a leaf
/// @notice feed (32) | status u8 | exponent i8 | price i128 | low i128 | high i128 | observed_at_ms u64 | observers u16
library LeafFields {
    uint256 internal constant BYTES = 92;

    /// @notice The name, padded with zeros.
    function feed(Leaf leaf) internal pure returns (bytes32 value) {
        assembly {
            value := calldataload(leaf)
        }
    }

    /// @notice The status bits, `StatusBits`.
    function status(Leaf leaf) internal pure returns (uint8 value) {
        assembly {
            value := byte(0, calldataload(add(leaf, 32)))
        }
    }

    /// @notice value = mantissa * 10^exponent for the three mantissas below.
    function exponent(Leaf leaf) internal pure returns (int8 value) {
        assembly {
            value := signextend(0, byte(0, calldataload(add(leaf, 33))))
        }
    }

    /// @notice Lower median of the observations; 0 if the feed is unavailable.
    function price(Leaf leaf) internal pure returns (int128 value) {
        assembly {
            value := sar(128, calldataload(add(leaf, 34)))
        }
    }

    /// @notice Not below the lowest honest observation.
    function low(Leaf leaf) internal pure returns (int128 value) {
        assembly {
            value := sar(128, calldataload(add(leaf, 50)))
        }
    }

    /// @notice Not above the highest honest observation.
    function high(Leaf leaf) internal pure returns (int128 value) {
        assembly {
            value := sar(128, calldataload(add(leaf, 66)))
        }
    }

    /// @notice Time of the trades behind the price, in Unix milliseconds.
    function observedAtMs(Leaf leaf) internal pure returns (uint64 value) {
        assembly {
            value := shr(192, calldataload(add(leaf, 82)))
        }
    }

    /// @notice How many members observed the feed.
    function observers(Leaf leaf) internal pure returns (uint16 value) {
        assembly {
            value := shr(240, calldataload(add(leaf, 90)))
        }
    }

    /// @notice The leaf of the next entry of a price update, behind this one's index (2), path length (1) and path.
    function next(Leaf leaf) internal pure returns (Leaf behind) {
        assembly {
            behind := add(add(leaf, 95), shl(5, byte(0, calldataload(add(leaf, 94)))))
        }
    }

    /// @notice Whether the fields are ones that a leaf may hold: known status bits, an exponent from -38 to 38, no price where
    /// there is none, and a price from low to high. The name is not looked at.
    function isValid(Leaf leaf) internal pure returns (bool) {
        (uint8 bits, int8 power) = (status(leaf), exponent(leaf));
        if (!StatusBits.isKnown(bits) || power < -38 || power > 38) return false;
        (int128 p, int128 l, int128 h) = (price(leaf), low(leaf), high(leaf));
        if (bits & StatusBits.UNAVAILABLE != 0 && p | l | h != 0) return false;
        return l <= p && p <= h;
    }
}
