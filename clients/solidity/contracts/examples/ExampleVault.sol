// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ITouchstoneOracle} from "../interfaces/ITouchstoneOracle.sol";
import {FreshPrice, TouchstoneConsumer} from "./TouchstoneConsumer.sol";

/// @title A vault that lends against native coin
/// @notice An example of a consumer. Debt is kept in US dollars with 18 decimal places, and is worth nothing here: what a real
/// vault would do with it is not the point. What is: no path to `_freshPrice` accepts a stale or flagged price, so whoever
/// needs one waits or brings an update, and a deposit without debt can be taken out whatever the oracle says.
contract ExampleVault is TouchstoneConsumer {
    /// @notice The collateral must be worth one and a half times the debt.
    error NotCovered(uint256 worth, uint256 debt);
    /// @notice More than was deposited or borrowed.
    error TooMuch();
    /// @notice The receiver refused the coin.
    error PaymentRefused();

    /// @notice Deposits, in wei.
    mapping(address owner => uint256) public deposits;
    /// @notice Debts, in 10^-18 US dollars.
    mapping(address owner => uint256) public debts;

    constructor(ITouchstoneOracle oracle, bytes32 feed, uint64 maxAgeMs) TouchstoneConsumer(oracle, feed, maxAgeMs) {}

    /// @notice Deposits what is sent.
    function deposit() external payable {
        deposits[msg.sender] += msg.value;
    }

    /// @notice Borrows dollars at the stored price.
    function borrow(uint256 dollars) external {
        _borrow(dollars, _freshPrice());
    }

    /// @notice Borrows dollars with an update that the caller brings.
    function borrow(uint256 dollars, bytes calldata update) external {
        _borrow(dollars, _freshPrice(update));
    }

    /// @notice Pays debt back.
    function repay(uint256 dollars) external {
        if (dollars > debts[msg.sender]) revert TooMuch();
        debts[msg.sender] -= dollars;
    }

    /// @notice Takes coin out.
    function withdraw(uint256 amount) external {
        if (amount > deposits[msg.sender]) revert TooMuch();
        deposits[msg.sender] -= amount;
        if (debts[msg.sender] != 0) _requireCovered(msg.sender, _freshPrice());
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert PaymentRefused();
    }

    /// @notice What a deposit is worth, in 10^-18 US dollars.
    function worth(address owner) external view returns (uint256) {
        return _worth(owner, _freshPrice());
    }

    function _borrow(uint256 dollars, FreshPrice price) private {
        debts[msg.sender] += dollars;
        _requireCovered(msg.sender, price);
    }

    function _requireCovered(address owner, FreshPrice price) private view {
        (uint256 value, uint256 debt) = (_worth(owner, price), debts[owner]);
        if (value * 2 < debt * 3) revert NotCovered(value, debt);
    }

    function _worth(address owner, FreshPrice price) private view returns (uint256) {
        return deposits[owner] * FreshPrice.unwrap(price) / 1e18;
    }
}
