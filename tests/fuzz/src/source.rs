//! Choices drawn from bytes, so that a fuzzer that changes a byte changes a choice.

/// A cursor over the bytes that decide what happens. Where they end, every choice is the first one.
pub(crate) struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// A number below `count`, which is from 1 to 256.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// One of the items; none if there are none.
    pub(crate) fn pick<'b, T>(&mut self, items: &'b [T]) -> Option<&'b T> {
        if items.is_empty() {
            return None;
        }
        items.get(self.below(items.len().min(256)))
    }

    /// True for `in_256` of 256 bytes; never at the end.
    pub(crate) fn chance(&mut self, in_256: u8) -> bool {
        let byte = self.byte();
        byte > u8::MAX - in_256
    }

    pub(crate) fn u64(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }
}
