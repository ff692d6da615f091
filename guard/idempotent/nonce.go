package idempotent

import (
	"crypto/rand"
	"encoding/hex"
)

// A Nonce tells one bid from all others. The zero Nonce belongs to nobody.
type Nonce [16]byte

// NewNonce returns one from the system's random source.
func NewNonce() (n Nonce) {
	rand.Read(n[:]) // never fails
	return n
}

// String returns the nonce in hexadecimal.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }
