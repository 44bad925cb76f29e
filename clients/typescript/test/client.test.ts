import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { AllFailedError, Client, type ClientOptions, PolicyError, VerifyError, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { btc, NOW, PIN, PRICE, ROUND, STRANGER, update } from "./support/network.js";
import { json, latest, serve } from "./support/server.js";

const verifier = Verifier.fromPin(PIN);
/** Nobody listens on the discard port of the loopback. */
const DOWN = "http://127.0.0.1:9";
const FRESH = { nowMs: NOW, maxAgeMs: 10_000 };

function client(endpoints: readonly string[], options: Partial<ClientOptions> = {}): Client {
  return new Client({ verifier, endpoints, timeoutMs: 2_000, bodyLimit: 4_096, ...options });
}

/** The code of a client whose only endpoint answers like this. */
async function codeFrom(t: TestContext, answer: RequestListener, options: Partial<ClientOptions> = {}) {
  const { url } = await serve(t, answer);
  return codeOf(() => client([url], options).price("BTC-USD", FRESH));
}

const forged = update({ secret: STRANGER, leaves: [{ feed: "BTC-USD", price: 1n }] });

test("the signed number counts, and not the JSON", async (t) => {
  const { url, asked } = await serve(t, (_, response) => json(response, latest(btc())));
  const price = await client([url]).price("BTC-USD", FRESH);
  assert.equal(`${price.price}`, "67000.00000000");
  assert.equal(price.round, BigInt(ROUND));
  assert.equal(asked[0]?.url, "/v1/feeds/BTC-USD/latest");
  assert.equal(asked[0]?.headers.accept, "application/json");
});

test("several feeds come under one signature", async (t) => {
  const leaves = [
    { feed: "BTC-USD", price: PRICE },
    { feed: "ETH-USD", price: 7n },
    { feed: "SOL-USD", price: 8n },
  ];
  const { url, asked } = await serve(t, (_, response) => json(response, latest(update({ leaves, indices: [0, 1] }))));
  const got = await client([url]).latest(["ETH-USD", "BTC-USD", "ETH-USD"]);
  assert.equal(asked[0]?.url, "/v1/updates/latest?feeds=ETH-USD,BTC-USD");
  assert.deepEqual(got.feeds, ["BTC-USD", "ETH-USD"]);
  assert.equal(await codeOf(() => client([url]).latest(["BTC-USD", "SOL-USD"])), "other-feed");
});

test("a base URL may have a path, with or without a slash at its end", async (t) => {
  const { url, asked } = await serve(t, (_, response) => json(response, latest(btc())));
  for (const base of [`${url}/prices`, `${url}/prices/`, `${url}/prices//`]) {
    await client([base]).price("BTC-USD", FRESH);
    assert.equal(asked.at(-1)?.url, "/prices/v1/feeds/BTC-USD/latest");
  }
});

test("endpoints that are down, late or lying are passed over", async (t) => {
  const broken = await serve(t, (_, response) => {
    json(response, { code: "not-ready", title: "Not ready\u001b[31m" }, 503);
  });
  const late = await serve(t, (_, response) => json(response, latest(btc(ROUND - 60, NOW - 60_000))));
  const lying = await serve(t, (_, response) => json(response, latest(forged)));
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  const bad = [DOWN, broken.url, late.url, lying.url];
  const price = await client([...bad, good.url]).price("BTC-USD", FRESH);
  assert.equal(price.price.mantissa, PRICE);

  const failed = await client(bad)
    .price("BTC-USD", FRESH)
    .catch((error: unknown) => error);
  assert.ok(failed instanceof AllFailedError);
  const codes = failed.errors.map(({ error }) => error.code);
  assert.deepEqual(codes, ["transport", "not-ready", "too-old", "bad-signature"]);
  assert.deepEqual(
    failed.errors.map(({ endpoint }) => endpoint),
    bad.map((url) => `${url}/`),
  );
  // A policy's refusal of an authentic answer says most.
  assert.equal(failed.code, "too-old");
  assert.ok(failed.cause instanceof PolicyError && failed.errors[3]?.error instanceof VerifyError);
  assert.doesNotMatch(failed.message, /\u001b/);
  assert.equal(await codeOf(() => client([DOWN, lying.url]).price("BTC-USD", FRESH)), "bad-signature");
});

test("the endpoint that answered is asked first", async (t) => {
  const broken = await serve(t, (_, response) => json(response, {}, 502));
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  const both = client([broken.url, good.url]);
  for (let i = 0; i < 3; i += 1) await both.latest(["BTC-USD"]);
  assert.equal(broken.asked.length, 1);
  assert.equal(good.asked.length, 3);
});

test("the caller's own check decides which endpoint will do", async (t) => {
  const old = await serve(t, (_, response) => json(response, latest(btc(ROUND - 5))));
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  const got = await client([old.url, good.url]).latest(["BTC-USD"], {
    check: (update) => update.price("BTC-USD", { ...FRESH, newerThan: ROUND - 1 }),
  });
  assert.equal(got.round, BigInt(ROUND));
  const code = await codeOf(() => client([old.url]).price("BTC-USD", { ...FRESH, newerThan: ROUND - 5 }));
  assert.equal(code, "not-newer");
});

test("answers about something else are refused", async (t) => {
  const otherFeed = update({ leaves: [{ feed: "ETH-USD", price: PRICE }] });
  assert.equal(await codeFrom(t, (_, response) => json(response, latest(otherFeed))), "other-feed");
  const otherNetwork = update({ networkId: "00".repeat(32), leaves: [{ feed: "BTC-USD", price: PRICE }] });
  assert.equal(await codeFrom(t, (_, response) => json(response, latest(otherNetwork))), "wrong-network");
});

test("malformed answers are refused", async (t) => {
  const bodies: readonly unknown[] = [
    { price: "1.0" },
    { update: "no base64" },
    { update: 5 },
    { update: null },
    { update: ["AQE="] },
    { update: { toString: "AQE=" } },
    [{ update: "AQE=" }],
    null,
    5,
    "AQE=",
    true,
  ];
  for (const body of bodies) {
    assert.equal(await codeFrom(t, (_, response) => json(response, body)), "malformed", JSON.stringify(body));
  }
  for (const text of ["", "{", "<html>", '{"update":', "[".repeat(4_000), "\u0000"]) {
    assert.equal(await codeFrom(t, (_, response) => response.end(text)), "malformed", text.slice(0, 10));
  }
  const invalid = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
  assert.equal(await codeFrom(t, (_, response) => response.end(invalid)), "malformed");
  assert.equal(await codeFrom(t, (_, response) => json(response, { update: "AQE=" })), "truncated");
  assert.equal(await codeFrom(t, (_, response) => json(response, { update: "" })), "truncated");
});

test("answers that are too long are not read to their end", async (t) => {
  assert.equal(await codeFrom(t, (_, response) => json(response, { update: "A".repeat(100_000) })), "too-long");
  let written = 0;
  const endless: RequestListener = (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    const write = () => {
      while (!response.destroyed && written < 1 << 30) {
        written += chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", write);
          return;
        }
      }
    };
    write();
  };
  assert.equal(await codeFrom(t, endless), "too-long");
  assert.ok(written < 1 << 26, `${written} bytes were sent`);
  // What counts is the size after decompression.
  const bomb = gzipSync(Buffer.alloc(10_000_000, 0x20));
  const zipped: RequestListener = (_, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
  };
  assert.equal(await codeFrom(t, zipped, { bodyLimit: 1_000_000 }), "too-long");
});

test("an HTTP problem gives its own code, whatever else it says", async (t) => {
  const problem = (body: string | Buffer, status = 404): RequestListener => {
    return (_, response) => response.writeHead(status, { "content-type": "application/problem+json" }).end(body);
  };
  assert.equal(await codeFrom(t, problem('{"code":"unknown-feed","detail":"x"}')), "unknown-feed");
  for (const body of ["", "{", "[]", "null", '{"code":5}', '{"code":""}', "A".repeat(100_000)]) {
    assert.equal(await codeFrom(t, problem(body, 500)), "http", body.slice(0, 10));
  }
  const { url } = await serve(t, problem(JSON.stringify({ code: "x".repeat(5_000), detail: "\u001b]0;\u0007" })));
  const failed = await client([url], { bodyLimit: 1 << 20 })
    .price("BTC-USD", FRESH)
    .catch((error: unknown) => error);
  assert.ok(failed instanceof AllFailedError);
  assert.equal(failed.code.length, 200);
  assert.doesNotMatch(failed.message, /[\u001b\u0007]/);
});

test("redirects are not followed", async (t) => {
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  for (const status of [301, 302, 303, 307, 308]) {
    const elsewhere: RequestListener = (request, response) => {
      response.writeHead(status, { location: `${good.url}${request.url}` }).end();
    };
    assert.equal(await codeFrom(t, elsewhere), "transport");
  }
  assert.equal(good.asked.length, 0);
});

test("an endpoint that never answers, or never ends its answer, is left", async (t) => {
  const silent = await serve(t, () => undefined);
  const slow = await serve(t, (_, response) => {
    response.writeHead(200).write('{"update":"');
    const timer = setInterval(() => response.write("A"), 50);
    response.on("close", () => clearInterval(timer));
  });
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  const impatient = client([silent.url, slow.url, good.url], { timeoutMs: 300 });
  const start = performance.now();
  assert.equal((await impatient.price("BTC-USD", FRESH)).price.mantissa, PRICE);
  const took = performance.now() - start;
  assert.ok(took > 550 && took < 1_900, `${took} ms`);
  const failed = await codeOf(() => client([slow.url], { timeoutMs: 300 }).price("BTC-USD", FRESH));
  assert.equal(failed, "transport");
});

test("a connection that breaks in the middle of an answer is a transport error", async (t) => {
  const breaks: RequestListener = (_, response) => {
    response.writeHead(200, { "content-length": "5000" }).write('{"update":"');
    setTimeout(() => response.destroy(), 20);
  };
  assert.equal(await codeFrom(t, breaks), "transport");
  const garbage = createServer().on("connection", (socket) => socket.end("not HTTP\r\n\r\n"));
  await new Promise<void>((resolve) => garbage.listen(0, "127.0.0.1", resolve));
  t.after(() => garbage.close());
  const url = `http://127.0.0.1:${(garbage.address() as AddressInfo).port}`;
  assert.equal(await codeOf(() => client([url]).price("BTC-USD", FRESH)), "transport");
});

test("the caller can end a call", async (t) => {
  const silent = await serve(t, () => undefined);
  const good = await serve(t, (_, response) => json(response, latest(btc())));
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 50);
  const both = client([silent.url, good.url]);
  await assert.rejects(both.price("BTC-USD", FRESH, { signal: controller.signal }), reason);
  await assert.rejects(both.latest(["BTC-USD"], { signal: controller.signal }), reason);
  assert.equal(good.asked.length, 0);
});

test("the pair around an instant is checked", async (t) => {
  const before = latest(btc());
  const after = latest(btc(ROUND + 1, NOW + 1_000, PRICE + 1n));
  const later = latest(btc(ROUND + 3, NOW + 3_000));
  const from = async (body: unknown) => {
    const server = await serve(t, (_, response) => json(response, body));
    return { asked: server.asked, client: client([server.url]) };
  };
  const honest = await from({ before, after });
  const pair = await honest.client.around("BTC-USD", NOW + 500);
  assert.equal(honest.asked[0]?.url, `/v1/feeds/BTC-USD/at?timestamp_ms=${NOW + 500}`);
  assert.deepEqual([pair.before.round, pair.after.round, pair.bracket.gap], [BigInt(ROUND), BigInt(ROUND + 1), 1n]);
  const price = await honest.client.priceAt("BTC-USD", BigInt(NOW + 500));
  assert.equal(price.price.mantissa, PRICE);

  const wide = await from({ before, after: later });
  assert.equal(await codeOf(() => wide.client.priceAt("BTC-USD", NOW)), "gap");
  assert.equal(await codeOf(() => wide.client.priceAt("BTC-USD", NOW, { maxGap: 3 })), "ok");
  const maxAge = { maxAgeMs: 5 } as object;
  assert.equal(await codeOf(() => wide.client.priceAt("BTC-USD", NOW, maxAge)), "config");

  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [{ before, after: null }, "no-next-yet"],
    [{ before }, "no-next-yet"],
    [{ after }, "malformed"],
    [{ before: 5, after }, "malformed"],
    [{ before, after: "x" }, "malformed"],
    [{ before: after, after: before }, "no-pair"],
    [{ before, after: before }, "no-pair"],
    [{ before: after, after: later }, "not-around"],
    [{ before, after: latest(forged) }, "bad-signature"],
  ];
  for (const [body, code] of cases) {
    const server = await from(body);
    assert.equal(
      await codeOf(() => server.client.around("BTC-USD", NOW + 500)),
      code,
      JSON.stringify(body).slice(0, 60),
    );
  }
});

test("what cannot be asked is refused before anybody is asked", async (t) => {
  const { url, asked } = await serve(t, (_, response) => json(response, latest(btc())));
  const one = client([url]);
  for (const feed of ["", "btc-usd", "BTC", "BTC-USD/../..", "BTC-USD?x", "A".repeat(40), null, 5]) {
    assert.equal(await codeOf(() => one.price(feed as string, FRESH)), "config", String(feed));
    assert.equal(await codeOf(() => one.around(feed as string, 5)), "config", String(feed));
    assert.equal(await codeOf(() => one.watch([feed as string])), "config", String(feed));
  }
  assert.equal(await codeOf(() => one.latest([])), "config");
  assert.equal(await codeOf(() => one.latest("BTC-USD" as unknown as string[])), "config");
  assert.equal(await codeOf(() => one.latest(Array.from({ length: 256 }, (_, i) => `A${i}-USD`))), "config");
  assert.equal(await codeOf(() => one.price("BTC-USD", {} as never)), "config");
  assert.equal(await codeOf(() => one.around("BTC-USD", 0.5)), "config");
  assert.equal(asked.length, 0);
});

test("endpoints must be URLs, and limits numbers", async () => {
  const wrong = [
    "",
    "not a url",
    "ftp://h",
    "http://h?x=1",
    "http://h#x",
    "http://user:word@h",
    "http://user@h",
    "/v1",
    "file:///etc",
  ];
  for (const url of wrong) assert.equal(await codeOf(() => client([url])), "config", url);
  assert.equal(await codeOf(() => client([])), "config");
  for (const value of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    assert.equal(await codeOf(() => client([DOWN], { timeoutMs: value })), "config", String(value));
    assert.equal(await codeOf(() => client([DOWN], { bodyLimit: value })), "config", String(value));
    assert.equal(await codeOf(() => client([DOWN], { silenceMs: value })), "config", String(value));
  }
});
