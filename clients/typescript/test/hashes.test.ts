import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import fc from "fast-check";
import { fromBase64, fromBigInt, fromHex, toBigInt, toHex } from "../src/bytes.js";
import { keccak256 } from "../src/keccak.js";
import { sha256 } from "../src/sha256.js";

const filled = (length: number) => Uint8Array.from({ length }, (_, i) => (7 * i + length) % 256);

test("SHA-256 is everybody's, at every length around the blocks", () => {
  for (let length = 0; length <= 260; length += 1) {
    const message = filled(length);
    assert.equal(toHex(sha256(message)), createHash("sha256").update(message).digest("hex"), `${length} bytes`);
  }
});

test("SHA-256 of parts is that of the whole", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
      const whole = createHash("sha256");
      for (const part of parts) whole.update(part);
      assert.equal(toHex(sha256(...parts)), whole.digest("hex"));
    }),
  );
});

test("Keccak-256 has the original padding, and is right at every length around the blocks", () => {
  assert.equal(toHex(keccak256(new Uint8Array())), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  for (let length = 0; length <= 410; length += 1) {
    const message = filled(length);
    assert.equal(toHex(keccak256(message)), toHex(keccak_256(message)), `${length} bytes`);
  }
});

test("hexadecimal, Base64 and integers go both ways, and nothing else is read", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(fromHex(toHex(bytes)), bytes);
      assert.deepEqual(fromBase64(Buffer.from(bytes).toString("base64")), bytes);
      assert.deepEqual(fromBigInt(toBigInt(bytes), bytes.length), bytes);
    }),
  );
  for (const text of ["0", "0g", "0x00", " 00", "00\n"]) assert.equal(fromHex(text), undefined, text);
  // Without padding, for URLs, with white space, and with bits behind the last byte.
  for (const text of ["AQ", "AQE", "A-==", "A_==", "AQ==\n", " AQ==", "AQ=", "=AQE", "AR==", "AAB="]) {
    assert.equal(fromBase64(text), undefined, text);
  }
});
