import assert from "node:assert/strict";
import { test } from "node:test";
import * as api from "../src/index.js";
import { fromHex, toHex } from "../src/bytes.js";
import { DEFAULT_MAX_SKEW_MS } from "../src/policy.js";
import { readEpochRecord } from "../src/epoch.js";
import { canonicalJson, type Json, Place } from "../src/json.js";
import { readLeaf } from "../src/leaf.js";
import { manifestHash, readManifest } from "../src/manifest.js";
import { included, leafHash } from "../src/merkle.js";
import { Reader } from "../src/reader.js";
import { readStatement } from "../src/statement.js";
import { allVectors } from "./support/all-vectors.js";
import { vector } from "./support/files.js";
import { runVectors } from "./support/run-vectors.js";
import type { LeafVector } from "./support/vector-files.js";

const bytes = (hex: string) => fromHex(hex) ?? assert.fail(`${hex} is not hexadecimal`);

test("every shared vector gives what it says", async () => {
  const all = allVectors();
  assert.ok(all.valid.length >= 30 && all.invalid.length >= 90 && all.keys.length > 30);
  assert.ok(all.policy.cases.length > 40 && all.badPins.length >= 10);
  assert.equal(all.policy.default_max_skew_ms, DEFAULT_MAX_SKEW_MS);
  const { count, faults } = await runVectors(api, all);
  assert.deepEqual(faults, []);
  const parts = [all.valid, all.invalid, all.keys, all.policy.cases, all.goodPins, all.badPins];
  assert.equal(
    count,
    parts.reduce((sum, part) => sum + part.length, 0),
  );
});

test("the vectors show every code that a verifier has", () => {
  const codes = new Set(allVectors().invalid.map(([, { code }]) => code));
  const every: readonly api.VerifyCode[] = [
    "truncated",
    "trailing-bytes",
    "unknown-version",
    "unknown-suite",
    "no-entries",
    "leaf-order",
    "leaf-index",
    "path-length",
    "invalid-leaf",
    "wrong-network",
    "unsupported-suite",
    "bad-signature",
    "inclusion",
  ];
  assert.deepEqual([...codes].sort(), [...every].sort());
});

test("canonical statements", () => {
  const list = vector<ReadonlyArray<Record<string, string | number>>>("canonical/statement.json");
  for (const v of list) {
    // The magic is not on the wire.
    const tail = bytes(String(v["bytes"])).slice(16);
    const reader = new Reader(tail);
    const statement = readStatement(reader);
    reader.finish();
    assert.equal(statement.digest, v["digest"]);
    assert.equal(statement.round, BigInt(v["round"] ?? 0));
  }
});

test("canonical leaves", () => {
  const list = vector<ReadonlyArray<LeafVector & { bytes: string; leaf_hash: string }>>("canonical/leaf.json");
  for (const v of list) {
    const reader = new Reader(bytes(v.bytes));
    const leaf = readLeaf(reader);
    reader.finish();
    assert.equal(toHex(leaf.bytes), v.bytes);
    assert.equal(toHex(leafHash(leaf.bytes)), v.leaf_hash);
    assert.deepEqual(
      [leaf.feed, leaf.status, leaf.exponent, leaf.price, leaf.low, leaf.high, leaf.observedAtMs, leaf.observers],
      [
        v.feed,
        v.status_bits,
        v.exponent,
        BigInt(v.price),
        BigInt(v.low),
        BigInt(v.high),
        BigInt(v.observed_at_ms),
        v.observers,
      ],
    );
  }
});

test("canonical trees", () => {
  const list = vector<ReadonlyArray<{ leaves: string[]; root: string; paths: string[][] }>>("canonical/merkle.json");
  for (const { leaves, root, paths } of list) {
    for (const [index, leaf] of leaves.entries()) {
      const path = (paths[index] ?? []).map(bytes);
      const prove = (at: number, size: number, by = path) => included(leafHash(bytes(leaf)), at, size, by, bytes(root));
      assert.ok(prove(index, leaves.length));
      assert.ok(!prove(index, leaves.length, [...path, bytes(root)]));
      assert.ok(!prove(leaves.length, leaves.length));
      if (path.length > 0) assert.ok(!prove(index, leaves.length, path.slice(1)));
    }
  }
});

test("canonical manifest and epoch record", () => {
  const m = vector<{ manifest: Json; canonical: string; hash: string }>("canonical/manifest.json");
  const manifest = readManifest(new Place(m.manifest, "manifest"));
  assert.equal(canonicalJson(manifest), m.canonical);
  assert.equal(manifestHash(manifest), m.hash);
  const r = vector<{ record: Json; digest: string }>("canonical/epoch-record.json");
  assert.equal(toHex(readEpochRecord(new Place(r.record, "record"), manifest).digest), r.digest);
});
