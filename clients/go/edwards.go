package touchstone

import (
	"crypto/ed25519"
	"crypto/sha512"
	"math/big"
)

// Ed25519, by two rules. The group's signatures are judged strictly: the equation without cofactor, over canonical bytes, with
// no small-order point. Members' signatures are judged by ZIP-215, as the network itself does. crypto/ed25519 does the
// arithmetic where its verdict is enough; what it does not check (the key's order and encoding, a small-order R) and the
// cofactored equation are done here.

var (
	edP       = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edL, _    = new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	edD       = edMul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), edP))
	edSqrtM1  = new(big.Int).Exp(big.NewInt(2), new(big.Int).Rsh(edP, 2), edP)
	edRoot    = new(big.Int).Rsh(new(big.Int).Sub(edP, big.NewInt(5)), 3)
	edBase    = edDecodeMust(edMul(big.NewInt(4), new(big.Int).ModInverse(big.NewInt(5), edP)))
	edSmallYs = edSmallOrderYs()
)

// edPoint has the extended coordinates of RFC 8032 section 5.1.4: x = X/Z, y = Y/Z, x * y = T/Z.
type edPoint struct{ x, y, z, t *big.Int }

func edMul(a, b *big.Int) *big.Int {
	product := new(big.Int).Mul(a, b)
	return product.Mod(product, edP)
}

func edSub(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
func edAdd(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }

func edIdentity() *edPoint {
	return &edPoint{new(big.Int), big.NewInt(1), big.NewInt(1), new(big.Int)}
}

// littleEndian reads an integer.
func littleEndian(data []byte) *big.Int {
	reversed := make([]byte, len(data))
	for i, b := range data {
		reversed[len(data)-1-i] = b
	}
	return new(big.Int).SetBytes(reversed)
}

// edY splits 32 bytes into y, which may be p or above, and the sign of x.
func edY(data []byte) (y *big.Int, sign uint) {
	y = littleEndian(data)
	sign = y.Bit(255)
	return y.SetBit(y, 255, 0), sign
}

// edDecode returns the point of 32 bytes, by whatever encoding (y >= p and a signed zero are taken), or nil.
func edDecode(data []byte) *edPoint {
	y, sign := edY(data)
	y.Mod(y, edP)
	yy := edMul(y, y)
	u, v := edSub(yy, big.NewInt(1)), edAdd(edMul(edD, yy), big.NewInt(1))
	v3 := edMul(edMul(v, v), v)
	v7 := edMul(edMul(v3, v3), v)
	x := edMul(edMul(u, v3), new(big.Int).Exp(edMul(u, v7), edRoot, edP))
	vxx := edMul(v, edMul(x, x))
	if edMul(edAdd(vxx, u), big.NewInt(1)).Sign() == 0 {
		x = edMul(x, edSqrtM1)
		vxx = edMul(v, edMul(x, x))
	}
	if edMul(edSub(vxx, u), big.NewInt(1)).Sign() != 0 {
		return nil
	}
	if x.Bit(0) != sign {
		x = edMul(big.NewInt(-1), x)
	}
	return &edPoint{x, y, big.NewInt(1), edMul(x, y)}
}

func edDecodeMust(y *big.Int) *edPoint {
	data := y.FillBytes(make([]byte, 32))
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		data[i], data[j] = data[j], data[i]
	}
	return edDecode(data)
}

// plus is complete: it doubles as well.
func (p *edPoint) plus(q *edPoint) *edPoint {
	a := edMul(edSub(p.y, p.x), edSub(q.y, q.x))
	b := edMul(edAdd(p.y, p.x), edAdd(q.y, q.x))
	c := edMul(edMul(p.t, q.t), edAdd(edD, edD))
	d := edMul(p.z, edAdd(q.z, q.z))
	e, f, g, h := edSub(b, a), edSub(d, c), edAdd(d, c), edAdd(b, a)
	return &edPoint{edMul(e, f), edMul(g, h), edMul(f, g), edMul(e, h)}
}

func (p *edPoint) negated() *edPoint {
	minus := big.NewInt(-1)
	return &edPoint{edMul(minus, p.x), p.y, p.z, edMul(minus, p.t)}
}

func (p *edPoint) times(scalar *big.Int) *edPoint {
	result := edIdentity()
	for i := scalar.BitLen() - 1; i >= 0; i-- {
		result = result.plus(result)
		if scalar.Bit(i) == 1 {
			result = result.plus(p)
		}
	}
	return result
}

func (p *edPoint) isIdentity() bool {
	return p.x.Sign() == 0 && p.y.Cmp(p.z) == 0
}

// affineY is the y coordinate.
func (p *edPoint) affineY() *big.Int {
	return edMul(p.y, new(big.Int).ModInverse(p.z, edP))
}

// edSmallOrderYs returns the y coordinates of the eight points whose order divides 8; x and -x share one.
func edSmallOrderYs() map[string]bool {
	for y := int64(2); ; y++ {
		point := edDecodeMust(big.NewInt(y))
		if point == nil {
			continue
		}
		torsion := point.times(edL)
		if torsion.times(big.NewInt(4)).isIdentity() {
			continue
		}
		ys := make(map[string]bool)
		for k := int64(0); k < 8; k++ {
			ys[string(torsion.times(big.NewInt(k)).affineY().Bytes())] = true
		}
		return ys
	}
}

// edCanonicalAndLarge says whether 32 bytes hold a canonical y that no point of small order has. Whether it is a point is not
// asked.
func edCanonicalAndLarge(data []byte) bool {
	y, _ := edY(data)
	return y.Cmp(edP) < 0 && !edSmallYs[string(y.Bytes())]
}

// edPrimeOrderKey says whether these are the canonical 32 bytes of a point of prime order.
func edPrimeOrderKey(data []byte) bool {
	if len(data) != ed25519.PublicKeySize || !edCanonicalAndLarge(data) {
		return false
	}
	point := edDecode(data)
	return point != nil && point.times(edL).isIdentity()
}

// edVerifyStrict judges by the strict rules, under a key that edPrimeOrderKey let pass.
func edVerifyStrict(key, message, signature []byte) bool {
	return edReducedScalar(signature) && edCanonicalAndLarge(signature[:32]) && ed25519.Verify(key, message, signature)
}

// edVerifyZip215 judges by ZIP-215, under a key that edPrimeOrderKey let pass.
func edVerifyZip215(key, message, signature []byte) bool {
	if !edReducedScalar(signature) {
		return false
	}
	// What holds without the cofactor holds with it.
	if ed25519.Verify(key, message, signature) {
		return true
	}
	r, a := edDecode(signature[:32]), edDecode(key)
	if r == nil || a == nil {
		return false
	}
	hash := sha512.New()
	hash.Write(signature[:32])
	hash.Write(key)
	hash.Write(message)
	k := littleEndian(hash.Sum(nil))
	k.Mod(k, edL)
	rest := edBase.times(littleEndian(signature[32:])).plus(r.plus(a.times(k)).negated())
	return rest.times(big.NewInt(8)).isIdentity()
}

// edReducedScalar says whether a signature has its length and an s below the group's order.
func edReducedScalar(signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && littleEndian(signature[32:]).Cmp(edL) < 0
}
