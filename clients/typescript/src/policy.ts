import { Bracket } from "./bracket.js";
import { ConfigError, PolicyError } from "./errors.js";
import { isUnavailable, type Leaf } from "./leaf.js";
import { STATUS_BITS, statusText, type StatusName } from "./status.js";
import { readUint, type Uint } from "./uint.js";
import type { VerifiedUpdate } from "./verified-update.js";

/** How far a timestamp may be ahead of the caller's clock unless the policy says otherwise, in milliseconds. */
export const DEFAULT_MAX_SKEW_MS = 2_000;

/** What may be stated beside the time. Everything is strict until it is allowed. */
export interface Conditions {
  /** Refuses prices whose trades are older, counted from now or from the instant. Not checked unless it is stated. */
  readonly maxTradeAgeMs?: Uint | undefined;
  /** Refuses prices that fewer members observed. The network's own bound, `2f + 1`, is all there is by default. */
  readonly minObservers?: number | undefined;
  /** Statuses that are accepted, by name. A feed that is unavailable has no price whatever is allowed. */
  readonly allowStatus?: readonly StatusName[] | undefined;
  /** How far timestamps may be ahead of now, or the trades' of the instant; 2 s by default. */
  readonly maxSkewMs?: Uint | undefined;
  /** Refuses rounds that are not above this one, the last that the caller saw. */
  readonly newerThan?: Uint | undefined;
}

/** A price for now. */
export interface FreshPolicy extends Conditions {
  /** How old the round may be. */
  readonly maxAgeMs: Uint;
  /** Now, in Unix milliseconds; the system's clock by default. */
  readonly nowMs?: Uint | undefined;
  readonly at?: undefined;
  readonly maxGap?: undefined;
}

/** The price at a past instant. */
export interface InstantPolicy extends Conditions {
  /** What `verifyAt` made of the update before the instant and the next one after it. */
  readonly at: Bracket;
  /**
   * How many rounds the two updates may be apart; 1 by default. Whoever picks the pair can leave out any round that lies
   * between them, so that a larger gap gives a choice among as many prices.
   */
  readonly maxGap?: Uint | undefined;
  readonly maxAgeMs?: undefined;
  readonly nowMs?: undefined;
}

/** The conditions under which a caller accepts a price. There is none without a statement about time. */
export type Policy = FreshPolicy | InstantPolicy;

/** A policy whose every value was checked. */
export interface Terms {
  readonly referenceMs: bigint;
  readonly when: { readonly maxAgeMs: bigint } | { readonly bracket: Bracket; readonly maxGap: bigint };
  readonly maxTradeAgeMs: bigint | undefined;
  readonly minObservers: bigint;
  readonly allowed: number;
  readonly maxSkewMs: bigint;
  readonly newerThan: bigint | undefined;
}

const CONDITIONS = ["maxTradeAgeMs", "minObservers", "allowStatus", "maxSkewMs", "newerThan"];
const FRESH = new Set([...CONDITIONS, "maxAgeMs", "nowMs"]);
const INSTANT = new Set([...CONDITIONS, "at", "maxGap"]);

/**
 * Checks a policy, for callers without a compiler as well: a misspelt condition must not be a condition less.
 *
 * @throws {@link ConfigError}
 */
export function readPolicy(policy: Policy): Terms {
  if (typeof policy !== "object" || policy === null) {
    throw new ConfigError("a policy is an object with maxAgeMs, or with at");
  }
  const known = policy.at === undefined ? FRESH : INSTANT;
  for (const [key, value] of Object.entries(policy)) {
    if (value !== undefined && !known.has(key)) throw new ConfigError(`policy: ${key} does not belong to this policy`);
  }
  const optional = (value: Uint | undefined, key: string) => (value === undefined ? undefined : readUint(value, key));
  const { minObservers = 0, maxSkewMs = DEFAULT_MAX_SKEW_MS } = policy;
  return {
    ...readTime(policy),
    maxTradeAgeMs: optional(policy.maxTradeAgeMs, "maxTradeAgeMs"),
    minObservers: readUint(minObservers, "minObservers"),
    allowed: readAllowed(policy.allowStatus),
    maxSkewMs: readUint(maxSkewMs, "maxSkewMs"),
    newerThan: optional(policy.newerThan, "newerThan"),
  };
}

function readTime(policy: Policy): Pick<Terms, "referenceMs" | "when"> {
  if (policy.at !== undefined) {
    if (!(policy.at instanceof Bracket)) throw new ConfigError("policy: at is what verifyAt returns");
    const { at: bracket, maxGap = 1 } = policy;
    return { referenceMs: bracket.instantMs, when: { bracket, maxGap: readUint(maxGap, "maxGap") } };
  }
  if (policy.maxAgeMs === undefined) {
    throw new ConfigError("policy: state maxAgeMs, or at for a past instant; there is no price without it");
  }
  const { maxAgeMs, nowMs = Date.now() } = policy;
  return { referenceMs: readUint(nowMs, "nowMs"), when: { maxAgeMs: readUint(maxAgeMs, "maxAgeMs") } };
}

function readAllowed(names: readonly StatusName[] | undefined): number {
  if (names === undefined) return 0;
  if (!Array.isArray(names)) throw new ConfigError("allowStatus: must be a list of names");
  return names.reduce((bits: number, name: StatusName) => {
    if (!Object.hasOwn(STATUS_BITS, name)) throw new ConfigError(`allowStatus: no status is named ${String(name)}`);
    return bits | STATUS_BITS[name];
  }, 0);
}

/** Checks what is about the round. */
export function checkUpdate(terms: Terms, update: VerifiedUpdate): void {
  const { round, timestampMs, statement } = update;
  const { when, newerThan } = terms;
  if ("maxAgeMs" in when) {
    checkAhead(terms, "the round's timestamp", timestampMs);
    const ageMs = terms.referenceMs - timestampMs;
    if (ageMs > when.maxAgeMs) {
      throw new PolicyError("too-old", `round ${round} is ${ageMs} ms old, allowed are ${when.maxAgeMs} ms`);
    }
  } else {
    const { bracket, maxGap } = when;
    if (statement.digest !== bracket.beforeDigest) {
      const asked = `round ${round} is not the update before the instant`;
      throw new PolicyError("other-update", `${asked}; ask round ${bracket.beforeRound}`);
    }
    if (bracket.gap > maxGap) {
      const apart = `the updates around the instant are ${bracket.gap} rounds apart`;
      throw new PolicyError("gap", `${apart}, allowed are ${maxGap}`);
    }
  }
  if (newerThan !== undefined && round <= newerThan) {
    throw new PolicyError("not-newer", `round ${round} is not newer than ${newerThan}, the last one seen`);
  }
}

/** Checks what is about the feed. */
export function checkLeaf(terms: Terms, leaf: Leaf): void {
  const { feed, status, observers, observedAtMs } = leaf;
  if (isUnavailable(leaf)) {
    throw new PolicyError("unavailable", `${feed} has no price in this round (status ${statusText(status)})`);
  }
  const refused = status & ~terms.allowed;
  if (refused !== 0) {
    throw new PolicyError("status", `${feed} is ${statusText(refused)}, which the policy does not allow`);
  }
  if (BigInt(observers) < terms.minObservers) {
    throw new PolicyError(
      "too-few-observers",
      `${feed} has ${observers} observers, asked for are ${terms.minObservers}`,
    );
  }
  checkAhead(terms, "the trades' timestamp", observedAtMs);
  const ageMs = terms.referenceMs - observedAtMs;
  if (terms.maxTradeAgeMs !== undefined && ageMs > terms.maxTradeAgeMs) {
    const old = `the trades behind ${feed} are ${ageMs} ms old`;
    throw new PolicyError("trade-too-old", `${old}, allowed are ${terms.maxTradeAgeMs} ms`);
  }
}

function checkAhead(terms: Terms, what: string, timestampMs: bigint): void {
  const aheadMs = timestampMs - terms.referenceMs;
  if (aheadMs > terms.maxSkewMs) {
    throw new PolicyError("ahead-of-now", `${what} is ${aheadMs} ms ahead of now, allowed are ${terms.maxSkewMs} ms`);
  }
}
