import { PinError } from "./errors.js";
import { fromHex } from "./bytes.js";

/** Integers of canonical JSON must survive readers that know doubles only. */
export const INTEGER_MAX = 2 ** 53;

/** A value of JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The canonical text of a value by RFC 8785: no white space, members sorted by their names' UTF-16 code units. Its rules
 * for strings and integers are those of `JSON.stringify`.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
}

/** A string of JSON text, and the colon behind it if it names a member. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/**
 * Reads JSON text in which no object names a member twice: `JSON.parse` would take the last one in silence.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const named = [...text.matchAll(STRING)].filter((match) => match[1] !== undefined).length;
  if (named !== countMembers(value)) throw new SyntaxError("a key is repeated");
  return value;
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value);
  return members.reduce((sum: number, member) => sum + countMembers(member), Array.isArray(value) ? 0 : members.length);
}

/**
 * A place in JSON data that a pin is read from; whatever is not as it must be is a {@link PinError} that names the
 * place.
 */
export class Place {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#value = value;
    this.#path = path;
  }

  /** Refuses the place. */
  refuse(reason: string): never {
    throw new PinError("bad-pin", `${this.#path}: ${reason}`);
  }

  /** The members of an object that has these and no others; optional ones may be missing or null. */
  members<K extends string>(required: readonly K[]): Record<K, Place>;
  members<K extends string, O extends string>(
    required: readonly K[],
    optional: readonly O[],
  ): Record<K, Place> & Record<O, Place | undefined>;
  members(required: readonly string[], optional: readonly string[] = []): Record<string, Place | undefined> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.refuse("must be an object");
    for (const key of Object.keys(value)) {
      if (!required.includes(key) && !optional.includes(key)) this.refuse(`unknown key ${JSON.stringify(key)}`);
    }
    const found: Record<string, Place | undefined> = {};
    for (const key of [...required, ...optional]) {
      const member = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
      if (member === undefined && required.includes(key)) this.refuse(`${key} is missing`);
      const missing = member === undefined || (member === null && optional.includes(key));
      found[key] = missing ? undefined : new Place(member, this.#path === "" ? key : `${this.#path}.${key}`);
    }
    return found;
  }

  /** The items of a list, each read in the same way. */
  list<T>(read: (item: Place, index: number) => T): readonly T[] {
    if (!Array.isArray(this.#value)) this.refuse("must be a list");
    return this.#value.map((item, i) => read(new Place(item, `${this.#path}[${i}]`), i));
  }

  /** An integer from `min` to `max`. */
  integer(min: number, max: number): number {
    const value = this.#value;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      this.refuse(`must be an integer from ${min} to ${max}`);
    }
    return value;
  }

  /** Text of Unicode characters. */
  text(): string {
    const value = this.#value;
    if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) this.refuse("must be text");
    return value;
  }

  /** Text of `min` to `max` bytes in UTF-8. */
  shortText(min: number, max: number): string {
    const text = this.text();
    const length = new TextEncoder().encode(text).length;
    if (length < min || length > max) this.refuse(`must have ${min} to ${max} bytes`);
    return text;
  }

  /** Hexadecimal text, in lower case, of any or of this many bytes. */
  hex(length?: number): string {
    const text = this.text();
    const bytes = fromHex(text);
    if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
      this.refuse(length === undefined ? "must be hexadecimal" : `must be ${2 * length} hexadecimal digits`);
    }
    return text.toLowerCase();
  }

  /** One of these words. */
  word<W extends string>(words: readonly W[]): W {
    const text = this.text();
    return words.find((word) => word === text) ?? this.refuse(`must be one of ${words.join(", ")}`);
  }
}
