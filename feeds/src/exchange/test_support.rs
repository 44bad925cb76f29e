//! What the adapters' tests share.

use touchstone_types::FeedName;

use super::{Exchange, ParseError};
use crate::Quote;

/// The quotes of a body whose endpoint is found by its shape.
pub(super) fn quotes(source: &str, pair: &str, body: &[u8]) -> Result<Vec<Quote>, ParseError> {
    let exchange = Exchange::by_name(source).expect(source);
    let endpoint = exchange.detect(body)?;
    exchange.parse(FeedName::new(pair).expect(pair), endpoint, body)
}

/// Checks that each body is refused with a message that holds the text beside it.
pub(super) fn check_all(source: &str, pair: &str, bodies: &[(&str, &str)]) {
    for (body, want) in bodies {
        let error = quotes(source, pair, body.as_bytes())
            .expect_err(body)
            .to_string();
        assert!(
            error.contains(want),
            "{body}\n gave {error:?}\n not {want:?}"
        );
    }
}
