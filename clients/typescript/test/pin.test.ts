import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ed25519 } from "@noble/curves/ed25519.js";
import { toHex } from "../src/bytes.js";
import { readEpochRecord } from "../src/epoch.js";
import { canonicalJson, parseJson, Place } from "../src/json.js";
import { manifestHash, readManifest } from "../src/manifest.js";
import { Pin, PinError, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { VECTORS } from "./support/files.js";
import { NETWORK_ID, SECRET, secpKey, signSecp256k1 } from "./support/network.js";

const TEXT = readFileSync(`${VECTORS}pin/network.json`, "utf8");
const KEY = "197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61";

type Mutable = { [key: string]: Mutable } & Mutable[];
const parsed = () => JSON.parse(TEXT) as Mutable;
const read = (pin: unknown) => codeOf(() => Verifier.fromPin(pin as object));

test("a pin is read from text, UTF-8, its value, or once for all", () => {
  const pin = Pin.read(TEXT);
  for (const form of [TEXT, Buffer.from(TEXT), parsed(), pin]) {
    const verifier = Verifier.fromPin(form);
    assert.equal(verifier.networkId, NETWORK_ID);
    assert.deepEqual(verifier.suites, ["ed25519"]);
  }
  assert.equal(pin.networkName, "vectors");
  assert.equal(pin.epoch, 0);
  assert.equal(pin.feeds.length, 12);
  assert.deepEqual([...pin.groupKeys], [["ed25519", KEY]]);
  pin.checkMembers();
});

test("the least that can be pinned is an id and a key", async () => {
  const make = (networkId: unknown, groupKeys: unknown) =>
    codeOf(() => new Verifier({ networkId: networkId as string, groupKeys: groupKeys as object }));
  assert.equal(await make(NETWORK_ID, { ed25519: KEY }), "ok");
  assert.equal(await make(Buffer.from(NETWORK_ID, "hex"), { ed25519: Buffer.from(KEY, "hex") }), "ok");
  assert.equal(await make(NETWORK_ID.toUpperCase(), { ed25519: KEY.toUpperCase(), "secp256k1-keccak": secpKey() }), "ok");
  for (const id of ["", "00", `${NETWORK_ID}00`, "x".repeat(64), new Uint8Array(31), null, 5]) {
    assert.equal(await make(id, { ed25519: KEY }), "config", String(id));
  }
  assert.equal(await make(NETWORK_ID, {}), "config");
  assert.equal(await make(NETWORK_ID, { ed25519: undefined }), "config");
  assert.equal(await make(NETWORK_ID, { ed25519: "00" }), "bad-group-key");
  assert.equal(await make(NETWORK_ID, { ed25519: "zz" }), "bad-group-key");
  assert.equal(await make(NETWORK_ID, { rsa: KEY }), "unsupported-suite");
});

test("a pin of two suites needs the group's signature in both", async () => {
  const pin = parsed();
  const manifest = pin["genesis_manifest"] as unknown as Record<string, unknown>;
  const record = pin["genesis_record"] as unknown as Record<string, unknown>;
  const [ed25519Keys] = record["keys"] as Record<string, unknown>[];
  const shares = ed25519Keys?.["verifying_shares"];
  const keys = { suite: "secp256k1-keccak", group_key: toHex(secpKey()), verifying_shares: shares };
  manifest["suites"] = ["ed25519", "secp256k1-keccak"];
  record["manifest_hash"] = manifestHash(readManifest(new Place(manifest, "")));
  record["keys"] = [ed25519Keys, keys];
  const { digest } = readEpochRecord(new Place(record, ""), readManifest(new Place(manifest, "")));
  const first = { suite: "ed25519", signature: toHex(ed25519.sign(digest, SECRET)) };
  const second = { suite: "secp256k1-keccak", signature: toHex(signSecp256k1(digest)) };

  record["group_signatures"] = [first, second];
  assert.deepEqual(Verifier.fromPin(pin).suites, ["ed25519", "secp256k1-keccak"]);
  const wrong = { ...second, signature: toHex(signSecp256k1(digest.slice().fill(0))) };
  for (const signatures of [[first], [second], [first, wrong], [first, { ...second, signature: "" }], [first, wrong, second]]) {
    record["group_signatures"] = signatures;
    assert.equal(await read(pin), "bad-epoch-signature");
  }
  // Of several signatures of one suite the first counts.
  record["group_signatures"] = [first, second, wrong];
  assert.equal(await read(pin), "ok");
  // A key that an EVM could not use is refused before any signature.
  keys.group_key = `02${"ff".repeat(32)}`;
  assert.equal(await read(pin), "bad-group-key");
  manifest["suites"] = ["ed25519"];
  assert.equal(await read(pin), "bad-pin");
});

test("what is no pin is refused as one", async () => {
  for (const text of ["", "{", "[]", "null", "5", `\ufeff${TEXT}`, `${TEXT}x`, "[".repeat(100_000)]) {
    assert.equal(await read(text), "bad-pin", text.slice(0, 20));
  }
  assert.equal(await read(Uint8Array.of(0x22, 0xff, 0x22)), "bad-pin");
});

test("a repeated key is refused, and only that", async () => {
  assert.equal(await read(TEXT.replace('"epoch": 0', '"epoch": 0, "epoch": 0')), "bad-pin");
  assert.equal(await read(TEXT.replace('"epoch": 0', '"\\u0065poch": 0, "epoch": 0')), "bad-pin");
  assert.equal(await read(TEXT.replace('"later"', '"genesis_record": {}, "later"')), "bad-pin");
  assert.deepEqual(parseJson('{"a":{"a":1},"b":[{"a":"\\"a\\":"}],"c":"a:"}'), { a: { a: 1 }, b: [{ a: '"a":' }], c: "a:" });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(parseJson(text), JSON.parse(text));
      assert.deepEqual(parseJson(JSON.stringify(value, null, 2)), JSON.parse(text));
      assert.throws(() => parseJson(`{"k":${text},"k" : ${text}}`), SyntaxError);
    }),
  );
});

test("every rule of a manifest counts", async () => {
  const broken: ReadonlyArray<readonly [string, (pin: Mutable) => void]> = [
    ["unknown key", (pin) => Object.assign(pin, { more: 1 })],
    ["unknown key in the manifest", (pin) => Object.assign(pin["genesis_manifest"] ?? {}, { more: 1 })],
    ["no record", (pin) => delete pin["genesis_record"]],
  ];
  const manifest = (change: (manifest: Record<string, unknown>) => void) => (pin: Mutable) =>
    change(pin["genesis_manifest"] as unknown as Record<string, unknown>);
  const feed = (change: Record<string, unknown>) =>
    manifest((m) => Object.assign((m["feeds"] as object[])[0] ?? {}, change));
  const member = (change: Record<string, unknown>) =>
    manifest((m) => Object.assign((m["members"] as object[])[1] ?? {}, change));
  const set = (change: Record<string, unknown>) => manifest((m) => Object.assign(m, change));
  const more: ReadonlyArray<readonly [string, (pin: Mutable) => void]> = [
    ["empty name", set({ network: "" })],
    ["long name", set({ network: "é".repeat(33) })],
    ["half a character", set({ network: "\ud800" })],
    ["epoch 1 without a manifest before it", set({ epoch: 1 })],
    ["a manifest before epoch 0", set({ previous: "00".repeat(32) })],
    ["interval", set({ interval_ms: 49 })],
    ["interval as text", set({ interval_ms: "1000" })],
    ["fraction", set({ first_round: 0.5 })],
    ["beyond 2^53", set({ first_round: 2 ** 54 })],
    ["negative", set({ first_round_at_ms: -1 })],
    ["no suite", set({ suites: [] })],
    ["suites twice", set({ suites: ["ed25519", "ed25519"] })],
    ["suites in another order", set({ suites: ["secp256k1-keccak", "ed25519"] })],
    ["unknown suite", set({ suites: ["rsa"] })],
    ["no members", set({ members: [] })],
    ["f", set({ f: 2 })],
    ["id", member({ id: 2 })],
    ["address", member({ address: "localhost" })],
    ["identity", member({ identity: "00" })],
    ["two with one identity", manifest((m) => {
      const members = m["members"] as { identity: string }[];
      Object.assign(members[1] ?? {}, { identity: members[0]?.identity });
    })],
    ["no feeds", set({ feeds: [] })],
    ["feeds in another order", manifest((m) => (m["feeds"] as object[]).reverse())],
    ["feed name", feed({ name: "aave-usd" })],
    ["exponent", feed({ exponent: 39 })],
    ["no sources", feed({ sources: [] })],
    ["a source twice", feed({ sources: [{ source: "a", pair: "AAVE-USD" }, { source: "a", pair: "AAVE-USD" }] })],
    ["a source without a name", feed({ sources: [{ source: "", pair: "AAVE-USD" }], min_sources: 1 })],
    ["another market", feed({ sources: [{ source: "a", pair: "BTC-USD" }], min_sources: 1 })],
    ["no conversion", feed({ sources: [{ source: "a", pair: "AAVE-EUR" }], min_sources: 1 })],
    ["min_sources", feed({ min_sources: 4 })],
    ["no source needed", feed({ min_sources: 0 })],
    ["quote age", feed({ max_quote_age_ms: 0 })],
    ["outlier floor", feed({ outlier_floor_ppm: 1_000_000 })],
  ];
  for (const [what, breakIt] of [...broken, ...more]) {
    const pin = parsed();
    breakIt(pin);
    assert.equal(await read(pin), "bad-pin", what);
  }
});

test("a change anywhere in a pin is refused", async () => {
  const places: { in: Record<string, unknown>; key: string }[] = [];
  const collect = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      places.push({ in: value as Record<string, unknown>, key });
      collect(member);
    }
  };
  const pin = parsed();
  collect(pin);
  for (const { in: object, key } of places) {
    const before = object[key];
    for (const other of [null, "", "x", 1e9, [], {}]) {
      if (canonicalJson(other) === canonicalJson(before as never)) continue;
      // Null stands for a key that may be missing, and the members' signatures are checked by themselves.
      if (key === "previous" || (key === "later" && other === null)) continue;
      object[key] = other;
      const code = await codeOf(() => {
        const got = Pin.read(pin);
        Verifier.fromPin(got);
        got.checkMembers();
      });
      assert.notEqual(code, "ok", `${key} = ${JSON.stringify(other)}`);
    }
    object[key] = before;
  }
  assert.equal(await read(pin), "ok");
});

test("no value makes anything but a PinError", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.throws(() => Pin.read(value as object), PinError);
      assert.throws(() => Pin.read({ genesis_manifest: value, genesis_record: value }), PinError);
    }),
  );
});

test("canonical JSON is that of RFC 8785", () => {
  // Section 3.2.3: names are sorted by UTF-16 code units.
  const names = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
  const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"];
  const text = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
  assert.equal(text, `{${sorted.map((name) => `${JSON.stringify(name)}:0`).join(",")}}`);
  assert.equal(canonicalJson('\b\f\n\u001f"\\/é'), String.raw`"\b\f\n\u001f\"\\/é"`);
  assert.equal(canonicalJson([1, -2, null, true, { b: [], a: {} }]), '[1,-2,null,true,{"a":{},"b":[]}]');
});
