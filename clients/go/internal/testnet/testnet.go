// Package testnet makes up signed updates and pins for tests. It knows the formats on its own, so that a mistake of the reader is
// not repeated by the writer.
package testnet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"math/bits"
)

// The round that updates are of unless they say otherwise.
const (
	Now   = 1_790_000_100_000
	Round = 1_790_000_100
	Price = 6_700_000_000_000
)

var (
	// NetworkID is the network of updates that do not say otherwise.
	NetworkID = [32]byte{7}
	// Group and Stranger sign.
	Group    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	Stranger = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
)

// Leaf is one feed's result.
type Leaf struct {
	Feed             string
	Status           byte
	Exponent         int8
	Price, Low, High *big.Int
	ObservedAtMs     uint64
	Observers        uint16
}

// NewLeaf is an ordinary leaf.
func NewLeaf(feed string, price int64) Leaf {
	p := big.NewInt(price)
	return Leaf{Feed: feed, Exponent: -8, Price: p, Low: p, High: p, ObservedAtMs: Now, Observers: 4}
}

// Bytes is the 92 bytes.
func (l Leaf) Bytes() []byte {
	out := make([]byte, 32, 92)
	copy(out, l.Feed)
	out = append(out, l.Status, byte(l.Exponent))
	for _, value := range []*big.Int{l.Price, l.Low, l.High} {
		modulo := new(big.Int).Lsh(big.NewInt(1), 128)
		out = append(out, new(big.Int).Mod(value, modulo).FillBytes(make([]byte, 16))...)
	}
	out = binary.BigEndian.AppendUint64(out, l.ObservedAtMs)
	return binary.BigEndian.AppendUint16(out, l.Observers)
}

// Update is what a group signs and serves.
type Update struct {
	NetworkID   [32]byte
	Round       uint64
	TimestampMs uint64
	Leaves      []Leaf
	Suite       byte
	// Sign signs a statement's digest.
	Sign func(digest []byte) []byte
}

// NewUpdate is an update of these leaves, or of BTC-USD, signed by the group.
func NewUpdate(leaves ...Leaf) Update {
	if len(leaves) == 0 {
		leaves = []Leaf{NewLeaf("BTC-USD", Price)}
	}
	return Update{NetworkID, Round, Now, leaves, 1, SignWith(Group)}
}

// SignWith signs with an Ed25519 key.
func SignWith(key ed25519.PrivateKey) func([]byte) []byte {
	return func(digest []byte) []byte { return ed25519.Sign(key, digest) }
}

// Bytes is the binary update with every leaf.
func (u Update) Bytes() []byte {
	var hashes [][]byte
	for _, leaf := range u.Leaves {
		hashes = append(hashes, hash(0, leaf.Bytes()))
	}
	root, paths := tree(hashes)
	tail := append(append([]byte(nil), u.NetworkID[:]...), 0, 0, 0, 0)
	tail = binary.BigEndian.AppendUint64(tail, u.Round)
	tail = binary.BigEndian.AppendUint64(tail, u.TimestampMs)
	tail = binary.BigEndian.AppendUint16(tail, uint16(len(u.Leaves)))
	tail = append(append(tail, root...), make([]byte, 32)...)
	digest := sha256.Sum256(append([]byte("touchstone/att/1"), tail...))
	out := append([]byte{1, u.Suite}, tail...)
	out = append(append(out, u.Sign(digest[:])...), byte(len(u.Leaves)))
	for i, leaf := range u.Leaves {
		out = append(out, leaf.Bytes()...)
		out = append(binary.BigEndian.AppendUint16(out, uint16(i)), byte(len(paths[i])))
		out = append(out, bytes.Join(paths[i], nil)...)
	}
	return out
}

// JSON is an answer of the API; what is not signed in it lies.
func (u Update) JSON() string {
	text, err := json.Marshal(map[string]string{"price": "1.0", "update": base64.StdEncoding.EncodeToString(u.Bytes())})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func hash(prefix byte, parts ...[]byte) []byte {
	digest := sha256.Sum256(append([]byte{prefix}, bytes.Join(parts, nil)...))
	return digest[:]
}

// tree is root and inclusion proofs, straight from the recursive definition of RFC 9162 section 2.1.
func tree(hashes [][]byte) (root []byte, paths [][][]byte) {
	if len(hashes) == 1 {
		return hashes[0], [][][]byte{nil}
	}
	split := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	left, lefts := tree(hashes[:split])
	right, rights := tree(hashes[split:])
	for _, path := range lefts {
		paths = append(paths, append(path, right))
	}
	for _, path := range rights {
		paths = append(paths, append(path, left))
	}
	return hash(1, left, right), paths
}
