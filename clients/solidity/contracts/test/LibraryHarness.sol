// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FeedName} from "../libraries/FeedName.sol";
import {FeedsTree} from "../libraries/FeedsTree.sol";
import {FrostSecp256k1} from "../libraries/FrostSecp256k1.sol";

/// @title The internal libraries, one by one
/// @dev For tests, and for the measurement of what a signature costs: `verify` less `nothing`.
contract LibraryHarness {
    uint256 private immutable _keyTag;
    uint256 private immutable _keyX;

    constructor(bytes memory groupKey) {
        (_keyTag, _keyX) = FrostSecp256k1.readKey(groupKey);
    }

    /// @notice Whether the signature is the key's over the digest.
    function verify(bytes32 digest, uint256 rx, uint256 ry, uint256 z) external view returns (bool) {
        return FrostSecp256k1.verify(_keyTag, _keyX, digest, rx, ry, z);
    }

    /// @notice The same call without the verification.
    function nothing(bytes32 digest, uint256 rx, uint256 ry, uint256 z) external view returns (bool) {
        return _keyTag ^ _keyX ^ uint256(digest) ^ rx ^ ry ^ z != 0;
    }

    /// @notice The challenge under the key.
    function challenge(bytes32 digest, uint256 rx, uint256 ry) external view returns (uint256) {
        return FrostSecp256k1.challenge(_keyTag, _keyX, digest, rx, ry);
    }

    /// @notice Whether the bytes are a feed's name.
    function isFeedName(bytes32 name) external pure returns (bool) {
        return FeedName.isValid(name);
    }

    /// @notice How long the proof of a leaf is.
    function pathLength(uint256 index, uint256 last) external pure returns (uint256) {
        return FeedsTree.pathLength(index, last);
    }
}
