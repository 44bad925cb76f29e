import { ConfigError } from "./errors.js";

/** An unsigned integer of at most 64 bits, as a number that is exact or as a bigint. */
export type Uint = number | bigint;

const MAX = 2n ** 64n - 1n;

/** Reads an unsigned integer of the caller's. */
export function readUint(value: unknown, what: string): bigint {
  const exact = typeof value === "bigint" || Number.isSafeInteger(value);
  const read = exact ? BigInt(value as Uint) : -1n;
  if (read < 0n || read > MAX)
    throw new ConfigError(`${what}: must be an unsigned integer, as a bigint or a safe number`);
  return read;
}
