import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Decimal } from "../src/index.js";

const I128_MAX = 2n ** 127n - 1n;
const mantissas = fc.oneof(fc.bigInt(-I128_MAX - 1n, I128_MAX), fc.bigInt(-1_000n, 1_000n));
const exponents = fc.integer({ min: -38, max: 38 });
const decimals = fc.tuple(mantissas, exponents).map(([mantissa, exponent]) => new Decimal(mantissa, exponent));

/** The value of plain decimal digits, as a fraction over 10^38. */
function scaled(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  assert.ok(match, text);
  const [, sign, whole = "", fraction = ""] = match;
  const value = BigInt(whole + fraction.padEnd(38, "0"));
  return sign === "-" ? -value : value;
}

test("text is plain and exact", () => {
  for (const [mantissa, exponent, text] of [
    [6_712_345_000_000n, -8, "67123.45000000"],
    [0n, -8, "0.00000000"],
    [0n, 0, "0"],
    [0n, 5, "0"],
    [1n, -8, "0.00000001"],
    [-1n, -8, "-0.00000001"],
    [-12_345n, -3, "-12.345"],
    [-5n, 3, "-5000"],
    [123n, 0, "123"],
    [150n, -2, "1.50"],
    [I128_MAX, -38, "1.70141183460469231731687303715884105727"],
    [-I128_MAX - 1n, 0, "-170141183460469231731687303715884105728"],
    [-I128_MAX - 1n, 2, "-17014118346046923173168730371588410572800"],
  ] as const) {
    assert.equal(new Decimal(mantissa, exponent).toString(), text);
  }
});

test("text keeps the value and every place", () => {
  fc.assert(
    fc.property(mantissas, exponents, (mantissa, exponent) => {
      const text = new Decimal(mantissa, exponent).toString();
      assert.equal(scaled(text), mantissa * 10n ** BigInt(exponent + 38));
      assert.equal(text.split(".")[1]?.length ?? 0, Math.max(0, -exponent));
      assert.equal(JSON.stringify({ text: new Decimal(mantissa, exponent) }), `{"text":"${text}"}`);
    }),
  );
});

test("comparison is by value", () => {
  assert.equal(new Decimal(150n, -2).compare(new Decimal(15n, -1)), 0);
  assert.equal(new Decimal(1n, 38).compare(new Decimal(I128_MAX, -38)), 1);
  fc.assert(
    fc.property(decimals, decimals, (a, b) => {
      const [x, y] = [scaled(a.toString()), scaled(b.toString())];
      assert.equal(a.compare(b), x < y ? -1 : x > y ? 1 : 0);
    }),
  );
});

test("a float is the nearest one, and comes by its name only", () => {
  assert.equal(new Decimal(6_712_345_000_000n, -8).toFloat(), 67123.45);
  fc.assert(
    fc.property(decimals, (decimal) => {
      assert.equal(decimal.toFloat(), Number(decimal.toString()));
    }),
  );
});

test("no operator makes a number or joined text of a price", () => {
  const price = new Decimal(5n, 0) as unknown as number;
  for (const use of [
    () => price + 1,
    () => price * 2,
    () => price > 4,
    () => -price,
    () => price == 5,
    () => `${1}` + price,
  ]) {
    assert.throws(use, TypeError);
  }
  assert.throws(() => Number(price), TypeError);
  assert.equal(`${price}`, "5");
});

test("what is no decimal is refused, and one never changes", () => {
  for (const exponent of [39, -39, 0.5, Number.NaN]) assert.throws(() => new Decimal(1n, exponent), RangeError);
  assert.throws(() => new Decimal(1 as unknown as bigint, 0), TypeError);
  const decimal = new Decimal(1n, 0);
  assert.throws(() => {
    (decimal as { mantissa: bigint }).mantissa = 2n;
  }, TypeError);
});
