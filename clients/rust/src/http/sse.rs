//! Server-sent events, as the HTML standard defines them in section 9.2.6, with bounded memory.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use thiserror::Error;

/// The longest event that is read, in bytes over all its lines.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Event {
    /// The last event id that the stream has set.
    pub id: String,
    /// Its type; `message` unless the stream names one.
    pub kind: String,
    /// The data lines, joined by line feeds.
    pub data: String,
}

/// An event is longer than [`EVENT_BYTES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
pub struct TooLong;

/// Takes bytes as they come and gives the events that are complete.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed now belongs to it.
    after_cr: bool,
    started: bool,
    size: usize,
    id: String,
    kind: String,
    data: String,
    has_data: bool,
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// An event that is too long; the stream is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let continues_crlf = core::mem::take(&mut self.after_cr) && *byte == b'\n';
            if continues_crlf {
                continue;
            }
            match byte {
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    events.extend(self.end_line());
                }
                _ => {
                    self.size = self.size.saturating_add(1);
                    if self.size > EVENT_BYTES_MAX {
                        return Err(TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = core::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = text.as_ref();
        if !core::mem::replace(&mut self.started, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = value.to_string(),
            "data" => {
                if core::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = value.to_string(),
            // A comment (no field before the colon), `retry`, or a field that is not known.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.size = 0;
        let kind = core::mem::take(&mut self.kind);
        let data = core::mem::take(&mut self.data);
        core::mem::take(&mut self.has_data).then(|| Event {
            id: self.id.clone(),
            kind: if kind.is_empty() {
                "message".to_string()
            } else {
                kind
            },
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Vec<Event> {
        Parser::new().push(text).expect("short")
    }

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event {
            id: id.into(),
            kind: kind.into(),
            data: data.into(),
        }
    }

    #[test]
    fn examples_of_the_standard() {
        assert_eq!(
            parse(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
            [event("", "message", "YHOO\n+2\n10")]
        );
        assert_eq!(
            parse(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            [
                event("1", "message", "first event"),
                event("", "message", "second event"),
                event("", "message", " third event")
            ]
        );
        assert_eq!(
            parse(b"data\n\ndata\ndata\n\ndata:"),
            [event("", "message", ""), event("", "message", "\n")]
        );
    }

    #[test]
    fn the_id_stays_until_it_is_set_again() {
        assert_eq!(
            parse(b"id: 7\r\nevent: price\r\ndata: a\r\n\r\n:\r\n\r\ndata: b\r\r"),
            [event("7", "price", "a"), event("7", "message", "b")]
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut parser = Parser::new();
        let line = [b'x'; 1000];
        let pushed = (0..2_000).find(|_| parser.push(&line).is_err());
        assert_eq!(pushed, Some(EVENT_BYTES_MAX / 1000));
        let mut parser = Parser::new();
        let pushed = (0..2_000_000).find(|_| parser.push(b"data:abc\n").is_err());
        assert_eq!(pushed, Some(EVENT_BYTES_MAX / 8));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            text in "(id: ?[0-9]{1,3}|data: ?[a-z]{0,5}|event:[a-z]|:|x)?(\r|\n|\r\n){1,2}((id: ?[0-9]{1,3}|data: ?[a-z]{0,5}|event:[a-z]|:)?(\r|\n|\r\n)){0,20}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut parser = Parser::new();
            let mut events = parser.push(head).expect("short");
            events.extend(parser.push(tail).expect("short"));
            prop_assert_eq!(events, parse(bytes));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = Parser::new().push(&bytes);
        }
    }
}
