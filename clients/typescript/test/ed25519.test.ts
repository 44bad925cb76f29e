import assert from "node:assert/strict";
import { createHash, createPublicKey, verify as opensslVerify } from "node:crypto";
import { test } from "node:test";
import { ed25519, ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { type Bytes, concat, fromBigInt, fromHex, toBigInt, toHex } from "../src/bytes.js";
import { ed25519KeyFault, strictSignature, verifyFast, verifyReference } from "../src/ed25519.js";
import { platformIsStrict } from "../src/webcrypto.js";
import { vector } from "./support/files.js";
import type { KeyVector } from "./support/vector-files.js";

const { Point } = ed25519;
type Point = InstanceType<typeof Point>;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;
const mod = (n: bigint) => ((n % L) + L) % L;
const hex = (text: string): Bytes => fromHex(text) ?? assert.fail(text);
const le = (n: bigint): Bytes => fromBigInt(n, 32).reverse();
const point = (p: Point): Bytes => Uint8Array.from(p.toBytes());
const torsion = ED25519_TORSION_SUBGROUP.map((text) => Point.fromHex(text));

const secret = 0x1357_9bdf_0246_8aceen;
const publicPoint = Point.BASE.multiply(secret);
const key = point(publicPoint);
const message = Uint8Array.from({ length: 32 }, (_, i) => i);
const nonce = 0x0fed_cba9_8765_4321n;

function challenge(r: Uint8Array, a: Uint8Array, text: Uint8Array = message): bigint {
  const digest = createHash("sha512").update(r).update(a).update(text).digest();
  return mod(toBigInt(Uint8Array.from(digest).reverse()));
}

/** A signature whose first half is these bytes, with the s that fits the nonce. */
function signWith(r: Uint8Array): Bytes {
  return concat(r, le(mod(nonce + challenge(r, key) * secret)));
}

/** What both ways say, which must be one and the same. */
async function verdict(signature: Bytes, of = key, text = message): Promise<boolean> {
  const [reference, fast] = [verifyReference(of, text, signature), await verifyFast(of, text, signature)];
  assert.equal(fast, reference, toHex(signature));
  return reference;
}

/** Every 32 bytes that stand for a point of small order, and all that are no canonical encoding. */
function strangeEncodings(): Bytes[] {
  const withSign = (bytes: Bytes) => {
    const signed = Uint8Array.from(bytes);
    signed[31] = (signed[31] ?? 0) ^ 0x80;
    return signed;
  };
  const all = torsion.map(point);
  for (let y = P; y < 2n ** 255n; y += 1n) all.push(le(y));
  return [...all, ...all.map(withSign)];
}

test("a platform that is strict is used", async (t) => {
  const strict = await platformIsStrict();
  t.diagnostic(`WebCrypto's Ed25519 is ${strict ? "used" : "not used"} here`);
  // Every Node that this package supports has it.
  assert.equal(strict, true);
});

test("a signature passes, and no other message, key or flipped bit does", async () => {
  const good = signWith(point(Point.BASE.multiply(nonce)));
  assert.equal(await verdict(good), true);
  assert.equal(
    await verdict(
      good,
      key,
      Uint8Array.from(message, (b) => b ^ 1),
    ),
    false,
  );
  assert.equal(await verdict(good, point(Point.BASE.multiply(secret + 1n))), false);
  for (let bit = 0; bit < 512; bit += 1) {
    const bad = Uint8Array.from(good);
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(await verdict(bad), false, `bit ${bit}`);
  }
  for (const length of [0, 1, 32, 63]) assert.equal(await verdict(good.slice(0, length)), false);
  assert.equal(await verdict(concat(good, Uint8Array.of(0))), false);
});

test("s must be below the group's order", async () => {
  const r = point(Point.BASE.multiply(nonce));
  const s = mod(nonce + challenge(r, key) * secret);
  for (let times = 1n; s + times * L < 2n ** 256n; times += 1n) {
    assert.equal(await verdict(concat(r, le(s + times * L))), false, `s + ${times} L`);
  }
  assert.equal(await verdict(concat(r, le(L))), false);
  assert.equal(strictSignature(concat(r, le(L))), false);
  assert.equal(strictSignature(concat(r, le(L - 1n))), true);
  assert.equal(await verdict(concat(r, new Uint8Array(32).fill(0xff))), false);
});

test("what only the equation with the cofactor accepts is refused", async () => {
  const r = Point.BASE.multiply(nonce);
  for (const [i, part] of torsion.entries()) {
    const signature = signWith(point(r.add(part)));
    const withCofactor = ed25519.verify(signature, message, key, { zip215: true });
    assert.equal(withCofactor, true, `point ${i}`);
    assert.equal(await verdict(signature), part.is0(), `point ${i}`);
  }
});

test("an R of small order or in a strange encoding is refused, whatever s is", async () => {
  for (const r of strangeEncodings()) {
    // For R = 0 this s even fulfils the equation: s * B = 0 + k * A.
    const s = mod(challenge(r, key) * secret);
    assert.equal(await verdict(concat(r, le(s))), false, toHex(r));
    assert.equal(await verdict(signWith(r)), false, toHex(r));
    assert.equal(await verdict(concat(r, new Uint8Array(32))), false, toHex(r));
    // Not left to noble or the platform.
    assert.equal(strictSignature(concat(r, le(s))), false, toHex(r));
  }
});

test("no point of small order, with a part of it, or in a strange encoding is a key", () => {
  for (const bytes of strangeEncodings()) assert.notEqual(ed25519KeyFault(bytes), undefined, toHex(bytes));
  for (const part of torsion) {
    const fault = ed25519KeyFault(point(publicPoint.add(part)));
    assert.equal(fault === undefined, part.is0());
  }
});

test("keys that no pin may hold verify nothing that a platform would let pass", async () => {
  // The checks of R stand in front of both ways even for such keys, which a verifier never gets to see.
  const keys = vector<KeyVector[]>("group-keys.json").filter((v) => v.code !== undefined && v.key.length === 64);
  const identity = point(Point.ZERO);
  for (const { key: bad, description } of keys) {
    for (const r of [identity, ...torsion.map(point)]) {
      assert.equal(await verdict(concat(r, new Uint8Array(32)), hex(bad)), false, description);
    }
  }
});

test("both ways and OpenSSL agree on random signatures, good and damaged", async () => {
  const prefix = hex("302a300506032b6570032100");
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.option(fc.integer({ min: 0, max: 511 })),
      async (seed, text, bit) => {
        const publicKey = Uint8Array.from(ed25519.getPublicKey(seed));
        const signature = Uint8Array.from(ed25519.sign(text, seed));
        if (bit !== null) signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const got = await verdict(signature, publicKey, Uint8Array.from(text));
        const der = Buffer.from(concat(prefix, publicKey));
        const openssl = createPublicKey({ key: der, format: "der", type: "spki" });
        assert.equal(got, opensslVerify(null, text, openssl, signature));
        assert.equal(got, bit === null);
      },
    ),
    { numRuns: 60 },
  );
});

test("random halves never pass, and both ways say so", async () => {
  const half = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.constantFrom(...strangeEncodings()),
    fc.constantFrom(le(0n), le(1n), le(L - 1n), le(L), le(P), point(Point.BASE), key),
  );
  await fc.assert(
    fc.asyncProperty(half, half, async (r, s) => {
      assert.equal(await verdict(concat(r, s)), false);
    }),
    { numRuns: 150 },
  );
});
