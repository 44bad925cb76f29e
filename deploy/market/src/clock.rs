//! The replay's clock: when something that happened then happens now.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil, tz::TimeZone};
use thiserror::Error;
use touchstone_types::Decimal;

/// How many times as fast as then time passes now: 0.001 to 100000, with up to three decimal places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speed {
    thousandths: u64,
}

/// A text that is no speed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the speed must be a number from 0.001 to 100000 with at most three decimal places")]
pub struct SpeedError;

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = Decimal::parse(text).map_err(|_| SpeedError)?.trimmed();
        if number.exponent < -3 {
            return Err(SpeedError);
        }
        let thousandths = number.rescale(-3).map_err(|_| SpeedError)?.mantissa;
        let thousandths = u64::try_from(thousandths).map_err(|_| SpeedError)?;
        if !(1..=100_000_000).contains(&thousandths) {
            return Err(SpeedError);
        }
        Ok(Self { thousandths })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            Decimal::new(i128::from(self.thousandths), -3).trimmed()
        )
    }
}

/// A text that is no time.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "{0:?} is no time: expected 2023-03-11, 2023-03-11T07:15, an RFC 3339 time or Unix seconds, all in UTC"
)]
pub struct TimeError(String);

/// Reads a point in time: a date, a date and a time (both UTC), an RFC 3339 time, or Unix seconds. The result is in Unix
/// milliseconds.
///
/// # Errors
/// Any other text, and times before 1970.
pub fn parse_time(text: &str) -> Result<u64, TimeError> {
    let error = || TimeError(text.chars().take(60).collect());
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000).ok_or_else(error);
    }
    let utc = |time: civil::DateTime| time.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
    let time = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(utc))
        .or_else(|| {
            text.parse::<civil::Date>()
                .ok()
                .and_then(|date| utc(date.at(0, 0, 0, 0)))
        })
        .ok_or_else(error)?;
    u64::try_from(time.as_millisecond()).map_err(|_| error())
}

/// From the recording's time to the wall clock's: `t' = start + (t - from) / speed`.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) from_ms: u64,
    pub(crate) start_ms: u64,
    pub(crate) speed: Speed,
}

impl Clock {
    /// Both times in Unix milliseconds; the result is rounded towards the start.
    pub(crate) fn shift(&self, t_ms: u64) -> u64 {
        let scaled = |span: u64| {
            let wall = u128::from(span) * 1_000 / u128::from(self.speed.thousandths);
            u64::try_from(wall).unwrap_or(u64::MAX)
        };
        if t_ms >= self.from_ms {
            self.start_ms.saturating_add(scaled(t_ms - self.from_ms))
        } else {
            self.start_ms.saturating_sub(scaled(self.from_ms - t_ms))
        }
    }
}

/// A time for messages.
pub(crate) fn show_ms(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{ms} ms"), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 1_678_492_800_000; // 2023-03-11T00:00:00Z

    #[test]
    fn time_before_the_start_is_shifted_too() {
        let clock = |speed: &str| Clock {
            from_ms: 1_000_000,
            start_ms: 5_000_000,
            speed: speed.parse().expect(speed),
        };
        assert_eq!(clock("60").shift(1_060_000), 5_001_000);
        assert_eq!(clock("60").shift(940_000), 4_999_000);
        assert_eq!(clock("0.5").shift(1_000_001), 5_000_002);
    }

    #[test]
    fn speeds_and_times_as_text() {
        assert_eq!("60".parse::<Speed>().expect("60").to_string(), "60");
        assert_eq!("0.5".parse::<Speed>().expect("0.5").to_string(), "0.5");
        for text in ["0", "-1", "0.0001", "100001", "fast", ""] {
            assert_eq!(text.parse::<Speed>(), Err(SpeedError), "{text}");
        }
        for text in [
            "2023-03-11",
            "2023-03-11T00:00",
            "2023-03-11T01:00:00+01:00",
            "1678492800",
            "2023-03-11 00:00:00",
        ] {
            assert_eq!(parse_time(text), Ok(DAY), "{text}");
        }
        for text in ["", "yesterday", "1960-01-01", "-5"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
