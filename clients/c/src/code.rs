//! Results as stable numbers, each with the code that every client and contract uses.

use core::ffi::CStr;

/// Makes the enum and its table from one list, so that no code lacks its text.
macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// What a call returns; `TOUCHSTONE_*` in the header, where each is described.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(i32)]
        #[allow(missing_docs, reason = "the header describes them")]
        pub enum Code {
            $($name = $number,)*
        }

        /// Every code with its number and its text.
        const ALL: &[(Code, i32, &CStr)] = &[$((Code::$name, $number, $text),)*];
    };
}

codes! {
    Ok = 0, c"ok";

    InvalidArgument = 1, c"invalid-argument";
    InvalidPointer = 2, c"invalid-pointer";
    BufferTooSmall = 3, c"buffer-too-small";
    InvalidFeedName = 4, c"invalid-feed-name";
    InvalidStatus = 5, c"invalid-status";
    NoKey = 6, c"no-key";
    Internal = 9, c"internal";

    Truncated = 20, c"truncated";
    TrailingBytes = 21, c"trailing-bytes";
    UnknownVersion = 22, c"unknown-version";
    UnknownSuite = 23, c"unknown-suite";
    NoEntries = 24, c"no-entries";
    LeafOrder = 25, c"leaf-order";
    LeafIndex = 26, c"leaf-index";
    PathLength = 27, c"path-length";
    InvalidLeaf = 28, c"invalid-leaf";
    WrongNetwork = 30, c"wrong-network";
    UnsupportedSuite = 31, c"unsupported-suite";
    BadSignature = 32, c"bad-signature";
    Inclusion = 33, c"inclusion";

    BadGroupKey = 40, c"bad-group-key";
    BadPin = 41, c"bad-pin";
    BadEpochSignature = 42, c"bad-epoch-signature";
    BadMemberSignature = 43, c"bad-member-signature";

    NoFeed = 60, c"no-feed";
    TooOld = 61, c"too-old";
    AheadOfNow = 62, c"ahead-of-now";
    TradeTooOld = 63, c"trade-too-old";
    NotNewer = 64, c"not-newer";
    TooFewObservers = 65, c"too-few-observers";
    Status = 66, c"status";
    Unavailable = 67, c"unavailable";
    NoPair = 68, c"no-pair";
    NotAround = 69, c"not-around";
    Gap = 70, c"gap";
    OtherUpdate = 71, c"other-update";
}

impl Code {
    /// The code of the verifier's own text for it. A text that this table does not have is a refusal still: `internal`.
    pub(crate) fn of(text: &str) -> Self {
        ALL.iter()
            .find(|(_, _, own)| own.to_bytes() == text.as_bytes())
            .map_or(Self::Internal, |(code, ..)| *code)
    }
}

/// The text of a number; `unknown` if no code has it.
pub(crate) fn text_of(number: i32) -> &'static CStr {
    ALL.iter()
        .find(|(_, own, _)| *own == number)
        .map_or(c"unknown", |(.., text)| text)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn texts_and_numbers_are_there_once_and_lead_back() {
        let texts: BTreeSet<_> = ALL.iter().map(|(.., text)| text).collect();
        let numbers: BTreeSet<_> = ALL.iter().map(|(_, number, _)| number).collect();
        assert_eq!((texts.len(), numbers.len()), (ALL.len(), ALL.len()));
        for (code, number, text) in ALL {
            assert_eq!(Code::of(text.to_str().unwrap()), *code);
            assert_eq!(text_of(*number), *text);
        }
        assert_eq!(Code::of("something new"), Code::Internal);
        assert_eq!(text_of(-1), c"unknown");
    }

    /// The header says the same numbers, and nothing else.
    #[test]
    fn the_header_has_every_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/touchstone.h");
        let header = fs::read_to_string(path).unwrap();
        let (_, list) = header.split_once("enum touchstone_code {").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let mut shown = Vec::new();
        for line in list.lines() {
            let Some((name, rest)) = line.trim().split_once(" = ") else {
                continue;
            };
            let number = rest.split([',', ' ']).next().unwrap();
            let name = name.strip_prefix("TOUCHSTONE_").unwrap();
            shown.push((name.to_lowercase().replace('_', "-"), number.to_owned()));
        }
        let ours: Vec<_> = ALL
            .iter()
            .map(|(_, number, text)| (text.to_str().unwrap().to_owned(), number.to_string()))
            .collect();
        assert_eq!(shown, ours);
    }

    #[test]
    fn every_code_of_the_vectors_has_a_number() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/README.md");
        let table = fs::read_to_string(path).unwrap();
        let (_, table) = table.split_once("| code | why |").unwrap();
        let mut seen = 0;
        for line in table.lines().filter(|line| line.starts_with("| `")) {
            let codes = line.split('|').nth(1).unwrap();
            for code in codes.split('`').skip(1).step_by(2) {
                assert_ne!(Code::of(code), Code::Internal, "{code}");
                seen += 1;
            }
        }
        assert!(seen > 25, "only {seen} codes in the table");
    }
}
