// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BadParameter, NoFeed, NotNewer} from "./TouchstoneErrors.sol";
import {ITouchstoneOracle, Policy, Price, VerifiedPrice} from "./interfaces/ITouchstoneOracle.sol";
import {Conditions} from "./libraries/Conditions.sol";
import {FeedSlot, FeedSlots} from "./libraries/FeedSlot.sol";
import {FrostSecp256k1} from "./libraries/FrostSecp256k1.sol";
import {Leaf} from "./libraries/Leaf.sol";
import {TouchstoneVerifier} from "./libraries/TouchstoneVerifier.sol";
import {VerifiedUpdate} from "./libraries/VerifiedUpdate.sol";

/// @title Prices of one Touchstone network
/// @notice Stores what the network's group key signed, and nothing else. There is no owner, no pause and no upgrade: network,
/// key and skew are fixed at construction, and a price changes by a valid update of a later round alone. No contract but the
/// chain's own precompiles is called.
contract TouchstoneOracle is ITouchstoneOracle {
    /// @dev The largest skew: a price that is ahead of the block is fresh for that much longer.
    uint64 private constant MAX_SKEW_MS_LIMIT = 60_000;

    /// @inheritdoc ITouchstoneOracle
    bytes32 public immutable networkId;
    /// @inheritdoc ITouchstoneOracle
    uint64 public immutable maxSkewMs;
    uint256 private immutable _keyTag;
    uint256 private immutable _keyX;

    mapping(bytes32 feed => FeedSlot) private _slots;

    /// @param networkId_ The network: SHA-256 of its genesis manifest.
    /// @param groupKey_ Its group key of suite 2, 33 bytes. Reverts with BadGroupKey if it is none.
    /// @param maxSkewMs_ How far a timestamp may be ahead of the block's, in milliseconds; at most a minute. A chain that stamps
    /// a block with the beginning of its slot needs about the length of a slot.
    constructor(bytes32 networkId_, bytes memory groupKey_, uint64 maxSkewMs_) {
        if (networkId_ == 0 || maxSkewMs_ > MAX_SKEW_MS_LIMIT) revert BadParameter();
        networkId = networkId_;
        maxSkewMs = maxSkewMs_;
        (_keyTag, _keyX) = FrostSecp256k1.readKey(groupKey_);
    }

    /// @inheritdoc ITouchstoneOracle
    function update(bytes calldata update_) external returns (uint256 stored) {
        uint64 round;
        uint64 last;
        (stored, round, last) = _store(update_);
        if (stored == 0) revert NotNewer(round, last);
    }

    /// @inheritdoc ITouchstoneOracle
    function updateAndRead(bytes calldata update_, bytes32 feed, uint64 maxAgeMs) external returns (Price memory) {
        _store(update_);
        return _read(feed, maxAgeMs, 0);
    }

    /// @inheritdoc ITouchstoneOracle
    function read(bytes32 feed, uint64 maxAgeMs) external view returns (Price memory) {
        return _read(feed, maxAgeMs, 0);
    }

    /// @inheritdoc ITouchstoneOracle
    function readAllowing(bytes32 feed, uint64 maxAgeMs, uint8 allowedStatus) external view returns (Price memory) {
        return _read(feed, maxAgeMs, allowedStatus);
    }

    /// @inheritdoc ITouchstoneOracle
    function verify(bytes calldata update_, bytes32 feed, uint64 maxAgeMs)
        external
        view
        returns (VerifiedPrice memory)
    {
        return _verify(update_, feed, Policy(maxAgeMs, 0, 0, 0, 0));
    }

    /// @inheritdoc ITouchstoneOracle
    function verify(bytes calldata update_, bytes32 feed, Policy calldata policy)
        external
        view
        returns (VerifiedPrice memory)
    {
        return _verify(update_, feed, policy);
    }

    /// @inheritdoc ITouchstoneOracle
    function latestRound(bytes32 feed) external view returns (uint64 round, uint64 timestampMs, uint8 status) {
        FeedSlot slot = _slots[feed];
        return (slot.round(), slot.timestampMs(), slot.status());
    }

    /// @inheritdoc ITouchstoneOracle
    function groupKey() external view returns (bytes memory) {
        return abi.encodePacked(uint8(_keyTag), _keyX);
    }

    /// @dev Verifies an update and stores the feeds of which a later round was not stored yet. `last` is what is known of the
    /// last feed that was not.
    function _store(bytes calldata update_) private returns (uint256 stored, uint64 round, uint64 last) {
        VerifiedUpdate verified = _authentic(update_);
        uint64 timestampMs = verified.timestampMs();
        Conditions.requireNotAhead(timestampMs, maxSkewMs);
        round = verified.round();
        Leaf leaf = verified.first();
        for (uint256 left = verified.count(); left != 0; --left) {
            bytes32 feed = leaf.feed();
            uint64 known = _slots[feed].round();
            if (round > known) {
                _slots[feed] = FeedSlots.pack(leaf, round, timestampMs);
                ++stored;
                emit PriceUpdated(feed, round, leaf.price(), leaf.status());
            } else {
                last = known;
            }
            leaf = leaf.next();
        }
    }

    /// @dev The only door to a stored number.
    function _read(bytes32 feed, uint64 maxAgeMs, uint8 allowedStatus) private view returns (Price memory) {
        FeedSlot slot = _slots[feed];
        uint64 round = slot.round();
        if (round == 0) revert NoFeed(feed);
        Conditions.requireFresh(round, slot.timestampMs(), maxAgeMs);
        Conditions.requireStatus(feed, slot.status(), allowedStatus);
        Conditions.requireNotAhead(slot.observedAtMs(), maxSkewMs);
        return slot.unpack();
    }

    /// @dev The only door to a number of an update.
    function _verify(bytes calldata update_, bytes32 feed, Policy memory policy)
        private
        view
        returns (VerifiedPrice memory)
    {
        VerifiedUpdate verified = _authentic(update_);
        (bool found, Leaf leaf) = verified.find(feed);
        if (!found) revert NoFeed(feed);
        Conditions.requireNotAhead(verified.timestampMs(), maxSkewMs);
        Conditions.requireFresh(verified.round(), verified.timestampMs(), policy.maxAgeMs);
        Conditions.requireNewer(verified.round(), policy.newerThan);
        Conditions.requireStatus(feed, leaf.status(), policy.allowedStatus);
        Conditions.requireObservers(feed, leaf.observers(), policy.minObservers);
        Conditions.requireNotAhead(leaf.observedAtMs(), maxSkewMs);
        Conditions.requireTradeAge(feed, leaf.observedAtMs(), policy.maxTradeAgeMs);
        return VerifiedPrice({
            price: leaf.price(),
            low: leaf.low(),
            high: leaf.high(),
            exponent: leaf.exponent(),
            status: leaf.status(),
            observers: leaf.observers(),
            epoch: verified.epoch(),
            round: verified.round(),
            timestampMs: verified.timestampMs(),
            observedAtMs: leaf.observedAtMs()
        });
    }

    function _authentic(bytes calldata update_) private view returns (VerifiedUpdate) {
        return TouchstoneVerifier.verify(update_, networkId, _keyTag, _keyX);
    }
}
