package touchstone

import (
	"crypto/sha256"
	"errors"
	"math"
)

// epochRecord is an epoch record of the right form; tree is its normal form.
type epochRecord struct {
	tree             map[string]any
	epoch            int64
	manifestHash     []byte
	keys             []suiteKey
	coinShares       int
	memberSignatures [][]byte
	groupSignatures  []suiteSignature
}

type suiteKey struct {
	suite  Suite
	key    []byte
	shares int
}

type suiteSignature struct {
	suite     Suite
	signature []byte
}

func readRecord(o *object) *epochRecord {
	r := &epochRecord{
		tree:             o.members,
		epoch:            o.integer("epoch", 0, math.MaxUint32),
		manifestHash:     o.hexadecimal("manifest_hash", 32),
		coinShares:       len(o.hexadecimals("coin_shares", 32)),
		memberSignatures: o.hexadecimals("member_signatures", 64),
	}
	o.hexadecimal("coin_key", 32)
	o.hexadecimal("transcript", 32)
	for _, item := range o.objects("keys") {
		suite := item.suite("suite", item.text("suite"))
		key := suiteKey{suite, item.hexadecimal("group_key", -1), len(item.hexadecimals("verifying_shares", -1))}
		r.keys = append(r.keys, key)
		item.finish()
	}
	for _, item := range o.objects("group_signatures") {
		suite := item.suite("suite", item.text("suite"))
		r.groupSignatures = append(r.groupSignatures, suiteSignature{suite, item.hexadecimal("signature", -1)})
		item.finish()
	}
	o.finish()
	return r
}

// digest is what members and the group sign.
func (r *epochRecord) digest() [32]byte {
	signed := map[string]any{}
	for _, name := range []string{"epoch", "manifest_hash", "keys", "coin_key", "coin_shares", "transcript"} {
		signed[name] = r.tree[name]
	}
	return sha256.Sum256(append([]byte("touchstone/epo/1"), canonicalJSON(signed)...))
}

// check refuses a record that does not fit its manifest.
func (r *epochRecord) check(m *manifest) error {
	hash := m.hash()
	if r.epoch != m.epoch || string(r.manifestHash) != string(hash[:]) {
		return errors.New("epoch record: it is the record of another manifest")
	}
	if len(r.keys) != len(m.suites) {
		return errors.New("epoch record: its suites are not the manifest's")
	}
	fits := r.coinShares == len(m.members)
	for i, key := range r.keys {
		if key.suite != m.suites[i] {
			return errors.New("epoch record: its suites are not the manifest's")
		}
		fits = fits && key.shares == len(m.members)
	}
	if !fits {
		return errors.New("epoch record: it must hold one verifying share for each member")
	}
	return nil
}
