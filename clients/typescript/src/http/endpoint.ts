import { ConfigError } from "../errors.js";
import { isFeedName } from "../feed.js";
import { readBody, readObject, refuseStatus } from "./answer.js";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The most feeds of one request. */
const FEEDS_MAX = 255;

/** An aggregator's base URL with its last slash. */
export function readBaseUrl(text: string): string {
  const refuse = (why: string): never => {
    throw new ConfigError(`endpoint ${JSON.stringify(text)}: ${why}`);
  };
  if (!URL.canParse(text)) refuse("not a URL");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") refuse("must be an http or https URL");
  if (url.username !== "" || url.password !== "") refuse("must be without a user's name and password");
  if (url.search !== "" || url.hash !== "") refuse("must be without a query and a fragment");
  return `${url.href.replace(/\/+$/, "")}/`;
}

/** The feeds of a request, each once, in their order. */
export function readFeeds(feeds: readonly string[]): readonly string[] {
  if (!Array.isArray(feeds)) throw new ConfigError("feeds: must be a list of names");
  const unique = [...new Set(feeds)];
  if (unique.length < 1 || unique.length > FEEDS_MAX) throw new ConfigError(`feeds: must be 1 to ${FEEDS_MAX}`);
  const wrong = unique.find((feed) => !isFeedName(feed));
  if (wrong !== undefined) {
    throw new ConfigError(`feeds: ${JSON.stringify(wrong)} is no feed name (BASE-QUOTE of A-Z, 0-9 and '.')`);
  }
  return unique;
}

/**
 * What every request has in common. Redirects are errors: a browser's `fetch` follows up to twenty of them, to anywhere, or
 * none, and lets nobody count them or see where they lead. Node's could be counted, but the client does the same everywhere.
 */
export function request(accept: string, signal: AbortSignal): RequestInit & { headers: Record<string, string> } {
  return { headers: { accept }, signal, redirect: "error", credentials: "omit", referrerPolicy: "no-referrer" };
}

/** Gets a JSON object of at most `limit` bytes. */
export async function getObject(
  fetch: Fetch,
  url: string,
  limit: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, request("application/json", signal));
  await refuseStatus(response);
  return readObject(await readBody(response, limit));
}
