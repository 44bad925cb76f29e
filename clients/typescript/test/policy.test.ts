import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Bracket, Decimal, type Policy, Verifier, VerifiedPrice, VerifiedUpdate, verifyAt } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { btc, NOW, PIN, PRICE, ROUND, update } from "./support/network.js";

const verifier = Verifier.fromPin(PIN);
const verified = verifier.verify(btc());
const price = (policy: unknown) => verified.price("BTC-USD", policy as Policy);

test("a price has everything that was signed", () => {
  const got = price({ nowMs: NOW, maxAgeMs: 0 });
  assert.ok(got instanceof VerifiedPrice && got.price instanceof Decimal);
  assert.deepEqual(
    { ...got },
    {
      feed: "BTC-USD",
      price: new Decimal(PRICE, -8),
      low: new Decimal(PRICE - 5n, -8),
      high: new Decimal(PRICE + 5n, -8),
      status: [],
      round: BigInt(ROUND),
      epoch: 0,
      timestampMs: BigInt(NOW),
      observedAtMs: BigInt(NOW),
      observers: 4,
    },
  );
  assert.deepEqual(JSON.parse(JSON.stringify(got)), {
    feed: "BTC-USD",
    price: "67000.00000000",
    low: "66999.99999995",
    high: "67000.00000005",
    status: [],
    round: String(ROUND),
    epoch: 0,
    timestamp_ms: String(NOW),
    observed_at_ms: String(NOW),
    observers: 4,
  });
});

test("there is no price without a statement about time", async () => {
  const wrong: unknown[] = [
    undefined,
    null,
    {},
    5,
    [],
    { nowMs: NOW },
    { maxTradeAgeMs: 5 },
    { maxAgeMs: undefined },
    { maxAgeMs: "10000", nowMs: NOW },
    { maxAgeMs: Number.NaN, nowMs: NOW },
    { maxAgeMs: Number.POSITIVE_INFINITY, nowMs: NOW },
    { maxAgeMs: -1, nowMs: NOW },
    { maxAgeMs: 0.5, nowMs: NOW },
    { maxAgeMs: 2 ** 60, nowMs: NOW },
    { maxAgeMs: 2n ** 64n, nowMs: NOW },
    { maxAgeMs: 0, nowMs: new Date(NOW) },
    { maxAgeMs: 0, nowMs: null },
    { at: NOW },
    { at: {} },
    { at: { beforeDigest: verified.statement.digest, instantMs: BigInt(NOW), gap: 1n, beforeRound: 0n } },
  ];
  for (const policy of wrong) {
    assert.equal(
      await codeOf(() => price(policy)),
      "config",
      JSON.stringify(policy, (_, v) => String(v)),
    );
  }
});

test("a condition that does not exist is not passed over in silence", async () => {
  const fresh = { nowMs: NOW, maxAgeMs: 0 };
  for (const more of [
    { maxTradeAge: 1 },
    { max_trade_age_ms: 1 },
    { maxGap: 1 },
    { allowStatus: ["closed"] },
    { allowStatus: ["toString"] },
    { allowStatus: "stale" },
    { minObservers: -1 },
    { newerThan: "5" },
  ]) {
    assert.equal(await codeOf(() => price({ ...fresh, ...more })), "config", JSON.stringify(more));
  }
  // What is undefined was not stated.
  assert.equal(await codeOf(() => price({ ...fresh, at: undefined, maxGap: undefined, newerThan: undefined })), "ok");
});

test("now is the system's clock unless it is stated", async () => {
  const current = Date.now();
  const fresh = verifier.verify(btc(ROUND, current));
  assert.equal(await codeOf(() => fresh.price("BTC-USD", { maxAgeMs: 60_000 })), "ok");
  assert.equal(await codeOf(() => price({ maxAgeMs: 60_000 })), current > NOW ? "too-old" : "ahead-of-now");
});

test("the door is the policy's alone", () => {
  const forged = { statement: verified.statement, entries: [], suite: {}, bytes: verified.toBytes() };
  assert.throws(() => Reflect.construct(VerifiedUpdate, [Symbol(), forged]), /only a Verifier/);
  assert.throws(() => Reflect.construct(Bracket, [Symbol(), {}]), /only verifyAt/);
  assert.doesNotMatch(
    JSON.stringify(verified, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v)),
    /6700000000/,
  );
});

test("a status is an error until it is allowed by name", async () => {
  const halted = verifier.verify(update({ leaves: [{ feed: "BTC-USD", price: 5n, status: ["stale", "halted"] }] }));
  const by = (...allowStatus: ("stale" | "halted")[]) =>
    codeOf(() => halted.price("BTC-USD", { nowMs: NOW, maxAgeMs: 0, allowStatus }));
  assert.deepEqual(halted.status("BTC-USD"), ["stale", "halted"]);
  assert.equal(halted.status("ETH-USD"), undefined);
  assert.deepEqual([await by(), await by("stale"), await by("stale", "halted")], ["status", "status", "ok"]);
});

test("an instant belongs to the update before it", async () => {
  const after = verifier.verify(btc(ROUND + 1, NOW + 1_000));
  const at = verifyAt(verified, after, NOW + 999);
  assert.equal(at.gap, 1n);
  assert.equal(await codeOf(() => price({ at })), "ok");
  assert.equal(await codeOf(() => after.price("BTC-USD", { at })), "other-update");
  assert.equal(await codeOf(() => price({ at, nowMs: NOW })), "config");
  assert.equal(await codeOf(() => verifyAt(after, verified, NOW)), "no-pair");
  const key = "197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61";
  const networkId = "00".repeat(32);
  const leaves = [{ feed: "BTC-USD", price: PRICE }];
  const elsewhere = new Verifier({ networkId, groupKeys: { ed25519: key } });
  const other = elsewhere.verify(update({ networkId, leaves, round: ROUND + 1, timestampMs: NOW + 1_000 }));
  assert.equal(await codeOf(() => verifyAt(verified, other, NOW)), "no-pair");
  assert.equal(await codeOf(() => verifyAt(verified, after, NOW + 1_000)), "not-around");
  assert.equal(await codeOf(() => verifyAt(verified, after, NOW - 1)), "not-around");
  assert.equal(await codeOf(() => verifyAt(verified, after, -1)), "config");
});

test("age, skew and order of rounds, for any numbers", () => {
  const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
  const near = fc.bigInt(BigInt(NOW) - 5_000n, BigInt(NOW) + 5_000n);
  fc.assert(
    fc.asyncProperty(fc.oneof(u64, near), fc.oneof(u64, fc.bigInt(0n, 5_000n)), u64, async (nowMs, maxAgeMs, last) => {
      const code = await codeOf(() => price({ nowMs, maxAgeMs, newerThan: last }));
      const age = nowMs - BigInt(NOW);
      const ahead = age < -2_000n && "ahead-of-now";
      const old = age > maxAgeMs && "too-old";
      assert.equal(code, ahead || old || (last >= BigInt(ROUND) && "not-newer") || "ok");
    }),
  );
});
