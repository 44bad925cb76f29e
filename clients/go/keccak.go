package touchstone

import (
	"encoding/binary"
	"math/bits"
)

// Keccak-256 with the original padding (0x01); the standard library of Go 1.19 has neither it nor SHA-3.

const (
	keccakRate    = 136
	keccakPadding = 0x01
	sha3Padding   = 0x06
)

type keccakStep struct{ from, to, by int }

var (
	keccakConstants = makeKeccakConstants()
	keccakSteps     = makeKeccakSteps()
)

// makeKeccakConstants returns the constants of step iota (FIPS 202 section 3.2.5), from their shift register.
func makeKeccakConstants() (constants [24]uint64) {
	register := uint(1)
	for i := range constants {
		for j := 0; j < 7; j++ {
			if register&1 != 0 {
				constants[i] |= 1 << (1<<j - 1)
			}
			register <<= 1
			if register&0x100 != 0 {
				register ^= 0x171
			}
		}
	}
	return constants
}

// makeKeccakSteps returns steps rho and pi together, for the lanes in the order of pi's walk.
func makeKeccakSteps() (steps [24]keccakStep) {
	x, y := 1, 0
	for t := range steps {
		nextX, nextY := y, (2*x+3*y)%5
		steps[t] = keccakStep{x + 5*y, nextX + 5*nextY, (t + 1) * (t + 2) / 2 % 64}
		x, y = nextX, nextY
	}
	return steps
}

func keccakPermute(a *[25]uint64) {
	for _, constant := range keccakConstants {
		var c [5]uint64
		for i, lane := range a {
			c[i%5] ^= lane
		}
		for i := range a {
			a[i] ^= c[(i+4)%5] ^ bits.RotateLeft64(c[(i+1)%5], 1)
		}
		b := *a
		for _, step := range keccakSteps {
			b[step.to] = bits.RotateLeft64(a[step.from], step.by)
		}
		for i := range a {
			row := i - i%5
			a[i] = b[i] ^ ^b[row+(i+1)%5]&b[row+(i+2)%5]
		}
		a[0] ^= constant
	}
}

func keccak256(data []byte) []byte { return keccak(data, keccakPadding) }

func keccak(data []byte, padding byte) []byte {
	padded := append(append(make([]byte, 0, len(data)+keccakRate), data...), padding)
	for len(padded)%keccakRate != 0 {
		padded = append(padded, 0)
	}
	padded[len(padded)-1] |= 0x80
	var state [25]uint64
	for ; len(padded) > 0; padded = padded[keccakRate:] {
		for i := 0; i < keccakRate/8; i++ {
			state[i] ^= binary.LittleEndian.Uint64(padded[8*i:])
		}
		keccakPermute(&state)
	}
	var out []byte
	for _, lane := range state[:4] {
		out = binary.LittleEndian.AppendUint64(out, lane)
	}
	return out
}
