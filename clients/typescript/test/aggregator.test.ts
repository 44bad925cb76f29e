import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { Client, Pin, type SuiteName, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { required } from "./support/files.js";

/** The aggregator and the pin that the environment names; without them the test is skipped. */
function network(t: TestContext): { url: string; pin: Pin } | undefined {
  const { TOUCHSTONE_URL: url, TOUCHSTONE_PIN: path } = process.env;
  if (url && path) return { url, pin: Pin.read(readFileSync(path)) };
  assert.ok(!required(), "TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator, and TOUCHSTONE_REQUIRE wants one");
  t.skip("TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator");
  return undefined;
}

test("an aggregator gives every suite of its network to whoever pins that one alone", async (t) => {
  const named = network(t);
  if (named === undefined) return;
  const { url, pin } = named;
  const feed = pin.feeds[0] ?? assert.fail("a network has feeds");
  for (const [suite, key] of pin.groupKeys) {
    const verifier = new Verifier({ networkId: pin.networkId, groupKeys: { [suite]: key } });
    const client = new Client({ verifier, endpoints: [url] });
    const update = await client.latest(pin.feeds);
    assert.equal(update.suite, suite);
    const pair = await client.around(feed, update.timestampMs - 1n);
    assert.deepEqual([pair.before.suite, pair.after.suite], [suite, suite]);
    for await (const event of client.watch([feed])) {
      assert.ok(event.type === "update", event.type === "interrupted" ? event.error.message : event.type);
      assert.equal(event.update.suite, suite);
      break;
    }
  }
  const lacking = (["ed25519", "secp256k1-keccak"] satisfies SuiteName[]).filter((suite) => !pin.groupKeys.has(suite));
  for (const suite of lacking) {
    const client = new Client({ verifier: Verifier.fromPin(pin), endpoints: [url], suite });
    assert.equal(await codeOf(() => client.latest(pin.feeds)), "invalid-query");
  }
});

test("an aggregator of a running network is understood", async (t) => {
  const named = network(t);
  if (named === undefined) return;
  const { url, pin } = named;
  pin.checkMembers();
  const verifier = Verifier.fromPin(pin);
  const client = new Client({ verifier, endpoints: ["http://127.0.0.1:9", url] });
  const fresh = { maxAgeMs: 30_000 };

  const all = await client.latest(pin.feeds);
  assert.deepEqual(all.feeds, pin.feeds);
  assert.deepEqual(verifier.verify(all.toBytes()).statement, all.statement);
  const feed = pin.feeds.find((name) => all.status(name)?.length === 0) ?? assert.fail("no feed is ok");
  const price = await client.price(feed, fresh);
  assert.ok(price.low.compare(price.price) <= 0 && price.price.compare(price.high) <= 0);
  assert.equal(await codeOf(() => client.price("NO-FEED", fresh)), "unknown-feed");

  const instant = all.timestampMs - 1n;
  const { before, after } = await client.around(feed, instant);
  assert.ok(before.timestampMs <= instant && instant < after.timestampMs);
  const maxGap = after.round - before.round;
  assert.equal(
    (await client.priceAt(feed, instant, { maxGap, allowStatus: ["stale", "degraded"] })).round,
    before.round,
  );
  assert.equal(await codeOf(() => client.around(feed, Date.now() + 3_600_000)), "no-next-yet");

  // Each round once and in order, though every other event ends the connection.
  const rounds: bigint[] = [];
  while (rounds.length < 4) {
    const last = rounds.at(-1) ?? all.round - 3n;
    for await (const event of client.watch([feed], { after: last })) {
      if (event.type !== "update") continue;
      rounds.push(event.update.round);
      if (rounds.length % 2 === 0) break;
    }
  }
  assert.deepEqual(
    rounds,
    [...new Set(rounds)].sort((a, b) => (a < b ? -1 : 1)),
  );
  assert.ok((rounds[0] ?? 0n) > all.round - 3n);
});
