//! Inclusion proofs of RFC 9162, section 2.1.3, over SHA-256.

use crate::{Hash, Sha256, bytes::equal};

/// The length that the proof of leaf `index` in a tree of `size` leaves must have; `None` if there is no such leaf.
#[inline(always)]
pub fn path_len(index: u16, size: u16) -> Option<usize> {
    let mut last = size.checked_sub(1)?;
    if index > last {
        return None;
    }
    let (mut at, mut len) = (index, 0usize);
    while last > 0 {
        // Only a last node without a right neighbour is carried up without a sibling.
        if at & 1 == 1 || at < last {
            len = len.wrapping_add(1); // at most 16
        }
        at >>= 1;
        last >>= 1;
    }
    Some(len)
}

/// Whether the leaf of these bytes stands at `index` in the tree of `size` leaves with this root. A path of any other length
/// than `index` and `size` imply is refused.
#[inline(always)]
pub fn verify(
    leaf: &[u8],
    index: u16,
    size: u16,
    path: &[Hash],
    root: &Hash,
    sha256: &impl Sha256,
) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let mut at = index;
    let mut hash = sha256.hash(&[&[0], leaf]);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = sha256.hash(&[&[1], sibling, &hash]);
            // A last node without a sibling is its own parent.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = sha256.hash(&[&[1], &hash, sibling]);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && equal(&hash, root)
}
