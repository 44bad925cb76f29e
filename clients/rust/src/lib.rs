//! Verifies Touchstone prices: a no_std verifier, an HTTP client and the touchstone command
