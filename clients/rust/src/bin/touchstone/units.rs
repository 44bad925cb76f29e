//! Durations and instants as people write them.

/// Milliseconds of `500ms`, `10s`, `2m`, `1h` or `1d`.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{text:?} is no duration: write a whole number and ms, s, m, h or d, such as 500ms, 10s or 2m"
        )
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(scale)
        .ok_or_else(|| format!("{text:?} is too long"))
}

/// Unix milliseconds of `1790000000000` (milliseconds) or `2026-09-21T14:13:20Z` (RFC 3339).
pub(crate) fn instant_ms(text: &str) -> Result<u64, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("{text} is too large"));
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        format!("{text:?} is no instant: write Unix milliseconds or RFC 3339, such as 2026-09-21T14:13:20Z")
    })?;
    u64::try_from(at.as_millisecond()).map_err(|_| format!("{text:?} lies before 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants() {
        assert_eq!(instant_ms("1790000000123"), Ok(1_790_000_000_123));
        assert_eq!(instant_ms("2026-09-21T14:13:20Z"), Ok(1_790_000_000_000));
        assert_eq!(
            instant_ms("2026-09-21T16:13:20.5+02:00"),
            Ok(1_790_000_000_500)
        );
        for text in [
            "",
            "yesterday",
            "2026-09-21",
            "1960-01-01T00:00:00Z",
            "99999999999999999999",
        ] {
            assert!(instant_ms(text).is_err(), "{text}");
        }
    }
}
