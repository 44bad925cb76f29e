import type { Decimal } from "./decimal.js";
import type { StatusName } from "./status.js";

/** What the group signed about one feed in one round. */
export interface PriceFields {
  /** The feed. */
  readonly feed: string;
  /** Lower median of the observations. */
  readonly price: Decimal;
  /** Not below the lowest honest observation. */
  readonly low: Decimal;
  /** Not above the highest honest observation. */
  readonly high: Decimal;
  /** No name, or names that the policy allows. */
  readonly status: readonly StatusName[];
  /** The round. */
  readonly round: bigint;
  /** The epoch. */
  readonly epoch: number;
  /** The round's time, in Unix milliseconds. */
  readonly timestampMs: bigint;
  /** Time of the trades behind the price, in Unix milliseconds. */
  readonly observedAtMs: bigint;
  /** How many members observed the feed. */
  readonly observers: number;
}

let make: (fields: PriceFields) => VerifiedPrice;

/** A price with everything that the group signed about it. `VerifiedUpdate.price` makes them. */
export class VerifiedPrice implements PriceFields {
  readonly feed: string;
  readonly price: Decimal;
  readonly low: Decimal;
  readonly high: Decimal;
  readonly status: readonly StatusName[];
  readonly round: bigint;
  readonly epoch: number;
  readonly timestampMs: bigint;
  readonly observedAtMs: bigint;
  readonly observers: number;

  static {
    make = (fields) => new VerifiedPrice(fields);
  }

  private constructor(fields: PriceFields) {
    this.feed = fields.feed;
    this.price = fields.price;
    this.low = fields.low;
    this.high = fields.high;
    this.status = fields.status;
    this.round = fields.round;
    this.epoch = fields.epoch;
    this.timestampMs = fields.timestampMs;
    this.observedAtMs = fields.observedAtMs;
    this.observers = fields.observers;
    Object.freeze(this);
  }

  /** For `JSON.stringify`: prices, rounds and times are text, because a JSON number would lose digits. */
  toJSON(): Record<string, unknown> {
    return {
      feed: this.feed,
      price: this.price.toString(),
      low: this.low.toString(),
      high: this.high.toString(),
      status: this.status,
      round: this.round.toString(),
      epoch: this.epoch,
      timestamp_ms: this.timestampMs.toString(),
      observed_at_ms: this.observedAtMs.toString(),
      observers: this.observers,
    };
  }
}

/**
 * What a verified update makes of a leaf once the policy was satisfied.
 * @internal
 */
export function verifiedPrice(fields: PriceFields): VerifiedPrice {
  return make(fields);
}
