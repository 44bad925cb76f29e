//! A member that floods makes an honest one keep a bounded amount, whatever it sends.

use touchstone_fuzz::flood::{growth, kinds};

/// What one flooding member of 4 may pin in memory, in bytes, with whatever it sends in one round or in all of them.
const HEAP_BYTES_MAX: u64 = 4 << 20;

/// One test of its process: memory is measured by the process's own count of allocations.
#[test]
fn twice_the_flood_is_not_twice_the_memory() {
    for kind in kinds().filter(|kind| *kind != "everything that is kept") {
        let (messages, some, _) = growth(4, kind, 400).expect("a kind");
        assert_eq!(messages, 400, "{kind}");
        let (_, more, kept) = growth(4, kind, 1_600).expect("a kind");
        assert!(
            more <= some + some / 2 + 65_536,
            "{kind}: {some} bytes after 400, {more} after 1,600, {kept} things kept"
        );
    }
    let (_, bytes, kept) = growth(4, "everything that is kept", 30_000).expect("a kind");
    assert!(
        kept > 500,
        "{kept} things are kept: the flood does not reach what it shall"
    );
    assert!(bytes < HEAP_BYTES_MAX, "{bytes} bytes for {kept} things");
}
