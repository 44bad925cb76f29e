// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title The interface of Chainlink's data feeds
/// @notice As published at docs.chain.link, "Data Feeds API Reference". Times are in Unix seconds.
interface AggregatorV3Interface {
    /// @notice How many decimal places an answer has.
    function decimals() external view returns (uint8);

    /// @notice What is priced in what.
    function description() external view returns (string memory);

    /// @notice Version of the aggregator.
    function version() external view returns (uint256);

    /// @notice The answer of a round.
    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The last answer.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
