import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Client, Pin, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { required } from "./support/files.js";

test("an aggregator of a running network is understood", async (t) => {
  const { TOUCHSTONE_URL: url, TOUCHSTONE_PIN: path } = process.env;
  if (!url || !path) {
    assert.ok(!required(), "TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator, and TOUCHSTONE_REQUIRE wants one");
    t.skip("TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator");
    return;
  }
  const pin = Pin.read(readFileSync(path));
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
