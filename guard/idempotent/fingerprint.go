package idempotent

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// A Fingerprint stands for what a request asks for. A key that comes again with another one is a
// mistake of the caller's.
type Fingerprint [sha256.Size]byte

// Fingerprinted returns the SHA-256 of the given fields. Each counts with its length, so that no two lists of
// fields are taken for each other. Declare the fields that make the intent: what may differ between two
// attempts of one operation, such as a time stamp or a trace, is left out.
func Fingerprinted(fields ...string) (f Fingerprint) {
	h := sha256.New()
	var length [8]byte
	for _, field := range fields {
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		h.Write([]byte(field))
	}
	h.Sum(f[:0])
	return f
}

// String returns the fingerprint in hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }
