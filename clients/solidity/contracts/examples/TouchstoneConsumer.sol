// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ITouchstoneOracle, Price} from "../interfaces/ITouchstoneOracle.sol";

/// @dev A price that is fresh, unflagged and positive, with 18 decimal places. Code that takes one cannot be handed a raw
/// number by accident: only TouchstoneConsumer makes them.
type FreshPrice is uint256;

/// @title Base of contracts that use one price
/// @notice Network, feed and age are fixed once, in the constructor, and there is one door to a number for each of the two
/// ways to use an oracle: as it is stored, and together with an update that the caller sends. Neither can return a price that
/// is old, flagged or missing: they revert, with the errors of TouchstoneErrors.sol.
abstract contract TouchstoneConsumer {
    /// @notice The price cannot be written with 18 decimal places, or is not positive.
    error UnusablePrice(int128 price, int8 exponent);

    ITouchstoneOracle private immutable _oracle;
    bytes32 private immutable _feed;
    uint64 private immutable _maxAgeMs;

    /// @param oracle The oracle.
    /// @param feed The feed's name, padded with zeros.
    /// @param maxAgeMs How old a price may be, in milliseconds.
    constructor(ITouchstoneOracle oracle, bytes32 feed, uint64 maxAgeMs) {
        _oracle = oracle;
        _feed = feed;
        _maxAgeMs = maxAgeMs;
    }

    /// @dev The stored price.
    function _freshPrice() internal view returns (FreshPrice) {
        return _checked(_oracle.read(_feed, _maxAgeMs));
    }

    /// @dev The price after an update that came with the call: the stored one where that is later.
    function _freshPrice(bytes calldata update) internal returns (FreshPrice) {
        return _checked(_oracle.updateAndRead(update, _feed, _maxAgeMs));
    }

    function _checked(Price memory price) private pure returns (FreshPrice) {
        int256 places = int256(18) + price.exponent;
        // More than 18 places would have to be rounded, and 10^48 times a price of 96 bits is still below 2^256.
        if (price.price <= 0 || places < 0 || places > 48) revert UnusablePrice(price.price, price.exponent);
        return FreshPrice.wrap(uint256(uint128(price.price)) * 10 ** uint256(places));
    }
}
