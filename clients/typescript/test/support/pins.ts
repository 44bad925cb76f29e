// Pins that hold together, whatever is in their manifests.
import { ed25519 } from "@noble/curves/ed25519.js";
import { ascii, concat, toHex } from "../../src/bytes.js";
import type { Json } from "../../src/json.js";
import { taggedHash } from "../../src/manifest.js";
import { vector } from "./files.js";
import { SECRET } from "./network.js";

export type Fields = Record<string, Json>;

/** A manifest with its record. */
export interface EpochFields {
  manifest: Fields;
  record: Fields;
}

const identity = (i: number) => new Uint8Array(32).fill(0x60 + i);

/** Hash of any value as a manifest. A missing manifest before it counts as null. */
export function hashOf(manifest: Fields): string {
  return toHex(taggedHash(ascii("touchstone/man/1"), { previous: null, ...manifest }));
}

/** The digest of a record, whatever is in it. */
export function digestOf(record: Fields): Uint8Array {
  const { member_signatures: _members, group_signatures: _group, ...signed } = record;
  return taggedHash(ascii("touchstone/epo/1"), signed);
}

/** The vectors' genesis epoch, but with members whose keys are known. */
export function genesis(): EpochFields {
  const { genesis_manifest: manifest, genesis_record: record } = vector<Record<string, Fields>>("pin/network.json");
  const members = (manifest?.["members"] as Fields[]).map((member, i) => ({
    ...member,
    identity: toHex(ed25519.getPublicKey(identity(i))),
  }));
  return refit({ manifest: { ...manifest, members }, record: record ?? {} });
}

/** The same epoch with the record of this very manifest, signed by everybody, after a last change to it. */
export function refit(epoch: EpochFields, change: (record: Fields) => void = () => undefined): EpochFields {
  const { manifest } = epoch;
  const record: Fields = { ...epoch.record, epoch: manifest["epoch"] ?? 0, manifest_hash: hashOf(manifest) };
  change(record);
  const digest = digestOf(record);
  const message = concat(ascii("touchstone/eid/1"), digest);
  const members = Array.isArray(manifest["members"]) ? manifest["members"] : [];
  record["member_signatures"] = members.map((_, i) => toHex(ed25519.sign(message, identity(i))));
  record["group_signatures"] = [{ suite: "ed25519", signature: toHex(ed25519.sign(digest, SECRET)) }];
  return { manifest, record };
}

/** The epoch after another one. */
export function following({ manifest, record }: EpochFields, change: Fields = {}): EpochFields {
  const epoch = Number(manifest["epoch"]) + 1;
  return refit({ manifest: { ...manifest, epoch, previous: hashOf(manifest), ...change }, record });
}

/** `network.json` of these epochs. */
export function pinOf(first: EpochFields, ...later: readonly EpochFields[]): object {
  return { genesis_manifest: first.manifest, genesis_record: first.record, later };
}
