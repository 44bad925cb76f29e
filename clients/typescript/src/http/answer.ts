import { type Bytes, fromBase64 } from "../bytes.js";
import { ByteBuffer } from "./buffer.js";
import { AnswerError } from "./errors.js";

const PROBLEM_BYTES_MAX = 16 * 1024;
const TEXT_SHOWN_MAX = 200;

/** A server's text without what could confuse a terminal. */
export function shown(text: string): string {
  return [...text.replace(/\p{Cc}/gu, "")].slice(0, TEXT_SHOWN_MAX).join("");
}

/** What went wrong outside the answer's content, in words. */
export function transportError(error: unknown): AnswerError {
  if (error instanceof AnswerError) return error;
  const texts: string[] = [];
  for (let at = error; at instanceof Error && texts.length < 4; at = at.cause) texts.push(at.message);
  return new AnswerError("transport", shown(texts.filter((text) => text !== "").join(": ") || "no answer"), {
    cause: error,
  });
}

/** Reads a body of at most `limit` bytes. */
export async function readBody(response: Response, limit: number): Promise<Bytes> {
  const body = new ByteBuffer();
  let length = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done) return body.take();
    length += next.value.length;
    if (length > limit) {
      void reader?.cancel().catch(() => undefined);
      throw new AnswerError("too-long", `the answer is longer than ${limit} bytes`);
    }
    body.push(next.value);
  }
}

/** Reads JSON, which must be an object. */
export function readObject(body: Uint8Array | string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("no JSON object");
  return value as Record<string, unknown>;
}

/** The signed update of an answer that holds one. */
export function readUpdateField(answer: unknown): Bytes {
  const text = (answer as Record<string, unknown> | null | undefined)?.["update"];
  const bytes = typeof text === "string" ? fromBase64(text) : undefined;
  if (bytes === undefined) throw malformed("update: must be Base64 text");
  return bytes;
}

/** An answer that is not what the API says. */
export function malformed(reason: string): AnswerError {
  return new AnswerError("malformed", `the answer is malformed: ${shown(reason)}`);
}

/** Refuses an error status, with the problem's code and text where the answer has them (RFC 9457). */
export async function refuseStatus(response: Response): Promise<void> {
  if (response.ok) return;
  const problem = await readBody(response, PROBLEM_BYTES_MAX)
    .then(readObject)
    .catch((): Readonly<Record<string, unknown>> => ({}));
  const text = (...keys: readonly string[]) =>
    keys.map((key) => problem[key]).find((value): value is string => typeof value === "string");
  const code = shown(text("code") ?? "http") || "http";
  const detail = shown(text("detail", "title") ?? response.statusText);
  throw new AnswerError(code, `HTTP ${response.status}: ${code}: ${detail}`, { status: response.status });
}
