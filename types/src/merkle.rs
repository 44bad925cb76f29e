//! Merkle trees and inclusion proofs of RFC 9162 section 2.1 over SHA-256.

use alloc::vec::Vec;

use crate::{Digest, sha256};

/// Hash of a leaf's bytes: `SHA-256(0x00 || bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    sha256(&[&[0], bytes])
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    sha256(&[&[1], &left.0, &right.0])
}

/// Root of the tree over leaf hashes (RFC 9162 section 2.1.1). The root of no leaves is the hash of nothing.
///
/// A left-complete tree is the same as pairing neighbours level by level and carrying an odd one up.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or_else(|| sha256(&[]))
}

/// Inclusion proof of leaf `index` (RFC 9162 section 2.1.3.1), from the leaf's sibling upwards; `None` if there is no such leaf.
pub fn path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    let mut out = Vec::new();
    let (mut level, mut at) = (leaves.to_vec(), index);
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            out.push(*sibling);
        }
        level = parents(&level);
        at /= 2;
    }
    Some(out)
}

fn parents(level: &[Digest]) -> Vec<Digest> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node_hash(*left, *right),
            [odd] => *odd,
            _ => sha256(&[]),
        })
        .collect()
}

/// The length that the proof of leaf `index` in a tree of `size` leaves must have; `None` if there is no such leaf.
pub fn path_len(index: u64, size: u64) -> Option<usize> {
    let mut last = size.checked_sub(1)?;
    if index > last {
        return None;
    }
    let (mut at, mut len) = (index, 0usize);
    while last > 0 {
        // Only a last node without a right neighbour is carried up without a sibling.
        if at % 2 == 1 || at < last {
            len = len.saturating_add(1);
        }
        at /= 2;
        last /= 2;
    }
    Some(len)
}

/// Verifies an inclusion proof (RFC 9162 section 2.1.3.2): whether the leaf hash stands at `index` in the tree of `size`
/// leaves with this root. A path of any other length than `index` and `size` imply is refused.
pub fn verify(leaf: Digest, index: u64, size: u64, path: &[Digest], root: Digest) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let (mut at, mut hash) = (index, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(*sibling, hash);
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && hash == root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// MTH of RFC 9162 section 2.1.1, word for word.
    fn mth(leaves: &[Digest]) -> Digest {
        match leaves.len() {
            0 => sha256(&[]),
            1 => leaves[0],
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(mth(&leaves[..k]), mth(&leaves[k..]))
            }
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved() {
        for size in 0..70 {
            let leaves = leaves(size);
            let root = root(&leaves);
            assert_eq!(root, mth(&leaves));
            assert_eq!(path(&leaves, size), None);
            for index in 0..size {
                let path = path(&leaves, index).expect("in range");
                let (i, n) = (index as u64, size as u64);
                assert_eq!(path_len(i, n), Some(path.len()), "{index} of {size}");
                assert!(
                    verify(leaves[index], i, n, &path, root),
                    "{index} of {size}"
                );
                for wrong in (0..size).filter(|w| *w != index) {
                    assert!(!verify(leaves[index], wrong as u64, n, &path, root));
                }
                let longer: Vec<_> = path.iter().copied().chain([root]).collect();
                assert!(!verify(leaves[index], i, n, &longer, root));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!verify(leaves[index], i, n, shorter, root));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_refused(size in 1usize..200, pick in any::<prop::sample::Index>(), bit in 0usize..256, which in any::<prop::sample::Index>()) {
            let leaves = leaves(size);
            let index = pick.index(size);
            let root = root(&leaves);
            let mut path = path(&leaves, index).expect("in range");
            let mut leaf = leaves[index];
            let slot = which.index(path.len() + 1);
            path.get_mut(slot).unwrap_or(&mut leaf).0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify(leaf, index as u64, size as u64, &path, root));
        }

        #[test]
        fn path_len_is_total(index in any::<u64>(), size in any::<u64>()) {
            prop_assert_eq!(path_len(index, size).is_some(), index < size);
        }
    }
}
