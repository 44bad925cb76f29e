/** `BASE-QUOTE`, each part 1 to 15 of the characters A-Z, 0-9 and `.`. */
const NAME = /^[A-Z0-9.]{1,15}-[A-Z0-9.]{1,15}$/;

/** Length of a name on the wire, padded with zeros on the right. */
export const FEED_BYTES = 32;

/** Whether a network can have a feed of this name. */
export function isFeedName(text: unknown): text is string {
  return typeof text === "string" && NAME.test(text);
}

/** The name in 32 padded bytes, or undefined if no name has them. */
export function readFeedName(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  const name = end < 0 ? bytes : bytes.subarray(0, end);
  if (bytes.subarray(name.length).some((byte) => byte !== 0)) return undefined;
  const text = String.fromCharCode(...name);
  return isFeedName(text) ? text : undefined;
}
