import { AnswerError } from "./errors.js";

/**
 * Runs `work` with a signal that fires when the caller's does or when `ms` milliseconds are over, and rejects at once in
 * both cases, whatever `work` does: with the caller's own reason, or with a `transport` error.
 */
export async function within<T>(
  ms: number,
  late: string,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    const end = (reason: unknown) => {
      reject(reason);
      controller.abort(reason);
    };
    timer = setTimeout(() => end(new AnswerError("transport", late)), ms);
    onAbort = () => end(outer?.reason);
    outer?.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work(controller.signal), ended]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) outer?.removeEventListener("abort", onAbort);
  }
}

/** Waits, unless the signal fires before or meanwhile: then it rejects with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
