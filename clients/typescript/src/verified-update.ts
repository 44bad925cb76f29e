import { Decimal } from "./decimal.js";
import { PolicyError } from "./errors.js";
import { isUnavailable } from "./leaf.js";
import { checkLeaf, checkUpdate, type Policy, readPolicy } from "./policy.js";
import { statusNames, statusText, type StatusName } from "./status.js";
import type { Statement } from "./statement.js";
import type { SuiteName } from "./suite.js";
import type { PriceUpdate } from "./update.js";
import { type VerifiedPrice, verifiedPrice } from "./verified-price.js";

const MAKER = Symbol("what only this file has");

let make: (update: PriceUpdate) => VerifiedUpdate;

/**
 * A price update that the pinned network signed.
 *
 * It shows what it is about, but no number: {@link VerifiedUpdate.price} hands those out, against a stated policy.
 */
export class VerifiedUpdate {
  readonly #update: PriceUpdate;
  /** What the group signed. It commits to prices, but holds none. */
  readonly statement: Statement;
  /** The feeds that the update holds, in the order of their leaves. */
  readonly feeds: readonly string[];

  static {
    make = (update) => new VerifiedUpdate(MAKER, update);
  }

  private constructor(maker: symbol, update: PriceUpdate) {
    if (maker !== MAKER) throw new TypeError("only a Verifier makes a VerifiedUpdate");
    const { root: _root, message: _message, ...statement } = update.statement;
    this.#update = update;
    this.statement = Object.freeze(statement);
    this.feeds = Object.freeze(update.entries.map((entry) => entry.leaf.feed));
    Object.freeze(this);
  }

  /** The suite of the signature that was checked. */
  get suite(): SuiteName {
    return this.#update.suite.name;
  }

  /** The epoch. */
  get epoch(): number {
    return this.statement.epoch;
  }

  /** The round. */
  get round(): bigint {
    return this.statement.round;
  }

  /** The round's time in Unix milliseconds: lower median of the contributors' clocks. */
  get timestampMs(): bigint {
    return this.statement.timestampMs;
  }

  /** The names of a feed's status bits, none if it is ok; undefined if the update does not hold the feed. */
  status(feed: string): readonly StatusName[] | undefined {
    const leaf = this.#leaf(feed);
    return leaf && statusNames(leaf.status);
  }

  /** The binary form, to keep or to hand on to another verifier. */
  toBytes(): Uint8Array {
    return Uint8Array.from(this.#update.bytes);
  }

  /**
   * The feed's price, if the update satisfies the policy.
   *
   * @throws {@link PolicyError} for the first condition that it does not satisfy
   */
  price(feed: string, policy: Policy): VerifiedPrice {
    const terms = readPolicy(policy);
    const leaf = this.#leaf(feed);
    if (leaf === undefined) throw new PolicyError("no-feed", `the update does not hold ${JSON.stringify(feed)}`);
    checkUpdate(terms, this);
    checkLeaf(terms, leaf);
    if (isUnavailable(leaf)) throw new PolicyError("unavailable", `${feed} has no price (${statusText(leaf.status)})`);
    return verifiedPrice({
      feed: leaf.feed,
      price: new Decimal(leaf.price, leaf.exponent),
      low: new Decimal(leaf.low, leaf.exponent),
      high: new Decimal(leaf.high, leaf.exponent),
      status: statusNames(leaf.status),
      round: this.round,
      epoch: this.epoch,
      timestampMs: this.timestampMs,
      observedAtMs: leaf.observedAtMs,
      observers: leaf.observers,
    });
  }

  #leaf(feed: string) {
    return this.#update.entries.find((entry) => entry.leaf.feed === feed)?.leaf;
  }
}

/**
 * What a verifier makes of an update once everything was checked.
 * @internal
 */
export function verified(update: PriceUpdate): VerifiedUpdate {
  return make(update);
}
