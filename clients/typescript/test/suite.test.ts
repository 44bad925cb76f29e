import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { AllFailedError, AnswerError, Client, type ClientOptions, type SuiteName, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { GROUP_KEYS, NETWORK_ID, NOW, PRICE, ROUND, update } from "./support/network.js";
import { events, json, latest, priceEvent, serve } from "./support/server.js";

const ED25519: SuiteName = "ed25519";
const SECP256K1: SuiteName = "secp256k1-keccak";
const FRESH = { nowMs: NOW, maxAgeMs: 10_000 };

function client(pinned: readonly SuiteName[], endpoints: readonly string[], options: Partial<ClientOptions> = {}) {
  const groupKeys = Object.fromEntries(pinned.map((suite) => [suite, GROUP_KEYS[suite]]));
  return new Client({ verifier: new Verifier({ networkId: NETWORK_ID, groupKeys }), endpoints, ...options });
}

function signed(suite: SuiteName, round = ROUND) {
  const leaves = ["BTC-USD", "ETH-USD"].map((feed) => ({ feed, price: PRICE }));
  return update({ suite, round, timestampMs: NOW + 1_000 * (round - ROUND), leaves });
}

/** Answers every kind of request in one suite, whatever is asked. */
function stubborn(t: TestContext, suite: SuiteName) {
  return serve(t, (request, response) => {
    if (request.url?.startsWith("/v1/stream")) events(response, priceEvent(ROUND, signed(suite)));
    else if (request.url?.includes("/at?")) {
      json(response, { before: latest(signed(suite)), after: latest(signed(suite, ROUND + 1)) });
    } else json(response, latest(signed(suite)));
  });
}

/** What each kind of request comes to: the suite that an update is in, or an error's code. */
async function every(one: Client): Promise<string[]> {
  const codes: string[] = [];
  const calls = [
    () => one.price("BTC-USD", FRESH),
    () => one.latest(["BTC-USD", "ETH-USD"]),
    () => one.priceAt("BTC-USD", NOW),
    () => one.around("BTC-USD", NOW),
  ];
  for (const call of calls) codes.push(await codeOf(call));
  const stream = one.watch(["BTC-USD"]);
  const { value: event } = await stream.next();
  codes.push(event.type === "interrupted" ? event.error.code : event.type === "update" ? "ok" : event.type);
  await stream.return(undefined as never);
  return codes;
}

const AT = "/v1/feeds/BTC-USD/at";
const PATHS = ["/v1/feeds/BTC-USD/latest", "/v1/updates/latest", AT, AT, "/v1/stream"];

/** The suite of each request, "none" if it names none. */
function suitesAsked(server: { asked: readonly { url?: string | undefined }[] }): string[] {
  return server.asked.map(({ url }, i) => {
    const { pathname, searchParams } = new URL(url ?? "", "http://endpoint");
    assert.equal(pathname, PATHS[i]);
    assert.ok(searchParams.getAll("suite").length <= 1, url);
    return searchParams.get("suite") ?? "none";
  });
}

const all = (text: string) => Array<string>(5).fill(text);

test("without an Ed25519 key the lowest suite that is pinned is asked for, otherwise none", async (t) => {
  const cases: ReadonlyArray<readonly [pinned: readonly SuiteName[], asked: string]> = [
    [[ED25519], "none"],
    [[SECP256K1, ED25519], "none"],
    [[SECP256K1], SECP256K1],
  ];
  for (const [pinned, asked] of cases) {
    const server = await stubborn(t, pinned[0] ?? ED25519);
    assert.deepEqual(await every(client(pinned, [server.url])), all("ok"));
    assert.deepEqual(suitesAsked(server), all(asked));
  }
});

test("a suite is asked for in every request, and an authentic answer in another one is refused", async (t) => {
  const pinned = [ED25519, SECP256K1];
  for (const suite of pinned) {
    const willing = await stubborn(t, suite);
    assert.deepEqual(await every(client(pinned, [willing.url], { suite })), all("ok"));
    assert.deepEqual(suitesAsked(willing), all(suite));
    const other = await stubborn(t, suite === ED25519 ? SECP256K1 : ED25519);
    assert.deepEqual(await every(client(pinned, [other.url], { suite })), all("other-suite"));
    // Any pinned suite will do for whoever names none.
    assert.deepEqual(await every(client(pinned, [other.url])), all("ok"));
  }
});

test("an endpoint in another suite is passed over", async (t) => {
  const servers = [await stubborn(t, ED25519), await stubborn(t, SECP256K1)];
  const one = client(
    [ED25519, SECP256K1],
    servers.map(({ url }) => url),
    { suite: SECP256K1 },
  );
  assert.equal((await one.latest(["BTC-USD"])).suite, SECP256K1);
  assert.deepEqual(
    servers.map(({ asked }) => asked[0]?.url),
    Array(2).fill("/v1/feeds/BTC-USD/latest?suite=secp256k1-keccak"),
  );
});

test("either update of a pair may be the one in another suite", async (t) => {
  const pinned = [ED25519, SECP256K1];
  for (const [before, after] of [pinned, pinned.toReversed()] as [SuiteName, SuiteName][]) {
    const body = { before: latest(signed(before)), after: latest(signed(after, ROUND + 1)) };
    const { url } = await serve(t, (_, response) => json(response, body));
    const asking = client(pinned, [url], { suite: SECP256K1 });
    assert.equal(await codeOf(() => asking.around("BTC-USD", NOW)), "other-suite");
    assert.equal(await codeOf(() => client(pinned, [url]).around("BTC-USD", NOW)), "ok");
  }
});

test("what is not authentic is that first, and what is in another suite is that before its feed", async (t) => {
  const wrong = update({ suite: SECP256K1, leaves: [{ feed: "ETH-USD", price: PRICE }] });
  const { url } = await serve(t, (_, response) => json(response, latest(wrong)));
  const code = (pinned: readonly SuiteName[], suite?: SuiteName) =>
    codeOf(() => client(pinned, [url], { suite }).latest(["BTC-USD"]));
  assert.equal(await code([ED25519], ED25519), "unsupported-suite");
  assert.equal(await code([ED25519, SECP256K1], ED25519), "other-suite");
  assert.equal(await code([ED25519, SECP256K1], SECP256K1), "other-feed");
});

test("a network that lacks the suite says so", async (t) => {
  const { url } = await serve(t, (_, response) => {
    json(response, { code: "invalid-query", detail: "suite (secp256k1-keccak): this network signs with ed25519" }, 400);
  });
  const failed = await client([SECP256K1], [url])
    .latest(["BTC-USD"])
    .catch((error: unknown) => error);
  assert.ok(failed instanceof AllFailedError && failed.errors[0]?.error instanceof AnswerError);
  assert.equal(failed.code, "invalid-query");
  assert.match(failed.message, /this network signs with ed25519/);
});

test("only the network's suites can be asked for", async () => {
  for (const suite of ["", "ED25519", "ed25519&x=y", "bls", null, 1]) {
    const act = () => client([ED25519], ["http://127.0.0.1:9"], { suite: suite as SuiteName });
    assert.equal(await codeOf(act), "config", String(suite));
  }
});
