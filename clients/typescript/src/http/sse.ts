import type { Bytes } from "../bytes.js";
import { ByteBuffer } from "./buffer.js";
import { AnswerError } from "./errors.js";

/** The longest event that is read, in bytes over all its lines. */
export const EVENT_BYTES_MAX = 1 << 20;

/** One server-sent event. */
export interface ServerEvent {
  /** The last event id that the stream has set. */
  readonly id: string;
  /** Its type; `message` unless the stream names one. */
  readonly kind: string;
  /** The data lines, joined by line feeds. */
  readonly data: string;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Server-sent events as the HTML standard defines them in section 9.2.6: takes bytes as they come, in bounded memory.
 */
export class EventParser {
  readonly #line = new ByteBuffer();
  /** The last byte was a carriage return, so that a line feed now belongs to it. */
  #afterReturn = false;
  #started = false;
  /** Bytes of the event so far. */
  #size = 0;
  #id = "";
  #kind = "";
  #data: string[] = [];

  /**
   * Takes the next bytes and gives the events that are complete.
   *
   * @throws {@link AnswerError} for an event that is too long; the stream is of no use afterwards
   */
  push(bytes: Uint8Array): readonly ServerEvent[] {
    const events: ServerEvent[] = [];
    let start = 0;
    for (const [at, byte] of bytes.entries()) {
      const continues = this.#afterReturn && byte === LINE_FEED;
      this.#afterReturn = byte === CARRIAGE_RETURN;
      if (continues) {
        start = at + 1;
      } else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        this.#keep(bytes.subarray(start, at));
        start = at + 1;
        const event = this.#endLine();
        if (event !== undefined) events.push(event);
      }
    }
    this.#keep(bytes.subarray(start));
    return events;
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > EVENT_BYTES_MAX) {
      throw new AnswerError("malformed", `the answer is malformed: an event is longer than ${EVENT_BYTES_MAX} bytes`);
    }
    this.#line.push(part);
  }

  #endLine(): ServerEvent | undefined {
    let line = decode(this.#line.take());
    if (!this.#started && line.startsWith("\ufeff")) line = line.slice(1);
    this.#started = true;
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#kind = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    // Anything else is a comment, `retry`, or a field that is not known.
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const [kind, data] = [this.#kind, this.#data];
    this.#size = 0;
    this.#kind = "";
    this.#data = [];
    return data.length === 0 ? undefined : { id: this.#id, kind: kind || "message", data: data.join("\n") };
  }
}

function decode(line: Bytes): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
}
