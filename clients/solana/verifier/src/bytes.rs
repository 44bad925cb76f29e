//! Reading and comparing bytes without indexing.

use crate::Error;

/// Takes bytes off the front of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `len` bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| *byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }
}

/// The `N` bytes at `at`.
#[inline(always)]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// The little-endian `u16` at `at`.
#[inline(always)]
pub(crate) fn u16_le_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(|bytes| u16::from_le_bytes(*bytes))
}

/// `a == b`, eight bytes at a time: the comparison that the compiler emits for this target goes byte by byte.
#[inline(always)]
pub fn equal<const N: usize>(a: &[u8; N], b: &[u8; N]) -> bool {
    let (a_words, a_rest) = a.as_chunks::<8>();
    let (b_words, b_rest) = b.as_chunks::<8>();
    let words = a_words.iter().zip(b_words);
    let difference = words.fold(0, |sum, (a, b)| {
        sum | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b))
    });
    let rest = a_rest.iter().zip(b_rest);
    difference == 0 && rest.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sees_every_bit() {
        fn check<const N: usize>() {
            let a: [u8; N] = core::array::from_fn(|i| (i * 37 + 11) as u8);
            assert!(equal(&a, &a));
            for bit in 0..N * 8 {
                let mut b = a;
                b[bit / 8] ^= 1 << (bit % 8);
                assert!(!equal(&a, &b));
            }
        }
        check::<0>();
        check::<1>();
        check::<7>();
        check::<8>();
        check::<31>();
        check::<32>();
        check::<64>();
    }

    #[test]
    fn a_reader_never_reads_past_the_end() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u16(), Err(Error::Truncated));
        assert_eq!(reader.u8(), Ok(3));
        assert_eq!(reader.take(1), Err(Error::Truncated));
        assert_eq!(reader.take(0), Ok(&[][..]));
        assert!(reader.rest().is_empty());
    }
}
