package idempotent

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// A Codec turns results into bytes and back.
type Codec[R any] interface {
	Encode(R) ([]byte, error)
	Decode([]byte) (R, error)
}

// JSON is the Codec that is used where none is named.
type JSON[R any] struct{}

// Encode returns v as JSON.
func (JSON[R]) Encode(v R) ([]byte, error) { return json.Marshal(v) }

// Decode reads JSON.
func (JSON[R]) Decode(b []byte) (v R, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// The first byte of what is stored says what it is.
const (
	aValue  = 'v' // and the encoded value
	anError = 'e' // and a storedError as JSON
	nothing = 'x' // done, but the result could not be kept
)

var dropped = []byte{nothing}

// A StoredError is the error of an earlier call with the same key, as far as it could be stored: its text and
// class, and those of the guard's Sentinels that were in it, which errors.Is finds.
type StoredError struct {
	Text  string
	Class retry.Class
	is    []error
}

// Error returns the text of the original.
func (e *StoredError) Error() string { return e.Text }

// Unwrap returns the sentinels that were in the original.
func (e *StoredError) Unwrap() []error { return e.is }

type storedError struct {
	Text  string      `json:"text"`
	Class retry.Class `json:"class"`
	Is    []string    `json:"is,omitempty"`
}

func encodeError(err error, class retry.Class, sentinels []error) []byte {
	s := storedError{Text: err.Error(), Class: class}
	for _, sentinel := range sentinels {
		if sentinel != nil && errors.Is(err, sentinel) {
			s.Is = append(s.Is, sentinel.Error())
		}
	}
	b, _ := json.Marshal(s) // strings and a number
	return append([]byte{anError}, b...)
}

func decodeError(b []byte, sentinels []error) (stored, broken error) {
	var s storedError
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	e := &StoredError{Text: s.Text, Class: s.Class}
	for _, text := range s.Is {
		for _, sentinel := range sentinels {
			if sentinel != nil && sentinel.Error() == text {
				e.is = append(e.is, sentinel)
			}
		}
	}
	return retry.Mark(e, s.Class), nil
}

func encode[R any](c Codec[R], v R) []byte {
	b, err := c.Encode(v)
	if err != nil { // the effect stands, with or without a result to show
		return dropped
	}
	return append([]byte{aValue}, b...)
}

// decode returns the value or error that was stored; broken is why neither can be had.
func decode[R any](c Codec[R], b []byte, sentinels []error) (v R, stored, broken error) {
	if len(b) == 0 {
		return v, nil, errors.New("nothing was stored")
	}
	switch kind, rest := b[0], b[1:]; kind {
	case aValue:
		v, broken = c.Decode(rest)
	case anError:
		stored, broken = decodeError(rest, sentinels)
	case nothing:
		broken = errors.New("it was too long, or could not be encoded")
	default:
		broken = fmt.Errorf("stored in an unknown form, %q", kind)
	}
	return v, stored, broken
}
