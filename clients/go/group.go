package touchstone

import "encoding/hex"

// GroupKey is the group's public key in one suite, checked once: canonical, and of prime order. It signs statements and epoch
// records and nothing else.
type GroupKey struct {
	suite Suite
	bytes []byte
	point *secpPoint
}

// NewGroupKey reads and checks a group key.
func NewGroupKey(suite Suite, key []byte) (GroupKey, error) {
	if suite.signatureBytes() == 0 {
		return GroupKey{}, refuse(KindKey, "unsupported-suite", "%v is not known", suite)
	}
	if len(key) != suite.keyBytes() {
		return GroupKey{}, refuse(KindKey, "bad-group-key", "group key of suite %v: %d bytes, must be %d", suite, len(key), suite.keyBytes())
	}
	checked := GroupKey{suite: suite, bytes: append([]byte(nil), key...)}
	if suite == Ed25519 {
		if !edPrimeOrderKey(key) {
			return GroupKey{}, refuse(KindKey, "bad-group-key", "group key of suite %v: not the canonical encoding of a point of prime order", suite)
		}
		return checked, nil
	}
	if checked.point = secpKey(key); checked.point == nil {
		return GroupKey{}, refuse(KindKey, "bad-group-key", "group key of suite %v: not a compressed point with x below n", suite)
	}
	return checked, nil
}

// Suite is the key's suite.
func (k GroupKey) Suite() Suite { return k.suite }

// String is the key in hexadecimal.
func (k GroupKey) String() string { return hex.EncodeToString(k.bytes) }

// verifies says whether the group signed this SHA-256 digest of a statement or an epoch record.
func (k GroupKey) verifies(digest [32]byte, signature []byte) bool {
	switch {
	case k.point != nil:
		return secpVerify(k.point, digest[:], signature)
	case k.bytes != nil:
		return edVerifyStrict(k.bytes, digest[:], signature)
	}
	return false
}
