import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { ascii, type Bytes, concat, fromBigInt, toBigInt } from "./bytes.js";
import { keccak256 } from "./keccak.js";

// FROST over secp256k1 with Keccak-256: a Schnorr signature `R.x | R.y | z`, 32 bytes each, big-endian. It is right if
// z * G = R + c * P, where c is hash_to_field of RFC 9380 over `compress(R) | compress(P) | message`.

const { Point } = secp256k1;
const PRIME = Point.Fp.ORDER;
const ORDER = Point.Fn.ORDER;

const KEY_BYTES = 33;
const SIGNATURE_BYTES = 96;
const FIELD_BYTES = 48;
const TAG = ascii("FROST-secp256k1-KECCAK256-v1chal");

/**
 * Why bytes are no secp256k1 group key; undefined if they are one: compressed, and with an x below the group's order.
 */
export function secp256k1KeyFault(bytes: Uint8Array): string | undefined {
  if (bytes.length !== KEY_BYTES) return `${bytes.length} bytes, must be ${KEY_BYTES}`;
  if (bytes[0] !== 2 && bytes[0] !== 3) return "not a compressed point";
  const x = toBigInt(bytes.subarray(1));
  if (x >= PRIME) return "not the canonical encoding of a point";
  // An EVM verifier hands x to a precompile that takes scalars.
  if (x >= ORDER) return "its x is not below the group's order";
  try {
    Point.fromBytes(bytes).assertValidity();
    return undefined;
  } catch {
    return "not a point of the curve";
  }
}

/** Whether two coordinates, each in its one form, are a point. */
export function onCurve(x: bigint, y: bigint): boolean {
  return x < PRIME && y < PRIME && (y * y - x * x * x - 7n) % PRIME === 0n;
}

/** The challenge of a signature, as a scalar. */
export function challenge(commitment: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const uniform = expand_message_xmd(concat(commitment, publicKey, message), TAG, FIELD_BYTES, KECCAK);
  return toBigInt(uniform) % ORDER;
}

const KECCAK = Object.assign((message: Uint8Array): Bytes => keccak256(message), {
  blockLen: keccak256.blockLen,
  outputLen: keccak256.outputLen,
  canXOF: false,
  create: (): never => {
    throw new Error("not incremental");
  },
});

/** Whether `signature` is right. `publicKey` must be one for which {@link secp256k1KeyFault} finds no fault. */
export function verifySecp256k1(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const x = toBigInt(signature.subarray(0, 32));
  const y = toBigInt(signature.subarray(32, 64));
  const z = toBigInt(signature.subarray(64));
  if (!onCurve(x, y) || z === 0n || z >= ORDER) return false;

  const commitment = concat(Uint8Array.of(y % 2n === 0n ? 2 : 3), fromBigInt(x, 32));
  const c = challenge(commitment, publicKey, message);
  // An EVM verifier cannot check this one, and one in 2^256 is no loss.
  if (c === 0n) return false;
  const right = Point.fromAffine({ x, y }).add(Point.fromBytes(publicKey).multiplyUnsafe(c));
  return Point.BASE.multiplyUnsafe(z).equals(right);
}
