//! Canonical JSON by RFC 8785 (JCS), restricted to the integers that every JSON reader keeps exactly.

use alloc::{string::String, vec::Vec};

use serde::Serialize;
use serde_json::Value;

/// The canonical bytes of a value: no white space, object members sorted by their names' UTF-16 code units, strings
/// escaped as RFC 8785 section 3.2.2.2 says.
///
/// # Errors
/// A value that serde cannot represent as JSON, or a number that is no integer of at most 53 bits.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = String::new();
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out.into_bytes())
}

fn write(value: &Value, out: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            // serde_json's map may be sorted or not, depending on features that some other crate turns on.
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (name, item)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(name)?);
                out.push(':');
                write(item, out)?;
            }
            out.push('}');
        }
        Value::Number(number) => {
            const EXACT: i64 = 1 << 53;
            if !number
                .as_i64()
                .is_some_and(|n| (-EXACT..=EXACT).contains(&n))
            {
                return Err(serde::ser::Error::custom(alloc::format!(
                    "{number}: canonical JSON holds integers of at most 53 bits only"
                )));
            }
            out.push_str(&serde_json::to_string(number)?);
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            out.push_str(&serde_json::to_string(value)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rfc_8785_section_3_2_3_order_and_escapes() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = String::from_utf8(canonical_json(&value).expect("strings")).expect("UTF-8");
        let order = [
            "\\r",
            "\"1\"",
            "\u{80}",
            "\u{f6}",
            "\u{20ac}",
            "\u{1f600}",
            "\u{fb33}",
        ];
        let at: Vec<_> = order
            .iter()
            .map(|name| text.find(name).expect(name))
            .collect();
        assert!(at.is_sorted(), "{text}");
        assert_eq!(
            canonical_json(&json!("\u{8}\u{c}\n\u{1f}\"\\/é")).expect("string"),
            "\"\\b\\f\\n\\u001f\\\"\\\\/é\"".as_bytes()
        );
    }

    #[test]
    fn numbers_that_readers_disagree_on_are_refused() {
        assert!(canonical_json(&json!(1.5)).is_err());
        assert!(canonical_json(&json!(u64::MAX)).is_err());
        assert_eq!(
            canonical_json(&json!([1, -2])).expect("integers"),
            b"[1,-2]"
        );
    }
}
