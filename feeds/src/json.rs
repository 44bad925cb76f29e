//! Reading numbers and times out of JSON without a float in between.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use touchstone_types::Decimal;

/// 9999-12-31T23:59:59.999Z, the last time that is believed.
const UNIX_MS_MAX: u64 = 253_402_300_799_999;

/// A decimal that JSON holds as a number or as a string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let text = scalar_text(raw).map_err(D::Error::custom)?;
        Decimal::parse(&text)
            .map(Self)
            .map_err(|e| D::Error::custom(format!("{:?}: {e}", shorten(&text))))
    }
}

/// The text of a JSON string, or the digits of a JSON number as they stand.
pub(crate) fn scalar_text(raw: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    if raw.get().starts_with('"') {
        serde_json::from_str::<String>(raw.get()).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(raw.get()))
    }
}

/// The first 200 characters: what others send is shown, but never at any length.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

macro_rules! unix_time {
    ($(#[$doc:meta])* $name:ident, $to_ms:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name {
            /// Unix milliseconds, fractions cut off.
            pub(crate) ms: u64,
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = Number::deserialize(deserializer)?;
                let ms = unix_ms(number.0, $to_ms)
                    .ok_or_else(|| D::Error::custom(format!("{}: not a time from 1970 to 9999", number.0)))?;
                Ok(Self { ms })
            }
        }
    };
}
unix_time!(
    /// Unix seconds, with or without a fraction.
    Seconds,
    3
);
unix_time!(
    /// Unix milliseconds.
    Millis,
    0
);
unix_time!(
    /// Unix microseconds.
    Micros,
    -3
);
unix_time!(
    /// Unix nanoseconds.
    Nanos,
    -6
);

/// `value * 10^to_ms` as whole milliseconds, rounded down.
fn unix_ms(value: Decimal, to_ms: i32) -> Option<u64> {
    let exponent = i32::from(value.exponent).checked_add(to_ms)?;
    let ms = match 10i128.checked_pow(exponent.unsigned_abs()) {
        Some(power) if exponent >= 0 => value.mantissa.checked_mul(power)?,
        Some(power) => value.mantissa.checked_div_euclid(power)?,
        None => return None,
    };
    u64::try_from(ms).ok().filter(|ms| *ms <= UNIX_MS_MAX)
}

/// A time in ISO 8601, such as `2020-01-28T02:13:33.012523Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsoTime {
    /// Unix milliseconds, fractions cut off.
    pub(crate) ms: u64,
}

impl<'de> Deserialize<'de> for IsoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let invalid = || {
            D::Error::custom(format!(
                "{:?}: not an ISO 8601 time since 1970",
                shorten(&text)
            ))
        };
        let time: Timestamp = text.parse().map_err(|_| invalid())?;
        let ms = u64::try_from(time.as_millisecond()).map_err(|_| invalid())?;
        Ok(Self { ms })
    }
}

/// An object's fields, each still unread.
pub(crate) type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The outermost layer of a body, to tell shapes apart.
pub(crate) enum Shape<'a> {
    Object(Fields<'a>),
    Array(Vec<&'a RawValue>),
}

impl<'a> Shape<'a> {
    /// Reads the outermost layer.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        match body.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'[') => serde_json::from_slice(body).map(Self::Array),
            _ => serde_json::from_slice(body).map(Self::Object),
        }
    }

    /// Whether this is an object with the field.
    pub(crate) fn has(&self, field: &str) -> bool {
        matches!(self, Self::Object(fields) if fields.contains_key(field))
    }

    /// The fields of the first object in this array.
    pub(crate) fn first_of_array(&self) -> Option<Fields<'a>> {
        match self {
            Self::Array(items) => items
                .first()
                .and_then(|item| serde_json::from_str(item.get()).ok()),
            Self::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_digit_by_digit() {
        for text in [
            "105944.20",
            "\"105944.20\"",
            "0.1",
            "1e-8",
            "\"123456789012345678901234.5\"",
        ] {
            let number: Number = serde_json::from_str(text).expect(text);
            let digits = text.trim_matches('"');
            assert_eq!(number.0, Decimal::parse(digits).expect(digits));
        }
        for text in ["null", "true", "\"\"", "\"1,5\"", "\" 1\"", "[1]", "1e99"] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_cut_to_milliseconds() {
        let ms = |text: &str| serde_json::from_str::<Seconds>(text).map(|t| t.ms).ok();
        assert_eq!(ms("1762795433.9717445"), Some(1_762_795_433_971));
        assert_eq!(ms("\"1551814435\""), Some(1_551_814_435_000));
        assert_eq!(ms("-1"), None);
        assert_eq!(ms("1e30"), None);
        let micros: Micros = serde_json::from_str("\"1641343699596999\"").expect("micros");
        assert_eq!(micros.ms, 1_641_343_699_596);
        let nanos: Nanos = serde_json::from_str("1641343699596999999").expect("nanos");
        assert_eq!(nanos.ms, 1_641_343_699_596);
        let iso: IsoTime = serde_json::from_str("\"2020-01-28T02:13:33.012523Z\"").expect("iso");
        assert_eq!(iso.ms, 1_580_177_613_012);
        assert!(serde_json::from_str::<IsoTime>("\"yesterday\"").is_err());
        assert!(serde_json::from_str::<IsoTime>("\"1960-01-28T02:13:33Z\"").is_err());
    }
}
