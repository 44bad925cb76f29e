// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Status bits of a feed
/// @notice 0 is ok. A bit is set when f + 1 observers raise it.
library StatusBits {
    /// @notice Fewer sources or conversion anchors than the manifest asks for.
    uint8 internal constant DEGRADED = 1;
    /// @notice The newest trade is older than the feed's bound.
    uint8 internal constant STALE = 2;
    /// @notice Halted by governance.
    uint8 internal constant HALTED = 4;
    /// @notice A conversion used a currency that is off its peg.
    uint8 internal constant DEPEGGED = 8;
    /// @notice The feed's market is closed.
    uint8 internal constant MARKET_CLOSED = 16;
    /// @notice There is no price.
    uint8 internal constant UNAVAILABLE = 128;

    uint8 private constant KNOWN = DEGRADED | STALE | HALTED | DEPEGGED | MARKET_CLOSED | UNAVAILABLE;

    /// @notice Whether every bit has a meaning.
    function isKnown(uint8 bits) internal pure returns (bool) {
        return bits & ~KNOWN == 0;
    }
}
