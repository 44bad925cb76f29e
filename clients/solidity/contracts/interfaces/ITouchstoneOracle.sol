// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice A price that was stored, and that meets the conditions of whoever asked. value = price * 10^exponent.
struct Price {
    /// Lower median of the observations.
    int128 price;
    int8 exponent;
    /// 0, or status bits that were allowed by name.
    uint8 status;
    /// The round, strictly increasing per feed.
    uint64 round;
    /// The round's time, in Unix milliseconds.
    uint64 timestampMs;
    /// Time of the trades behind the price, in Unix milliseconds.
    uint64 observedAtMs;
}

/// @notice A price with everything that the group signed about it, as `verify` gives it. value = price * 10^exponent.
struct VerifiedPrice {
    /// Lower median of the observations.
    int128 price;
    /// Not below the lowest honest observation.
    int128 low;
    /// Not above the highest honest observation.
    int128 high;
    int8 exponent;
    /// 0, or status bits that were allowed by name.
    uint8 status;
    /// How many members observed the feed.
    uint16 observers;
    uint32 epoch;
    uint64 round;
    /// The round's time, in Unix milliseconds.
    uint64 timestampMs;
    /// Time of the trades behind the price, in Unix milliseconds.
    uint64 observedAtMs;
}

/// @notice Under what conditions a caller accepts a price. All zeros ask for a round of this very second, of
/// any number of observers and trades of any age, without a flag.
struct Policy {
    /// How old the round may be by the block's timestamp, in milliseconds.
    uint64 maxAgeMs;
    /// How old the trades behind the price may be, in milliseconds; 0 if it does not matter.
    uint64 maxTradeAgeMs;
    /// The last round that the caller saw: only a later one is accepted; 0 if it does not matter.
    uint64 newerThan;
    /// How many members must have observed the feed.
    uint16 minObservers;
    /// Status bits (`StatusBits`) that are accepted; 0 for none. A feed that is unavailable has no price whatever is allowed.
    uint8 allowedStatus;
}

/// @title Prices that a Touchstone network signed
/// @notice Feeds are named by their zero-padded ASCII: `bytes32("BTC-USD")`. Ages and times are in milliseconds, as in the
/// signed bytes; an age that is given in seconds by mistake is too strict, and nothing worse. Errors are those of
/// TouchstoneErrors.sol.
interface ITouchstoneOracle {
    /// @notice A later price of a feed was stored.
    /// @param feed The feed.
    /// @param round Its round.
    /// @param price The mantissa; 0 if the feed is unavailable.
    /// @param status The status bits: whoever reads the price of the event must look at them.
    event PriceUpdated(bytes32 indexed feed, uint64 round, int128 price, uint8 status);

    /// @notice Verifies an update and stores every feed of it of which the oracle knows no round as late.
    /// @dev Whoever calls it: the network's signature counts, not the sender. Feeds that are as late already are left as they
    /// are, so that nobody can spoil an update of many feeds by sending one of them first. Reverts with NotNewer if all are.
    /// @param update A binary price update of suite 2.
    /// @return stored How many feeds were stored: at least one.
    function update(bytes calldata update) external returns (uint256 stored);

    /// @notice Verifies an update, stores what is newer in it, and gives the stored price of a feed, which is then at least as
    /// late as the update's: whoever sends the update cannot choose an earlier price than the oracle's.
    /// @param update A binary price update of suite 2.
    /// @param feed The feed.
    /// @param maxAgeMs How old the round may be.
    function updateAndRead(bytes calldata update, bytes32 feed, uint64 maxAgeMs) external returns (Price memory);

    /// @notice The stored price of a feed. Only an unflagged price is given.
    /// @param feed The feed.
    /// @param maxAgeMs How old the round may be.
    function read(bytes32 feed, uint64 maxAgeMs) external view returns (Price memory);

    /// @notice The stored price of a feed, with some status bits allowed.
    /// @param feed The feed.
    /// @param maxAgeMs How old the round may be.
    /// @param allowedStatus `StatusBits` that are accepted.
    function readAllowing(bytes32 feed, uint64 maxAgeMs, uint8 allowedStatus) external view returns (Price memory);

    /// @notice Verifies an update and gives a price of it, without storing anything. Only an unflagged price is given.
    /// @dev Whoever sends the update chooses among the rounds of the last `maxAgeMs`. Where the sender gains by choosing, use
    /// `updateAndRead`, or a short age.
    /// @param update A binary price update of suite 2.
    /// @param feed The feed.
    /// @param maxAgeMs How old the round may be.
    function verify(bytes calldata update, bytes32 feed, uint64 maxAgeMs)
        external
        view
        returns (VerifiedPrice memory);

    /// @notice Verifies an update and gives a price of it under a policy, without storing anything.
    function verify(bytes calldata update, bytes32 feed, Policy calldata policy)
        external
        view
        returns (VerifiedPrice memory);

    /// @notice What is known of a feed but the price: for who wants to know whether an update is due. All 0 if nothing is.
    /// @return round The last round that was stored.
    /// @return timestampMs Its time, in Unix milliseconds.
    /// @return status Its status bits.
    function latestRound(bytes32 feed) external view returns (uint64 round, uint64 timestampMs, uint8 status);

    /// @notice The network: SHA-256 of its genesis manifest.
    function networkId() external view returns (bytes32);

    /// @notice The network's group key of suite 2: a compressed point, 33 bytes.
    function groupKey() external view returns (bytes memory);

    /// @notice How far a timestamp may be ahead of the block's, in milliseconds.
    function maxSkewMs() external view returns (uint64);
}
