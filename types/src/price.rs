//! Decimal numbers: an integer mantissa and a power of ten. There is no float anywhere.

use alloc::string::{String, ToString};
use core::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// Smallest exponent of ten that a [`Decimal`] may have.
pub const EXPONENT_MIN: i8 = -38;
/// Largest exponent of ten that a [`Decimal`] may have.
pub const EXPONENT_MAX: i8 = 38;

/// `mantissa * 10^exponent`, kept exactly as it was written: `1.50` and `1.5` are equal by [`Decimal::cmp_value`] but not
/// the same text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits.
    pub mantissa: i128,
    /// The power of ten.
    pub exponent: i8,
}

/// Why a decimal operation has no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecimalError {
    /// The text is no decimal number.
    #[error("not a decimal number: expected digits, at most one point and an optional exponent")]
    Syntax,
    /// The value needs more than 127 bits or an exponent outside the allowed range.
    #[error(
        "out of range: the mantissa must fit 127 bits and the exponent lie in {EXPONENT_MIN}..={EXPONENT_MAX}"
    )]
    Range,
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl Decimal {
    /// `mantissa * 10^exponent`.
    pub const fn new(mantissa: i128, exponent: i8) -> Self {
        Self { mantissa, exponent }
    }

    /// Reads `[+-]digits[.digits][e[+-]digits]` without losing a digit.
    ///
    /// # Errors
    /// Any other text, or a number that does not fit.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => {
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(DecimalError::Syntax);
                }
                (
                    number,
                    power.parse::<i32>().map_err(|_| DecimalError::Range)?,
                )
            }
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix(['+', '-']) {
            Some(rest) => (number.starts_with('-'), rest),
            None => (false, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || number.ends_with('.') {
            return Err(DecimalError::Syntax);
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(DecimalError::Syntax);
            }
            let digit = i128::from(byte.wrapping_sub(b'0'));
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|m| m.checked_add(digit))
                .ok_or(DecimalError::Range)?;
        }
        if negative {
            mantissa = mantissa.checked_neg().ok_or(DecimalError::Range)?;
        }
        let places = i32::try_from(fraction.len()).map_err(|_| DecimalError::Range)?;
        let exponent = power.checked_sub(places).ok_or(DecimalError::Range)?;
        Ok(Self::new(mantissa, Self::exponent_of(exponent)?))
    }

    /// The nearest value with the given exponent; ties go to the even mantissa.
    ///
    /// # Errors
    /// [`DecimalError::Range`] if the mantissa does not fit.
    pub fn rescale(self, exponent: i8) -> Result<Self, DecimalError> {
        let exponent = Self::exponent_of(i32::from(exponent))?;
        let shift = i32::from(self.exponent).abs_diff(i32::from(exponent));
        let mantissa = if self.mantissa == 0 {
            0
        } else if self.exponent >= exponent {
            pow10(shift)
                .and_then(|p| self.mantissa.checked_mul(p))
                .ok_or(DecimalError::Range)?
        } else {
            // Beyond 10^38 every mantissa rounds to zero.
            pow10(shift).map_or(Ok(0), |p| div_half_even(self.mantissa, p))?
        };
        Ok(Self::new(mantissa, exponent))
    }

    /// The exact product.
    ///
    /// # Errors
    /// [`DecimalError::Range`] if it does not fit.
    pub fn checked_mul(self, other: Self) -> Result<Self, DecimalError> {
        let exact = |a: Self, b: Self| {
            let mantissa = a.mantissa.checked_mul(b.mantissa)?;
            let exponent = i32::from(a.exponent).checked_add(i32::from(b.exponent))?;
            Some(Self::new(mantissa, Self::exponent_of(exponent).ok()?))
        };
        exact(self, other)
            .or_else(|| exact(self.trimmed(), other.trimmed()))
            .ok_or(DecimalError::Range)
    }

    /// The quotient, rounded half-even to the given exponent.
    ///
    /// # Errors
    /// [`DecimalError::DivisionByZero`], or [`DecimalError::Range`] if it does not fit.
    pub fn checked_div(self, other: Self, exponent: i8) -> Result<Self, DecimalError> {
        let (a, b) = (self.trimmed(), other.trimmed());
        if b.mantissa == 0 {
            return Err(DecimalError::DivisionByZero);
        }
        let exponent = Self::exponent_of(i32::from(exponent))?;
        let shift = i32::from(a.exponent)
            .saturating_sub(i32::from(b.exponent))
            .saturating_sub(i32::from(exponent));
        let scale = pow10(shift.unsigned_abs()).ok_or(DecimalError::Range)?;
        let (dividend, divisor) = if shift >= 0 {
            (a.mantissa.checked_mul(scale), Some(b.mantissa))
        } else {
            (Some(a.mantissa), b.mantissa.checked_mul(scale))
        };
        let mantissa = div_half_even(
            dividend.ok_or(DecimalError::Range)?,
            divisor.ok_or(DecimalError::Range)?,
        )?;
        Ok(Self::new(mantissa, exponent))
    }

    /// Compares the values, whatever their exponents.
    pub fn cmp_value(&self, other: &Self) -> Ordering {
        let (a, b) = (self.trimmed(), other.trimmed());
        let by_sign = a.mantissa.signum().cmp(&b.mantissa.signum());
        if by_sign != Ordering::Equal || a.mantissa == 0 {
            return by_sign;
        }
        let magnitude = match a.exponent.cmp(&b.exponent) {
            Ordering::Equal => a.mantissa.unsigned_abs().cmp(&b.mantissa.unsigned_abs()),
            Ordering::Greater => cmp_scaled(a, b),
            Ordering::Less => cmp_scaled(b, a).reverse(),
        };
        if a.mantissa > 0 {
            magnitude
        } else {
            magnitude.reverse()
        }
    }

    /// Whether the value is above zero.
    pub fn is_positive(&self) -> bool {
        self.mantissa > 0
    }

    /// The same value without trailing zeros in the mantissa, as far as the exponent's range allows.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let Self {
            mut mantissa,
            mut exponent,
        } = self;
        while mantissa != 0 && mantissa % 10 == 0 && exponent < EXPONENT_MAX {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self::new(mantissa, exponent)
    }

    fn exponent_of(exponent: i32) -> Result<i8, DecimalError> {
        i8::try_from(exponent)
            .ok()
            .filter(|e| (EXPONENT_MIN..=EXPONENT_MAX).contains(e))
            .ok_or(DecimalError::Range)
    }
}

/// Compares |a| and |b| where a has the larger exponent.
fn cmp_scaled(a: Decimal, b: Decimal) -> Ordering {
    let shift = i32::from(a.exponent).abs_diff(i32::from(b.exponent));
    pow10(shift)
        .and_then(|p| u128::try_from(p).ok())
        .and_then(|p| a.mantissa.unsigned_abs().checked_mul(p))
        // What does not fit 128 bits is larger than every mantissa.
        .map_or(Ordering::Greater, |scaled| {
            scaled.cmp(&b.mantissa.unsigned_abs())
        })
}

fn pow10(power: u32) -> Option<i128> {
    10i128.checked_pow(power)
}

/// Integer quotient, ties to even.
fn div_half_even(dividend: i128, divisor: i128) -> Result<i128, DecimalError> {
    let quotient = dividend.checked_div(divisor).ok_or(DecimalError::Range)?;
    let remainder = dividend.checked_rem(divisor).ok_or(DecimalError::Range)?;
    let rest = remainder.unsigned_abs();
    let to_next = divisor.unsigned_abs().saturating_sub(rest);
    let up = match rest.cmp(&to_next) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => quotient % 2 != 0,
    };
    let step = if (dividend < 0) == (divisor < 0) {
        1
    } else {
        -1
    };
    if up {
        quotient.checked_add(step).ok_or(DecimalError::Range)
    } else {
        Ok(quotient)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits: String = self.mantissa.unsigned_abs().to_string();
        if self.exponent >= 0 {
            if self.mantissa != 0 {
                digits.extend((0..self.exponent).map(|_| '0'));
            }
        } else {
            let places = usize::from(self.exponent.unsigned_abs());
            let width = places.saturating_add(1);
            if digits.len() < width {
                let zeros = width.saturating_sub(digits.len());
                digits.insert_str(0, &"0".repeat(zeros));
            }
            digits.insert(digits.len().saturating_sub(places), '.');
        }
        f.pad_integral(self.mantissa >= 0, "", &digits)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::format;

    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn text_is_kept_exactly() {
        for text in [
            "0",
            "1",
            "-1",
            "0.1",
            "67123.45000000",
            "-0.00000001",
            "100000",
        ] {
            assert_eq!(d(text).to_string(), text);
        }
        assert_eq!(d("1.5e3").to_string(), "1500");
        assert_eq!(d("1E-8").to_string(), "0.00000001");
        assert_eq!(d("+2.50").to_string(), "2.50");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "", "-", ".", ".5", "5.", "1.2.3", "1e", "1e+", "0x1", " 1", "1_0", "NaN", "inf",
            "1e1.5", "--1",
        ] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::Syntax), "{text:?}");
        }
        for text in [
            "1e39",
            "1e-39",
            "999999999999999999999999999999999999999999",
            "1e99999999999",
        ] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::Range), "{text:?}");
        }
    }

    #[test]
    fn ties_go_to_even() {
        for (text, want) in [
            ("0.5", 0),
            ("1.5", 2),
            ("2.5", 2),
            ("-0.5", 0),
            ("-1.5", -2),
            ("2.51", 3),
            ("2.49", 2),
        ] {
            assert_eq!(d(text).rescale(0).expect("fits").mantissa, want, "{text}");
        }
        assert_eq!(d("1e-38").rescale(38).expect("rounds to zero").mantissa, 0);
    }

    proptest! {
        #[test]
        fn display_and_parse_agree(mantissa in any::<i128>(), exponent in EXPONENT_MIN..=0i8) {
            let x = Decimal::new(mantissa, exponent);
            let text = x.to_string();
            // i128::MIN has no positive counterpart to parse digit by digit.
            prop_assume!(mantissa != i128::MIN);
            prop_assert_eq!(Decimal::parse(&text), Ok(x));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Decimal::parse(&text);
        }

        #[test]
        fn rescaling_down_is_off_by_half_at_most(mantissa in -1_000_000_000i128..1_000_000_000, drop in 0u32..8) {
            let x = Decimal::new(mantissa, -8);
            let coarse = x.rescale(i8::try_from(drop).expect("small") - 8).expect("fits");
            let unit = 10i128.pow(drop);
            prop_assert!((coarse.mantissa * unit - mantissa).abs() * 2 <= unit);
        }

        #[test]
        fn division_undoes_multiplication(a in 1i128..1_000_000_000_000, b in 1i128..1_000_000_000_000) {
            let (x, y) = (Decimal::new(a, -8), Decimal::new(b, -8));
            let product = x.checked_mul(y).expect("fits");
            prop_assert_eq!(product.checked_div(y, -8), Ok(x));
        }

        #[test]
        fn order_is_the_order_of_values(a in -10_000i128..10_000, b in -10_000i128..10_000, ea in -4i8..4, eb in -4i8..4) {
            let (x, y) = (Decimal::new(a, ea), Decimal::new(b, eb));
            let scaled = |m: i128, e: i8| m * 10i128.pow(u32::try_from(e + 4).expect("positive"));
            prop_assert_eq!(x.cmp_value(&y), scaled(a, ea).cmp(&scaled(b, eb)));
        }

        #[test]
        fn arithmetic_never_panics(a in any::<i128>(), b in any::<i128>(), ea in any::<i8>(), eb in any::<i8>(), e in any::<i8>()) {
            let (x, y) = (Decimal::new(a, ea), Decimal::new(b, eb));
            let _ = (x.checked_mul(y), x.checked_div(y, e), x.rescale(e), x.cmp_value(&y), format!("{x}"));
        }
    }
}
