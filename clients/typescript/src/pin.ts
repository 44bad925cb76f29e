import { fromHex } from "./bytes.js";
import { ed25519KeyFault, verifyMember } from "./ed25519.js";
import { type EpochRecord, memberMessage, readEpochRecord } from "./epoch.js";
import { PinError } from "./errors.js";
import { parseJson, Place } from "./json.js";
import { type Manifest, manifestHash, readManifest } from "./manifest.js";
import type { SuiteName } from "./suite.js";

interface PinnedEpoch {
  readonly manifest: Manifest;
  readonly record: EpochRecord;
}

/**
 * What a consumer keeps of a network: `network.json` with the genesis manifest, the genesis epoch record and any later
 * ones. Reading it checks the forms, that the manifests are a chain of hashes and that the group keys never change.
 * `Verifier.fromPin` checks the group's signatures as well, {@link Pin.checkMembers} those of the members.
 */
export class Pin {
  /** Hash of the genesis manifest: 64 hexadecimal digits. */
  readonly networkId: string;
  /** The network's name, for people. */
  readonly networkName: string;
  /** The last epoch that the pin knows. */
  readonly epoch: number;
  /** The feeds of that epoch. */
  readonly feeds: readonly string[];
  /** The group keys by suite, in hexadecimal; the same in every epoch. */
  readonly groupKeys: ReadonlyMap<SuiteName, string>;
  /** @internal */
  readonly records: readonly EpochRecord[];
  readonly #genesis: PinnedEpoch;

  private constructor(genesis: PinnedEpoch, later: readonly PinnedEpoch[]) {
    const newest = (later.at(-1) ?? genesis).manifest;
    this.networkId = manifestHash(genesis.manifest);
    this.networkName = genesis.manifest.network;
    this.epoch = newest.epoch;
    this.feeds = Object.freeze(newest.feeds.map((feed) => feed.name));
    this.groupKeys = genesis.record.groupKeys;
    this.records = [genesis, ...later].map((epoch) => epoch.record);
    this.#genesis = genesis;
  }

  /**
   * Reads a pin from its JSON text, as text or in UTF-8, or from the value that the text stands for.
   *
   * @throws {@link PinError} with the code `bad-pin`
   */
  static read(pin: string | Uint8Array | object): Pin {
    const place = new Place(parse(pin), "");
    const at = place.members(["genesis_manifest", "genesis_record"], ["later"]);
    const genesis = readEpoch(at.genesis_manifest, at.genesis_record);
    const later = at.later?.list((entry) => {
      const of = entry.members(["manifest", "record"]);
      return readEpoch(of.manifest, of.record);
    });
    const epochs = [genesis, ...(later ?? [])];
    for (const [i, { manifest, record }] of epochs.entries()) {
      const broken = (reason: string) => place.refuse(`epoch ${manifest.epoch}: ${reason}`);
      const before = epochs[i - 1]?.manifest;
      if (manifest.epoch !== i) broken("epochs must start at 0 and follow each other");
      if (manifest.previous !== (before === undefined ? null : manifestHash(before))) {
        broken("its manifest names another one before it");
      }
      if (keyText(record) !== keyText(genesis.record)) broken("its group keys are not those of genesis");
    }
    return new Pin(genesis, later ?? []);
  }

  /**
   * Checks that every member of the genesis manifest signed the genesis record with its identity.
   *
   * @throws {@link PinError} with the code `bad-member-signature`
   */
  checkMembers(): void {
    const { manifest, record } = this.#genesis;
    const [got, expected] = [record.memberSignatures.length, manifest.members.length];
    if (got !== expected) {
      throw new PinError("bad-member-signature", `genesis record: ${got} members' signatures, must be ${expected}`);
    }
    const message = memberMessage(record);
    for (const [i, signature] of record.memberSignatures.entries()) {
      const identity = fromHex(manifest.members[i]?.identity ?? "");
      const right =
        identity !== undefined && ed25519KeyFault(identity) === undefined && verifyMember(identity, message, signature);
      if (!right) {
        throw new PinError(
          "bad-member-signature",
          `genesis record: the signature of member ${i} is not its identity's`,
        );
      }
    }
  }
}

function parse(pin: string | Uint8Array | object): unknown {
  if (typeof pin !== "string" && !(pin instanceof Uint8Array)) return pin;
  try {
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return parseJson(typeof pin === "string" ? pin : utf8.decode(pin));
  } catch (error) {
    throw new PinError("bad-pin", `not a pin: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readEpoch(manifest: Place, record: Place): PinnedEpoch {
  const read = readManifest(manifest);
  return { manifest: read, record: readEpochRecord(record, read) };
}

function keyText(record: EpochRecord): string {
  return [...record.groupKeys].join();
}
