import { type Bytes, concat } from "./bytes.js";
import { EXPONENT_MAX } from "./decimal.js";
import { VerifyError } from "./errors.js";
import { FEED_BYTES, readFeedName } from "./feed.js";
import type { Reader } from "./reader.js";
import { knownStatus, STATUS_BITS } from "./status.js";

/** One feed in one round, as the group signs it through the tree of all leaves. */
export interface Leaf {
  readonly feed: string;
  readonly status: number;
  readonly exponent: number;
  readonly price: bigint;
  readonly low: bigint;
  readonly high: bigint;
  readonly observedAtMs: bigint;
  readonly observers: number;
  /** The 92 bytes. */
  readonly bytes: Bytes;
}

/** Whether the leaf says that there is no price. */
export function isUnavailable(leaf: Leaf): boolean {
  return (leaf.status & STATUS_BITS.unavailable) !== 0;
}

function refuse(reason: string): never {
  throw new VerifyError("invalid-leaf", reason);
}

/** Reads a leaf and refuses what no leaf may hold. */
export function readLeaf(reader: Reader): Leaf {
  const parts: Bytes[] = [];
  const part = (length: number, field: string) => {
    const bytes = reader.take(length, field);
    parts.push(bytes);
    return bytes;
  };
  const feed = readFeedName(part(FEED_BYTES, "leaf feed")) ?? refuse("feed: not a zero-padded BASE-QUOTE name");
  const status = part(1, "leaf status")[0] ?? 0;
  if (!knownStatus(status)) refuse("status: unknown bits");
  const numbers = new DataView(part(59, "leaf").buffer);
  const wide = (at: number) => (numbers.getBigInt64(at) << 64n) | numbers.getBigUint64(at + 8);
  const leaf: Leaf = {
    feed,
    status,
    exponent: numbers.getInt8(0),
    price: wide(1),
    low: wide(17),
    high: wide(33),
    observedAtMs: numbers.getBigUint64(49),
    observers: numbers.getUint16(57),
    bytes: concat(...parts),
  };
  if (Math.abs(leaf.exponent) > EXPONENT_MAX) refuse(`exponent: must be from -${EXPONENT_MAX} to ${EXPONENT_MAX}`);
  const priced = leaf.price !== 0n || leaf.low !== 0n || leaf.high !== 0n;
  if (isUnavailable(leaf) && priced) refuse("status: unavailable, yet it has a price");
  if (leaf.low > leaf.price || leaf.price > leaf.high) refuse("price: must lie from low to high");
  return leaf;
}
