import { type Bytes, fromHex, toHex } from "./bytes.js";
import { ed25519KeyFault, verifyFast, verifyReference } from "./ed25519.js";
import { PinError } from "./errors.js";
import { secp256k1KeyFault, verifySecp256k1 } from "./secp256k1.js";
import { SUITES, type SuiteName } from "./suite.js";

/** The group's public key in one suite, checked once: well formed, canonical and of prime order. */
export class GroupKey {
  /** The key's suite. */
  readonly suite: SuiteName;
  readonly #bytes: Bytes;

  /**
   * @param suite - the key's suite
   * @param key - the key, as bytes or in hexadecimal
   * @throws {@link PinError} with the code `bad-group-key`
   */
  constructor(suite: SuiteName, key: Uint8Array | string) {
    if (!SUITES.some((known) => known.name === suite)) {
      throw new PinError("unsupported-suite", `suite ${JSON.stringify(suite)} is not known`);
    }
    const bytes = typeof key === "string" ? fromHex(key) : Uint8Array.from(key);
    const fault =
      bytes === undefined ? "not hexadecimal" : suite === "ed25519" ? ed25519KeyFault(bytes) : secp256k1KeyFault(bytes);
    if (bytes === undefined || fault !== undefined) {
      throw new PinError("bad-group-key", `group key of suite ${suite}: ${fault}`);
    }
    this.suite = suite;
    this.#bytes = bytes;
  }

  /** Lower-case hexadecimal. */
  toString(): string {
    return toHex(this.#bytes);
  }

  /**
   * Whether the group signed this digest of a statement or an epoch record.
   * @internal
   */
  signed(digest: Bytes, signature: Bytes): boolean {
    return this.suite === "ed25519"
      ? verifyReference(this.#bytes, digest, signature)
      : verifySecp256k1(this.#bytes, digest, signature);
  }

  /**
   * The same verdict, by the platform's own cryptography where it is as strict.
   * @internal
   */
  async signedFast(digest: Bytes, signature: Bytes): Promise<boolean> {
    return this.suite === "ed25519" ? verifyFast(this.#bytes, digest, signature) : this.signed(digest, signature);
  }
}
