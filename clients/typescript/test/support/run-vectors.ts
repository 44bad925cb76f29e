// Runs every shared vector against an implementation, without anything of Node, so that a browser can do it, too.
import type * as Implementation from "../../src/index.js";
import type { KeyVector, LeafVector, PinVector, PolicyFile, PolicyVector, UpdateVector } from "./vector-files.js";

/** All vectors, by file name. */
export interface AllVectors {
  readonly valid: ReadonlyArray<readonly [string, UpdateVector]>;
  readonly invalid: ReadonlyArray<readonly [string, UpdateVector]>;
  readonly keys: readonly KeyVector[];
  readonly policy: PolicyFile;
  readonly goodPins: ReadonlyArray<readonly [string, object]>;
  readonly badPins: ReadonlyArray<readonly [string, PinVector]>;
}

/** What is wrong, one line each, and how many vectors were run. */
export interface Verdict {
  readonly count: number;
  readonly faults: readonly string[];
}

type Api = typeof Implementation;
type Check = (what: string, got: unknown, want: unknown) => void;

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** Runs all of them. */
export async function runVectors(api: Api, all: AllVectors): Promise<Verdict> {
  const faults: string[] = [];
  let count = 0;
  const run = async (name: string, act: (check: Check) => unknown) => {
    count += 1;
    const check: Check = (what, got, want) => {
      if (got !== want) faults.push(`${name}: ${what} is ${String(got)}, must be ${String(want)}`);
    };
    try {
      await act(check);
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };
  const codeOf = async (act: () => unknown) => {
    try {
      await act();
      return undefined;
    } catch (error) {
      if (error instanceof api.TouchstoneError) return error.code;
      throw error;
    }
  };
  const verifier = ({ network_id: networkId, group_keys: groupKeys }: UpdateVector) =>
    new api.Verifier({ networkId, groupKeys });

  for (const [name, vector] of all.valid) {
    await run(name, async (check) => {
      for (const update of [
        verifier(vector).verify(bytes(vector.update)),
        await verifier(vector).verifyAsync(bytes(vector.update)),
      ]) {
        checkValid(api, check, vector, update);
      }
    });
  }
  for (const [name, vector] of all.invalid) {
    await run(name, async (check) => {
      check("code", await codeOf(() => verifier(vector).verify(bytes(vector.update))), vector.code);
      check("fast code", await codeOf(() => verifier(vector).verifyAsync(bytes(vector.update))), vector.code);
    });
  }
  for (const vector of all.keys) {
    await run(vector.description, async (check) => {
      check("code", await codeOf(() => new api.GroupKey(vector.suite, vector.key)), vector.code);
    });
  }
  for (const vector of all.policy.cases) {
    await run(vector.description, async (check) => {
      let price: string | undefined;
      const code = await codeOf(() => {
        price = priceOf(api, all.policy, vector).toString();
      });
      check("code", code, vector.code);
      check("price", price, vector.price);
    });
  }
  for (const [name, pin] of all.goodPins) {
    await run(name, (check) => {
      const read = api.Pin.read(pin);
      read.checkMembers();
      check("network", api.Verifier.fromPin(read).networkId, read.networkId);
    });
  }
  for (const [name, vector] of all.badPins) {
    await run(name, async (check) => {
      const code = await codeOf(() => {
        const pin = api.Pin.read(vector.pin);
        api.Verifier.fromPin(pin);
        pin.checkMembers();
      });
      check("code", code, vector.code);
    });
  }
  return { count, faults };
}

function checkValid(api: Api, check: Check, vector: UpdateVector, update: Implementation.VerifiedUpdate): void {
  const valid = vector.valid;
  if (valid === undefined) throw new Error("a valid vector says what is in it");
  const { statement } = update;
  check("suite", update.suite, valid.suite);
  check("network", statement.networkId, valid.statement.network_id);
  check("epoch", statement.epoch, valid.statement.epoch);
  check("round", statement.round, BigInt(valid.statement.round));
  check("timestamp", statement.timestampMs, BigInt(valid.statement.timestamp_ms));
  check("feed count", statement.feedCount, valid.statement.feed_count);
  check("feeds root", statement.feedsRoot, valid.statement.feeds_root);
  check("observations root", statement.observationsRoot, valid.statement.observations_root);
  check("digest", statement.digest, valid.statement.digest);
  check("bytes", update.toBytes().join(), bytes(vector.update).join());
  check("feeds", update.feeds.join(), valid.entries.map((entry) => entry.feed).join());
  for (const entry of valid.entries) checkEntry(api, check, update, entry);
}

function checkEntry(api: Api, check: Check, update: Implementation.VerifiedUpdate, entry: LeafVector): void {
  const what = (field: string) => `${entry.feed} ${field}`;
  check(what("status"), update.status(entry.feed)?.join(), entry.status.join());
  const policy = { nowMs: update.timestampMs, maxAgeMs: 0, maxSkewMs: 2n ** 64n - 1n, allowStatus: entry.status };
  try {
    const price = update.price(entry.feed, policy);
    check(what("price"), price.price.mantissa, BigInt(entry.price));
    check(what("low"), price.low.mantissa, BigInt(entry.low));
    check(what("high"), price.high.mantissa, BigInt(entry.high));
    check(what("exponent"), price.price.exponent, entry.exponent);
    check(what("observed at"), price.observedAtMs, BigInt(entry.observed_at_ms));
    check(what("observers"), price.observers, entry.observers);
    check(what("unavailable"), entry.status.includes("unavailable"), false);
  } catch (error) {
    if (!(error instanceof api.PolicyError)) throw error;
    check(what("code"), error.code, entry.status.includes("unavailable") ? "unavailable" : undefined);
  }
}

function priceOf(api: Api, file: PolicyFile, vector: PolicyVector): Implementation.Decimal {
  const verifier = new api.Verifier({ networkId: file.network_id, groupKeys: { ed25519: file.group_key } });
  const update = verifier.verify(bytes(vector.update));
  const p = vector.policy;
  const conditions = {
    maxTradeAgeMs: p.max_trade_age_ms,
    minObservers: p.min_observers,
    allowStatus: p.allow_status,
    maxSkewMs: p.max_skew_ms,
    newerThan: p.newer_than === undefined ? undefined : BigInt(p.newer_than),
  };
  if (p.at_ms !== undefined && vector.next !== undefined) {
    const at = api.verifyAt(update, verifier.verify(bytes(vector.next)), BigInt(p.at_ms));
    return update.price(vector.feed, { ...conditions, at, maxGap: p.max_gap }).price;
  }
  if (p.now_ms === undefined || p.max_age_ms === undefined) throw new Error("either an instant or now and an age");
  const time = { nowMs: BigInt(p.now_ms), maxAgeMs: p.max_age_ms };
  return update.price(vector.feed, { ...conditions, ...time }).price;
}
