import { type Bracket, verifyAt } from "../bracket.js";
import { ConfigError, TouchstoneError } from "../errors.js";
import { type Conditions, type FreshPolicy, readPolicy } from "../policy.js";
import type { SuiteName } from "../suite.js";
import { readUint, type Uint } from "../uint.js";
import type { VerifiedPrice } from "../verified-price.js";
import type { VerifiedUpdate } from "../verified-update.js";
import { Verifier } from "../verifier.js";
import { readUpdateField, transportError } from "./answer.js";
import { type Fetch, getObject, readBaseUrl, readFeeds } from "./endpoint.js";
import { AllFailedError, AnswerError, type EndpointError } from "./errors.js";
import { inSuite, suiteToAsk, verifyIn } from "./suite.js";
import { within } from "./timer.js";
import { watch, type WatchEvent, type WatchOptions } from "./watch.js";

/** How a {@link Client} is made. */
export interface ClientOptions {
  /** What is believed. */
  readonly verifier: Verifier;
  /** Aggregators by their base URLs, such as `https://prices.example.org` or `http://127.0.0.1:8080`. */
  readonly endpoints: readonly string[];
  /**
   * Asks for updates signed in this suite, and takes no others. By default any pinned suite will do: endpoints answer in the
   * network's first one, and a client whose verifier lacks an Ed25519 key asks for what it has.
   */
  readonly suite?: SuiteName | undefined;
  /** How long one endpoint may take for a whole answer; 5 s by default. */
  readonly timeoutMs?: number | undefined;
  /** The longest answer that is read, in bytes after decompression; 8 MiB by default. */
  readonly bodyLimit?: number | undefined;
  /** A stream that says nothing for this long, not even a comment, is dead; 45 s by default. */
  readonly silenceMs?: number | undefined;
  /** What to fetch with; the platform's `fetch` by default. */
  readonly fetch?: Fetch | undefined;
}

/** What may be said with a single call. */
export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The update before an instant, the next one after it, and the proof that they stand around it. */
export interface Around {
  readonly before: VerifiedUpdate;
  readonly after: VerifiedUpdate;
  readonly bracket: Bracket;
}

/** Conditions for the price at an instant. */
export interface InstantConditions extends Conditions {
  /** How many rounds the two updates around the instant may be apart; 1 by default. */
  readonly maxGap?: Uint | undefined;
}

/**
 * A client of one network over any number of endpoints, none of them trusted.
 *
 * Every call tries the endpoints in turn, from the one that answered last, until one gives an authentic answer that is
 * about what was asked.
 */
export class Client {
  /** What is believed. */
  readonly verifier: Verifier;
  /** The endpoints' base URLs. */
  readonly endpoints: readonly string[];
  readonly #suite: SuiteName | undefined;
  readonly #timeoutMs: number;
  readonly #bodyLimit: number;
  readonly #silenceMs: number;
  readonly #fetch: Fetch;
  #preferred = 0;

  /** @throws {@link ConfigError} */
  constructor(options: ClientOptions) {
    if (!(options.verifier instanceof Verifier)) throw new ConfigError("verifier: must be a Verifier");
    this.verifier = options.verifier;
    this.endpoints = Object.freeze(options.endpoints.map(readBaseUrl));
    if (this.endpoints.length === 0) throw new ConfigError("no endpoint: give at least one");
    this.#suite = suiteToAsk(this.verifier, options.suite);
    this.#timeoutMs = positive(options.timeoutMs ?? 5_000, "timeoutMs");
    this.#bodyLimit = positive(options.bodyLimit ?? 8 * 1024 * 1024, "bodyLimit");
    this.#silenceMs = positive(options.silenceMs ?? 45_000, "silenceMs");
    this.#fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  }

  /**
   * A feed's price under a policy, which counts from the time at which the answer came. An endpoint whose answer the policy
   * refuses, because it lags behind, is passed over like one that is down.
   *
   * @throws {@link AllFailedError} with every endpoint's reason
   */
  async price(feed: string, policy: FreshPolicy, options: CallOptions = {}): Promise<VerifiedPrice> {
    const feeds = readFeeds([feed]);
    readPolicy(policy);
    return this.#first(options, async (base, signal) => {
      const update = await this.#latest(base, feeds, signal);
      return update.price(feed, policy);
    });
  }

  /**
   * The latest update of these feeds, under one signature.
   *
   * @param check - throws if the update will not do; the next endpoint is asked then
   * @throws {@link AllFailedError} with every endpoint's reason
   */
  async latest(
    feeds: readonly string[],
    options: CallOptions & { readonly check?: ((update: VerifiedUpdate) => void) | undefined } = {},
  ): Promise<VerifiedUpdate> {
    const asked = readFeeds(feeds);
    return this.#first(options, async (base, signal) => {
      const update = await this.#latest(base, asked, signal);
      options.check?.(update);
      return update;
    });
  }

  /**
   * The price of a feed at a past instant (Unix milliseconds): that of the last update at or before it, where the next one
   * after it proves that nobody picked a convenient one.
   *
   * @throws {@link AllFailedError} with every endpoint's reason
   */
  async priceAt(
    feed: string,
    instantMs: Uint,
    conditions: InstantConditions = {},
    options: CallOptions = {},
  ): Promise<VerifiedPrice> {
    const { feeds, instant } = readInstant(feed, instantMs);
    return this.#first(options, async (base, signal) => {
      const { before, bracket } = await this.#around(base, feeds, instant, signal);
      return before.price(feed, { ...conditions, at: bracket });
    });
  }

  /**
   * The last update of a feed at or before an instant (Unix milliseconds) and the next one after it.
   *
   * @throws {@link AllFailedError} with every endpoint's reason; among them pairs that do not stand around the instant
   */
  async around(feed: string, instantMs: Uint, options: CallOptions = {}): Promise<Around> {
    const { feeds, instant } = readInstant(feed, instantMs);
    return this.#first(options, (base, signal) => this.#around(base, feeds, instant, signal));
  }

  /**
   * A stream of verified updates of these feeds, from the next one on, or from the one after round `after`. It never ends
   * by itself: it survives its connections, and resumes after the last round that it verified.
   */
  watch(feeds: readonly string[], options: WatchOptions = {}): AsyncGenerator<WatchEvent, never, void> {
    const asked = readFeeds(feeds);
    const after = options.after === undefined ? undefined : readUint(options.after, "after");
    return watch({
      fetch: this.#fetch,
      verifier: this.verifier,
      suite: this.#suite,
      endpoint: (attempt) => this.endpoints[(this.#preferred + attempt) % this.endpoints.length] ?? "",
      feeds: asked,
      after,
      timeoutMs: this.#timeoutMs,
      silenceMs: this.#silenceMs,
      signal: options.signal,
    });
  }

  /** Tries every endpoint once, from the preferred one on. */
  async #first<T>({ signal: outer }: CallOptions, call: (base: string, signal: AbortSignal) => Promise<T>): Promise<T> {
    const errors: EndpointError[] = [];
    const start = this.#preferred;
    for (let i = 0; i < this.endpoints.length; i += 1) {
      const index = (start + i) % this.endpoints.length;
      const endpoint = this.endpoints[index] ?? "";
      try {
        const late = `no whole answer within ${this.#timeoutMs} ms`;
        const answer = await within(this.#timeoutMs, late, outer, (signal) => call(endpoint, signal));
        this.#preferred = index;
        return answer;
      } catch (error) {
        outer?.throwIfAborted();
        if (error instanceof ConfigError) throw error;
        errors.push({ endpoint, error: error instanceof TouchstoneError ? error : transportError(error) });
      }
    }
    throw new AllFailedError(errors);
  }

  async #latest(base: string, feeds: readonly string[], signal: AbortSignal): Promise<VerifiedUpdate> {
    const path = feeds.length === 1 ? `v1/feeds/${feeds[0]}/latest` : `v1/updates/latest?feeds=${feeds.join()}`;
    const url = inSuite(base + path, this.#suite);
    const answer = await getObject(this.#fetch, url, this.#bodyLimit, signal);
    return this.#accept(answer, feeds);
  }

  async #around(base: string, feeds: readonly string[], instant: bigint, signal: AbortSignal): Promise<Around> {
    const url = inSuite(`${base}v1/feeds/${feeds[0]}/at?timestamp_ms=${instant}`, this.#suite);
    const answer = await getObject(this.#fetch, url, this.#bodyLimit, signal);
    const before = await this.#accept(answer["before"], feeds);
    if (answer["after"] === null || answer["after"] === undefined) {
      const wait = "no update after this instant has been signed yet: ask again in a moment";
      throw new AnswerError("no-next-yet", wait);
    }
    const after = await this.#accept(answer["after"], feeds);
    return { before, after, bracket: verifyAt(before, after, instant) };
  }

  /** Verifies an answer's update and checks that every feed that was asked for is in it. */
  async #accept(answer: unknown, feeds: readonly string[]): Promise<VerifiedUpdate> {
    const update = await verifyIn(this.verifier, this.#suite, readUpdateField(answer));
    const missing = feeds.find((feed) => !update.feeds.includes(feed));
    if (missing !== undefined) {
      throw new AnswerError("other-feed", `asked for ${missing}, the answer does not hold it`);
    }
    return update;
  }
}

function readInstant(feed: string, instantMs: Uint): { feeds: readonly string[]; instant: bigint } {
  return { feeds: readFeeds([feed]), instant: readUint(instantMs, "instantMs") };
}

/** A number of milliseconds or bytes that timers and counters can hold. */
function positive(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 1 || value >= 2 ** 31) {
    throw new ConfigError(`${what}: must be an integer from 1 to below 2^31`);
  }
  return value;
}
