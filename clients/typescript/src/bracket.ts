import { PolicyError } from "./errors.js";
import { readUint, type Uint } from "./uint.js";
import type { VerifiedUpdate } from "./verified-update.js";

const MAKER = Symbol("what only this file has");

let make: (fields: BracketFields) => Bracket;

interface BracketFields {
  readonly beforeDigest: string;
  readonly beforeRound: bigint;
  readonly instantMs: bigint;
  readonly gap: bigint;
}

/**
 * Proof that one update is the last that was shown at or before an instant: the next one after it is shown as well.
 *
 * What remains: rounds between the two that exist and were not shown. `gap` is 1 where there can be none, which a policy
 * asks for unless it says otherwise; a network that signed nothing for some rounds leaves an honest gap.
 */
export class Bracket {
  /** Digest of the statement before the instant. */
  readonly beforeDigest: string;
  /** Its round. */
  readonly beforeRound: bigint;
  /** The instant, in Unix milliseconds. */
  readonly instantMs: bigint;
  /** How many rounds the two updates are apart: 1 where no round can stand between them. */
  readonly gap: bigint;

  static {
    make = (fields) => new Bracket(MAKER, fields);
  }

  private constructor(maker: symbol, fields: BracketFields) {
    if (maker !== MAKER) throw new TypeError("only verifyAt makes a Bracket");
    this.beforeDigest = fields.beforeDigest;
    this.beforeRound = fields.beforeRound;
    this.instantMs = fields.instantMs;
    this.gap = fields.gap;
    Object.freeze(this);
  }
}

/**
 * Checks that two updates stand around an instant (Unix milliseconds): the first at or before it, the second after it in
 * time and in round.
 *
 * @throws {@link PolicyError} with the code `no-pair` or `not-around`
 */
export function verifyAt(before: VerifiedUpdate, after: VerifiedUpdate, instantMs: Uint): Bracket {
  const instant = readUint(instantMs, "instantMs");
  const gap = after.round - before.round;
  if (before.statement.networkId !== after.statement.networkId || gap <= 0n) {
    const wanted = "the update before the instant and the one after it must be of one network and in order";
    throw new PolicyError("no-pair", `${wanted} (rounds ${before.round}, ${after.round})`);
  }
  if (instant < before.timestampMs || instant >= after.timestampMs) {
    const range = `from ${before.timestampMs} to before ${after.timestampMs}`;
    throw new PolicyError("not-around", `${instant} does not lie ${range}, the times of the two updates`);
  }
  return make({
    beforeDigest: before.statement.digest,
    beforeRound: before.round,
    instantMs: instant,
    gap,
  });
}
