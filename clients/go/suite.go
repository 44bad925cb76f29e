package touchstone

import "fmt"

// Suite is a signature suite of a network, by its byte in the wire form.
type Suite byte

// The suites.
const (
	// Ed25519 is FROST(Ed25519, SHA-512) of RFC 9591: an ordinary Ed25519 signature.
	Ed25519 Suite = 1
	// Secp256k1Keccak is FROST over secp256k1 with Keccak-256, for EVM verifiers: R.x, R.y, z.
	Secp256k1Keccak Suite = 2
)

// ParseSuite returns the suite of a name in JSON.
func ParseSuite(name string) (Suite, error) {
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		if suite.String() == name {
			return suite, nil
		}
	}
	return 0, refuse(KindKey, "unsupported-suite", "suite %q is not known", name)
}

// String is the suite's name in JSON.
func (s Suite) String() string {
	switch s {
	case Ed25519:
		return "ed25519"
	case Secp256k1Keccak:
		return "secp256k1-keccak"
	}
	return fmt.Sprintf("suite %d", byte(s))
}

// signatureBytes is the length of a group signature, and 0 of a suite that is not known.
func (s Suite) signatureBytes() int {
	switch s {
	case Ed25519:
		return 64
	case Secp256k1Keccak:
		return 96
	}
	return 0
}

// keyBytes is the length of a group key.
func (s Suite) keyBytes() int {
	if s == Ed25519 {
		return 32
	}
	return 33
}
