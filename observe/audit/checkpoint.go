package audit

import (
	"crypto/ed25519"
	"errors"
	"time"
)

// A Checkpoint states what a chain ended with at a time. Kept in another trust domain, it shows what a chain alone
// does not: that its tail was cut off, or that all of it was written anew.
type Checkpoint struct {
	Chain     string    `json:"chain"`
	Sequence  uint64    `json:"sequence"` // of the last record then
	Hash      Hash      `json:"hash"`     // of that record
	Time      time.Time `json:"time"`
	Key       []byte    `json:"key"`       // the public key (Ed25519, RFC 8032) that the signature is for
	Signature []byte    `json:"signature"` // of Message
}

// ErrUnsigned says that nobody who is trusted vouches for a checkpoint.
var ErrUnsigned = errors.New("the checkpoint has no signature of a key that is trusted")

// Sign returns a checkpoint of h with its signature. Times are kept to the microsecond, in UTC.
func Sign(key ed25519.PrivateKey, h Head, now time.Time) Checkpoint {
	c := Checkpoint{Chain: h.Chain, Sequence: h.Sequence, Hash: h.Hash, Time: now.UTC().Truncate(time.Microsecond), Key: key.Public().(ed25519.PublicKey)}
	c.Signature = ed25519.Sign(key, c.Message())
	return c
}

// Message returns what is signed: {"chain","hash","sequence","time"} in canonical JSON.
func (c *Checkpoint) Message() []byte {
	o := object{buf: []byte{'{'}}
	o.text("chain", c.Chain)
	o.text("hash", c.Hash.String())
	o.number("sequence", c.Sequence)
	o.text("time", c.Time.UTC().Format(time.RFC3339Nano))
	return append(o.buf, '}')
}

// Check returns nil if the checkpoint has a valid signature of one of the keys, else [ErrUnsigned].
func (c *Checkpoint) Check(trusted ...ed25519.PublicKey) error {
	for _, key := range trusted {
		if len(key) == ed25519.PublicKeySize && key.Equal(ed25519.PublicKey(c.Key)) && ed25519.Verify(key, c.Message(), c.Signature) {
			return nil
		}
	}
	return ErrUnsigned
}
