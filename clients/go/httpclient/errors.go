package httpclient

import (
	"errors"
	"fmt"
	"strings"

	touchstone "touchstone/clients/go"
)

// AnswerError is one endpoint's answer that is none, or not about what was asked.
type AnswerError struct {
	code   string
	detail string
	// Status is the HTTP status where that is what is wrong, else 0; the code is then the endpoint's own.
	Status int
	cause  error
}

// Code is a stable name: transport, too-long, malformed, other-feed, other-suite, no-next-yet; of an HTTP error the endpoint's own, or http.
func (e *AnswerError) Code() string { return e.code }

// Error is meant for people and may change.
func (e *AnswerError) Error() string { return e.code + ": " + e.detail }

// Unwrap is what the transport said, such as a time-out.
func (e *AnswerError) Unwrap() error { return e.cause }

func answerError(code, format string, args ...any) *AnswerError {
	return &AnswerError{code: code, detail: fmt.Sprintf(format, args...)}
}

// EndpointError is one endpoint and what is wrong with its answer: an [*AnswerError], or the [*touchstone.Error] of the verifier
// or the policy.
type EndpointError struct {
	// Endpoint is the base URL.
	Endpoint string
	Err      error
}

// AllFailedError says that every endpoint failed, each for its own reason, in the order in which they were tried.
type AllFailedError struct {
	Errors []EndpointError
}

// Code is the stable name of [AllFailedError.MainCause].
func (e *AllFailedError) Code() string { return touchstone.Code(e.MainCause()) }

// MainCause is the error that says most: a policy's refusal of an authentic answer, then a forged answer, then the first.
func (e *AllFailedError) MainCause() error {
	for _, kind := range []touchstone.Kind{touchstone.KindPolicy, touchstone.KindVerify} {
		for _, failed := range e.Errors {
			var typed *touchstone.Error
			if errors.As(failed.Err, &typed) && typed.Kind() == kind {
				return failed.Err
			}
		}
	}
	if len(e.Errors) == 0 {
		return nil
	}
	return e.Errors[0].Err
}

// Unwrap is the main cause.
func (e *AllFailedError) Unwrap() error { return e.MainCause() }

// Error is meant for people and may change.
func (e *AllFailedError) Error() string {
	texts := make([]string, len(e.Errors))
	for i, failed := range e.Errors {
		texts[i] = fmt.Sprintf("%s: %v", failed.Endpoint, failed.Err)
	}
	return "no endpoint gave a usable answer: " + strings.Join(texts, "; ")
}
