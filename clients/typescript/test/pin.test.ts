import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { toHex } from "../src/bytes.js";
import { readEpochRecord } from "../src/epoch.js";
import { canonicalJson, type Json, parseJson, Place } from "../src/json.js";
import { manifestHash, readManifest } from "../src/manifest.js";
import { Pin, PinError, Verifier } from "../src/index.js";
import { codeOf } from "./support/errors.js";
import { VECTORS } from "./support/files.js";
import { NETWORK_ID, SECRET, secpKey, signSecp256k1, STRANGER } from "./support/network.js";
import { type EpochFields, type Fields, following, genesis, pinOf, refit } from "./support/pins.js";

const TEXT = readFileSync(`${VECTORS}pin/network.json`, "utf8");
const KEY = "197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61";

type Mutable = { [key: string]: Mutable } & Mutable[];
const parsed = () => JSON.parse(TEXT) as Mutable;
/** The code of everything that can be checked about a pin. */
const check = (pin: object) =>
  codeOf(() => {
    Verifier.fromPin(pin);
    Pin.read(pin).checkMembers();
  });
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
  assert.equal(
    await make(NETWORK_ID.toUpperCase(), { ed25519: KEY.toUpperCase(), "secp256k1-keccak": secpKey() }),
    "ok",
  );
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
  for (const signatures of [
    [first],
    [second],
    [first, wrong],
    [first, { ...second, signature: "" }],
    [first, wrong, second],
  ]) {
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
  assert.deepEqual(parseJson('{"a":{"a":1},"b":[{"a":"\\"a\\":"}],"c":"a:"}'), {
    a: { a: 1 },
    b: [{ a: '"a":' }],
    c: "a:",
  });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(parseJson(text), JSON.parse(text));
      assert.deepEqual(parseJson(JSON.stringify(value, null, 2)), JSON.parse(text));
      assert.throws(() => parseJson(`{"k":${text},"k" : ${text}}`), SyntaxError);
    }),
  );
});

test("every rule of a manifest counts, though hashes and signatures are right", async () => {
  const whole = (change: (epoch: EpochFields) => void) => {
    const epoch = structuredClone(genesis());
    change(epoch);
    return check(pinOf(refit(epoch)));
  };
  const set = (change: Fields) => whole(({ manifest }) => Object.assign(manifest, change));
  const first = (key: string, change: Fields) =>
    whole(({ manifest }) => Object.assign((manifest[key] as Fields[])[0] ?? {}, change));
  const feed = (change: Fields) => first("feeds", change);
  const source = (name: string, pair = "AAVE-USD") => ({ sources: [{ source: name, pair }], min_sources: 1 });
  const size = (n: number, f: number) =>
    whole(({ manifest, record }) => {
      manifest["f"] = f;
      manifest["members"] = (manifest["members"] as Fields[]).slice(0, n);
      record["coin_shares"] = (record["coin_shares"] as Json[]).slice(0, n);
      const [keys] = record["keys"] as Fields[];
      record["keys"] = [{ ...keys, verifying_shares: (keys?.["verifying_shares"] as Json[]).slice(0, n) }];
    });

  const good: Readonly<Record<string, Promise<string>>> = {
    unchanged: set({}),
    "the longest name": set({ network: "é".repeat(32) }),
    "no previous manifest": whole(({ manifest }) => delete manifest["previous"]),
    "the largest integers": set({ first_round: 2 ** 53, first_round_at_ms: 2 ** 53, interval_ms: 86_400_000 }),
    "one member": size(1, 0),
    "three members without a fault": size(3, 0),
    "an exponent of 38": feed({ exponent: 38 }),
    "one source": feed(source("x".repeat(64))),
    conversion: feed(source("a", "AAVE-BTC")),
    "the largest numbers": feed({
      max_quote_age_ms: 2 ** 53,
      outlier_mads_milli: 2 ** 32 - 1,
      outlier_floor_ppm: 999_999,
    }),
  };
  for (const [what, code] of Object.entries(good)) {
    assert.equal(await code, "ok", what);
  }

  const bad: Readonly<Record<string, Promise<string>>> = {
    "unknown key": set({ more: 1 }),
    "missing key": whole(({ manifest }) => delete manifest["f"]),
    "empty name": set({ network: "" }),
    "long name": set({ network: "é".repeat(33) }),
    "half a character": set({ network: "\ud800" }),
    "epoch 1 without a manifest before it": set({ epoch: 1 }),
    "epoch 1 at genesis": set({ epoch: 1, previous: "00".repeat(32) }),
    "a manifest before epoch 0": set({ previous: "00".repeat(32) }),
    interval: set({ interval_ms: 49 }),
    "interval of days": set({ interval_ms: 86_400_001 }),
    "interval as text": set({ interval_ms: "1000" }),
    fraction: set({ first_round: 0.5 }),
    "beyond 2^53": set({ first_round: 2 ** 54 }),
    negative: set({ first_round_at_ms: -1 }),
    "no suite": set({ suites: [] }),
    "a suite twice": set({ suites: ["ed25519", "ed25519"] }),
    "unknown suite": set({ suites: ["rsa"] }),
    "no members": size(0, 0),
    "f of 4": size(4, 2),
    "f of 3": size(3, 1),
    id: first("members", { id: 1 }),
    address: first("members", { address: "localhost" }),
    "long address": first("members", { address: `${"h".repeat(252)}:9000` }),
    identity: first("members", { identity: "00" }),
    "two with one identity": whole(({ manifest }) => {
      const [a, b] = manifest["members"] as Fields[];
      Object.assign(b ?? {}, { identity: a?.["identity"] });
    }),
    "no feeds": set({ feeds: [] }),
    "feeds in another order": whole(({ manifest }) => (manifest["feeds"] as Json[]).reverse()),
    "a feed twice": whole(({ manifest }) => {
      const feeds = manifest["feeds"] as Fields[];
      manifest["feeds"] = [feeds[0] ?? {}, ...feeds];
    }),
    "feed name": feed({ name: "aave-usd" }),
    exponent: feed({ exponent: 39 }),
    "no sources": feed({ sources: [] }),
    "65 sources": feed({ sources: Array.from({ length: 65 }, (_, i) => ({ source: `${i}`, pair: "AAVE-USD" })) }),
    "a source twice": feed({ sources: [...source("a").sources, ...source("a").sources] }),
    "a source without a name": feed(source("")),
    "a source with a long name": feed(source("x".repeat(65))),
    "another market": feed(source("a", "BTC-USD")),
    "no conversion": feed(source("a", "AAVE-XYZ")),
    "more sources needed than there are": feed({ min_sources: 4 }),
    "no source needed": feed({ min_sources: 0 }),
    "quote age": feed({ max_quote_age_ms: 0 }),
    outliers: feed({ outlier_mads_milli: 2 ** 32 }),
    "outlier floor": feed({ outlier_floor_ppm: 1_000_000 }),
  };
  for (const [what, code] of Object.entries(bad)) assert.equal(await code, "bad-pin", what);
});

test("every rule of a record counts, though the signatures are right", async () => {
  const record = (change: (record: Fields) => void) => check(pinOf(refit(genesis(), change)));
  const [keys = {}] = genesis().record["keys"] as Fields[];
  assert.equal(await record(() => undefined), "ok");
  const bad: Readonly<Record<string, Promise<string>>> = {
    epoch: record((r) => (r["epoch"] = 1)),
    "manifest hash": record((r) => (r["manifest_hash"] = "00".repeat(32))),
    "unknown key": record((r) => (r["more"] = 1)),
    "no keys": record((r) => (r["keys"] = [])),
    "another suite": record((r) => (r["keys"] = [{ ...keys, suite: "secp256k1-keccak" }])),
    "keys twice": record((r) => (r["keys"] = [keys, keys])),
    "a share less": record((r) => (r["keys"] = [{ ...keys, verifying_shares: [] }])),
    "a coin share less": record((r) => (r["coin_shares"] = (r["coin_shares"] as Json[]).slice(1))),
    "a short coin key": record((r) => (r["coin_key"] = "00")),
    "no transcript": record((r) => delete r["transcript"]),
  };
  for (const [what, code] of Object.entries(bad)) assert.equal(await code, "bad-pin", what);
  const other = { ...keys, group_key: toHex(ed25519.getPublicKey(STRANGER)) };
  assert.equal(await record((r) => (r["keys"] = [other])), "bad-epoch-signature");
});

test("epochs are a chain", async () => {
  const first = genesis();
  const second = following(first);
  const third = following(second);
  assert.equal(await check(pinOf(first, second, third)), "ok");
  assert.equal(Pin.read(pinOf(first, second, third)).epoch, 2);
  const { record } = second;
  const otherKey = [{ ...(record["keys"] as Fields[])[0], group_key: toHex(ed25519.getPublicKey(STRANGER)) }];
  const broken: Readonly<Record<string, object>> = {
    "an epoch left out": pinOf(first, third),
    "an epoch twice": pinOf(first, second, second),
    "the wrong order": pinOf(first, third, second),
    "a number left out": pinOf(first, following(first, { epoch: 2 })),
    "another manifest before it": pinOf(first, following(first, { previous: "00".repeat(32) })),
    "none before it": pinOf(first, following(first, { previous: null })),
    "another group key": pinOf(
      first,
      refit(second, (r) => (r["keys"] = otherKey)),
    ),
  };
  for (const [what, pin] of Object.entries(broken)) assert.equal(await check(pin), "bad-pin", what);
});

test("members sign with their own identities, which are of prime order", async () => {
  const epoch = genesis();
  const by = (change: (signatures: string[]) => string[]) => {
    const signatures = change(epoch.record["member_signatures"] as string[]);
    return check(pinOf({ ...epoch, record: { ...epoch.record, member_signatures: signatures } }));
  };
  assert.equal(await by((all) => all), "ok");
  assert.equal(await by((all) => all.slice(1)), "bad-member-signature");
  assert.equal(await by((all) => [...all, all[0] ?? ""]), "bad-member-signature");
  assert.equal(await by((all) => [...all].reverse()), "bad-member-signature");
  assert.equal(await by(([, ...rest]) => ["00".repeat(64), ...rest]), "bad-member-signature");

  // Under a key of small order this signature fulfils the equation for every message.
  const [member] = epoch.manifest["members"] as Fields[];
  Object.assign(member ?? {}, { identity: toHex(ed25519.Point.ZERO.toBytes()) });
  const { manifest, record } = refit(epoch);
  const [, ...rest] = record["member_signatures"] as string[];
  const anything = toHex(ed25519.Point.BASE.toBytes()) + toHex(Uint8Array.of(1, ...new Uint8Array(31)));
  const forged = { ...record, member_signatures: [anything, ...rest] };
  assert.equal(await check(pinOf({ manifest, record: forged })), "bad-member-signature");
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
