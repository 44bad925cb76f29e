// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

// Why a price update, a key or a price is refused. The names are the stable codes that every Touchstone client knows, in the
// writing of Solidity: `wrong-network` is WrongNetwork. docs/attestation.md and tests/vectors/README.md describe them.

// Form, from the first byte to the last.

/// @notice The bytes end inside a field.
error Truncated();
/// @notice Bytes follow behind the last entry.
/// @param extra How many.
error TrailingBytes(uint256 extra);
/// @notice A version byte that this code does not know.
error UnknownVersion(uint256 version);
/// @notice A suite byte that no version of Touchstone knows.
error UnknownSuite(uint256 suite);
/// @notice An update without an entry.
error NoEntries();
/// @notice Leaf indices do not strictly ascend.
error LeafOrder(uint256 index);
/// @notice The tree of the statement has no such leaf.
error LeafIndex(uint256 index, uint256 feedCount);
/// @notice A path of another length than index and feed count imply.
error PathLength(uint256 index, uint256 length, uint256 expected);
/// @notice A feed name, status, exponent or price that no leaf may hold.
error InvalidLeaf();

// Authenticity.

/// @notice The statement is another network's.
/// @param got The network that it names.
error WrongNetwork(bytes32 got);
/// @notice The signature is of a suite of which no key is pinned here.
error UnsupportedSuite(uint256 suite);
/// @notice Not the group key's signature over this statement.
error BadSignature();
/// @notice The leaf is not under the signed root.
error Inclusion(bytes32 feed, uint256 index);
/// @notice Not a group key: its length, its form, its curve, or an x coordinate that is not below the order of the group.
error BadGroupKey();

// Conditions on an authentic price. Times and ages are in milliseconds.

/// @notice Nothing is known of this feed: it is not in the update, or nothing of it was ever stored.
error NoFeed(bytes32 feed);
/// @notice The round is too old.
error TooOld(uint256 round, uint256 ageMs, uint256 maxAgeMs);
/// @notice A timestamp, of the round or of its trades, is further ahead of the block's than allowed.
error AheadOfNow(uint256 timestampMs, uint256 nowMs, uint256 maxSkewMs);
/// @notice The trades behind the price are too old.
error TradeTooOld(bytes32 feed, uint256 ageMs, uint256 maxAgeMs);
/// @notice The round is not above the last one that is known.
error NotNewer(uint256 round, uint256 last);
/// @notice Fewer members than asked for observed the feed.
error TooFewObservers(bytes32 feed, uint256 observers, uint256 min);
/// @notice The price is flagged, and the flags are not allowed.
/// @param refused The status bits that are not allowed.
error Status(bytes32 feed, uint256 refused);
/// @notice The network has no price of this feed in this round.
/// @param status All status bits of the feed.
error Unavailable(bytes32 feed, uint256 status);

// What only contracts know.

/// @notice A value is too large for its place in the feed's slot. Nothing is stored rather than something else.
error DoesNotFit(bytes32 feed);
/// @notice A parameter of a constructor is out of its bounds.
error BadParameter();
/// @notice The chain's SHA-256 precompile (0x02) did not answer, for lack of gas or because the chain has none.
error Sha256Failed();
