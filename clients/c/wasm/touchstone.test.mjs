// Runs the shared vectors through the module that TOUCHSTONE_WASM names.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { Touchstone, TouchstoneError } from "./touchstone.mjs";

const vectors = new URL("../../../tests/vectors/", import.meta.url);
const module = new WebAssembly.Module(readFileSync(process.env.TOUCHSTONE_WASM));
const touchstone = new Touchstone(module);

const json = (path) => JSON.parse(readFileSync(new URL(path, vectors), "utf8"));
const folder = (path) => readdirSync(new URL(path, vectors)).map((name) => [name, json(`${path}/${name}`)]);
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (array) => Buffer.from(array).toString("hex");
const names = { degraded: 1, stale: 2, halted: 4, depegged: 8, "market-closed": 16, unavailable: 128 };
const bits = (list) => list.reduce((sum, name) => sum + names[name], 0);
const big = (value) => (value === undefined ? undefined : BigInt(value));

const pin = (id, keys) =>
    touchstone.pin(bytes(id), Object.fromEntries(Object.entries(keys).map(([suite, key]) => [suite, bytes(key)])));

/** "ok", or the code of the refusal; any other error is one. */
function outcome(call) {
    try {
        call();
        return "ok";
    } catch (error) {
        if (error instanceof TouchstoneError) return error.code;
        throw error;
    }
}

test("the module asks its host for nothing", () => {
    assert.deepEqual(WebAssembly.Module.imports(module), []);
    const header = readFileSync(new URL("../include/touchstone.h", import.meta.url), "utf8");
    const exported = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
    assert.ok(exported.length >= 17);
    for (const { name } of exported) {
        assert.ok(header.includes(`${name}(`) || /^touchstone_(alloc|dealloc)$/.test(name), name);
    }
});

test("valid updates say what the vectors say", () => {
    const files = folder("update/valid");
    assert.ok(files.length >= 30);
    for (const [name, file] of files) {
        const verifier = pin(file.network_id, file.group_keys);
        const update = touchstone.verify(verifier, bytes(file.update));
        touchstone.freeVerifier(verifier);
        const info = touchstone.describe(update);
        const { statement } = file.valid;
        assert.equal(info.suite, file.valid.suite === "ed25519" ? 1 : 2, name);
        assert.equal(hex(info.networkId), statement.network_id, name);
        assert.equal(hex(info.feedsRoot), statement.feeds_root, name);
        assert.equal(hex(info.observationsRoot), statement.observations_root, name);
        assert.equal(hex(info.digest), statement.digest, name);
        assert.equal(info.epoch, statement.epoch, name);
        assert.equal(info.feedCount, statement.feed_count, name);
        assert.equal(`${info.round} ${info.timestampMs}`, `${statement.round} ${statement.timestamp_ms}`, name);
        assert.equal(info.entries, file.valid.entries.length, name);
        file.valid.entries.forEach((entry, index) => {
            assert.deepEqual(touchstone.feed(update, index), { name: entry.feed, status: entry.status_bits }, name);
            assert.equal(bits(entry.status), entry.status_bits, name);
            const policy = {
                nowMs: info.timestampMs, maxAgeMs: 0n, maxSkewMs: 2n ** 64n - 1n, allowedStatus: entry.status_bits,
            };
            if (entry.status.includes("unavailable")) {
                assert.equal(outcome(() => touchstone.price(update, entry.feed, policy)), "unavailable", name);
                return;
            }
            const price = touchstone.price(update, entry.feed, policy);
            assert.equal(price.feed, entry.feed, name);
            assert.equal(price.exponent, entry.exponent, name);
            assert.deepEqual([price.mantissa, price.low, price.high].map(String), [entry.price, entry.low, entry.high], name);
            assert.equal(price.observedAtMs, BigInt(entry.observed_at_ms), name);
            assert.equal(price.observers, entry.observers, name);
            assert.equal(price.status, entry.status_bits, name);
        });
        assert.equal(outcome(() => touchstone.feed(update, info.entries)), "no-feed", name);
        touchstone.freeUpdate(update);
    }
});

test("invalid updates are refused with their code", () => {
    const files = folder("update/invalid");
    assert.ok(files.length >= 90);
    for (const [name, file] of files) {
        const verifier = pin(file.network_id, file.group_keys);
        assert.equal(outcome(() => touchstone.verify(verifier, bytes(file.update))), file.code, name);
        touchstone.freeVerifier(verifier);
    }
});

test("weak keys are not pinned", () => {
    const keys = json("group-keys.json");
    assert.ok(keys.length > 30);
    for (const { description, suite, key, code } of keys) {
        assert.equal(outcome(() => pin("01".repeat(32), { [suite]: key })), code ?? "ok", description);
    }
});

test("policies give the price or their code", () => {
    const file = json("policy.json");
    const verifier = pin(file.network_id, { ed25519: file.group_key });
    assert.ok(file.cases.length > 40);
    for (const { description, update: text, next, feed, policy: p, price, code } of file.cases) {
        const update = touchstone.verify(verifier, bytes(text));
        const policy = {
            nowMs: big(p.now_ms), maxAgeMs: big(p.max_age_ms), atMs: big(p.at_ms), maxSkewMs: big(p.max_skew_ms),
            next: next === undefined ? undefined : touchstone.verify(verifier, bytes(next)),
            maxTradeAgeMs: big(p.max_trade_age_ms), newerThan: big(p.newer_than), maxGap: big(p.max_gap),
            minObservers: p.min_observers, allowedStatus: bits(p.allow_status ?? []),
        };
        const known = ["now_ms", "max_age_ms", "at_ms", "max_skew_ms", "max_trade_age_ms", "newer_than", "max_gap",
            "min_observers", "allow_status"];
        assert.deepEqual(Object.keys(p).filter((name) => !known.includes(name)), [], description);
        let got;
        assert.equal(outcome(() => { got = touchstone.price(update, feed, policy).price; }), code ?? "ok", description);
        assert.equal(got, price, description);
        if (policy.next) touchstone.freeUpdate(policy.next);
        touchstone.freeUpdate(update);
    }
});

test("no policy, no number", () => {
    const { network_id: id, group_keys: keys, update: text } = json("update/valid/computed-round.json");
    const verifier = pin(id, keys);
    const update = touchstone.verify(verifier, bytes(text));
    for (const policy of [{}, { nowMs: 1n }, { maxAgeMs: 1n }, { atMs: 1n }, { nowMs: 1n, maxAgeMs: 1n, atMs: 1n, next: update }]) {
        assert.equal(outcome(() => touchstone.price(update, "BTC-USD", policy)), "invalid-argument");
    }
    assert.equal(outcome(() => touchstone.pin(bytes(id), {})), "no-key");
    assert.equal(outcome(() => touchstone.pin(bytes(id).subarray(1), { ed25519: bytes(keys.ed25519) })), "invalid-argument");
});

test("every flipped bit and every other length is refused, and memory does not grow", () => {
    const { network_id: id, group_keys: keys, update: text } = json("update/valid/tree-00012-middle.json");
    const verifier = pin(id, keys);
    const update = bytes(text);
    touchstone.freeUpdate(touchstone.verify(verifier, update));
    const before = touchstone.memoryBytes;
    for (let bit = 0; bit < 8 * update.length; bit++) {
        const wrong = update.slice();
        wrong[bit >> 3] ^= 1 << (bit & 7);
        assert.notEqual(outcome(() => touchstone.verify(verifier, wrong)), "ok", `bit ${bit}`);
    }
    for (let len = 0; len < update.length + 64; len++) {
        const other = new Uint8Array(len);
        other.set(update.subarray(0, len));
        assert.equal(outcome(() => touchstone.verify(verifier, other)) === "ok", len === update.length, `${len} bytes`);
    }
    for (let i = 0; i < 1000; i++) {
        touchstone.freeUpdate(touchstone.verify(verifier, update));
    }
    assert.equal(touchstone.memoryBytes, before);
});
