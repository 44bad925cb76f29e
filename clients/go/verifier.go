package touchstone

import (
	"encoding/hex"
	"fmt"
)

// Verifier is what a consumer pins: the network's id for ever, and its group key in one or more suites. It may be shared.
type Verifier struct {
	networkID [32]byte
	keys      []GroupKey
}

// NewVerifier pins a network by its id and group keys. Of several keys of one suite the first counts.
func NewVerifier(networkID [32]byte, keys ...GroupKey) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, refuse(KindArgument, "no-key", "pin at least one group key")
	}
	for _, key := range keys {
		if key.bytes == nil {
			return nil, refuse(KindArgument, "no-key", "a group key is made by NewGroupKey")
		}
	}
	return &Verifier{networkID, append([]GroupKey(nil), keys...)}, nil
}

// NewVerifierHex is NewVerifier for an id and an Ed25519 group key as people copy them, in hexadecimal.
func NewVerifierHex(networkID, ed25519Key string) (*Verifier, error) {
	id, err := hex.DecodeString(networkID)
	if err != nil || len(id) != 32 {
		return nil, refuse(KindArgument, "invalid-hex", "network id: must be 32 bytes in hexadecimal")
	}
	data, err := hex.DecodeString(ed25519Key)
	if err != nil {
		return nil, refuse(KindArgument, "invalid-hex", "group key: must be hexadecimal")
	}
	key, err := NewGroupKey(Ed25519, data)
	if err != nil {
		return nil, err
	}
	var pinned [32]byte
	copy(pinned[:], id)
	return NewVerifier(pinned, key)
}

// NetworkID is the pinned network.
func (v *Verifier) NetworkID() [32]byte { return v.networkID }

// Suites is the suites of which a key is pinned, in ascending order.
func (v *Verifier) Suites() []Suite {
	var suites []Suite
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		if _, ok := v.key(suite); ok {
			suites = append(suites, suite)
		}
	}
	return suites
}

// Verify verifies a binary price update: its form, the network, the group's signature, and the inclusion of every leaf, in this
// order. The error is an [*Error] with the code of the first that fails.
func (v *Verifier) Verify(data []byte) (*VerifiedUpdate, error) {
	data = append([]byte(nil), data...)
	update, err := readUpdate(data)
	if err != nil {
		return nil, err
	}
	if update.statement.NetworkID != v.networkID {
		return nil, refuse(KindVerify, "wrong-network", "the update is of network %x, pinned is %x", update.statement.NetworkID, v.networkID)
	}
	key, ok := v.key(update.suite)
	if !ok {
		return nil, refuse(KindVerify, "unsupported-suite", "the update is signed with %v, for which no group key is pinned", update.suite)
	}
	if !key.verifies(update.statement.Digest(), update.signature) {
		return nil, refuse(KindVerify, "bad-signature", "the %v signature is not the pinned group key's over this statement", update.suite)
	}
	if err := update.checkInclusion(); err != nil {
		return nil, err
	}
	return &VerifiedUpdate{update, data}, nil
}

func (v *Verifier) key(suite Suite) (GroupKey, bool) {
	for _, key := range v.keys {
		if key.suite == suite {
			return key, true
		}
	}
	return GroupKey{}, false
}

// VerifiedUpdate is a price update that the pinned network signed; only [Verifier.Verify] makes one. It shows what it is about,
// but no number: [VerifiedUpdate.Price] hands those out, against a stated policy.
type VerifiedUpdate struct {
	update *priceUpdate
	bytes  []byte
}

// Statement is what the group signed.
func (u *VerifiedUpdate) Statement() Statement { return u.update.statement }

// Suite is the suite of the signature that was checked.
func (u *VerifiedUpdate) Suite() Suite { return u.update.suite }

// Epoch is the epoch.
func (u *VerifiedUpdate) Epoch() uint32 { return u.update.statement.Epoch }

// Round is the round.
func (u *VerifiedUpdate) Round() uint64 { return u.update.statement.Round }

// TimestampMs is the round's time in Unix milliseconds.
func (u *VerifiedUpdate) TimestampMs() uint64 { return u.update.statement.TimestampMs }

// Feeds is the feeds that the update holds, in the order of their leaves.
func (u *VerifiedUpdate) Feeds() []Feed {
	feeds := make([]Feed, len(u.update.entries))
	for i, e := range u.update.entries {
		feeds[i] = e.leaf.feed
	}
	return feeds
}

// Status is a feed's status, and false if the update does not hold the feed.
func (u *VerifiedUpdate) Status(feed Feed) (Status, bool) {
	l := u.leaf(feed)
	if l == nil {
		return 0, false
	}
	return l.status, true
}

// Bytes is the binary form, to keep or to hand on to another verifier.
func (u *VerifiedUpdate) Bytes() []byte { return append([]byte(nil), u.bytes...) }

// Format shows what the update is about, and no number, whatever the verb.
func (u VerifiedUpdate) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "update of network %x, epoch %d, round %d, %v, feeds %v",
		u.update.statement.NetworkID, u.Epoch(), u.Round(), u.Suite(), u.Feeds())
}

func (u *VerifiedUpdate) leaf(feed Feed) *leaf {
	for i := range u.update.entries {
		if l := &u.update.entries[i].leaf; l.feed == feed {
			return l
		}
	}
	return nil
}
