import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { test } from "node:test";
import { allVectors } from "./support/all-vectors.js";
import { findChromium, openPage } from "./support/browser.js";
import { PACKAGE, required } from "./support/files.js";
import { btc, PIN, PRICE, ROUND } from "./support/network.js";
import type { Verdict } from "./support/run-vectors.js";
import { latest, priceEvent, serve } from "./support/server.js";

const PAGE_MS = 90_000;

interface PageResult {
  readonly vectors: Verdict;
  readonly strict: boolean;
  readonly price: string;
  readonly streamed: readonly string[];
}

/** The page: modules as they were built, with an import map in place of a bundler. */
const page = (api: string) => `<!doctype html>
<script type="importmap">
  { "imports": { "@noble/curves/": "/node_modules/@noble/curves/", "@noble/hashes/": "/node_modules/@noble/hashes/" } }
</script>
<script type="module">
  const report = (body) => fetch("/result", { method: "POST", body: JSON.stringify(body) });
  try {
    const api = await import("/dist/index.js");
    const { platformIsStrict } = await import("/dist/webcrypto.js");
    const { runVectors } = await import("/build/test/support/run-vectors.js");
    const { all, pin } = await (await fetch("/vectors.json")).json();
    const vectors = await runVectors(api, all);
    const client = new api.Client({ verifier: api.Verifier.fromPin(pin), endpoints: [${JSON.stringify(api)}] });
    const price = await client.price("BTC-USD", { maxAgeMs: 60_000 });
    const streamed = [];
    for await (const event of client.watch(["BTC-USD"])) {
      streamed.push(event.type === "update" ? String(event.update.round) : event.type);
      if (streamed.length === 3) break;
    }
    await report({ vectors, strict: await platformIsStrict(), price: String(price.price), streamed });
  } catch (error) {
    await report({ failed: String(error?.stack ?? error) });
  }
</script>`;

/** An aggregator for pages of other origins. */
function aggregator(asked: (request: IncomingMessage) => void): RequestListener {
  return (request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "last-event-id");
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    asked(request);
    const last = Number(request.headers["last-event-id"] ?? ROUND - 1);
    const next = btc(last + 1, Date.now());
    if (request.url?.startsWith("/v1/stream")) {
      response.writeHead(200, { "content-type": "text/event-stream" }).end(priceEvent(last + 1, next));
    } else {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(latest(next)));
    }
  };
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test("in headless Chromium every vector gives what it says, and the client works", async (t) => {
  const chromium = findChromium();
  if (chromium === undefined) {
    assert.ok(!required(), "no Chromium was found, and TOUCHSTONE_REQUIRE wants everything to run");
    t.skip("no Chromium was found: install chromium, or name one by CHROMIUM");
    return;
  }
  const ids: (string | undefined)[] = [];
  const api = await serve(
    t,
    aggregator((request) => {
      if (request.url?.startsWith("/v1/stream")) ids.push(request.headers["last-event-id"] as string | undefined);
    }),
  );
  const all = allVectors();
  let finish: (result: string) => void = () => undefined;
  const result = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const site = await serve(t, (request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    if (path === "/") {
      response.writeHead(200, { "content-type": "text/html" }).end(page(api.url));
    } else if (path === "/vectors.json") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ all, pin: PIN }));
    } else if (path === "/result") {
      void body(request).then((text) => {
        response.end();
        finish(text);
      });
    } else if (/^\/(dist|build|node_modules\/@noble)\/[\w@./-]+\.js$/.test(path) && !path.includes("..")) {
      const source = readFileSync(PACKAGE + path.slice(1), "utf8");
      response.writeHead(200, { "content-type": "text/javascript" }).end(source);
    } else {
      response.writeHead(404).end();
    }
  });

  const browser = openPage(chromium, site.url);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the page said nothing: ${browser.log()}`)), PAGE_MS);
  });
  try {
    const got = JSON.parse(await Promise.race([result, late])) as PageResult & { readonly failed?: string };
    assert.equal(got.failed, undefined);
    assert.deepEqual(got.vectors.faults, []);
    const parts = [all.valid, all.invalid, all.keys, all.policy.cases, all.goodPins, all.badPins];
    assert.equal(
      got.vectors.count,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    assert.equal(got.price, `${PRICE / 10n ** 8n}.00000000`);
    assert.deepEqual(got.streamed, [String(ROUND), "interrupted", String(ROUND + 1)]);
    assert.deepEqual(ids, [undefined, String(ROUND)]);
    t.diagnostic(
      `${got.vectors.count} vectors; WebCrypto's Ed25519 is ${got.strict ? "used" : "not used"} in this browser`,
    );
  } finally {
    clearTimeout(timer);
    await browser.done();
  }
});
