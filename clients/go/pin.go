package touchstone

import (
	"bytes"
	"fmt"
	"os"
)

const memberTag = "touchstone/eid/1"

// Pin is network.json: the genesis manifest and epoch record, and any later ones.
type Pin struct {
	epochs []pinnedEpoch
}

type pinnedEpoch struct {
	manifest *manifest
	record   *epochRecord
}

// ParsePin reads a pin and checks the forms and that the manifests are a chain of hashes. The signatures are checked by
// [NewVerifierFromPin], and the group keys with them.
func ParsePin(text []byte) (*Pin, error) {
	tree, err := parseJSON(text)
	if err != nil {
		return nil, refuse(KindPin, "bad-pin", "not a pin: %v", err)
	}
	var failed error
	o := newObject(tree, "", &failed)
	o.setDefault("later", []any{})
	pin := &Pin{[]pinnedEpoch{{readManifest(o.object("genesis_manifest")), readRecord(o.object("genesis_record"))}}}
	for _, later := range o.objects("later") {
		pin.epochs = append(pin.epochs, pinnedEpoch{readManifest(later.object("manifest")), readRecord(later.object("record"))})
		later.finish()
	}
	o.finish()
	if failed == nil {
		failed = pin.checkChain()
	}
	if failed != nil {
		return nil, refuse(KindPin, "bad-pin", "not a pin: %v", failed)
	}
	return pin, nil
}

// LoadPin reads the pin in a file. See [ParsePin].
func LoadPin(path string) (*Pin, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParsePin(text)
}

// NetworkID is the hash of the genesis manifest.
func (p *Pin) NetworkID() [32]byte { return p.epochs[0].manifest.hash() }

// Network is the network's name, for people. It is in the newest manifest and proves nothing.
func (p *Pin) Network() string { return p.newest().network }

// Epoch is the newest epoch that the pin knows.
func (p *Pin) Epoch() uint32 { return uint32(p.newest().epoch) }

// Feeds is the feeds of the newest manifest.
func (p *Pin) Feeds() []Feed {
	var feeds []Feed
	for _, feed := range p.newest().feeds {
		feeds = append(feeds, feed.name)
	}
	return feeds
}

func (p *Pin) newest() *manifest { return p.epochs[len(p.epochs)-1].manifest }

func (p *Pin) checkChain() error {
	for i, e := range p.epochs {
		if err := e.manifest.check(); err != nil {
			return fmt.Errorf("epoch %d: %w", e.manifest.epoch, err)
		}
		if err := e.record.check(e.manifest); err != nil {
			return fmt.Errorf("epoch %d: %w", e.manifest.epoch, err)
		}
		if e.manifest.epoch != int64(i) {
			return fmt.Errorf("epoch %d: epochs must start at 0 and follow each other", e.manifest.epoch)
		}
		if i > 0 && *e.manifest.previous != p.epochs[i-1].manifest.hash() {
			return fmt.Errorf("epoch %d: its manifest names another one before it", i)
		}
		if !sameKeys(e.record.keys, p.epochs[0].record.keys) {
			return fmt.Errorf("epoch %d: its group keys are not those of genesis", i)
		}
	}
	return nil
}

func sameKeys(a, b []suiteKey) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].suite != b[i].suite || !bytes.Equal(a[i].key, b[i].key) {
			return false
		}
	}
	return true
}

// NewVerifierFromPin is the verifier of a pinned network.
//
// The group's signature on every epoch record and the members' signatures on the genesis record are checked: whoever wrote the
// pin held records of keys that work. That they are the right ones is what the pin is trusted for.
func NewVerifierFromPin(pin *Pin) (*Verifier, error) {
	if pin == nil || len(pin.epochs) == 0 {
		return nil, refuse(KindArgument, "invalid-argument", "a pin is made by ParsePin or LoadPin")
	}
	var keys []GroupKey
	for _, entry := range pin.epochs[0].record.keys {
		key, err := NewGroupKey(entry.suite, entry.key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	for _, e := range pin.epochs {
		for _, key := range keys {
			if err := e.record.checkGroupSignature(key); err != nil {
				return nil, err
			}
		}
	}
	genesis := pin.epochs[0]
	if err := genesis.record.checkMemberSignatures(genesis.manifest.members); err != nil {
		return nil, err
	}
	return NewVerifier(pin.NetworkID(), keys...)
}

func (r *epochRecord) checkGroupSignature(key GroupKey) error {
	for _, signed := range r.groupSignatures {
		if signed.suite != key.suite {
			continue
		}
		if key.verifies(r.digest(), signed.signature) {
			return nil
		}
		return refuse(KindPin, "bad-epoch-signature", "epoch %d: the %v signature on the record is not the group key's", r.epoch, key.suite)
	}
	return refuse(KindPin, "bad-epoch-signature", "epoch %d: the record lacks the group's %v signature", r.epoch, key.suite)
}

func (r *epochRecord) checkMemberSignatures(members []member) error {
	if len(r.memberSignatures) != len(members) {
		return refuse(KindPin, "bad-member-signature", "genesis record: %d members' signatures, must be %d", len(r.memberSignatures), len(members))
	}
	digest := r.digest()
	message := append([]byte(memberTag), digest[:]...)
	for i, member := range members {
		if !edPrimeOrderKey(member.identity) || !edVerifyZip215(member.identity, message, r.memberSignatures[i]) {
			return refuse(KindPin, "bad-member-signature", "genesis record: the signature of member %d is not its identity's", i)
		}
	}
	return nil
}
