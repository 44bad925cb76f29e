// Signed rounds of the shared vectors' network, at times of the test's choice.
import { ed25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { ascii, concat, fromBigInt, fromHex, toBigInt } from "../../src/bytes.js";
import type { StatusName, SuiteName } from "../../src/index.js";
import { leafHash, nodeHash } from "../../src/merkle.js";
import { challenge } from "../../src/secp256k1.js";
import { sha256 } from "../../src/sha256.js";
import { STATUS_BITS } from "../../src/status.js";
import { SUITES } from "../../src/suite.js";
import { Verifier } from "../../src/index.js";
import { vector } from "./files.js";

export const NOW = 1_790_000_100_000;
export const ROUND = 1_790_000_100;
export const PRICE = 6_700_000_000_000n;

/** The vectors' group key. */
export const SECRET = new Uint8Array(32).fill(0x2a);
/** Somebody's key. */
export const STRANGER = new Uint8Array(32).fill(1);
const SCALAR = 0x1234_5678_9abc_def0n;

export const PIN: object = vector("pin/network.json");
export const NETWORK_ID = Verifier.fromPin(PIN).networkId;

export interface LeafFields {
  feed: string;
  price: bigint;
  status?: readonly StatusName[];
  exponent?: number;
  observedAtMs?: number;
  observers?: number;
}

export interface UpdateFields {
  leaves: readonly LeafFields[];
  /** Which leaves the update holds; all by default. */
  indices?: readonly number[];
  round?: number;
  timestampMs?: number;
  networkId?: string;
  suite?: SuiteName;
  secret?: Uint8Array;
}

function leafBytes(leaf: LeafFields, timestampMs: number) {
  const feed = new Uint8Array(32);
  feed.set(ascii(leaf.feed));
  const status = (leaf.status ?? []).reduce((bits, name) => bits | STATUS_BITS[name], 0);
  const unavailable = (status & STATUS_BITS.unavailable) !== 0;
  const around = unavailable ? 0n : 5n;
  return concat(
    feed,
    Uint8Array.of(status),
    fromBigInt(BigInt(leaf.exponent ?? -8), 1),
    fromBigInt(leaf.price, 16),
    fromBigInt(leaf.price - around, 16),
    fromBigInt(leaf.price + around, 16),
    fromBigInt(BigInt(leaf.observedAtMs ?? timestampMs), 8),
    fromBigInt(BigInt(leaf.observers ?? 4), 2),
  );
}

function tree(leaves: readonly Uint8Array[]): { root: Uint8Array; paths: Uint8Array[][] } {
  const paths: Uint8Array[][] = leaves.map(() => []);
  let level = leaves.map((hash, i) => ({ hash, under: [i] }));
  while (level.length > 1) {
    const next: typeof level = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i], level[i + 1]];
      if (left === undefined) break;
      if (right === undefined) {
        next.push(left);
        continue;
      }
      for (const leaf of left.under) paths[leaf]?.push(right.hash);
      for (const leaf of right.under) paths[leaf]?.push(left.hash);
      next.push({ hash: nodeHash(left.hash, right.hash), under: [...left.under, ...right.under] });
    }
    level = next;
  }
  return { root: level[0]?.hash ?? sha256(), paths };
}

/** A Schnorr signature as the group makes them, with a nonce that only a test may use. */
export function signSecp256k1(message: Uint8Array, scalar: bigint = SCALAR, nonce = 0x0bad_cafen): Uint8Array {
  const { BASE, Fn } = secp256k1.Point;
  const [commitment, key] = [BASE.multiply(nonce), BASE.multiply(scalar)];
  const c = challenge(commitment.toBytes(true), key.toBytes(true), message);
  const { x, y } = commitment.toAffine();
  return concat(fromBigInt(x, 32), fromBigInt(y, 32), fromBigInt(Fn.create(nonce + c * scalar), 32));
}

/** The public key that belongs to {@link signSecp256k1}. */
export function secpKey(scalar: bigint = SCALAR): Uint8Array {
  return secp256k1.Point.BASE.multiply(scalar).toBytes(true);
}

/** The vectors' group key, and one of the other suite that {@link update} signs with. */
export const GROUP_KEYS: Readonly<Record<SuiteName, Uint8Array>> = {
  ed25519: ed25519.getPublicKey(SECRET),
  "secp256k1-keccak": secpKey(),
};

/** A price update, signed by the vectors' group key unless said otherwise. */
export function update(fields: UpdateFields): Uint8Array {
  const { leaves, round = ROUND, timestampMs = NOW, suite: name = "ed25519" } = fields;
  const bytes = leaves.map((leaf) => leafBytes(leaf, timestampMs));
  const { root, paths } = tree(bytes.map(leafHash));
  const tail = concat(
    fromHex(fields.networkId ?? NETWORK_ID) ?? new Uint8Array(),
    fromBigInt(0n, 4),
    fromBigInt(BigInt(round), 8),
    fromBigInt(BigInt(timestampMs), 8),
    fromBigInt(BigInt(leaves.length), 2),
    root,
    new Uint8Array(32).fill(7),
  );
  const digest = sha256(ascii("touchstone/att/1"), tail);
  const suite = SUITES.find((known) => known.name === name);
  const signature = name === "ed25519" ? ed25519.sign(digest, fields.secret ?? SECRET) : signSecp256k1(digest);
  const indices = fields.indices ?? leaves.map((_, i) => i);
  const entries = indices.map((i) => {
    const path = paths[i] ?? [];
    return concat(bytes[i] ?? new Uint8Array(), fromBigInt(BigInt(i), 2), Uint8Array.of(path.length), ...path);
  });
  return concat(Uint8Array.of(1, suite?.byte ?? 0), tail, signature, Uint8Array.of(indices.length), ...entries);
}

/** BTC-USD at a price. */
export function btc(round = ROUND, timestampMs = NOW, price = PRICE): Uint8Array {
  return update({ round, timestampMs, leaves: [{ feed: "BTC-USD", price }] });
}

/** A random scalar for tests that want many. */
export function scalarOf(bytes: Uint8Array): bigint {
  return (toBigInt(bytes) % (secp256k1.Point.Fn.ORDER - 1n)) + 1n;
}
