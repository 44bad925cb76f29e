import assert from "node:assert/strict";
import { test } from "node:test";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { type Bytes, concat, fromBigInt, fromHex, toBigInt } from "../src/bytes.js";
import { GroupKey, Verifier } from "../src/index.js";
import { onCurve, secp256k1KeyFault, verifySecp256k1 } from "../src/secp256k1.js";
import { codeOf } from "./support/errors.js";
import { NETWORK_ID, NOW, scalarOf, secpKey, signSecp256k1, update } from "./support/network.js";

const { Point } = secp256k1;
const P = Point.Fp.ORDER;
const N = Point.Fn.ORDER;
const hex = (text: string): Bytes => fromHex(text) ?? assert.fail(text);
const copy = (bytes: Uint8Array): Bytes => Uint8Array.from(bytes);

const message = new Uint8Array(32).fill(9);
const key = copy(secpKey());
const good = copy(signSecp256k1(message));
const [rx, ry, z] = [good.slice(0, 32), good.slice(32, 64), good.slice(64)];

test("a signature of another implementation of the suite passes", () => {
  // Made by frost-secp256k1-evm over 32 bytes of 0x41, and checked in its own tests by a contract.
  const publicKey = hex("034f6340cfdd930a6f54e730188e3071d150877fa664945fb6f120c18b56ce1c09");
  const signature = hex(
    "df70c2d9d0bc0711bd338f95527a4545f8bb3530b3a90e07b34df5b0f298ded1" +
      "a84975b1488e6ea60530a3bdb74b2e7c9f0217769cbf0f2565744a353b919554" +
      "b164ec237af7ea1af309ebdb6aa9588fcb821fb1e3ad32315a95d59a7f0a4600",
  );
  assert.equal(secp256k1KeyFault(publicKey), undefined);
  assert.equal(verifySecp256k1(publicKey, new Uint8Array(32).fill(0x41), signature), true);
  assert.equal(verifySecp256k1(publicKey, new Uint8Array(32).fill(0x42), signature), false);
});

test("a signature passes, and no flipped bit, other key or other length does", () => {
  assert.equal(verifySecp256k1(key, message, good), true);
  for (let bit = 0; bit < 768; bit += 1) {
    const bad = copy(good);
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(verifySecp256k1(key, message, bad), false, `bit ${bit}`);
  }
  const negated = copy(key);
  negated[0] = (negated[0] ?? 0) ^ 1;
  assert.equal(verifySecp256k1(negated, message, good), false);
  assert.equal(verifySecp256k1(key, message, good.slice(1)), false);
  assert.equal(verifySecp256k1(key, message, concat(good, Uint8Array.of(0))), false);
});

test("the form of R and z is strict", () => {
  const refused = (...parts: Bytes[]) => assert.equal(verifySecp256k1(key, message, concat(...parts)), false);
  const word = (n: bigint) => fromBigInt(n, 32);
  refused(rx, ry, word(0n));
  refused(rx, ry, word(N));
  if (toBigInt(z) + N < 2n ** 256n) refused(rx, ry, word(toBigInt(z) + N));
  refused(rx, ry, word(N - toBigInt(z)));
  refused(rx, word(P - toBigInt(ry)), z);
  refused(word(0n), word(0n), z);
  refused(word(P), ry, z);
  refused(word(2n ** 256n - 1n), ry, z);
  refused(rx, word(2n ** 256n - 1n), z);
  refused(word(toBigInt(rx) + 1n), ry, z);
});

test("a coordinate has one form only", () => {
  // A point with so small an x that x + p has 256 bits, too.
  const x = 1n;
  const y = Point.Fp.sqrt(x ** 3n + 7n);
  assert.ok(x + P < 2n ** 256n);
  assert.equal(onCurve(x, y), true);
  assert.equal(onCurve(x, P - y), true);
  for (const [a, b] of [
    [x + P, y],
    [x, y + P],
    [x, y + 1n],
    [0n, 0n],
  ] as const) {
    assert.equal(onCurve(a, b), false);
  }
});

test("a key is compressed, on the curve, and its x below the group's order", () => {
  const fault = (bytes: Uint8Array) => secp256k1KeyFault(bytes);
  assert.equal(fault(key), undefined);
  const withX = (x: bigint, sign = 2) => concat(Uint8Array.of(sign), fromBigInt(x, 32));
  assert.match(fault(new Uint8Array(32)) ?? "", /32 bytes/);
  assert.match(fault(Point.BASE.toBytes(false)) ?? "", /65 bytes/);
  for (const sign of [0, 1, 4, 6, 7, 255]) assert.match(fault(withX(1n, sign)) ?? "", /compressed/);
  assert.match(fault(withX(5n)) ?? "", /curve/);
  assert.match(fault(withX(P)) ?? "", /canonical/);
  assert.match(fault(withX(P + 1n)) ?? "", /canonical/);
  // Of the points with an x from n to p, the first one.
  let x = N;
  for (; ; x += 1n) {
    try {
      Point.fromBytes(withX(x));
      break;
    } catch {
      // No point has this x.
    }
  }
  assert.match(fault(withX(x)) ?? "", /order/);
});

test("random keys and messages", () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.option(fc.integer({ min: 0, max: 767 })), (secret, nonce, text, bit) => {
      const signature = copy(signSecp256k1(text, scalarOf(secret), scalarOf(nonce)));
      if (bit !== null) signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(verifySecp256k1(copy(secpKey(scalarOf(secret))), copy(text), signature), bit === null);
    }),
    { numRuns: 40 },
  );
});

test("a verifier of both suites, or of this one alone", async () => {
  const leaves = [
    { feed: "BTC-USD", price: 5n },
    { feed: "ETH-USD", price: 7n },
  ];
  const signed = update({ leaves, suite: "secp256k1-keccak", indices: [1] });
  const both = new Verifier({
    networkId: NETWORK_ID,
    groupKeys: { ed25519: "197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61", "secp256k1-keccak": key },
  });
  assert.deepEqual(both.suites, ["ed25519", "secp256k1-keccak"]);
  for (const got of [both.verify(signed), await both.verifyAsync(signed)]) {
    assert.equal(got.suite, "secp256k1-keccak");
    assert.equal(got.price("ETH-USD", { nowMs: NOW, maxAgeMs: 0 }).price.mantissa, 7n);
  }
  const alone = new Verifier({ networkId: NETWORK_ID, groupKeys: { "secp256k1-keccak": key } });
  assert.equal(await codeOf(() => alone.verify(update({ leaves }))), "unsupported-suite");
  assert.equal(await codeOf(() => new GroupKey("secp256k1-keccak", key.slice(1))), "bad-group-key");
  const damaged = copy(signed);
  damaged[150] = (damaged[150] ?? 0) ^ 1;
  assert.equal(await codeOf(() => both.verify(damaged)), "bad-signature");
  assert.equal(await codeOf(() => both.verify(signed.slice(0, 160))), "truncated");
});
