package touchstone

import "crypto/sha256"

// Inclusion proofs of RFC 9162 section 2.1 over SHA-256.

func leafHash(data []byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, data...))
}

func nodeHash(left, right [32]byte) [32]byte {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// pathLength is the length that the proof of leaf index in a tree of size leaves must have, and false if there is no such leaf.
func pathLength(index, size uint16) (int, bool) {
	if index >= size {
		return 0, false
	}
	length := 0
	for last := size - 1; last > 0; last /= 2 {
		// Only a last node without a right neighbour is carried up without a sibling.
		if index%2 == 1 || index < last {
			length++
		}
		index /= 2
	}
	return length, true
}

// included says whether the leaf hash stands at index in the tree with this root (RFC 9162 section 2.1.3.2).
func included(leaf [32]byte, index, size uint16, path [][32]byte, root [32]byte) bool {
	if length, ok := pathLength(index, size); !ok || length != len(path) {
		return false
	}
	last, hash := size-1, leaf
	for _, sibling := range path {
		if index%2 == 1 || index == last {
			hash = nodeHash(sibling, hash)
			for index%2 == 0 && index != 0 {
				index /= 2
				last /= 2
			}
		} else {
			hash = nodeHash(hash, sibling)
		}
		index /= 2
		last /= 2
	}
	return last == 0 && hash == root
}
