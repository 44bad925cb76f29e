package touchstone

import "math/big"

// FROST signatures over secp256k1 with Keccak-256, as EVM contracts check them. A signature is R.x | R.y | z, 96 bytes
// big-endian; it is right if and only if R is a point of the curve, 0 < z < n, the challenge c is not 0, and z*G == R + c*P.

const secpChallengeDST = "FROST-secp256k1-KECCAK256-v1chal"

var (
	secpP, _  = new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)
	secpN, _  = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	secpGx, _ = new(big.Int).SetString("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 16)
	secpGy, _ = new(big.Int).SetString("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8", 16)
	secpG     = &secpPoint{secpGx, secpGy}
	secpRoot  = new(big.Int).Rsh(new(big.Int).Add(secpP, big.NewInt(1)), 2)
)

// secpPoint is a finite point.
type secpPoint struct{ x, y *big.Int }

// secpJacobian is x = X/Z^2, y = Y/Z^3; Z is 0 at infinity.
type secpJacobian struct{ x, y, z *big.Int }

func secpMul(factors ...*big.Int) *big.Int {
	product := big.NewInt(1)
	for _, factor := range factors {
		product.Mul(product, factor)
		product.Mod(product, secpP)
	}
	return product
}

func secpSub(a *big.Int, others ...*big.Int) *big.Int {
	result := new(big.Int).Set(a)
	for _, other := range others {
		result.Sub(result, other)
	}
	return result.Mod(result, secpP)
}

func secpInfinity() *secpJacobian {
	return &secpJacobian{big.NewInt(1), big.NewInt(1), new(big.Int)}
}

func (p *secpPoint) jacobian() *secpJacobian { return &secpJacobian{p.x, p.y, big.NewInt(1)} }

func (p *secpJacobian) doubled() *secpJacobian {
	yy := secpMul(p.y, p.y)
	s := secpMul(big.NewInt(4), p.x, yy)
	m := secpMul(big.NewInt(3), p.x, p.x)
	x := secpSub(secpMul(m, m), s, s)
	y := secpSub(secpMul(m, secpSub(s, x)), secpMul(big.NewInt(8), yy, yy))
	return &secpJacobian{x, y, secpMul(big.NewInt(2), p.y, p.z)}
}

func (p *secpJacobian) plus(q *secpJacobian) *secpJacobian {
	if p.z.Sign() == 0 {
		return q
	}
	if q.z.Sign() == 0 {
		return p
	}
	pp, qq := secpMul(p.z, p.z), secpMul(q.z, q.z)
	u, s := secpMul(p.x, qq), secpMul(p.y, qq, q.z)
	h, r := secpSub(secpMul(q.x, pp), u), secpSub(secpMul(q.y, pp, p.z), s)
	if h.Sign() == 0 {
		if r.Sign() == 0 {
			return p.doubled()
		}
		return secpInfinity()
	}
	hh := secpMul(h, h)
	hhh, v := secpMul(h, hh), secpMul(u, hh)
	x := secpSub(secpMul(r, r), hhh, v, v)
	y := secpSub(secpMul(r, secpSub(v, x)), secpMul(s, hhh))
	return &secpJacobian{x, y, secpMul(p.z, q.z, h)}
}

// secpCombine returns a*p + b*q, or nil if that is infinity.
func secpCombine(a *big.Int, p *secpPoint, b *big.Int, q *secpPoint) *secpPoint {
	jp, jq := p.jacobian(), q.jacobian()
	table := [4]*secpJacobian{secpInfinity(), jp, jq, jp.plus(jq)}
	length := a.BitLen()
	if b.BitLen() > length {
		length = b.BitLen()
	}
	result := secpInfinity()
	for i := length - 1; i >= 0; i-- {
		result = result.doubled().plus(table[a.Bit(i)|b.Bit(i)<<1])
	}
	if result.z.Sign() == 0 {
		return nil
	}
	inverse := new(big.Int).ModInverse(result.z, secpP)
	return &secpPoint{secpMul(result.x, inverse, inverse), secpMul(result.y, inverse, inverse, inverse)}
}

func (p *secpPoint) equals(q *secpPoint) bool {
	return q != nil && p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0
}

// onCurve says whether both coordinates are reduced and satisfy the curve's equation.
func (p *secpPoint) onCurve() bool {
	reduced := p.x.Cmp(secpP) < 0 && p.y.Cmp(secpP) < 0
	return reduced && secpSub(secpMul(p.y, p.y), secpMul(p.x, p.x, p.x), big.NewInt(7)).Sign() == 0
}

// compressed returns the 33 bytes of SEC 1.
func (p *secpPoint) compressed() []byte {
	out := make([]byte, 33)
	out[0] = 2 + byte(p.y.Bit(0))
	p.x.FillBytes(out[1:])
	return out
}

// secpDecompress returns the point of 33 bytes of SEC 1, or nil.
func secpDecompress(data []byte) *secpPoint {
	if len(data) != 33 || data[0] != 2 && data[0] != 3 {
		return nil
	}
	x := new(big.Int).SetBytes(data[1:])
	square := new(big.Int).Add(secpMul(x, x, x), big.NewInt(7))
	y := new(big.Int).Exp(square, secpRoot, secpP)
	if byte(y.Bit(0)) != data[0]&1 {
		y.Sub(secpP, y)
	}
	if point := (&secpPoint{x, y}); point.onCurve() {
		return point
	}
	return nil
}

// expandMessageXMD returns length uniform bytes (RFC 9380 section 5.3.1).
func expandMessageXMD(message []byte, dst string, length int, hash func([]byte) []byte, blockBytes int) []byte {
	suffix := append([]byte(dst), byte(len(dst)))
	text := append(make([]byte, blockBytes), message...)
	text = append(append(text, byte(length>>8), byte(length), 0), suffix...)
	first := hash(text)
	block, out := make([]byte, len(first)), []byte(nil)
	for counter := byte(1); len(out) < length; counter++ {
		mixed := make([]byte, len(first), len(first)+1+len(suffix))
		for i := range mixed {
			mixed[i] = first[i] ^ block[i]
		}
		block = hash(append(append(mixed, counter), suffix...))
		out = append(out, block...)
	}
	return out[:length]
}

// secpChallenge is hash_to_field of RFC 9380 of compress(R) | compress(P) | message.
func secpChallenge(r, key *secpPoint, message []byte) *big.Int {
	text := append(append(r.compressed(), key.compressed()...), message...)
	c := new(big.Int).SetBytes(expandMessageXMD(text, secpChallengeDST, 48, keccak256, keccakRate))
	return c.Mod(c, secpN)
}

// secpKey returns the point of a group key, or nil if it must not be pinned: an EVM contract needs x < n.
func secpKey(data []byte) *secpPoint {
	point := secpDecompress(data)
	if point == nil || point.x.Cmp(secpN) >= 0 {
		return nil
	}
	return point
}

// secpVerify judges a signature, under a key that secpKey let pass.
func secpVerify(key *secpPoint, message, signature []byte) bool {
	if len(signature) != 96 {
		return false
	}
	r := &secpPoint{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:64])}
	if !r.onCurve() {
		return false
	}
	return secpHolds(key, r, new(big.Int).SetBytes(signature[64:]), secpChallenge(r, key, message))
}

// secpHolds says whether z*G == R + c*P, for z and c that are neither 0 nor too large.
func secpHolds(key, r *secpPoint, z, c *big.Int) bool {
	if z.Sign() == 0 || z.Cmp(secpN) >= 0 || c.Sign() == 0 {
		return false
	}
	negative := &secpPoint{key.x, new(big.Int).Sub(secpP, key.y)}
	return r.equals(secpCombine(z, secpG, c, negative))
}
