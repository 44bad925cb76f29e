package touchstone

import (
	"encoding/binary"
	"math/big"
)

// reader is a cursor over untrusted bytes of a fixed big-endian layout. The first error stays; after it all reads give zeros.
type reader struct {
	rest []byte
	err  *Error
}

func (r *reader) take(count int, field string) []byte {
	if r.err == nil && count > len(r.rest) {
		r.err = refuse(KindVerify, "truncated", "%s: input ends %d bytes too early", field, count-len(r.rest))
	}
	if r.err != nil {
		return make([]byte, count)
	}
	taken := r.rest[:count:count]
	r.rest = r.rest[count:]
	return taken
}

func (r *reader) u8(field string) byte    { return r.take(1, field)[0] }
func (r *reader) u16(field string) uint16 { return binary.BigEndian.Uint16(r.take(2, field)) }
func (r *reader) u32(field string) uint32 { return binary.BigEndian.Uint32(r.take(4, field)) }
func (r *reader) u64(field string) uint64 { return binary.BigEndian.Uint64(r.take(8, field)) }

func (r *reader) i128(field string) *big.Int {
	data := r.take(16, field)
	value := new(big.Int).SetBytes(data)
	if data[0]&0x80 != 0 {
		value.Sub(value, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return value
}

func (r *reader) hash(field string) (out [32]byte) {
	copy(out[:], r.take(32, field))
	return out
}

// refuse sets the error, unless there is one.
func (r *reader) refuse(code, format string, args ...any) {
	if r.err == nil {
		r.err = refuse(KindVerify, code, format, args...)
	}
}

// finish refuses bytes that are left over.
func (r *reader) finish() {
	if len(r.rest) != 0 {
		r.refuse("trailing-bytes", "%d trailing bytes", len(r.rest))
	}
}
