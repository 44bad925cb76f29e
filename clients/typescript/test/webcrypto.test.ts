import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { fromHex } from "../src/bytes.js";

type Webcrypto = typeof import("../src/webcrypto.js");

const platform = globalThis.crypto;
const key = fromHex("197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61") ?? assert.fail();

afterEach(() => {
  Object.defineProperty(globalThis, "crypto", { value: platform, configurable: true });
});

let copies = 0;

/** A fresh copy of the module, so that it tries out this platform. */
async function on(subtle: object | undefined): Promise<Webcrypto> {
  Object.defineProperty(globalThis, "crypto", { value: subtle && { subtle }, configurable: true });
  copies += 1;
  return (await import(`../src/webcrypto.js?copy=${copies}`)) as Webcrypto;
}

const raw = async (_format: string, bytes: Uint8Array) => bytes;

test("without WebCrypto, or without its Ed25519, there is no fast path", async () => {
  const refuses = async () => {
    throw new DOMException("unknown algorithm", "NotSupportedError");
  };
  for (const subtle of [undefined, {}, { importKey: refuses, verify: refuses }, { importKey: raw, verify: refuses }]) {
    const { platformIsStrict, platformKey } = await on(subtle);
    assert.equal(await platformIsStrict(), false);
    assert.equal(await platformKey(key), undefined);
  }
});

test("a platform that uses the cofactor is not used", async () => {
  const verify = async (_name: string, publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array) =>
    ed25519.verify(signature, message, publicKey, { zip215: false });
  const { platformIsStrict } = await on({ importKey: raw, verify });
  assert.equal(await platformIsStrict(), false);
});

test("a platform that says the same to everything is not used", async () => {
  for (const answer of [true, false, undefined, 1]) {
    const { platformIsStrict } = await on({ importKey: raw, verify: async () => answer });
    assert.equal(await platformIsStrict(), false);
  }
});

test("this platform is used, and asked once for each key", async () => {
  let imports = 0;
  const counting = {
    importKey: (...args: Parameters<SubtleCrypto["importKey"]>) => {
      imports += 1;
      return platform.subtle.importKey(...args);
    },
    verify: platform.subtle.verify.bind(platform.subtle),
  };
  const { platformIsStrict, platformKey } = await on(counting);
  assert.equal(await platformIsStrict(), true);
  assert.equal(await platformKey(key), await platformKey(key));
  assert.equal(imports, 2);
});
