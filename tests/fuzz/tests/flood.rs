//! A member that floods makes an honest one keep a bounded amount, whatever it sends.

use touchstone_consensus::Params;
use touchstone_fuzz::{
    bound,
    flood::{growth, kinds},
};

/// One test of its process: memory is measured by the process's own count of allocations.
#[test]
fn twice_the_flood_is_not_twice_the_memory() {
    for kind in kinds().filter(|kind| *kind != "everything that is kept") {
        let (messages, some, _) = growth(4, kind, 100).expect("a kind");
        assert_eq!(messages, 100, "{kind}");
        let (_, more, kept) = growth(4, kind, 400).expect("a kind");
        assert!(
            more <= some + some / 2 + 65_536,
            "{kind}: {some} bytes after 100, {more} after 400, {kept} things kept"
        );
    }
    let (_, bytes, kept) = growth(4, "everything that is kept", 10_000).expect("a kind");
    assert!(
        kept > 5_000,
        "{kept} things are kept: the flood does not reach what it shall"
    );
    let most = bound::flooder_bytes(4, 1, 1, &Params::for_interval(1_000), false);
    assert!(
        (most / 4..=most).contains(&bytes),
        "{bytes} bytes are pinned; the formula says {most}"
    );
}
