import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as whole from "touchstone-client";
import * as verifierOnly from "touchstone-client/verifier";
import { PACKAGE } from "./support/files.js";
import { btc, NOW, PIN, PRICE, ROUND } from "./support/network.js";

// By its own name the package is what others install: the built modules and their types.

test("the package has what it exports, and no number without a policy", () => {
  const verifier: verifierOnly.Verifier = verifierOnly.Verifier.fromPin(PIN);
  const update: whole.VerifiedUpdate = verifier.verify(btc());
  const price: whole.VerifiedPrice = update.price("BTC-USD", { nowMs: BigInt(NOW), maxAgeMs: 5 });
  assert.equal(price.price.mantissa, PRICE);
  // @ts-expect-error A policy states an age or an instant.
  assert.throws(() => update.price("BTC-USD", {}), { code: "config" });
  const at = whole.verifyAt(update, verifier.verify(btc(ROUND + 1, NOW + 1)), NOW);
  // @ts-expect-error Either an age or an instant.
  assert.throws(() => update.price("BTC-USD", { maxAgeMs: 1, at }), whole.ConfigError);
  // @ts-expect-error Only a verifier makes one.
  assert.throws(() => new whole.VerifiedUpdate(), TypeError);
  assert.equal(whole.Verifier, verifierOnly.Verifier);
  assert.equal("Client" in verifierOnly, false);
});

test("a client without a verifier is none", () => {
  const endpoints = ["http://127.0.0.1:9"];
  const believing = { verify: () => undefined, verifyAsync: async () => undefined };
  for (const verifier of [undefined, null, believing]) {
    // @ts-expect-error Verification cannot be switched off.
    assert.throws(() => new whole.Client({ endpoints, verifier }), { code: "config" });
  }
  // @ts-expect-error The same.
  assert.throws(() => new whole.Client({ endpoints }), whole.ConfigError);
});

test("one dependency, and nothing of Node", () => {
  const json = JSON.parse(readFileSync(`${PACKAGE}package.json`, "utf8")) as Record<string, object>;
  assert.deepEqual(Object.keys(json["dependencies"] ?? {}), ["@noble/curves"]);
  const files = readdirSync(`${PACKAGE}dist`, { recursive: true, encoding: "utf8" });
  const modules = files.filter((file) => file.endsWith(".js"));
  assert.ok(modules.length > 20);
  for (const file of modules) {
    const source = readFileSync(`${PACKAGE}dist/${file}`, "utf8");
    for (const [, from = ""] of source.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g)) {
      assert.match(from, /^\.{1,2}\/|^@noble\/curves\//, file);
    }
    assert.doesNotMatch(source, /\b(process|Buffer|require|__dirname)\b\s*[.(]/, file);
  }
  // Types say nothing about Node, either, and hide what is internal.
  for (const file of files.filter((name) => name.endsWith(".d.ts"))) {
    assert.doesNotMatch(readFileSync(`${PACKAGE}dist/${file}`, "utf8"), /types="node"|@internal/, file);
  }
});
