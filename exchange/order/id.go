package order

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"
)

// IDLen is how long the client ids are that we make: one alphabet, letters and digits, that fits all venues.
const IDLen = 18

// MaxPrefix is how long the part of an id may be that tells writers apart. The rest, at least 12 characters, holds 71
// bits of a hash.
const MaxPrefix = 6

// NewID returns the client id of an intent: the writer's prefix, and a hash of the strategy's name and its own counter.
// The same input gives the same id, so that a strategy that submits again after a crash cannot double its order.
func NewID(prefix, strategy string, counter uint64) string {
	h := sha256.New()
	h.Write([]byte(prefix + "\x00" + strategy + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, counter))
	return prefix + letters(h.Sum(nil), IDLen-len(prefix))
}

// letters writes the last n base-62 digits of a hash.
func letters(sum []byte, n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	text := make([]byte, n)
	rest, base, digit := new(big.Int).SetBytes(sum), big.NewInt(int64(len(digits))), new(big.Int)
	for i := range text {
		rest.DivMod(rest, base, digit)
		text[i] = digits[digit.Int64()]
	}
	return string(text)
}

// checkID says what is wrong with a client id of ours.
func checkID(id, prefix string) error {
	switch {
	case len(id) != IDLen:
		return fmt.Errorf("ID: %.60q has %d characters; want %d", id, len(id), IDLen)
	case !plain(id):
		return fmt.Errorf("ID: %q has characters other than A-Z, a-z and 0-9", id)
	case id[:len(prefix)] != prefix:
		return fmt.Errorf("ID: %q does not begin with %q, the prefix of this writer", id, prefix)
	}
	return nil
}

func plain(id string) bool {
	for i := range len(id) {
		if c := id[i] | 0x20; (c < 'a' || c > 'z') && (id[i] < '0' || id[i] > '9') {
			return false
		}
	}
	return true
}

// Wire returns the client id as the venue wants it: with the venue's own prefix, or as an integer of 14 digits that is
// a hash of it. The machine records it with the intent.
func (r *Rules) Wire(id string) string {
	if !r.IDInteger {
		return r.IDPrefix + id
	}
	sum := sha256.Sum256([]byte(id))
	return strconv.FormatUint(1+binary.BigEndian.Uint64(sum[:])%99_999_999_999_999, 10)
}
