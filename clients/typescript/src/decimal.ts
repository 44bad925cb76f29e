/** Exponents of ten that a {@link Decimal} may have: from `-EXPONENT_MAX` to `EXPONENT_MAX`. */
export const EXPONENT_MAX = 38;

/**
 * `mantissa * 10^exponent`, exactly. It never turns into a floating-point number by itself: arithmetic and comparison
 * operators throw, {@link Decimal.compare} and {@link Decimal.toFloat} say what they do.
 */
export class Decimal {
  /** The digits. */
  readonly mantissa: bigint;
  /** The power of ten, from -38 to 38. */
  readonly exponent: number;

  constructor(mantissa: bigint, exponent: number) {
    if (typeof mantissa !== "bigint") throw new TypeError("mantissa: must be a bigint");
    if (!Number.isInteger(exponent) || Math.abs(exponent) > EXPONENT_MAX) {
      throw new RangeError(`exponent: must be an integer from -${EXPONENT_MAX} to ${EXPONENT_MAX}`);
    }
    this.mantissa = mantissa;
    this.exponent = exponent;
    Object.freeze(this);
  }

  /** Plain decimal digits with all the places that the exponent gives: 1.50 stays `1.50`. */
  toString(): string {
    const { mantissa, exponent } = this;
    const sign = mantissa < 0n ? "-" : "";
    const digits = (mantissa < 0n ? -mantissa : mantissa).toString();
    if (exponent >= 0) return sign + (mantissa === 0n ? digits : digits + "0".repeat(exponent));
    const padded = digits.padStart(1 - exponent, "0");
    return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
  }

  /** The text of {@link Decimal.toString}: a JSON number would lose digits. */
  toJSON(): string {
    return this.toString();
  }

  /** The nearest floating-point number. Digits beyond the 15th or so are lost. */
  toFloat(): number {
    return Number(`${this.mantissa}e${this.exponent}`);
  }

  /**
   * Below 0, 0 or above 0 if the value is less than, equal to or greater than the other one, whatever their
   * exponents.
   */
  compare(other: Decimal): -1 | 0 | 1 {
    const exponent = Math.min(this.exponent, other.exponent);
    const scaled = (d: Decimal) => d.mantissa * 10n ** BigInt(d.exponent - exponent);
    const [a, b] = [scaled(this), scaled(other)];
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** Throws: a price does not become a number or joined text by accident. */
  valueOf(): never {
    throw new TypeError("a Decimal is no number: use compare(), toFloat(), toString() or a template literal");
  }
}
