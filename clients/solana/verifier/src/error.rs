//! Every refusal, with the number that a transaction reports and the stable code of all clients.

use core::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $code:literal;)*) => {
        /// Why something is refused. The number is the `Custom` error of the transaction.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum Error { $($(#[$doc])* $name = $number,)* }

        impl Error {
            /// Every error, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number in `InstructionError::Custom`.
            pub const fn number(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// A stable name. Those of the shared vectors are the same in every client and contract.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

errors! {
    // The price update.
    /// The update ends too early.
    Truncated = 1, "truncated";
    /// Something follows the update.
    Trailing = 2, "trailing-bytes";
    /// Another version byte.
    Version = 3, "unknown-version";
    /// A suite byte that is not known.
    Suite = 4, "unknown-suite";
    /// An update without an entry.
    Empty = 5, "no-entries";
    /// Leaf indices that do not strictly ascend.
    Order = 6, "leaf-order";
    /// A leaf index that a tree of `feed_count` leaves does not have.
    Index = 7, "leaf-index";
    /// A path of another length than index and count imply.
    PathLength = 8, "path-length";
    /// A feed name, status or price that no leaf may hold.
    Leaf = 9, "invalid-leaf";
    /// A statement of another network than the config's.
    WrongNetwork = 10, "wrong-network";
    /// A suite of which the config holds no key: this program knows Ed25519.
    UnsupportedSuite = 11, "unsupported-suite";
    /// Instructions of the Ed25519 program are in the transaction, but none that checks this signature of the config's key
    /// over this statement, and only that.
    BadSignature = 12, "bad-signature";
    /// A leaf that is not under the signed `feeds_root`.
    Inclusion = 13, "inclusion";
    /// A group key of the wrong length, not on the curve, not canonical, or not of prime order.
    GroupKey = 14, "bad-group-key";

    // What a price is asked for.
    /// The account holds another feed than the one asked for.
    NoFeed = 20, "no-feed";
    /// The round is older than allowed.
    TooOld = 21, "too-old";
    /// A timestamp is further ahead of the clock than allowed.
    Ahead = 22, "ahead-of-now";
    /// The trades behind the price are older than allowed.
    TradeTooOld = 23, "trade-too-old";
    /// The round is not above the last one seen.
    NotNewer = 24, "not-newer";
    /// Fewer members than asked for observed the feed.
    TooFewObservers = 25, "too-few-observers";
    /// A status bit that is not allowed by name.
    Status = 26, "status";
    /// The feed has no price in this round.
    Unavailable = 27, "unavailable";

    // Accounts and instructions.
    /// An instruction that the program does not have.
    UnknownInstruction = 40, "unknown-instruction";
    /// Not exactly the accounts that the instruction takes; of an update, one for each entry.
    AccountCount = 41, "account-count";
    /// One account given twice.
    DuplicateAccount = 42, "duplicate-account";
    /// An account that the program does not own.
    WrongOwner = 43, "wrong-owner";
    /// An account of another kind, version or length.
    WrongKind = 44, "wrong-kind";
    /// Not the address that the seeds give.
    WrongAddress = 45, "wrong-address";
    /// An account that must be writable and is not.
    NotWritable = 46, "not-writable";
    /// The account exists.
    Exists = 47, "exists";
    /// Not the instructions sysvar.
    WrongSysvar = 48, "wrong-sysvar";
    /// A price account of another config.
    WrongConfig = 49, "wrong-config";
    /// The transaction holds no instruction of the Ed25519 program.
    NoPrecompile = 50, "no-precompile";
    /// The account was created, but no update has been stored in it.
    NoPrice = 51, "no-price";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_unique() {
        for (i, a) in Error::ALL.iter().enumerate() {
            assert_ne!(a.number(), 0, "0 is success");
            for b in Error::ALL.iter().skip(i + 1) {
                assert!(a.number() < b.number());
                assert_ne!(a.code(), b.code());
            }
        }
    }
}
