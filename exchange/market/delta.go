package market

import (
	"slices"
	"time"
)

// A Delta is one change of a book, as a venue's stream sends it. What the sequence numbers mean
// depends on the venue: see [Sequence].
type Delta struct {
	Symbol  string
	Replace bool      // an in-band snapshot: the levels are the whole book
	First   int64     // of the updates it holds: U, sequenceStart
	Last    int64     // of the updates it holds: u, sequenceEnd, seqId, change_id, seq
	Prev    int64     // what came before it, where the venue says so: pu, prevSeqId, prev_change_id, pseq
	At      time.Time // by the venue's clock; the zero time if it does not say
	Bids    []Level
	Asks    []Level
	Sum     uint32 // checksum of the book after it
	Summed  bool   // Sum is there
}

// clone returns a copy that shares nothing with d.
func (d *Delta) clone() Delta {
	c := *d
	c.Bids, c.Asks = slices.Clone(d.Bids), slices.Clone(d.Asks)
	return c
}

// A Snapshot is a whole book, as a venue's request for it returns.
type Snapshot struct {
	Symbol string
	ID     int64     // of the last update that is in it
	At     time.Time // by the venue's clock; the zero time if it does not say
	Bids   []Level   // in any order
	Asks   []Level
}
