// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BadParameter, NoFeed} from "./TouchstoneErrors.sol";
import {AggregatorV3Interface} from "./interfaces/AggregatorV3Interface.sol";
import {ITouchstoneOracle, Price} from "./interfaces/ITouchstoneOracle.sol";
import {FeedName} from "./libraries/FeedName.sol";
import {StatusBits} from "./libraries/StatusBits.sol";

/// @title One feed behind Chainlink's interface
/// @notice Existing consumers switch by an address. Age, status and decimals are fixed at construction, and where the stored
/// price does not meet them every answer reverts: a consumer that looks at neither `updatedAt` nor `answer` is safe as well.
contract TouchstoneFeed is AggregatorV3Interface {
    /// @notice Only the last round is stored.
    error NoRound(uint80 asked, uint80 latest);
    /// @notice The price has more decimal places than the feed: it is not rounded.
    error TooManyDecimals(int8 exponent, uint8 decimals);
    /// @notice Consumers of this interface take an answer for a positive number.
    error NotPositive(int128 price);

    /// @dev With an exponent of at most 38 a price is multiplied by at most 10^76, which is a number of an int256.
    uint8 private constant MAX_DECIMALS = 38;

    /// @notice Where the prices come from.
    ITouchstoneOracle public immutable oracle;
    /// @notice The feed's name, padded with zeros.
    bytes32 public immutable feed;
    /// @notice How old an answer may be, in milliseconds.
    uint64 public immutable maxAgeMs;
    /// @notice Status bits (`StatusBits`) of answers that are given all the same.
    uint8 public immutable allowedStatus;
    /// @inheritdoc AggregatorV3Interface
    uint8 public immutable decimals;

    /// @param oracle_ Where the prices come from.
    /// @param feed_ The feed's name, padded with zeros: `bytes32("BTC-USD")`.
    /// @param decimals_ Decimal places of the answers; at least as many as the feed's prices have, and at most 38.
    /// @param maxAgeMs_ How old an answer may be, in milliseconds; not 0.
    /// @param allowedStatus_ Status bits of answers that are given all the same; 0 for none.
    constructor(ITouchstoneOracle oracle_, bytes32 feed_, uint8 decimals_, uint64 maxAgeMs_, uint8 allowedStatus_) {
        // Reverts also if no contract is there.
        if (oracle_.networkId() == 0) revert BadParameter();
        if (!FeedName.isValid(feed_) || decimals_ > MAX_DECIMALS || maxAgeMs_ == 0) revert BadParameter();
        bool sane = StatusBits.isKnown(allowedStatus_) && allowedStatus_ & StatusBits.UNAVAILABLE == 0;
        if (!sane) revert BadParameter();
        oracle = oracle_;
        feed = feed_;
        decimals = decimals_;
        maxAgeMs = maxAgeMs_;
        allowedStatus = allowedStatus_;
    }

    /// @inheritdoc AggregatorV3Interface
    function version() external pure returns (uint256) {
        return 1;
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev In Chainlink's writing: `BTC / USD`.
    function description() external view returns (string memory) {
        bytes memory text = new bytes(33);
        uint256 length = 0;
        for (uint256 i = 0; i < 32 && feed[i] != 0; ++i) {
            if (feed[i] == "-") {
                text[length++] = " ";
                text[length++] = "/";
                text[length++] = " ";
            } else {
                text[length++] = feed[i];
            }
        }
        assembly ("memory-safe") {
            mstore(text, length)
        }
        return string(text);
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev Of the last round alone, and under the same conditions as `latestRoundData`; NoRound for any other.
    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (uint64 latest,,) = oracle.latestRound(feed);
        if (latest == 0) revert NoFeed(feed);
        if (roundId != latest) revert NoRound(roundId, latest);
        return _answer();
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev `roundId` is the network's round, and both times are the round's, in whole seconds.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _answer();
    }

    function _answer() private view returns (uint80, int256, uint256, uint256, uint80) {
        Price memory price = oracle.readAllowing(feed, maxAgeMs, allowedStatus);
        if (price.price <= 0) revert NotPositive(price.price);
        int256 places = int256(uint256(decimals)) + price.exponent;
        if (places < 0) revert TooManyDecimals(price.exponent, decimals);
        // Exact, or a panic of the checked arithmetic: nothing is rounded or cut off.
        int256 answer = int256(price.price) * int256(10 ** uint256(places));
        uint256 seconds_ = price.timestampMs / 1000;
        return (price.round, answer, seconds_, seconds_, price.round);
    }
}
