import { ed25519 } from "@noble/curves/ed25519.js";
import { type Bytes, equal, fromHex, toHex } from "./bytes.js";
import { platformKey, platformVerify } from "./webcrypto.js";

// Strict Ed25519: A and R are canonical encodings of points that are not of small order, s is below the group's order,
// and s * B = R + k * A without the cofactor. Both ways to check the equation, noble and WebCrypto, stand behind the same
// checks of the bytes, so that they accept the same signatures.

const { Point } = ed25519;
const SIGNATURE_BYTES = 64;

/** The group's order, little-endian. */
const ORDER = littleEndian(Point.Fn.ORDER);
/** The field's order, little-endian. */
const PRIME = littleEndian(Point.Fp.ORDER);

/** The y coordinates, little-endian, of the eight points whose order divides 8: 1, -1, 0, and two of order 8. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

function littleEndian(value: bigint): Bytes {
  const hex = value.toString(16).padStart(64, "0");
  return (fromHex(hex) ?? new Uint8Array(32)).reverse();
}

/** Whether `bytes` is below `bound`, both little-endian and of one length. */
function below(bytes: Uint8Array, bound: Uint8Array): boolean {
  for (let i = bound.length - 1; i >= 0; i -= 1) {
    const [a, b] = [bytes[i] ?? 0, bound[i] ?? 0];
    if (a !== b) return a < b;
  }
  return false;
}

/** Whether 32 bytes, if they are a point at all, are its canonical encoding and it is not of small order. */
function strictPoint(bytes: Uint8Array): boolean {
  const y = Uint8Array.from(bytes);
  y[31] = (y[31] ?? 0) & 0x7f;
  // The only points with x = 0 have y = 1 or y = -1, so that a sign without an x is refused here, too.
  return below(y, PRIME) && !SMALL_ORDER.has(toHex(y));
}

/** Whether the bytes of a signature are such that its equation is worth a look. */
export function strictSignature(signature: Uint8Array): boolean {
  return (
    signature.length === SIGNATURE_BYTES &&
    strictPoint(signature.subarray(0, 32)) &&
    below(signature.subarray(32), ORDER)
  );
}

/** Why bytes are no Ed25519 group key; undefined if they are one: canonical, and of prime order. */
export function ed25519KeyFault(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 32) return `${bytes.length} bytes, must be 32`;
  try {
    const point = Point.fromBytes(bytes, true);
    if (!equal(point.toBytes(), bytes)) return "not the canonical encoding of a point";
    if (!strictPoint(bytes) || !point.isTorsionFree()) return "not a point of prime order";
    return undefined;
  } catch {
    return "not a point of the curve";
  }
}

/**
 * The reference. `publicKey` must be one for which {@link ed25519KeyFault} finds no fault.
 *
 * noble checks the equation times the cofactor. Where A and R are of prime order, that is the same as without it; where
 * R is not, the equation without the cofactor cannot hold.
 */
export function verifyReference(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  if (!strictSignature(signature)) return false;
  if (!ed25519.verify(signature, message, publicKey, { zip215: false })) return false;
  return Point.fromBytes(signature.subarray(0, 32), false).isTorsionFree();
}

/** The same verdict, from WebCrypto where it is there and was seen to be strict. */
export async function verifyFast(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  if (!strictSignature(signature)) return false;
  const key = await platformKey(publicKey);
  const verdict = key && (await platformVerify(key, message, signature));
  return verdict ?? verifyReference(publicKey, message, signature);
}

/**
 * A member's signature, by the rules of ZIP-215: R by any encoding, s below the group's order, the equation times the
 * cofactor. `publicKey` must be one for which {@link ed25519KeyFault} finds no fault.
 */
export function verifyMember(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  return signature.length === SIGNATURE_BYTES && ed25519.verify(signature, message, publicKey, { zip215: true });
}
