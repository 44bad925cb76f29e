import { ascii, type Bytes, concat, fromHex } from "./bytes.js";
import type { Place } from "./json.js";
import { type Manifest, manifestHash, taggedHash } from "./manifest.js";
import { SUITES, type SuiteName } from "./suite.js";

const TAG = ascii("touchstone/epo/1");
const U32_MAX = 0xffff_ffff;

/** The keys of one epoch with everybody's signatures. */
export interface EpochRecord {
  /** The epoch. */
  readonly epoch: number;
  /** The group keys by suite, in hexadecimal. */
  readonly groupKeys: ReadonlyMap<SuiteName, string>;
  /** What members and the group sign. */
  readonly digest: Bytes;
  /** The identities' signatures, in member order; all of them at genesis. */
  readonly memberSignatures: readonly Bytes[];
  /** The group key's signatures by suite. */
  readonly groupSignatures: ReadonlyMap<SuiteName, Bytes>;
}

const bytes = (hex: string): Bytes => fromHex(hex) ?? new Uint8Array(0);
const suiteNames = SUITES.map((suite) => suite.name);

/** Reads a record and checks that its form is that of its manifest. */
export function readEpochRecord(place: Place, manifest: Manifest): EpochRecord {
  const at = place.members([
    "epoch",
    "manifest_hash",
    "keys",
    "coin_key",
    "coin_shares",
    "transcript",
    "member_signatures",
    "group_signatures",
  ]);
  const signed = {
    epoch: at.epoch.integer(0, U32_MAX),
    manifest_hash: at.manifest_hash.hex(32),
    keys: at.keys.list((keys) => {
      const of = keys.members(["suite", "group_key", "verifying_shares"]);
      return {
        suite: of.suite.word(suiteNames),
        group_key: of.group_key.hex(),
        verifying_shares: of.verifying_shares.list((share) => share.hex()),
      };
    }),
    coin_key: at.coin_key.hex(32),
    coin_shares: at.coin_shares.list((share) => share.hex(32)),
    transcript: at.transcript.hex(32),
  };
  const memberSignatures = at.member_signatures.list((signature) => bytes(signature.hex(64)));
  const groupSignatures = at.group_signatures.list((entry) => {
    const of = entry.members(["suite", "signature"]);
    return [of.suite.word(suiteNames), bytes(of.signature.hex())] as const;
  });

  if (signed.epoch !== manifest.epoch || signed.manifest_hash !== manifestHash(manifest)) {
    place.refuse("it is the record of another manifest");
  }
  if (signed.keys.map((keys) => keys.suite).join() !== manifest.suites.join()) {
    at.keys.refuse("its suites are not the manifest's");
  }
  const n = manifest.members.length;
  if (signed.coin_shares.length !== n || signed.keys.some((keys) => keys.verifying_shares.length !== n)) {
    place.refuse("it must hold one verifying share for each member");
  }
  return {
    epoch: signed.epoch,
    groupKeys: new Map(signed.keys.map((keys) => [keys.suite, keys.group_key])),
    digest: taggedHash(TAG, signed),
    memberSignatures,
    // Of several signatures of one suite the first counts.
    groupSignatures: new Map([...groupSignatures].reverse()),
  };
}

/** The message that a member's identity signs at genesis. */
export function memberMessage(record: EpochRecord): Bytes {
  return concat(ascii("touchstone/eid/1"), record.digest);
}
