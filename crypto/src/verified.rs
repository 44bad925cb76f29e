//! "Did someone check this?", answered by the type.
//!
//! [`Verified`] is made by the two `verify` functions here and by nothing else: it has no public constructor, does not
//! implement `Deserialize`, and never will.

use alloc::vec::Vec;
use core::ops::Deref;

/// A thing that can be checked against a context of keys and parameters.
pub trait Check<C: ?Sized> {
    /// Why the thing is refused.
    type Error;

    /// Whether the thing may be believed.
    ///
    /// # Errors
    /// Why it may not.
    fn check(&self, context: &C) -> Result<(), Self::Error>;
}

/// A thing of which many are checked faster together than one by one.
pub trait CheckMany<C: ?Sized>: Check<C> + Sized {
    /// One verdict for each item, in order. It must be the verdict that [`Check::check`] gives for the item alone.
    fn check_many(items: &[&Self], context: &C) -> Vec<Result<(), Self::Error>>;
}

/// A thing that came from outside and that nobody has checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unverified<T>(T);

/// A thing that passed its check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Verified<T>(T);

/// The thing, verified, or the thing as it was and why it is refused.
pub type Verdict<T, E> = Result<Verified<T>, (T, E)>;

impl<T> Unverified<T> {
    /// Marks a thing as not checked.
    pub fn new(thing: T) -> Self {
        Self(thing)
    }

    /// Looks at the thing, to route or to drop it; what is seen is only a claim.
    pub fn peek(&self) -> &T {
        &self.0
    }

    /// Gives the thing back, still unchecked.
    pub fn into_unchecked(self) -> T {
        self.0
    }

    /// Checks the thing.
    ///
    /// # Errors
    /// The thing itself and why it is refused.
    pub fn verify<C: ?Sized>(self, context: &C) -> Verdict<T, T::Error>
    where
        T: Check<C>,
    {
        match self.0.check(context) {
            Ok(()) => Ok(Verified(self.0)),
            Err(error) => Err((self.0, error)),
        }
    }

    /// Checks many things together; the verdicts are in the order of the things.
    pub fn verify_many<C: ?Sized>(things: Vec<Self>, context: &C) -> Vec<Verdict<T, T::Error>>
    where
        T: CheckMany<C>,
    {
        let items: Vec<&T> = things.iter().map(Self::peek).collect();
        let mut verdicts = T::check_many(&items, context).into_iter();
        things
            .into_iter()
            .map(|thing| match verdicts.next() {
                Some(Ok(())) => Ok(Verified(thing.0)),
                Some(Err(error)) => Err((thing.0, error)),
                // An implementation that gives too few verdicts gets the slow path, never a free pass.
                None => thing.verify(context),
            })
            .collect()
    }
}

impl<T> Verified<T> {
    /// Gives the thing back; that it was checked is forgotten.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[derive(Debug, PartialEq)]
    struct Number(u8);

    impl Check<u8> for Number {
        type Error = u8;

        fn check(&self, limit: &u8) -> Result<(), u8> {
            if self.0 <= *limit {
                Ok(())
            } else {
                Err(*limit)
            }
        }
    }

    impl CheckMany<u8> for Number {
        fn check_many(items: &[&Self], limit: &u8) -> Vec<Result<(), u8>> {
            // Deliberately one verdict short.
            items.iter().skip(1).map(|n| n.check(limit)).collect()
        }
    }

    #[test]
    fn only_what_passes_becomes_verified() {
        let verified = Unverified::new(Number(3)).verify(&3).unwrap();
        assert_eq!(verified.0, Number(3));
        assert_eq!(Unverified::new(Number(4)).verify(&3), Err((Number(4), 3)));
    }

    #[test]
    fn a_missing_verdict_is_no_pass() {
        let things = vec![Unverified::new(Number(1)), Unverified::new(Number(9))];
        let results = Unverified::verify_many(things, &3);
        assert_eq!(results.len(), 2);
        assert!(results[1].is_err());
    }
}
