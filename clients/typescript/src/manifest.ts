import { ascii, concat, toHex } from "./bytes.js";
import { EXPONENT_MAX } from "./decimal.js";
import { isFeedName } from "./feed.js";
import { sha256 } from "./sha256.js";
import { canonicalJson, INTEGER_MAX, type Json, type Place } from "./json.js";
import { SUITES, type SuiteName } from "./suite.js";

const TAG = ascii("touchstone/man/1");
const MEMBERS_MAX = 128;
const FEEDS_MAX = 1_000;
const SOURCES_MAX = 64;
const NAME_MAX = 64;
const ADDRESS_MAX = 255;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;

/** A market of a feed, as it stands in the manifest. */
type Market = { readonly source: string; readonly pair: string };

/** A feed, as it stands in the manifest. */
type FeedSpec = {
  readonly name: string;
  readonly exponent: number;
  readonly sources: readonly Market[];
  readonly min_sources: number;
  readonly max_quote_age_ms: number;
  readonly outlier_mads_milli: number;
  readonly outlier_floor_ppm: number;
};

/** A member, as it stands in the manifest. */
type Member = { readonly id: number; readonly identity: string; readonly address: string };

/** A manifest, as its canonical JSON holds it. */
export type Manifest = {
  readonly network: string;
  readonly epoch: number;
  readonly previous: string | null;
  readonly interval_ms: number;
  readonly first_round: number;
  readonly first_round_at_ms: number;
  readonly f: number;
  readonly suites: readonly SuiteName[];
  readonly members: readonly Member[];
  readonly feeds: readonly FeedSpec[];
};

/** SHA-256 of the tag and the canonical JSON, in hexadecimal. At genesis this is the network id. */
export function manifestHash(manifest: Manifest): string {
  return toHex(taggedHash(TAG, manifest));
}

/** SHA-256 of a tag and the canonical JSON of a value. */
export function taggedHash(tag: Uint8Array, value: Json) {
  return sha256(concat(tag, new TextEncoder().encode(canonicalJson(value))));
}

/** Reads a manifest and checks every rule that one in force obeys. */
export function readManifest(place: Place): Manifest {
  const at = place.members(
    ["network", "epoch", "interval_ms", "first_round", "first_round_at_ms", "f", "suites", "members", "feeds"],
    ["previous"],
  );
  const manifest: Manifest = {
    network: at.network.shortText(1, NAME_MAX),
    epoch: at.epoch.integer(0, U32_MAX),
    previous: at.previous?.hex(32) ?? null,
    interval_ms: at.interval_ms.integer(50, 86_400_000),
    first_round: at.first_round.integer(0, INTEGER_MAX),
    first_round_at_ms: at.first_round_at_ms.integer(0, INTEGER_MAX),
    f: at.f.integer(0, U16_MAX),
    suites: at.suites.list((suite) => suite.word(SUITES.map((known) => known.name))),
    members: at.members.list(readMember),
    feeds: at.feeds.list(readFeed),
  };
  if ((manifest.previous === null) !== (manifest.epoch === 0)) {
    place.refuse("previous must be null at epoch 0 and a hash afterwards");
  }
  const order = manifest.suites.map((name) => SUITES.findIndex((suite) => suite.name === name));
  if (order.length === 0 || !strictlyAscending(order)) {
    at.suites.refuse("must name at least one suite, in ascending order, each once");
  }
  checkCommittee(manifest, at.members);
  checkFeeds(manifest, at.feeds);
  return manifest;
}

function readMember(place: Place, index: number): Member {
  const at = place.members(["id", "identity", "address"]);
  const member = {
    id: at.id.integer(index, index),
    identity: at.identity.hex(32),
    address: at.address.shortText(1, ADDRESS_MAX),
  };
  if (!member.address.includes(":")) at.address.refuse("must be host:port");
  return member;
}

function readFeed(place: Place): FeedSpec {
  const at = place.members([
    "name",
    "exponent",
    "sources",
    "min_sources",
    "max_quote_age_ms",
    "outlier_mads_milli",
    "outlier_floor_ppm",
  ]);
  const sources = at.sources.list(readMarket);
  if (sources.length === 0 || sources.length > SOURCES_MAX) at.sources.refuse(`must be 1 to ${SOURCES_MAX}`);
  return {
    name: feedName(at.name),
    exponent: at.exponent.integer(-EXPONENT_MAX, EXPONENT_MAX),
    sources,
    min_sources: at.min_sources.integer(1, sources.length),
    max_quote_age_ms: at.max_quote_age_ms.integer(1, INTEGER_MAX),
    outlier_mads_milli: at.outlier_mads_milli.integer(0, U32_MAX),
    outlier_floor_ppm: at.outlier_floor_ppm.integer(0, 999_999),
  };
}

function readMarket(place: Place): Market {
  const at = place.members(["source", "pair"]);
  return { source: at.source.shortText(1, NAME_MAX), pair: feedName(at.pair) };
}

function feedName(place: Place): string {
  const name = place.text();
  return isFeedName(name) ? name : place.refuse("must be a feed name");
}

function checkCommittee({ members, f }: Manifest, place: Place): void {
  const n = members.length;
  if (n < 1 || n > MEMBERS_MAX) place.refuse(`must be 1 to ${MEMBERS_MAX}`);
  if (3 * f + 1 > n) place.refuse(`f is ${f} of ${n} members: n must be at least 3f + 1`);
  if (new Set(members.map((member) => member.identity)).size !== n) {
    place.refuse("two members have one identity");
  }
}

function checkFeeds({ feeds }: Manifest, place: Place): void {
  const names = feeds.map((feed) => feed.name);
  if (names.length < 1 || names.length > FEEDS_MAX) place.refuse(`must be 1 to ${FEEDS_MAX}`);
  if (!strictlyAscending(names)) place.refuse("must be sorted by name, each once");
  const known = new Set(names);
  for (const { name, sources } of feeds) {
    const [base, quote] = parts(name);
    const markets = new Set(sources.map((market) => `${market.pair} ${market.source}`));
    if (markets.size !== sources.length) place.refuse(`${name}: a source is listed twice`);
    for (const { pair } of sources) {
      const [pairBase, pairQuote] = parts(pair);
      if (pairBase !== base) place.refuse(`${name}: ${pair} must be a market of ${base}`);
      const conversion = `${pairQuote}-${quote}`;
      if (pairQuote !== quote && (conversion === name || !known.has(conversion))) {
        place.refuse(`${name}: ${pair} needs the feed ${conversion} for its conversion`);
      }
    }
  }
}

function parts(feed: string): readonly [base: string, quote: string] {
  const at = feed.indexOf("-");
  return [feed.slice(0, at), feed.slice(at + 1)];
}

function strictlyAscending<T extends number | string>(items: readonly T[]): boolean {
  return items.every((item, i) => i === 0 || (items[i - 1] as T) < item);
}
