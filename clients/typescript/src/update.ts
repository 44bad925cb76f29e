import type { Bytes } from "./bytes.js";
import { VerifyError } from "./errors.js";
import { type Leaf, readLeaf } from "./leaf.js";
import { included, leafHash, pathLength } from "./merkle.js";
import { Reader } from "./reader.js";
import { readStatement, type SignedStatement } from "./statement.js";
import { type Suite, SUITES } from "./suite.js";

const VERSION = 1;
const HASH_BYTES = 32;

/** One feed of an update. */
export interface UpdateEntry {
  readonly leaf: Leaf;
  /** Its position among the statement's leaves. */
  readonly index: number;
  /** Its inclusion proof, from the leaf's sibling upwards. */
  readonly path: readonly Bytes[];
}

/** A price update whose form is right. The signature and {@link checkInclusion} say whether it is true. */
export interface PriceUpdate {
  readonly suite: Suite;
  readonly statement: SignedStatement;
  readonly signature: Bytes;
  readonly entries: readonly UpdateEntry[];
  /** All of it. */
  readonly bytes: Bytes;
}

/** Reads the binary form of a price update; nothing may follow it. */
export function readUpdate(input: Uint8Array): PriceUpdate {
  if (!(input instanceof Uint8Array)) throw new TypeError("a price update is a Uint8Array");
  // A copy: nobody else may change what was checked.
  const bytes = Uint8Array.from(input);
  const reader = new Reader(bytes);
  const version = reader.uint(1, "version");
  if (version !== VERSION) {
    throw new VerifyError("unknown-version", `version ${version}: this reader knows version ${VERSION} only`);
  }
  const suiteByte = reader.uint(1, "suite");
  const suite = SUITES.find((known) => known.byte === suiteByte);
  if (suite === undefined) throw new VerifyError("unknown-suite", `suite ${suiteByte} is not known`);
  const statement = readStatement(reader);
  const signature = reader.take(suite.signatureBytes, "signature");
  const entries = readEntries(reader, statement.feedCount);
  reader.finish();
  return { suite, statement, signature, entries, bytes };
}

function readEntries(reader: Reader, feedCount: number): readonly UpdateEntry[] {
  const count = reader.uint(1, "count");
  if (count === 0) throw new VerifyError("no-entries", "count is 0: an update has at least one entry");
  const entries: UpdateEntry[] = [];
  let last = -1;
  for (let i = 0; i < count; i += 1) {
    const entry = readEntry(reader, feedCount);
    if (entry.index <= last) {
      throw new VerifyError("leaf-order", `leaf_index ${entry.index}: indices must be strictly ascending`);
    }
    last = entry.index;
    entries.push(entry);
  }
  return entries;
}

function readEntry(reader: Reader, feedCount: number): UpdateEntry {
  const leaf = readLeaf(reader);
  const index = reader.uint(2, "leaf_index");
  const length = reader.uint(1, "path_len");
  const expected = pathLength(index, feedCount);
  if (expected === undefined) {
    throw new VerifyError("leaf-index", `leaf_index ${index}: the statement has ${feedCount} feeds`);
  }
  if (length !== expected) {
    throw new VerifyError("path-length", `path of leaf ${index} has ${length} hashes, must have ${expected}`);
  }
  const path = Array.from({ length }, () => reader.take(HASH_BYTES, "path"));
  return { leaf, index, path };
}

/** Checks that every leaf stands under the statement's feeds root. */
export function checkInclusion({ statement, entries }: PriceUpdate): void {
  for (const { leaf, index, path } of entries) {
    if (!included(leafHash(leaf.bytes), index, statement.feedCount, path, statement.root)) {
      throw new VerifyError("inclusion", `${leaf.feed} (leaf ${index}) is not included under feeds_root`);
    }
  }
}
