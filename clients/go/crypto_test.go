package touchstone

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"math/rand"
	"testing"
)

var (
	edSecret = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	edKey    = []byte(edSecret.Public().(ed25519.PublicKey))
	message  = func() []byte { digest := sha256.Sum256([]byte("a statement")); return digest[:] }()
)

func littleEndianBytes(value *big.Int) []byte {
	data := value.FillBytes(make([]byte, 32))
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		data[i], data[j] = data[j], data[i]
	}
	return data
}

func (p *edPoint) encoded() []byte {
	x := edMul(p.x, new(big.Int).ModInverse(p.z, edP))
	return littleEndianBytes(new(big.Int).SetBit(p.affineY(), 255, x.Bit(0)))
}

// torsion is the eight points of small order.
func torsion(t *testing.T) []*edPoint {
	t.Helper()
	for y := int64(2); y < 100; y++ {
		if p := edDecodeMust(big.NewInt(y)); p != nil && !p.times(edL).times(big.NewInt(4)).isIdentity() {
			var points []*edPoint
			for k := int64(0); k < 8; k++ {
				points = append(points, p.times(edL).times(big.NewInt(k)))
			}
			return points
		}
	}
	t.Fatal("no point of order 8")
	return nil
}

// edScalar is the scalar of a seed (RFC 8032 section 5.1.5).
func edScalar(seed []byte) *big.Int {
	hash := sha512.Sum512(seed)
	scalar := littleEndian(hash[:32])
	for _, bit := range []int{0, 1, 2, 255} {
		scalar.SetBit(scalar, bit, 0)
	}
	return scalar.SetBit(scalar, 254, 1)
}

func TestEdwardsArithmeticAgreesWithTheLibrary(t *testing.T) {
	for i := byte(0); i < 8; i++ {
		seed := bytes.Repeat([]byte{i}, 32)
		want := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if got := edBase.times(edScalar(seed)).encoded(); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
	}
}

func TestPointsOfSmallOrderAreKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, point := range torsion(t) {
		data := point.encoded()
		seen[string(data)] = true
		for _, top := range []byte{0, 0x80} {
			data[31] ^= top
			if edCanonicalAndLarge(data) {
				t.Errorf("%x passes", data)
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d points", len(seen))
	}
}

func TestAKeyWithASmallOrderPartIsRefused(t *testing.T) {
	for _, point := range torsion(t)[1:] {
		mixed := edDecode(edKey).plus(point).encoded()
		if _, err := NewGroupKey(Ed25519, mixed); Code(err) != "bad-group-key" {
			t.Errorf("%x: %v", mixed, err)
		}
	}
}

func TestStrictRules(t *testing.T) {
	signature := ed25519.Sign(edSecret, message)
	if !edVerifyStrict(edKey, message, signature) {
		t.Error("the signature is refused")
	}
	s := littleEndian(signature[32:])
	above := append(append([]byte(nil), signature[:32]...), littleEndianBytes(s.Add(s, edL))...)
	for _, wrong := range [][]byte{nil, signature[:63], append(signature[:64:64], 0), above} {
		if edVerifyStrict(edKey, message, wrong) || edVerifyZip215(edKey, message, wrong) {
			t.Errorf("%x passes", wrong)
		}
	}
	for bit := 0; bit < 512; bit++ {
		flipped := append([]byte(nil), signature...)
		flipped[bit/8] ^= 1 << (bit % 8)
		if edVerifyStrict(edKey, message, flipped) {
			t.Errorf("bit %d can be changed", bit)
		}
	}
}

// signatureWith is a signature by the secret key whose R is chosen.
func signatureWith(encoded []byte, nonce int64) []byte {
	hash := sha512.Sum512(append(append(append([]byte(nil), encoded...), edKey...), message...))
	s := new(big.Int).Mul(littleEndian(hash[:]), edScalar(edSecret.Seed()))
	s.Add(s, big.NewInt(nonce)).Mod(s, edL)
	return append(append([]byte(nil), encoded...), littleEndianBytes(s)...)
}

func TestSmallOrderAndMixedRPassZip215AndNotTheStrictRules(t *testing.T) {
	var signatures [][]byte
	nonce := edBase.times(big.NewInt(5))
	for i, point := range torsion(t) {
		signatures = append(signatures, signatureWith(point.encoded(), 0))
		if i > 0 {
			signatures = append(signatures, signatureWith(nonce.plus(point).encoded(), 5))
		}
	}
	// y = p + 1 is the neutral element by another encoding, as is y = 1 with the sign bit.
	signatures = append(signatures, signatureWith(littleEndianBytes(edAdd(edP, big.NewInt(1))), 0))
	signatures = append(signatures, signatureWith(littleEndianBytes(new(big.Int).SetBit(big.NewInt(1), 255, 1)), 0))
	for _, signature := range signatures {
		if !edVerifyZip215(edKey, message, signature) {
			t.Errorf("%x is refused by ZIP-215", signature)
		}
		if edVerifyStrict(edKey, message, signature) {
			t.Errorf("%x passes", signature)
		}
	}
	if !edVerifyStrict(edKey, message, signatureWith(nonce.encoded(), 5)) {
		t.Error("an honest nonce is refused")
	}
}

func TestZip215RefusesWhatNobodySigned(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for i := 0; i < 30; i++ {
		signature := make([]byte, 64)
		random.Read(signature)
		signature[63] &= 0x0f
		if edVerifyZip215(edKey, message, signature) {
			t.Errorf("%x passes", signature)
		}
	}
}

func TestKeccakKnownAnswers(t *testing.T) {
	long := bytes.Repeat([]byte{'a'}, 200)
	for _, c := range []struct {
		data    []byte
		padding byte
		want    string
	}{
		{nil, keccakPadding, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
		{[]byte("abc"), keccakPadding, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
		{nil, sha3Padding, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"},
		{[]byte("abc"), sha3Padding, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
		{long[:135], sha3Padding, "8094bb53c44cfb1e67b7c30447f9a1c33696d2463ecc1d9c92538913392843c9"},
		{long[:136], sha3Padding, "3fc5559f14db8e453a0a3091edbd2bc25e11528d81c66fa570a4efdcc2695ee1"},
		{long, sha3Padding, "cce34485baf2bf2aca99b94833892a4f52896d3d153f7b840cc4f9fe695f1387"},
	} {
		if got := hex.EncodeToString(keccak(c.data, c.padding)); got != c.want {
			t.Errorf("%d bytes, padding %#x: %s, want %s", len(c.data), c.padding, got, c.want)
		}
	}
}

func TestExpandMessageOfRFC9380(t *testing.T) {
	// The suite of appendix K.1: SHA-256, 32 bytes.
	hash := func(data []byte) []byte { digest := sha256.Sum256(data); return digest[:] }
	for text, want := range map[string]string{
		"":    "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235",
		"abc": "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615",
	} {
		got := hex.EncodeToString(expandMessageXMD([]byte(text), "QUUX-V01-CS02-with-expander-SHA256-128", 32, hash, 64))
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func secpTimes(scalar *big.Int) *secpPoint { return secpCombine(scalar, secpG, new(big.Int), secpG) }

func TestSecp256k1KnownMultiples(t *testing.T) {
	for scalar, want := range map[string]string{
		"2":                   "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
		"3":                   "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
		"112233445566778899":  "02a90cc3d3f3e146daadfc74ca1372207cb4b725ae708cef713a98edd73d99ef29",
		"-1":                  "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		"9999999999999999999": "0360eb6e26a97fd038eafed7df7d64425da4ac4c382871e12b2f0607e98678cb37",
	} {
		point := secpTimes(new(big.Int).Mod(integer(scalar), secpN))
		if got := hex.EncodeToString(point.compressed()); got != want || !point.onCurve() {
			t.Errorf("%s: %s, want %s", scalar, got, want)
		}
		if !point.equals(secpDecompress(point.compressed())) {
			t.Errorf("%s: decompressed to another point", scalar)
		}
	}
}

func TestSecp256k1IsAGroup(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	for i := 0; i < 10; i++ {
		a, b := new(big.Int).Rand(random, secpN), new(big.Int).Rand(random, secpN)
		k := new(big.Int).Rand(random, secpN)
		sum := new(big.Int).Mul(b, k)
		sum.Add(sum, a).Mod(sum, secpN)
		if !secpTimes(sum).equals(secpCombine(a, secpG, b, secpTimes(k))) {
			t.Errorf("a = %v, b = %v, k = %v", a, b, k)
		}
	}
	one, zero, last := big.NewInt(1), new(big.Int), new(big.Int).Sub(secpN, big.NewInt(1))
	if secpTimes(secpN) != nil || secpTimes(zero) != nil || secpCombine(one, secpG, last, secpG) != nil {
		t.Error("infinity is a point")
	}
	if !secpCombine(one, secpG, one, secpG).equals(secpTimes(big.NewInt(2))) {
		t.Error("G + G is not 2G")
	}
}

func TestSecp256k1KeysThatMustNotBePinned(t *testing.T) {
	key := func(first byte, x *big.Int) []byte { return append([]byte{first}, x.FillBytes(make([]byte, 32))...) }
	aboveN := new(big.Int).Set(secpN)
	for secpDecompress(key(2, aboveN)) == nil {
		aboveN.Add(aboveN, big.NewInt(1))
	}
	for _, wrong := range [][]byte{
		key(2, aboveN), key(2, secpP), key(2, big.NewInt(5)), key(4, secpGx), key(0, secpGx), key(2, secpGx)[:32],
	} {
		if _, err := NewGroupKey(Secp256k1Keccak, wrong); Code(err) != "bad-group-key" {
			t.Errorf("%x: %v", wrong, err)
		}
	}
	if _, err := NewGroupKey(3, nil); Code(err) != "unsupported-suite" {
		t.Error(err)
	}
	if _, err := NewGroupKey(Secp256k1Keccak, key(2, secpGx)); err != nil {
		t.Error(err)
	}
}

// schnorr signs as one signer of suite 2 would.
func schnorr(secret *big.Int, digest []byte, nonce int64) []byte {
	r, key := secpTimes(big.NewInt(nonce)), secpTimes(secret)
	z := new(big.Int).Mul(secpChallenge(r, key, digest), secret)
	z.Add(z, big.NewInt(nonce)).Mod(z, secpN)
	return words(r.x, r.y, z)
}

func words(numbers ...*big.Int) (out []byte) {
	for _, number := range numbers {
		out = append(out, number.FillBytes(make([]byte, 32))...)
	}
	return out
}

func TestSecp256k1Signatures(t *testing.T) {
	secret := integer("5634002667681019488906794616")
	key, signature := secpTimes(secret), schnorr(secret, message, 424242)
	if !secpVerify(key, message, signature) {
		t.Fatal("the signature is refused")
	}
	// The same secret, message and nonce give these bytes in every implementation.
	if got := hex.EncodeToString(signature); got != "e9a2463c5ecaaaac49dc3ac382cae02cec513d342ee9a6c18e842c344f7b2bfbc4aedcc4a46fab4f8dcc75c044ec89ccca2e954c11718cbfae86f40f6272cff385a066f89e8ffd3696dfe3cf893a124e68f04ff93f5780f76e2cca8c5848f571" {
		t.Errorf("%s", got)
	}
	x, y, z := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:64]), new(big.Int).SetBytes(signature[64:])
	zero := new(big.Int)
	for name, wrong := range map[string][]byte{
		"short":      signature[:95],
		"R negated":  words(x, edSub(secpP, y), z),
		"z negated":  words(x, y, edSub(secpN, z)),
		"z = 0":      words(x, y, zero),
		"z = n":      words(x, y, secpN),
		"R = (0, 0)": words(zero, zero, z),
	} {
		if secpVerify(key, message, wrong) {
			t.Errorf("%s passes", name)
		}
	}
	if secpVerify(key, make([]byte, 32), signature) {
		t.Error("another message passes")
	}
	for bit := 0; bit < 768; bit += 11 {
		flipped := append([]byte(nil), signature...)
		flipped[bit/8] ^= 1 << (bit % 8)
		if secpVerify(key, message, flipped) {
			t.Errorf("bit %d can be changed", bit)
		}
	}
}

func TestSecp256k1CoordinatesMustBeReduced(t *testing.T) {
	// A small x has a second encoding, x + p, that fits 32 bytes.
	var small *secpPoint
	for x := int64(1); small == nil; x++ {
		small = secpDecompress(append([]byte{2}, words(big.NewInt(x))...))
	}
	if !small.onCurve() || (&secpPoint{edAdd(small.x, secpP), small.y}).onCurve() || (&secpPoint{small.x, edAdd(small.y, secpP)}).onCurve() {
		t.Error("a coordinate of p or more passes")
	}
}

func TestScalarsOutOfRangeAreRefusedThoughTheEquationHolds(t *testing.T) {
	number := big.NewInt
	// z*G == R + c*P for P = 7G.
	for _, c := range []struct {
		name    string
		r, z, c *big.Int
		holds   bool
	}{
		{"in range", number(5), number(26), number(3), true},
		{"c = 0, for which anybody could sign", number(5), number(5), number(0), false},
		{"z = 0", new(big.Int).Sub(secpN, number(21)), number(0), number(3), false},
		{"z above n", number(5), new(big.Int).Add(secpN, number(26)), number(3), false},
	} {
		if secpHolds(secpTimes(number(7)), secpTimes(c.r), c.z, c.c) != c.holds {
			t.Errorf("%s: not %v", c.name, c.holds)
		}
	}
}
