//! Text for the caller's buffers: ended by a zero, or nothing at all.

use alloc::{string::ToString as _, vec::Vec};

use touchstone_client::{Decimal, Status};

use crate::Code;

/// Largest absolute exponent of ten that a signed price can have.
const EXPONENT_LIMIT: i8 = 38;

/// A decimal number without an exponent, `-0.00000123`, and the zero that ends it.
pub(crate) fn decimal(mantissa: i128, exponent: i32) -> Result<Vec<u8>, Code> {
    let exponent = i8::try_from(exponent)
        .ok()
        .filter(|e| (-EXPONENT_LIMIT..=EXPONENT_LIMIT).contains(e))
        .ok_or(Code::InvalidArgument)?;
    Ok(ended(Decimal::new(mantissa, exponent).to_string().into()))
}

/// `ok`, or the names of the bits joined by `+`.
pub(crate) fn status(bits: u8) -> Result<Vec<u8>, Code> {
    let status = Status::from_bits(bits).ok_or(Code::InvalidStatus)?;
    Ok(ended(status.to_string().into()))
}

fn ended(mut text: Vec<u8>) -> Vec<u8> {
    text.push(0);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_decimal_is_longer_than_the_header_says() {
        let mut longest = 0;
        for exponent in -EXPONENT_LIMIT..=EXPONENT_LIMIT {
            for mantissa in [i128::MIN, i128::MAX, 0, -1] {
                let text = decimal(mantissa, exponent.into()).unwrap();
                assert_eq!(text.iter().filter(|byte| **byte == 0).count(), 1);
                longest = longest.max(text.len());
            }
        }
        // TOUCHSTONE_DECIMAL_TEXT_MAX is 80.
        assert_eq!(longest, 79);
        for exponent in [39, -39, 256, i32::MIN, i32::MAX] {
            assert_eq!(decimal(1, exponent), Err(Code::InvalidArgument));
        }
    }

    #[test]
    fn no_status_is_longer_than_the_header_says() {
        let longest = (0..=u8::MAX).filter_map(|bits| status(bits).ok());
        // TOUCHSTONE_STATUS_TEXT_MAX is 64.
        assert_eq!(longest.map(|text| text.len()).max(), Some(57));
        assert_eq!(status(32), Err(Code::InvalidStatus));
    }
}
