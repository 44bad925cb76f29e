//! The contract ABI, as far as these contracts use it: words, and dynamic bytes.

use revm::primitives::{Bytes, U256};

/// One argument of a call.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A static value of one word.
    Word([u8; 32]),
    /// `bytes`.
    Bytes(Vec<u8>),
}

impl Arg {
    /// An unsigned number.
    pub fn uint(value: u64) -> Self {
        Self::Word(U256::from(value).to_be_bytes())
    }

    /// The arguments, heads first and tails behind them (Solidity's "Contract ABI Specification", Formal Specification of the
    /// Encoding).
    pub fn encode(args: &[Self]) -> Vec<u8> {
        let mut heads = Vec::new();
        let mut tails = Vec::new();
        for arg in args {
            match arg {
                Self::Word(word) => heads.extend_from_slice(word),
                Self::Bytes(bytes) => {
                    let at = args.len() * 32 + tails.len();
                    heads.extend_from_slice(&U256::from(at).to_be_bytes::<32>());
                    tails.extend_from_slice(&U256::from(bytes.len()).to_be_bytes::<32>());
                    tails.extend_from_slice(bytes);
                    tails.resize(tails.len().next_multiple_of(32), 0);
                }
            }
        }
        heads.extend(tails);
        heads
    }
}

/// A feed's name as contracts write it: ASCII, padded with zeros.
pub fn feed_word(name: &str) -> Arg {
    let mut word = [0; 32];
    word[..name.len()].copy_from_slice(name.as_bytes());
    Arg::Word(word)
}

/// Static return values, one word each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words(Vec<[u8; 32]>);

impl Words {
    /// Splits returned bytes.
    pub fn new(bytes: &Bytes) -> Self {
        assert_eq!(bytes.len() % 32, 0, "{} bytes", bytes.len());
        Self(
            bytes
                .chunks(32)
                .map(|w| w.try_into().expect("32 bytes"))
                .collect(),
        )
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word itself.
    pub fn word(&self, index: usize) -> [u8; 32] {
        self.0[index]
    }

    /// The word as an unsigned number, which must fit.
    pub fn uint(&self, index: usize) -> u64 {
        U256::from_be_bytes(self.0[index])
            .try_into()
            .expect("a number of 64 bits")
    }

    /// The word as a signed number, which must fit.
    pub fn int(&self, index: usize) -> i128 {
        let (high, low) = self.0[index].split_at(16);
        let value = i128::from_be_bytes(low.try_into().expect("16 bytes"));
        let sign = if value < 0 { 0xff } else { 0 };
        assert!(high.iter().all(|b| *b == sign), "wider than 128 bits");
        value
    }
}
