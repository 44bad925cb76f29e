import { TouchstoneError } from "../errors.js";
import type { SuiteName } from "../suite.js";
import type { Uint } from "../uint.js";
import type { VerifiedUpdate } from "../verified-update.js";
import type { Verifier } from "../verifier.js";
import { malformed, readObject, readUpdateField, refuseStatus, shown, transportError } from "./answer.js";
import { type Fetch, request } from "./endpoint.js";
import { AnswerError } from "./errors.js";
import { EventParser, type ServerEvent } from "./sse.js";
import { inSuite, verifyIn } from "./suite.js";
import { pause, within } from "./timer.js";

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;

/** What may be said about a stream. */
export interface WatchOptions {
  /** Starts after this round instead of with the newest one. */
  readonly after?: Uint | undefined;
  /** Ends the stream, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a stream tells. */
export type WatchEvent =
  /** A verified update that holds at least one feed that was asked for in a round not seen before. */
  | { readonly type: "update"; readonly update: VerifiedUpdate }
  /** The endpoint says that it has no signed round in this range. It is a claim. */
  | { readonly type: "gap"; readonly from: bigint; readonly to: bigint }
  /**
   * A connection failed or ended, or an endpoint sent what does not verify; the stream goes on with the next
   * endpoint.
   */
  | {
      readonly type: "interrupted";
      readonly endpoint: string;
      readonly error: TouchstoneError;
      /** How long it waits before it connects again. */
      readonly retryInMs: number;
    };

/** What a stream is made of. */
export interface WatchSource {
  readonly fetch: Fetch;
  readonly verifier: Verifier;
  /** The suite to ask for by name. */
  readonly suite: SuiteName | undefined;
  /** Base URL of the endpoint to use at the n-th attempt, from 0. */
  readonly endpoint: (attempt: number) => string;
  readonly feeds: readonly string[];
  readonly after: bigint | undefined;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Where a stream resumes is decided by the rounds that it verified, not by the ids that the endpoint claims. */
export async function* watch(source: WatchSource): AsyncGenerator<WatchEvent, never, void> {
  const seen = new Map<string, bigint>();
  let failures = 0;
  for (let attempt = 0; ; attempt += 1) {
    const endpoint = source.endpoint(attempt);
    let reason: TouchstoneError;
    try {
      for await (const event of connection(source, endpoint, resumeAfter(source, seen))) {
        const told = await take(source, seen, event);
        if (told?.type === "update") failures = 0;
        if (told !== undefined) yield told;
      }
      reason = new AnswerError("transport", "the stream ended");
    } catch (error) {
      source.signal?.throwIfAborted();
      reason = error instanceof TouchstoneError ? error : transportError(error);
    }
    const retryInMs = Math.min(BACKOFF_FIRST_MS * 2 ** failures, BACKOFF_MAX_MS);
    failures += 1;
    yield { type: "interrupted", endpoint, error: reason, retryInMs };
    await pause(retryInMs, source.signal);
  }
}

/** The round after which every feed's updates are still wanted. */
function resumeAfter({ feeds, after }: WatchSource, seen: ReadonlyMap<string, bigint>): bigint | undefined {
  const rounds = feeds.map((feed) => seen.get(feed));
  const all = rounds.every((round) => round !== undefined);
  return all ? rounds.reduce((a, b) => (a < b ? a : b)) : after;
}

/** The events of one connection. */
async function* connection(source: WatchSource, endpoint: string, after: bigint | undefined) {
  const { signal } = source;
  const controller = new AbortController();
  const headers: Record<string, string> = after === undefined ? {} : { "last-event-id": after.toString() };
  const init = request("text/event-stream", controller.signal);
  const url = inSuite(`${endpoint}v1/stream?feeds=${source.feeds.join()}`, source.suite);
  try {
    const response = await within(source.timeoutMs, "no answer in time", signal, async () => {
      const opened = await source.fetch(url, { ...init, cache: "no-store", headers: { ...init.headers, ...headers } });
      await refuseStatus(opened);
      return opened;
    });
    const reader = response.body?.getReader();
    const parser = new EventParser();
    for (;;) {
      const next = await within(source.silenceMs, "the stream fell silent", signal, async () => reader?.read());
      if (next === undefined || next.done) return;
      yield* parser.push(next.value);
    }
  } finally {
    controller.abort();
  }
}

async function take(
  source: WatchSource,
  seen: Map<string, bigint>,
  event: ServerEvent,
): Promise<WatchEvent | undefined> {
  switch (event.kind) {
    case "price":
      return takePrice(source, seen, event);
    case "gap":
      return { type: "gap", ...readGap(event) };
    case "cut-off": {
      const code = readObject(event.data)["code"];
      const why = typeof code === "string" ? shown(code) : "no reason given";
      throw new AnswerError("transport", `the endpoint cut the stream off: ${why}`);
    }
    default:
      // A kind that later servers may add.
      return undefined;
  }
}

async function takePrice(
  { verifier, suite, feeds, after }: WatchSource,
  seen: Map<string, bigint>,
  event: ServerEvent,
): Promise<WatchEvent | undefined> {
  const update = await verifyIn(verifier, suite, readUpdateField(readObject(event.data)));
  const asked = update.feeds.filter((feed) => feeds.includes(feed));
  if (asked.length === 0) {
    throw new AnswerError("other-feed", `asked for ${feeds.join()}, the answer does not hold them`);
  }
  const { round } = update;
  const fresh = asked.filter((feed) => {
    const last = seen.get(feed) ?? after;
    return last === undefined || round > last;
  });
  for (const feed of fresh) seen.set(feed, round);
  return fresh.length === 0 ? undefined : { type: "update", update };
}

function readGap(event: ServerEvent): { from: bigint; to: bigint } {
  const { from, to } = readObject(event.data);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw malformed("gap: from and to must be rounds");
  return { from: BigInt(from as number), to: BigInt(to as number) };
}
