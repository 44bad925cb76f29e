// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {AggregatorV3Interface} from "../interfaces/AggregatorV3Interface.sol";
import {ITouchstoneOracle} from "../interfaces/ITouchstoneOracle.sol";

/// @title What a consumer contract pays for a price
/// @dev For measurements: each read less `nothing`.
contract ReadHarness {
    /// @notice Through Chainlink's interface.
    function chainlink(AggregatorV3Interface feed, bytes32) external view returns (int256 answer) {
        (, answer,,,) = feed.latestRoundData();
    }

    /// @notice From the oracle.
    function oracle(ITouchstoneOracle at_, bytes32 feed) external view returns (int256) {
        return at_.read(feed, type(uint64).max).price;
    }

    /// @notice The same call without the read.
    function nothing(address at_, bytes32 feed) external view returns (int256) {
        return at_ == address(this) ? int256(0) : int256(uint256(feed));
    }
}
