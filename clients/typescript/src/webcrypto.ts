import { type Bytes, fromHex } from "./bytes.js";

// Ed25519 of the platform: about ten times as fast as JavaScript, but not everywhere, and implementations differ in the
// edge cases. So it is tried out once against signatures that a strict verifier accepts or refuses, and used only if it
// gives the right answers. Whatever is about encodings is checked before it is asked.

const ALGORITHM = "Ed25519";

const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0);

const PROBE_KEY = hex("34fff41f7f152f026860351898623218176d61d2f54a60b77360c8b49c593127");
const PROBE_MESSAGE = Uint8Array.from({ length: 32 }, (_, i) => i);
const PROBES: ReadonlyArray<readonly [signature: Bytes, right: boolean]> = [
  [
    hex(
      "d3fcd0da55e8f38cba1d3ec6bc37e8f9d2325b06d5464b49dbb04a4eaf4f5c12070f131b55c7d0208e839368e33c0677b0fb5f47b35bf0a7f4f5b6502cc5d403",
    ),
    true,
  ],
  // R has a part of order 8, then one of order 2: right only if the equation is multiplied by the cofactor.
  [
    hex(
      "36e131fd7cc2579382549968f2425a6cf4caf861aa7c118e784cee4b6c7e61e5b8b1188cb042bd0e5f7f02e89ea531d3210258500a2efa28bddae9714b505701",
    ),
    false,
  ],
  [
    hex(
      "1a032f25aa170c7345e2c13943c817062dcda4f92ab9b4b6244fb5b150b0a3ed465e6d28b40be3a4f965fef4e5c35931a07d5dba27eea08fadedf16eef633806",
    ),
    false,
  ],
  // R of the first with an s of another signature.
  [
    hex(
      "d3fcd0da55e8f38cba1d3ec6bc37e8f9d2325b06d5464b49dbb04a4eaf4f5c12465e6d28b40be3a4f965fef4e5c35931a07d5dba27eea08fadedf16eef633806",
    ),
    false,
  ],
];

let strict: Promise<boolean> | undefined;

function subtle(): SubtleCrypto | undefined {
  // Not there in a page that was loaded without TLS, whatever the types say.
  return (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;
}

async function importKey(publicKey: Bytes): Promise<CryptoKey | undefined> {
  try {
    return await subtle()?.importKey("raw", publicKey, ALGORITHM, false, ["verify"]);
  } catch {
    return undefined;
  }
}

/** Whether the platform's Ed25519 exists and gives a strict verifier's answers. */
export function platformIsStrict(): Promise<boolean> {
  strict ??= probe();
  return strict;
}

async function probe(): Promise<boolean> {
  const key = await importKey(PROBE_KEY);
  if (key === undefined) return false;
  for (const [signature, right] of PROBES) {
    if ((await platformVerify(key, PROBE_MESSAGE, signature)) !== right) return false;
  }
  return true;
}

const imported = new WeakMap<Bytes, Promise<CryptoKey | undefined>>();

/** The platform's form of a public key, or undefined where the platform cannot be relied on. */
export async function platformKey(publicKey: Bytes): Promise<CryptoKey | undefined> {
  if (!(await platformIsStrict())) return undefined;
  const key = imported.get(publicKey) ?? importKey(publicKey);
  imported.set(publicKey, key);
  return key;
}

/** The platform's verdict on a signature, or undefined if it gives none. */
export async function platformVerify(key: CryptoKey, message: Bytes, signature: Bytes): Promise<boolean | undefined> {
  try {
    return await subtle()?.verify(ALGORITHM, key, signature, message);
  } catch {
    return undefined;
  }
}
