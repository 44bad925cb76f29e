// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {
    AheadOfNow,
    NotNewer,
    Status,
    TooFewObservers,
    TooOld,
    TradeTooOld,
    Unavailable
} from "../TouchstoneErrors.sol";
import {StatusBits} from "./StatusBits.sol";

/// @title What stands between an authentic price and its use
/// @notice Every function reverts where its condition does not hold. Times are in Unix milliseconds.
library Conditions {
    /// @notice Now, by the block's timestamp, which counts seconds.
    function nowMs() internal view returns (uint256) {
        return block.timestamp * 1000;
    }

    /// @notice Refuses a timestamp that is further ahead of now than the skew.
    function requireNotAhead(uint64 timestampMs, uint64 maxSkewMs) internal view {
        uint256 current = nowMs();
        if (timestampMs > current + maxSkewMs) revert AheadOfNow(timestampMs, current, maxSkewMs);
    }

    /// @notice Refuses a round that is too old.
    function requireFresh(uint64 round, uint64 timestampMs, uint64 maxAgeMs) internal view {
        uint256 age = _age(timestampMs);
        if (age > maxAgeMs) revert TooOld(round, age, maxAgeMs);
    }

    /// @notice Refuses status bits that are not allowed, and a feed without a price.
    function requireStatus(bytes32 feed, uint8 status, uint8 allowed) internal pure {
        if (status == 0) return;
        if (status & StatusBits.UNAVAILABLE != 0) revert Unavailable(feed, status);
        uint8 refused = status & ~allowed;
        if (refused != 0) revert Status(feed, refused);
    }

    /// @notice Refuses a round that is not above the last one seen, if there is one.
    function requireNewer(uint64 round, uint64 last) internal pure {
        if (last != 0 && round <= last) revert NotNewer(round, last);
    }

    /// @notice Refuses a price that too few members observed.
    function requireObservers(bytes32 feed, uint16 observers, uint16 min) internal pure {
        if (observers < min) revert TooFewObservers(feed, observers, min);
    }

    /// @notice Refuses trades that are too old, if that matters.
    function requireTradeAge(bytes32 feed, uint64 observedAtMs, uint64 maxAgeMs) internal view {
        uint256 age = _age(observedAtMs);
        if (maxAgeMs != 0 && age > maxAgeMs) revert TradeTooOld(feed, age, maxAgeMs);
    }

    function _age(uint64 timestampMs) private view returns (uint256) {
        uint256 current = nowMs();
        return current > timestampMs ? current - timestampMs : 0;
    }
}
