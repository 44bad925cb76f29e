import { ascii, type Bytes, fromBigInt, toHex } from "./bytes.js";
import { sha256 } from "./sha256.js";
import type { Reader } from "./reader.js";

const MAGIC = ascii("touchstone/att/1");

/** What the group signs once per round. It commits to prices, but holds none. Digests are lower-case hexadecimal. */
export interface Statement {
  /** The network. */
  readonly networkId: string;
  /** Which manifest is in force. */
  readonly epoch: number;
  /** The round, strictly increasing per network. */
  readonly round: bigint;
  /** Lower median of the contributors' clocks, Unix milliseconds. */
  readonly timestampMs: bigint;
  /** Number of leaves under `feedsRoot`. */
  readonly feedCount: number;
  /** Root of the tree of leaves. */
  readonly feedsRoot: string;
  /** Root of the tree of contributors' observations. */
  readonly observationsRoot: string;
  /** SHA-256 of the statement: the message that is signed, in every suite. */
  readonly digest: string;
}

/** A statement with the digests as bytes. */
export interface SignedStatement extends Statement {
  /** `feedsRoot`. */
  readonly root: Bytes;
  /** `digest`. */
  readonly message: Bytes;
}

/** Reads a statement as a price update carries it: without its magic. */
export function readStatement(reader: Reader): SignedStatement {
  const network = reader.take(32, "network_id");
  const epoch = reader.uint(4, "epoch");
  const round = reader.bigUint(8, "round");
  const timestampMs = reader.bigUint(8, "timestamp_ms");
  const feedCount = reader.uint(2, "feed_count");
  const root = reader.take(32, "feeds_root");
  const observations = reader.take(32, "observations_root");
  const message = sha256(
    MAGIC,
    network,
    fromBigInt(BigInt(epoch), 4),
    fromBigInt(round, 8),
    fromBigInt(timestampMs, 8),
    fromBigInt(BigInt(feedCount), 2),
    root,
    observations,
  );
  return {
    networkId: toHex(network),
    epoch,
    round,
    timestampMs,
    feedCount,
    feedsRoot: toHex(root),
    observationsRoot: toHex(observations),
    digest: toHex(message),
    root,
    message,
  };
}
