package touchstone

import (
	"math/big"
	"strings"
)

const exponentMax = 38

// Decimal is an exact number: mantissa times ten to the power of exponent, as it was signed.
type Decimal struct {
	mantissa *big.Int
	exponent int
}

// Mantissa is the digits; it is the caller's own copy.
func (d Decimal) Mantissa() *big.Int {
	if d.mantissa == nil {
		return new(big.Int)
	}
	return new(big.Int).Set(d.mantissa)
}

// Exponent is the power of ten, from -38 to 38.
func (d Decimal) Exponent() int { return d.exponent }

// Rat is the exact value.
func (d Decimal) Rat() *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs(d.exponent))), nil)
	if d.exponent < 0 {
		return new(big.Rat).SetFrac(d.Mantissa(), scale)
	}
	return new(big.Rat).SetInt(scale.Mul(scale, d.Mantissa()))
}

// Float64 is the nearest float; it loses digits.
func (d Decimal) Float64() float64 {
	value, _ := d.Rat().Float64()
	return value
}

// Cmp compares the values, whatever their exponents: -1, 0 or 1.
func (d Decimal) Cmp(other Decimal) int { return d.Rat().Cmp(other.Rat()) }

// String writes every digit and no power of ten.
func (d Decimal) String() string {
	mantissa := d.Mantissa()
	sign := ""
	if mantissa.Sign() < 0 {
		sign = "-"
	}
	digits := mantissa.Abs(mantissa).String()
	if d.exponent >= 0 {
		if digits != "0" {
			digits += strings.Repeat("0", d.exponent)
		}
		return sign + digits
	}
	places := -d.exponent
	if len(digits) <= places {
		digits = strings.Repeat("0", places+1-len(digits)) + digits
	}
	point := len(digits) - places
	return sign + digits[:point] + "." + digits[point:]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
