import { type Bytes, fromHex, toHex } from "./bytes.js";
import { ConfigError, PinError, VerifyError } from "./errors.js";
import { GroupKey } from "./group-key.js";
import { Pin } from "./pin.js";
import { SUITES, type SuiteName } from "./suite.js";
import { checkInclusion, type PriceUpdate, readUpdate } from "./update.js";
import { type VerifiedUpdate, verified } from "./verified-update.js";

/** The least that a consumer pins: the network's id and its group key in one or more suites. */
export interface Pinned {
  /** 32 bytes, or 64 hexadecimal digits. */
  readonly networkId: Uint8Array | string;
  /** The group keys by suite, as bytes or in hexadecimal. */
  readonly groupKeys: Readonly<Partial<Record<SuiteName, Uint8Array | string>>>;
}

/** Verifies price updates of one network. It keeps nothing between calls. */
export class Verifier {
  /** The pinned network: 64 hexadecimal digits. */
  readonly networkId: string;
  readonly #keys: ReadonlyMap<SuiteName, GroupKey>;

  /**
   * @throws {@link ConfigError} without an id or a key, {@link PinError} for a key that must not be pinned
   */
  constructor(pinned: Pinned) {
    const { networkId, groupKeys } = pinned;
    const id = typeof networkId === "string" ? fromHex(networkId) : networkId;
    if (!(id instanceof Uint8Array) || id.length !== 32) {
      throw new ConfigError("networkId: must be 32 bytes, or 64 hexadecimal digits");
    }
    const entries = Object.entries(groupKeys).filter(([, key]) => key !== undefined);
    if (entries.length === 0) throw new ConfigError("groupKeys: pin at least one key");
    this.networkId = toHex(id);
    this.#keys = new Map(entries.map(([suite, key]) => [suite as SuiteName, new GroupKey(suite as SuiteName, key)]));
  }

  /**
   * The verifier of a pinned network, from the text of its `network.json`, the value in it, or a {@link Pin}.
   *
   * The pin's form is checked, and in every epoch the group key's signature on the epoch record: whoever wrote the pin held
   * a record of a key that works. That the key is the right one is what the pin is trusted for.
   *
   * @throws {@link PinError}
   */
  static fromPin(pin: Pin | string | Uint8Array | object): Verifier {
    const read = pin instanceof Pin ? pin : Pin.read(pin);
    const keys = [...read.groupKeys].map(([suite, key]) => new GroupKey(suite, key));
    for (const { epoch, digest, groupSignatures } of read.records) {
      for (const key of keys) {
        const signature = groupSignatures.get(key.suite);
        if (signature === undefined) {
          throw new PinError(
            "bad-epoch-signature",
            `epoch ${epoch}: the record lacks the group's ${key.suite} signature`,
          );
        }
        if (!key.signed(digest, signature)) {
          const whose = `the ${key.suite} signature on the record is not the group key's`;
          throw new PinError("bad-epoch-signature", `epoch ${epoch}: ${whose}`);
        }
      }
    }
    return new Verifier({ networkId: read.networkId, groupKeys: Object.fromEntries(read.groupKeys) });
  }

  /** The suites of which a key is pinned. */
  get suites(): readonly SuiteName[] {
    return SUITES.map((suite) => suite.name).filter((name) => this.#keys.has(name));
  }

  /**
   * Verifies a binary price update: its form, the network, the group's signature by strict rules, and the inclusion of
   * every leaf, in this order.
   *
   * @throws {@link VerifyError} for the first of these that fails
   */
  verify(update: Uint8Array): VerifiedUpdate {
    const read = readUpdate(update);
    const { key, message } = this.#expected(read);
    return finish(read, key.signed(message, read.signature));
  }

  /** The same verdict as {@link Verifier.verify}, with WebCrypto's Ed25519 where the platform's is as strict. */
  async verifyAsync(update: Uint8Array): Promise<VerifiedUpdate> {
    const read = readUpdate(update);
    const { key, message } = this.#expected(read);
    return finish(read, await key.signedFast(message, read.signature));
  }

  #expected({ statement, suite }: PriceUpdate): { key: GroupKey; message: Bytes } {
    if (statement.networkId !== this.networkId) {
      const networks = `the update is of network ${statement.networkId}, pinned is ${this.networkId}`;
      throw new VerifyError("wrong-network", networks);
    }
    const key = this.#keys.get(suite.name);
    if (key === undefined) {
      const signed = `the update is signed with ${suite.name}`;
      throw new VerifyError("unsupported-suite", `${signed}, for which no group key is pinned`);
    }
    return { key, message: statement.message };
  }
}

function finish(update: PriceUpdate, signed: boolean): VerifiedUpdate {
  if (!signed) {
    const whose = `the ${update.suite.name} signature is not the pinned group key's over this statement`;
    throw new VerifyError("bad-signature", whose);
  }
  checkInclusion(update);
  return verified(update);
}
