/** The name of a status bit. A price without any of them is ok. */
export type StatusName = "degraded" | "stale" | "halted" | "depegged" | "market-closed" | "unavailable";

/** The bit of each name, in ascending order. */
export const STATUS_BITS: Readonly<Record<StatusName, number>> = {
  degraded: 1,
  stale: 2,
  halted: 4,
  depegged: 8,
  "market-closed": 16,
  unavailable: 128,
};

const NAMES = Object.keys(STATUS_BITS) as readonly StatusName[];
const KNOWN = NAMES.reduce((bits, name) => bits | STATUS_BITS[name], 0);

/** Whether every bit has a name. */
export function knownStatus(bits: number): boolean {
  return (bits & ~KNOWN) === 0;
}

/** The names of the bits that are set. */
export function statusNames(bits: number): readonly StatusName[] {
  return Object.freeze(NAMES.filter((name) => (bits & STATUS_BITS[name]) !== 0));
}

/** `ok`, or the names with a plus sign between them. */
export function statusText(bits: number): string {
  return bits === 0 ? "ok" : statusNames(bits).join("+");
}
