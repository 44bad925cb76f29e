// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BadGroupKey} from "../TouchstoneErrors.sol";

/// @title Signatures of FROST(secp256k1, Keccak-256)
/// @notice The second signature suite of docs/attestation.md: FROST of RFC 9591, section 6.5, with Keccak-256 in the place of
/// SHA-256. To its verifier a threshold signature is an ordinary Schnorr signature: `z * G == R + c * P`.
library FrostSecp256k1 {
    /// @dev Order of the group (SEC 2, section 2.4.1).
    uint256 internal constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// @dev Order of the field (SEC 2, section 2.4.1).
    uint256 internal constant FIELD = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f;
    /// @dev Domain separation tag of the challenge: the suite's context string and `chal`. Exactly 32 bytes.
    bytes32 private constant TAG = "FROST-secp256k1-KECCAK256-v1chal";

    /// @notice Reads a group key.
    /// @dev `ecrecover` takes the x coordinate for a scalar, so it must be below the order, and fails unless a point has it;
    /// the hash 0 makes its result a multiple of that point alone, which is never the point at infinity.
    /// @param key 33 bytes, a compressed point (SEC 1, section 2.3.3).
    /// @return tag 2 for an even y coordinate, 3 for an odd one.
    /// @return x The x coordinate.
    function readKey(bytes memory key) internal pure returns (uint256 tag, uint256 x) {
        if (key.length != 33) revert BadGroupKey();
        assembly ("memory-safe") {
            tag := byte(0, mload(add(key, 32)))
            x := mload(add(key, 33))
        }
        if (tag != 2 && tag != 3) revert BadGroupKey();
        if (x >= ORDER) revert BadGroupKey();
        if (ecrecover(0, 27, bytes32(x), bytes32(uint256(1))) == address(0)) revert BadGroupKey();
    }

    /// @notice Whether `(rx, ry, z)` is the signature of the key over the digest.
    /// @dev `ecrecover(h, v, r, s)` is the address of `(s * Q - h * G) / r`, where Q is the point with x coordinate r and the
    /// parity that v says. With `r = P.x`, `s = -c * P.x` and `h = -z * P.x` that is the address of `z * G - c * P`: it must be
    /// R's. An address has 160 bits, yet no collision helps a forger: c fixes R.x and the parity of R.y, and the equation of
    /// the curve then leaves one R.y, so every guess is one of a second preimage. Without the check of the curve R.y would be
    /// free, and 2^80 guesses would do.
    /// @param tag The key's tag, as `readKey` gives it.
    /// @param x The key's x coordinate, as `readKey` gives it.
    /// @param digest What was signed.
    /// @param rx x coordinate of R.
    /// @param ry y coordinate of R.
    /// @param z The response.
    function verify(uint256 tag, uint256 x, bytes32 digest, uint256 rx, uint256 ry, uint256 z)
        internal
        pure
        returns (bool)
    {
        if (rx >= FIELD || ry >= FIELD) return false;
        if (mulmod(ry, ry, FIELD) != addmod(mulmod(rx, mulmod(rx, rx, FIELD), FIELD), 7, FIELD)) return false;
        if (z == 0 || z >= ORDER) return false;
        uint256 c = challenge(tag, x, digest, rx, ry);
        if (c == 0) return false;
        // Neither product is 0 modulo the order, which is prime: the differences are scalars above 0, as ecrecover asks for.
        unchecked {
            bytes32 h = bytes32(ORDER - mulmod(z, x, ORDER));
            bytes32 s = bytes32(ORDER - mulmod(c, x, ORDER));
            return ecrecover(h, uint8(tag + 25), bytes32(x), s) == addressOf(rx, ry);
        }
    }

    /// @notice The challenge: `hash_to_field` of RFC 9380, section 5.2, over `compress(R) | compress(P) | digest` with one
    /// element of L = 48 bytes and expand_message_xmd (section 5.3.1) with Keccak-256, whose block has 136 bytes.
    function challenge(uint256 tag, uint256 x, bytes32 digest, uint256 rx, uint256 ry)
        internal
        pure
        returns (uint256 c)
    {
        assembly ("memory-safe") {
            // Behind the free memory pointer, where memory may be dirty: every byte that is hashed is written first.
            let m := mload(0x40)
            // Z_pad, 136 zeros.
            mstore(m, 0)
            mstore(add(m, 32), 0)
            mstore(add(m, 64), 0)
            mstore(add(m, 96), 0)
            mstore(add(m, 128), 0)
            // msg, 98 bytes.
            mstore8(add(m, 136), add(2, and(ry, 1)))
            mstore(add(m, 137), rx)
            mstore8(add(m, 169), tag)
            mstore(add(m, 170), x)
            mstore(add(m, 202), digest)
            // l_i_b_str, which is 48 in two bytes, and a zero byte.
            mstore(add(m, 234), shl(232, 0x003000))
            // DST_prime.
            mstore(add(m, 237), TAG)
            mstore8(add(m, 269), 32)
            let b0 := keccak256(m, 270)
            // b_1 = H(b_0 | 1 | DST_prime)
            mstore(m, b0)
            mstore8(add(m, 32), 1)
            mstore(add(m, 33), TAG)
            mstore8(add(m, 65), 32)
            let b1 := keccak256(m, 66)
            // b_2 = H((b_0 xor b_1) | 2 | DST_prime)
            mstore(m, xor(b0, b1))
            mstore8(add(m, 32), 2)
            let b2 := keccak256(m, 66)
            // The first 48 bytes of b_1 | b_2 as a number, modulo the order.
            c := addmod(mulmod(b1, shl(128, 1), ORDER), shr(128, b2), ORDER)
        }
    }

    /// @notice The address of a point: the last 20 bytes of the Keccak-256 of its coordinates.
    function addressOf(uint256 x, uint256 y) internal pure returns (address account) {
        assembly ("memory-safe") {
            mstore(0, x)
            mstore(32, y)
            account := and(keccak256(0, 64), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }
}
