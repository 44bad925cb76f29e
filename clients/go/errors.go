package touchstone

import (
	"errors"
	"fmt"
)

// Kind says what was refused.
type Kind int

// The kinds of errors.
const (
	// KindArgument is an argument that no caller may give.
	KindArgument Kind = iota + 1
	// KindVerify is bytes that are not a price update that the pinned network signed.
	KindVerify
	// KindKey is a group key that must not be pinned.
	KindKey
	// KindPin is a pin that is broken in its form, its chain or its signatures.
	KindPin
	// KindPolicy is an authentic update that gives no price under the caller's policy.
	KindPolicy
)

// Error is what every error of this package is.
type Error struct {
	kind   Kind
	code   string
	detail string
}

// Code is a stable name, the same in every client and contract.
func (e *Error) Code() string { return e.code }

// Kind says what was refused.
func (e *Error) Kind() Kind { return e.kind }

// Error is meant for people and may change.
func (e *Error) Error() string { return e.code + ": " + e.detail }

// Code returns the stable code of an error of this module, and "" of any other.
func Code(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}

func refuse(kind Kind, code, format string, args ...any) *Error {
	return &Error{kind, code, fmt.Sprintf(format, args...)}
}
