import { type Bytes, equal } from "./bytes.js";
import { sha256 } from "./sha256.js";

// Trees and inclusion proofs of RFC 9162 section 2.1 over SHA-256.

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Hash of a leaf's bytes. */
export function leafHash(bytes: Uint8Array): Bytes {
  return sha256(LEAF, bytes);
}

/** Hash of an inner node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Bytes {
  return sha256(NODE, left, right);
}

/**
 * The length that the proof of leaf `index` in a tree of `size` leaves must have; undefined if there is no such leaf.
 */
export function pathLength(index: number, size: number): number | undefined {
  if (index >= size) return undefined;
  let length = 0;
  for (let at = index, last = size - 1; last > 0; at >>>= 1, last >>>= 1) {
    // Only a last node without a right neighbour is carried up without a sibling.
    if (at % 2 === 1 || at < last) length += 1;
  }
  return length;
}

/** Whether the leaf hash stands at `index` in the tree of `size` leaves with this root (RFC 9162 section 2.1.3.2). */
export function included(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (path.length !== pathLength(index, size)) return false;
  let hash = leaf;
  let [at, last] = [index, size - 1];
  for (const sibling of path) {
    // A last node without a right neighbour goes up as it is.
    while (last > 0 && at % 2 === 0 && at === last) {
      at >>>= 1;
      last >>>= 1;
    }
    hash = at % 2 === 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    at >>>= 1;
    last >>>= 1;
  }
  return equal(hash, root);
}
