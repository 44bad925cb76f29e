import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { AnswerError, Client, type ClientOptions, VerifyError, Verifier, type WatchEvent } from "../src/index.js";
import { btc, NOW, PIN, PRICE, ROUND, STRANGER, update } from "./support/network.js";
import { events, latest, priceEvent, serve } from "./support/server.js";

const verifier = Verifier.fromPin(PIN);
const client = (endpoints: readonly string[], options: Partial<ClientOptions> = {}) =>
  new Client({ verifier, endpoints, timeoutMs: 2_000, ...options });
const event = (round: number) => priceEvent(round, btc(round));

/** The next events, in short. */
async function told(stream: AsyncGenerator<WatchEvent>, count: number): Promise<string[]> {
  const out: string[] = [];
  while (out.length < count) {
    const { value: got } = await stream.next();
    if (got.type === "update") out.push(`${got.update.feeds.join()} ${Number(got.update.round) - ROUND}`);
    else if (got.type === "gap") out.push(`gap ${Number(got.from) - ROUND} ${Number(got.to) - ROUND}`);
    else out.push(got.error.code);
  }
  return out;
}

test("a stream resumes where its connection broke", async (t) => {
  const server = await serve(t, (_, response) => {
    const rest = `event: gap\ndata: {"from":${ROUND + 2},"to":${ROUND + 3}}\n\nevent: later-invention\ndata: {}\n\n`;
    switch (server.asked.length) {
      case 1:
        return events(response, `${event(ROUND)}${event(ROUND + 1)}: still here\n\n`);
      case 2:
        // The last one comes twice.
        return events(response, `${event(ROUND + 1)}${rest}${event(ROUND + 4)}`);
      default:
        return events(response, 'event: cut-off\ndata: {"code":"slow-reader"}\n\n');
    }
  });
  const stream = client([server.url]).watch(["BTC-USD"]);
  assert.deepEqual(await told(stream, 7), [
    "BTC-USD 0",
    "BTC-USD 1",
    "transport",
    "gap 2 3",
    "BTC-USD 4",
    "transport",
    "transport",
  ]);
  assert.deepEqual(
    server.asked.map((request) => [request.url, request.headers.accept, request.headers["last-event-id"]]),
    [undefined, ROUND + 1, ROUND + 4].map((id) => ["/v1/stream?feeds=BTC-USD", "text/event-stream", id?.toString()]),
  );
  await stream.return(undefined as never);
});

test("none of several feeds is lost when a stream is cut off within a round", async (t) => {
  const one = (feed: string, round: number) => {
    const bytes = update({ round, leaves: [{ feed, price: PRICE }] });
    return `event: price\ndata: ${JSON.stringify(latest(bytes))}\n`;
  };
  // The id comes with the last feed of a round only.
  const whole = (round: number) => `${one("BTC-USD", round)}\n${one("ETH-USD", round)}id: ${round}\n\n`;
  const server = await serve(t, (_, response) => {
    if (server.asked.length === 1) events(response, `${whole(ROUND)}${one("BTC-USD", ROUND + 1)}\n`);
    else events(response, whole(ROUND + 1));
  });
  const stream = client([server.url]).watch(["BTC-USD", "ETH-USD"]);
  assert.deepEqual(await told(stream, 5), ["BTC-USD 0", "ETH-USD 0", "BTC-USD 1", "transport", "ETH-USD 1"]);
  const ids = server.asked.map((request) => request.headers["last-event-id"]);
  assert.deepEqual(ids, [undefined, String(ROUND)]);
  await stream.return(undefined as never);
});

test("a stream can start after a round", async (t) => {
  const server = await serve(t, (_, response) => events(response, event(ROUND) + event(ROUND + 1)));
  const stream = client([server.url]).watch(["BTC-USD"], { after: BigInt(ROUND) });
  assert.deepEqual(await told(stream, 1), ["BTC-USD 1"]);
  assert.equal(server.asked[0]?.headers["last-event-id"], String(ROUND));
  await stream.return(undefined as never);
});

test("an endpoint that lies is left for the next one", async (t) => {
  const forged = update({ secret: STRANGER, leaves: [{ feed: "BTC-USD", price: 1n }] });
  const lies: Readonly<Record<string, string>> = {
    "bad-signature": priceEvent(ROUND, forged),
    "other-feed": priceEvent(ROUND, update({ leaves: [{ feed: "ETH-USD", price: 1n }] })),
    truncated: 'event: price\ndata: {"update":"AQE="}\n\n',
    malformed: "event: price\ndata: {}\n\n",
  };
  const good = await serve(t, (_, response) => events(response, event(ROUND)));
  for (const [code, text] of Object.entries(lies)) {
    const lying = await serve(t, (_, response) => events(response, text));
    const stream = client([lying.url, good.url]).watch(["BTC-USD"]);
    const first = (await stream.next()).value;
    assert.ok(first.type === "interrupted" && first.error.code === code, code);
    assert.equal(first.error instanceof VerifyError, code === "bad-signature" || code === "truncated");
    assert.equal(first.endpoint, `${lying.url}/`);
    assert.equal(first.retryInMs, 250);
    assert.deepEqual(await told(stream, 1), ["BTC-USD 0"]);
    await stream.return(undefined as never);
  }
});

test("malformed events end the connection, not the stream", async (t) => {
  const texts = [
    "event: price\ndata: {\n\n",
    "event: price\ndata: []\n\n",
    "event: price\ndata:\n\n",
    'event: gap\ndata: {"from":"1","to":2}\n\n',
    'event: gap\ndata: {"from":1e300,"to":2}\n\n',
    "event: gap\ndata: null\n\n",
    "event: cut-off\ndata: no\n\n",
    `data: ${"x".repeat(2 << 20)}\n\n`,
  ];
  for (const text of texts) {
    const server = await serve(t, (_, response) => events(response, text));
    const stream = client([server.url]).watch(["BTC-USD"]);
    assert.deepEqual(await told(stream, 1), ["malformed"], text.slice(0, 40));
    await stream.return(undefined as never);
  }
});

test("refusals of a stream have the problem's code", async (t) => {
  const answers: readonly RequestListener[] = [
    (_, response) => response.writeHead(503).end('{"code":"too-many-streams"}'),
    (_, response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  ];
  const codes: string[] = [];
  for (const answer of answers) {
    const server = await serve(t, answer);
    const stream = client([server.url]).watch(["BTC-USD"]);
    codes.push(...(await told(stream, 1)));
    await stream.return(undefined as never);
  }
  assert.deepEqual(codes, ["too-many-streams", "transport"]);
});

test("a silent stream is dead, and waiting gets longer with every failure", async (t) => {
  const server = await serve(t, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  });
  const stream = client([server.url], { silenceMs: 50 }).watch(["BTC-USD"]);
  const waits: number[] = [];
  while (waits.length < 3) {
    const { value: got } = await stream.next();
    assert.ok(got.type === "interrupted" && got.error instanceof AnswerError);
    assert.match(got.error.message, /silent/);
    waits.push(got.retryInMs);
  }
  assert.deepEqual(waits, [250, 500, 1_000]);
  await stream.return(undefined as never);
});

test("leaving the loop closes the connection", async (t) => {
  let closed: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const server = await serve(t, (request, response) => {
    request.on("close", closed);
    response.writeHead(200, { "content-type": "text/event-stream" }).write(event(ROUND));
  });
  for await (const got of client([server.url]).watch(["BTC-USD"])) {
    assert.equal(got.type, "update");
    break;
  }
  await gone;
});

test("the caller can end a stream at any time", async (t) => {
  const quiet = await serve(t, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(event(ROUND));
  });
  const never = await serve(t, () => undefined);
  for (const url of [quiet.url, never.url, "http://127.0.0.1:9"]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 60);
    await assert.rejects(async () => {
      for await (const got of client([url]).watch(["BTC-USD"], { signal: controller.signal })) void got;
    }, reason);
    await assert.rejects(client([url]).watch(["BTC-USD"], { signal: controller.signal }).next(), reason);
  }
});

test("prices of a stream are under the caller's policy, too", async (t) => {
  const server = await serve(t, (_, response) => events(response, event(ROUND)));
  const stream = client([server.url]).watch(["BTC-USD"]);
  const { value: got } = await stream.next();
  assert.ok(got.type === "update");
  assert.equal(got.update.price("BTC-USD", { nowMs: NOW, maxAgeMs: 0 }).price.mantissa, PRICE);
  assert.throws(() => got.update.price("BTC-USD", { nowMs: NOW + 1, maxAgeMs: 0 }), { code: "too-old" });
  await stream.return(undefined as never);
});
