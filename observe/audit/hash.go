package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Hash is a SHA-256. Its text form is hexadecimal.
type Hash [sha256.Size]byte

// Genesis is the hash before the first record of a chain: 32 zero bytes.
var Genesis Hash

// Next returns the hash of the record that follows prev: SHA-256(prev || 0x00 || body), with body in canonical JSON.
func Next(prev Hash, body []byte) (h Hash) {
	d := sha256.New()
	d.Write(prev[:])
	d.Write([]byte{0})
	d.Write(body)
	d.Sum(h[:0])
	return h
}

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("hash: %d characters instead of %d", len(text), hex.EncodedLen(len(h)))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	return nil
}

// Digest returns the SHA-256 of something that must not be in a record itself, such as a payload or a key, as
// [Record.Payload] and [Record.Key] take it.
func Digest[T string | []byte](what T) string {
	sum := sha256.Sum256([]byte(what))
	return hex.EncodeToString(sum[:])
}

// Extend returns the links that add records to the end of a chain whose head is h, and the head afterwards. It checks
// every record and the number of them, and leaves the records themselves alone. It does not look at ids: a store leaves out what it has
// before it calls Extend.
func Extend(h Head, records []Record) ([]Link, Head, error) {
	if err := CheckChain(h.Chain); err != nil {
		return nil, h, err
	}
	if len(records) > MaxBatch {
		return nil, h, invalid("%d records at once: %d are allowed", len(records), MaxBatch)
	}
	links, next := make([]Link, len(records)), h
	var body []byte
	for i := range records {
		l := &links[i]
		l.Record = records[i].Clone()
		next.Sequence++
		l.Record.Chain, l.Record.Sequence = next.Chain, next.Sequence
		start := len(body)
		var err error
		if body, err = l.Record.encode(body); err != nil {
			return nil, h, invalid("record %d of the batch: %w", i+1, err)
		}
		next.Hash = Next(next.Hash, body[start:])
		l.Chain, l.Sequence, l.Body, l.Hash = next.Chain, next.Sequence, body[start:len(body):len(body)], next.Hash
	}
	return links, next, nil
}
