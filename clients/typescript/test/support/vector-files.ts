import type { StatusName, SuiteName } from "../../src/index.js";

/** A file of `update/`. */
export interface UpdateVector {
  readonly description: string;
  readonly network_id: string;
  readonly group_keys: Partial<Record<SuiteName, string>>;
  readonly update: string;
  readonly code?: string;
  readonly valid?: {
    readonly suite: SuiteName;
    readonly statement: {
      readonly network_id: string;
      readonly epoch: number;
      readonly round: string;
      readonly timestamp_ms: string;
      readonly feed_count: number;
      readonly feeds_root: string;
      readonly observations_root: string;
      readonly digest: string;
    };
    readonly entries: readonly LeafVector[];
  };
}

/** A leaf, in an update or by itself. */
export interface LeafVector {
  readonly feed: string;
  readonly status: readonly StatusName[];
  readonly status_bits: number;
  readonly exponent: number;
  readonly price: string;
  readonly low: string;
  readonly high: string;
  readonly observed_at_ms: string;
  readonly observers: number;
}

/** An entry of `group-keys.json`. */
export interface KeyVector {
  readonly description: string;
  readonly suite: SuiteName;
  readonly key: string;
  readonly code?: string;
}

/** `policy.json`. */
export interface PolicyFile {
  readonly network_id: string;
  readonly group_key: string;
  readonly default_max_skew_ms: number;
  readonly cases: readonly PolicyVector[];
}

/** A case of `policy.json`. */
export interface PolicyVector {
  readonly description: string;
  readonly update: string;
  readonly next?: string;
  readonly feed: string;
  readonly policy: {
    readonly now_ms?: string;
    readonly max_age_ms?: number;
    readonly at_ms?: string;
    readonly max_gap?: number;
    readonly max_trade_age_ms?: number;
    readonly min_observers?: number;
    readonly allow_status?: readonly StatusName[];
    readonly max_skew_ms?: number;
    readonly newer_than?: string;
  };
  readonly code?: string;
  readonly price?: string;
}

/** A file of `pin/invalid/`. */
export interface PinVector {
  readonly description: string;
  readonly code: string;
  readonly pin: object;
}
