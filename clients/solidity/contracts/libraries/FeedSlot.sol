// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DoesNotFit} from "../TouchstoneErrors.sol";
import {Price} from "../interfaces/ITouchstoneOracle.sol";
import {Leaf} from "./Leaf.sol";

/// @dev What is stored of a feed, in one slot: round u48 | timestamp_ms u48 | observed_at_ms u48 | status u8 | exponent i8 |
/// price i96, from the highest bit down. All zeros if there is nothing: no round 0 is ever stored.
type FeedSlot is uint256;

using FeedSlots for FeedSlot global;

/// @title The slot of a feed
library FeedSlots {
    uint256 private constant MASK_48 = (1 << 48) - 1;
    uint256 private constant MASK_96 = (1 << 96) - 1;

    /// @notice Packs a leaf of a round. 48 bits hold milliseconds until the year 10889, and rounds that are counted in seconds
    /// for millions of years; a price of 96 bits has 28 digits. What does not fit is refused as DoesNotFit: nothing is cut off.
    function pack(Leaf leaf, uint64 round_, uint64 timestampMs_) internal pure returns (FeedSlot) {
        (int128 price_, uint64 observedAtMs_) = (leaf.price(), leaf.observedAtMs());
        bool fits = price_ == int96(price_) && (round_ | timestampMs_ | observedAtMs_) <= MASK_48;
        if (!fits) revert DoesNotFit(leaf.feed());
        uint256 word = uint256(round_) << 208 | uint256(timestampMs_) << 160 | uint256(observedAtMs_) << 112;
        word |= uint256(leaf.status()) << 104 | uint256(uint8(leaf.exponent())) << 96;
        return FeedSlot.wrap(word | uint256(int256(price_)) & MASK_96);
    }

    /// @notice The round; 0 if nothing is stored.
    function round(FeedSlot slot) internal pure returns (uint64) {
        return uint64(FeedSlot.unwrap(slot) >> 208);
    }

    /// @notice The round's time, in Unix milliseconds.
    function timestampMs(FeedSlot slot) internal pure returns (uint64) {
        return uint64(FeedSlot.unwrap(slot) >> 160 & MASK_48);
    }

    /// @notice Time of the trades, in Unix milliseconds.
    function observedAtMs(FeedSlot slot) internal pure returns (uint64) {
        return uint64(FeedSlot.unwrap(slot) >> 112 & MASK_48);
    }

    /// @notice The status bits.
    function status(FeedSlot slot) internal pure returns (uint8) {
        return uint8(FeedSlot.unwrap(slot) >> 104);
    }

    /// @notice Everything.
    function unpack(FeedSlot slot) internal pure returns (Price memory) {
        uint256 word = FeedSlot.unwrap(slot);
        return Price({
            price: int96(uint96(word)),
            exponent: int8(uint8(word >> 96)),
            status: status(slot),
            round: round(slot),
            timestampMs: timestampMs(slot),
            observedAtMs: observedAtMs(slot)
        });
    }
}
