import { type Bytes, toBigInt } from "./bytes.js";
import { VerifyError } from "./errors.js";

/** Reads fields one after another and never past the end. */
export class Reader {
  readonly #bytes: Bytes;
  #at = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** The next `length` bytes. */
  take(length: number, field: string): Bytes {
    const left = this.#bytes.length - this.#at;
    if (length > left) {
      throw new VerifyError("truncated", `${field}: needs ${length} bytes, ${left} are left`);
    }
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  /** An unsigned integer of at most six bytes. */
  uint(length: number, field: string): number {
    return this.take(length, field).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** An unsigned integer. */
  bigUint(length: number, field: string): bigint {
    return toBigInt(this.take(length, field));
  }

  /** An integer in two's complement. */
  bigInt(length: number, field: string): bigint {
    return BigInt.asIntN(8 * length, this.bigUint(length, field));
  }

  /** Nothing may follow. */
  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new VerifyError("trailing-bytes", `${left} bytes follow where none may`);
  }
}
