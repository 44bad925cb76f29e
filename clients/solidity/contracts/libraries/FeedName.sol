// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Names of feeds
/// @notice `BASE-QUOTE` in ASCII, each part 1 to 15 of `A-Z 0-9 .`, padded with zeros on the right to 32 bytes.
library FeedName {
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant TOPS = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @notice Whether the bytes are a name.
    /// @dev All 32 bytes at once. For bytes below 128 a sum with a constant of at most 128 does not carry into the next byte,
    /// so the top bit of `byte + (128 - c)` says whether the byte is at least c.
    function isValid(bytes32 name) internal pure returns (bool) {
        unchecked {
            uint256 x = uint256(name);
            if (x & TOPS != 0) return false;
            uint256 zeros = TOPS & ~_atLeast(x, 1);
            uint256 hyphens = _atLeast(x, 0x2d) & ~_atLeast(x, 0x2e) & TOPS;
            // '.' and '-' stand before '/', the digits behind it.
            uint256 marks = _atLeast(x, 0x2d) & ~_atLeast(x, 0x2f);
            uint256 digits = _atLeast(x, 0x30) & ~_atLeast(x, 0x3a);
            uint256 letters = _atLeast(x, 0x41) & ~_atLeast(x, 0x5b);
            if ((zeros | marks | digits | letters) & TOPS != TOPS) return false;
            // Zeros stand at the end only: as full bytes they are 2^k - 1.
            uint256 padding = (zeros << 1) - (zeros >> 7);
            if (padding & (padding + 1) != 0) return false;
            // One hyphen, behind 1 to 15 bytes: at the place of byte 1 to byte 15.
            if (hyphens == 0 || hyphens & (hyphens - 1) != 0) return false;
            if (hyphens >= 1 << 248 || hyphens < 1 << 128) return false;
            // 1 to 15 bytes behind it: the next byte is none of the padding, the sixteenth is.
            return zeros & (hyphens >> 8) == 0 && zeros & (hyphens >> 128) != 0;
        }
    }

    function _atLeast(uint256 x, uint256 c) private pure returns (uint256) {
        unchecked {
            return x + ONES * (128 - c);
        }
    }
}
