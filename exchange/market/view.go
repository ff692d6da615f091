package market

import "time"

// A View is a copy of a book at one moment: nobody changes it any more. A consumer may hand the same
// View in again, to use its memory again.
type View struct {
	Symbol   string
	State    State
	Reason   error     // why it is STALE
	Since    time.Time // since when it is SYNCED, or since when it is not
	Sequence int64     // of the last update in it
	At       time.Time // of the data, by the venue's clock; the zero time if the venue does not say
	Updated  time.Time // when the last message that it reflects arrived, or its snapshot was asked for
	Bids     []Level   // the best first; none unless SYNCED or STALE
	Asks     []Level
	Missed   uint64 // states between the View before and this one that the consumer did not see
}

// Age returns how old the data may be at most, as far as this process can know.
func (v *View) Age(now time.Time) time.Duration { return max(0, now.Sub(v.Updated)) }

// View copies the best depth levels of each side, all if depth is not positive, into v.
func (b *Book) View(v *View, depth int) {
	bids, asks := v.Bids[:0], v.Asks[:0]
	*v = View{
		Symbol: b.symbol, State: b.State(), Reason: b.reason, Since: b.since,
		Sequence: b.mark.last, At: b.at, Updated: b.updated,
	}
	v.Bids, v.Asks = b.bids.copyTo(bids, depth), b.asks.copyTo(asks, depth)
}

// A Top is the best bid and ask of a book.
type Top struct {
	Bid, Ask Level // of price 0 if there is none
	State    State // only SYNCED is to be traded on
	Sequence int64
	Updated  time.Time // when the last message that it reflects arrived
}
