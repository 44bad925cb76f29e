import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, fromHex } from "../src/bytes.js";
import { TouchstoneError, VerifyError, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { vector } from "./support/files.js";
import { btc, PIN, secpKey, NETWORK_ID, update } from "./support/network.js";
import type { UpdateVector } from "./support/vector-files.js";

const verifier = Verifier.fromPin(PIN);
const small = btc();
const several = fromHex(vector<UpdateVector>("update/valid/tree-00012-three.json").update) ?? assert.fail();
const both = new Verifier({
  networkId: NETWORK_ID,
  groupKeys: { ed25519: String(vector<{ group_key: string }>("policy.json").group_key), "secp256k1-keccak": secpKey() },
});
const second = update({ leaves: [{ feed: "BTC-USD", price: 1n }], suite: "secp256k1-keccak" });

test("an update that is cut off at any byte is truncated", async () => {
  for (const whole of [small, several, second]) {
    assert.equal(await codeOf(() => both.verify(whole)), "ok");
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(await codeOf(() => both.verify(whole.slice(0, length))), "truncated", `${length} bytes`);
    }
  }
});

test("an update with anything behind it is refused", async () => {
  for (const whole of [small, several, second]) {
    for (const extra of [Uint8Array.of(0), Uint8Array.of(255), new Uint8Array(95), whole]) {
      assert.equal(await codeOf(() => both.verify(concat(whole, extra))), "trailing-bytes");
    }
  }
});

test("a byte more or less at any place is refused", async () => {
  for (let at = 0; at < small.length; at += 1) {
    const shorter = concat(small.slice(0, at), small.slice(at + 1));
    const longer = concat(small.slice(0, at), Uint8Array.of(at % 256), small.slice(at));
    for (const bytes of [shorter, longer]) {
      assert.notEqual(await codeOf(() => verifier.verify(bytes)), "ok", `byte ${at}`);
    }
  }
});

test("no flipped bit is accepted, and both ways give one code", async () => {
  for (let bit = 0; bit < 8 * small.length; bit += 1) {
    const bytes = Uint8Array.from(small);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const code = await codeOf(() => verifier.verifyAsync(bytes));
    assert.notEqual(code, "ok", `bit ${bit}`);
    if (bit % 16 === 0) assert.equal(await codeOf(() => verifier.verify(bytes)), code);
  }
});

test("several random changes are never accepted", async () => {
  const change = fc.tuple(fc.nat(several.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const bytes = Uint8Array.from(several);
      for (const [at, by] of changes) bytes[at] = (bytes[at] ?? 0) ^ by;
      fc.pre(bytes.some((byte, i) => byte !== several[i]));
      assert.notEqual(await codeOf(() => verifier.verifyAsync(bytes)), "ok");
    }),
    { numRuns: 300 },
  );
});

test("no bytes do anything but a refusal by code", () => {
  const start = small.slice(0, 185);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.uint8Array({ maxLength: 600 }).map((tail) => concat(start, tail)),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      assert.throws(() => verifier.verify(input), VerifyError);
    }),
    { numRuns: 2_000 },
  );
});

test("what was verified cannot be changed afterwards", async () => {
  const input = Uint8Array.from(small);
  const pending = verifier.verifyAsync(input);
  input.fill(0);
  const got = await pending;
  assert.deepEqual(got.toBytes(), small);
  got.toBytes().fill(0);
  assert.deepEqual(got.toBytes(), small);
  assert.throws(() => {
    (got as { feeds: unknown }).feeds = [];
  }, TypeError);
  assert.throws(() => {
    (got.statement as { round: bigint }).round = 0n;
  }, TypeError);
});

test("only bytes are bytes", () => {
  for (const input of ["00", [1, 1], new ArrayBuffer(3), null, undefined, {}]) {
    assert.throws(() => verifier.verify(input as unknown as Uint8Array), TypeError);
  }
  // A Node Buffer is a Uint8Array.
  assert.equal(verifier.verify(Buffer.from(small)).round, 1_790_000_100n);
});

test("errors have names and codes, and are Errors", () => {
  try {
    verifier.verify(new Uint8Array());
    assert.fail();
  } catch (error) {
    assert.ok(error instanceof VerifyError && error instanceof TouchstoneError && error instanceof Error);
    assert.equal(error.name, "VerifyError");
    assert.equal(error.code, "truncated");
    assert.equal(String(error), "VerifyError: version: needs 1 bytes, 0 are left");
  }
});
