package touchstone

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
)

const (
	updateVersion  = 1
	statementMagic = "touchstone/att/1"
	leafBytes      = 92
)

// Statement is what the group signs once per round: 134 bytes. It commits to prices, but holds none.
type Statement struct {
	// NetworkID is the hash of the network's genesis manifest.
	NetworkID [32]byte
	// Epoch says which manifest is in force.
	Epoch uint32
	// Round is strictly increasing per network.
	Round uint64
	// TimestampMs is the lower median of the contributors' clocks, in Unix milliseconds.
	TimestampMs uint64
	// FeedCount is the number of leaves under FeedsRoot.
	FeedCount uint16
	// FeedsRoot is the root of the tree of leaves.
	FeedsRoot [32]byte
	// ObservationsRoot is the root of the tree of contributors' observations.
	ObservationsRoot [32]byte
}

// Bytes returns the 134 bytes.
func (s Statement) Bytes() []byte {
	out := append([]byte(statementMagic), s.NetworkID[:]...)
	out = binary.BigEndian.AppendUint32(out, s.Epoch)
	out = binary.BigEndian.AppendUint64(out, s.Round)
	out = binary.BigEndian.AppendUint64(out, s.TimestampMs)
	out = binary.BigEndian.AppendUint16(out, s.FeedCount)
	out = append(out, s.FeedsRoot[:]...)
	return append(out, s.ObservationsRoot[:]...)
}

// Digest is SHA-256 of the 134 bytes: the message that is signed, in every suite.
func (s Statement) Digest() [32]byte { return sha256.Sum256(s.Bytes()) }

func readStatement(r *reader) Statement {
	return Statement{
		NetworkID:        r.hash("network_id"),
		Epoch:            r.u32("epoch"),
		Round:            r.u64("round"),
		TimestampMs:      r.u64("timestamp_ms"),
		FeedCount:        r.u16("feed_count"),
		FeedsRoot:        r.hash("feeds_root"),
		ObservationsRoot: r.hash("observations_root"),
	}
}

// leaf is one feed's result in one round.
type leaf struct {
	bytes        []byte
	feed         Feed
	status       Status
	exponent     int
	price        *big.Int
	low          *big.Int
	high         *big.Int
	observedAtMs uint64
	observers    uint16
}

// readLeaf reads a leaf, and refuses what no leaf may hold.
func readLeaf(r *reader) leaf {
	start := r.rest
	feed, isFeed := feedOfBytes(r.take(feedBytes, "leaf feed"))
	if !isFeed {
		r.refuse("invalid-leaf", "leaf feed: not a zero-padded BASE-QUOTE name")
	}
	status := Status(r.u8("leaf status"))
	if status&^statusKnown != 0 {
		r.refuse("invalid-leaf", "leaf status: unknown bits")
	}
	l := leaf{
		feed:         feed,
		status:       status,
		exponent:     int(int8(r.u8("leaf exponent"))),
		price:        r.i128("leaf price"),
		low:          r.i128("leaf low"),
		high:         r.i128("leaf high"),
		observedAtMs: r.u64("leaf observed_at_ms"),
		observers:    r.u16("leaf observers"),
	}
	if abs(l.exponent) > exponentMax {
		r.refuse("invalid-leaf", "leaf exponent: must be from -%d to %d", exponentMax, exponentMax)
	}
	priced := l.price.Sign() != 0 || l.low.Sign() != 0 || l.high.Sign() != 0
	if l.status&Unavailable != 0 && priced {
		r.refuse("invalid-leaf", "leaf status: unavailable, yet it has a price")
	}
	if l.low.Cmp(l.price) > 0 || l.price.Cmp(l.high) > 0 {
		r.refuse("invalid-leaf", "leaf price: must lie from low to high")
	}
	if r.err == nil {
		l.bytes = start[:leafBytes:leafBytes]
	}
	return l
}

// entry is one feed of an update with its inclusion proof, from the leaf's sibling upwards.
type entry struct {
	leaf  leaf
	index uint16
	path  [][32]byte
}

func readEntry(r *reader, feedCount uint16) entry {
	e := entry{leaf: readLeaf(r), index: r.u16("leaf_index")}
	length := int(r.u8("path_len"))
	expected, ok := pathLength(e.index, feedCount)
	switch {
	case r.err != nil:
		return e
	case !ok:
		r.refuse("leaf-index", "leaf_index %d: the statement has %d feeds", e.index, feedCount)
		return e
	case length != expected:
		r.refuse("path-length", "path of leaf %d has %d hashes, must have %d", e.index, length, expected)
		return e
	}
	for i := 0; i < length; i++ {
		e.path = append(e.path, r.hash("path"))
	}
	return e
}

// priceUpdate is an update of the right form. Whether it is true, its signature and checkInclusion say.
type priceUpdate struct {
	suite     Suite
	statement Statement
	signature []byte
	entries   []entry
}

// readUpdate reads exactly one update, from the first byte to the last.
func readUpdate(data []byte) (*priceUpdate, error) {
	r := &reader{rest: data}
	if version := r.u8("version"); version != updateVersion {
		r.refuse("unknown-version", "version %d: this reader knows version %d only", version, updateVersion)
	}
	u := &priceUpdate{suite: Suite(r.u8("suite"))}
	if u.suite.signatureBytes() == 0 {
		r.refuse("unknown-suite", "%v: known are 1 (ed25519) and 2 (secp256k1-keccak)", u.suite)
	}
	u.statement = readStatement(r)
	u.signature = r.take(u.suite.signatureBytes(), "signature")
	count := int(r.u8("count"))
	if count == 0 {
		r.refuse("no-entries", "count is 0: an update has at least one entry")
	}
	for i := 0; i < count && r.err == nil; i++ {
		e := readEntry(r, u.statement.FeedCount)
		if i > 0 && u.entries[i-1].index >= e.index {
			r.refuse("leaf-order", "leaf_index %d: indices must be strictly ascending", e.index)
		}
		u.entries = append(u.entries, e)
	}
	r.finish()
	if r.err != nil {
		return nil, r.err
	}
	return u, nil
}

// checkInclusion refuses a leaf that is not under the statement's root.
func (u *priceUpdate) checkInclusion() error {
	for _, e := range u.entries {
		if !included(leafHash(e.leaf.bytes), e.index, u.statement.FeedCount, e.path, u.statement.FeedsRoot) {
			return refuse(KindVerify, "inclusion", "%s (leaf %d) is not included under feeds_root", e.leaf.feed, e.index)
		}
	}
	return nil
}
