package market

import "slices"

// A Sequence names the rule by which a venue numbers the deltas of a book. The rules are pure: they
// see the number of the last delta applied and the next delta, and say what to do with it. What a
// rule does not expect is a gap: a book that is read again costs a snapshot, a wrong one costs money.
type Sequence string

// The rules of the known venues. First, Last and Prev are the fields of [Delta].
const (
	// Drop Last <= id. The first after a snapshot spans it: First <= id+1 <= Last; then First is
	// one more than the last, or less: levels are absolute, so an overlap does no harm. A greater
	// First is a gap. Binance spot.
	BinanceRange Sequence = "binance_range"

	// The first after a snapshot has First <= id <= Last, or names it as Prev; then Prev is the last.
	// Binance USD-M futures.
	BinancePrev Sequence = "binance_prev"

	// Last rises by one; a Last of 1 replaces the book. Bybit.
	BybitCounter Sequence = "bybit_counter"

	// Prev is the last, and Last may be less after maintenance; Prev -1 replaces the book. OKX.
	OKXLink Sequence = "okx_link"

	// No numbers: a checksum alone tells. Kraken.
	KrakenChecksum Sequence = "kraken_checksum"

	// The number of the connection rises by exactly one with each message; a lower one is late and
	// ignored. Judged by the [Link]. Coinbase.
	CoinbaseCounter Sequence = "coinbase_counter"

	// Prev is the last. Deribit.
	DeribitLink Sequence = "deribit_link"

	// As BinanceRange, but after the first delta First must be exactly one more. Gate.
	GateRange Sequence = "gate_range"

	// First <= last+1 and Last > last; a price of 0 is ignored. KuCoin.
	KuCoinRange Sequence = "kucoin_range"

	// Prev is the last, on unified books. Bitget.
	BitgetLink Sequence = "bitget_link"

	// Last rises by any step, and a checksum tells the rest. Bitget, the older books.
	BitgetRising Sequence = "bitget_rising"

	// The number of the connection rises by exactly one with each message, heartbeats included.
	// Judged by the [Link]; a checksum tells the rest. Bitfinex.
	BitfinexCounter Sequence = "bitfinex_counter"

	// Each message replaces the top of the book, and nothing else is known. Alpaca.
	TopOfBook Sequence = "top_of_book"
)

var sequences = []Sequence{
	BinanceRange, BinancePrev, BybitCounter, OKXLink, KrakenChecksum, CoinbaseCounter, DeribitLink, GateRange,
	KuCoinRange, BitgetLink, BitgetRising, BitfinexCounter, TopOfBook,
}

// Known says whether there is a rule of that name.
func (s Sequence) Known() bool { return slices.Contains(sequences, s) }

// ofConnection says whether the numbers count the messages of a connection, of all its symbols.
func (s Sequence) ofConnection() bool { return s == CoinbaseCounter || s == BitfinexCounter }

// portable says whether the numbers go on when another connection carries the symbol.
func (s Sequence) portable() bool {
	return !s.ofConnection() && s != KrakenChecksum && s != TopOfBook
}

// A judgement says what to do with a delta.
type judgement uint8

const (
	gap     judgement = iota // the zero value: what is not known to follow does not
	apply                    // it follows
	late                     // it is in the book already
	replace                  // it is the whole book
)

// A mark is where a book stands in its sequence.
type mark struct {
	last  int64 // of the snapshot or the delta applied last
	prev  int64 // what that delta followed
	fresh bool  // nothing was applied since the snapshot
}

// judge says what the rule makes of d after m. It never looks at levels.
func (s Sequence) judge(m mark, d *Delta) judgement {
	if d.Replace {
		return replace
	}
	switch s {
	case BinanceRange, KuCoinRange:
		return ranged(m, d)
	case GateRange:
		if !m.fresh && d.Last > m.last && d.First != m.last+1 {
			return gap
		}
		return ranged(m, d)
	case BinancePrev:
		return previous(m, d)
	case BybitCounter:
		return bybit(m, d)
	case OKXLink:
		if d.Prev == -1 {
			return replace
		}
		return linked(m, d)
	case DeribitLink, BitgetLink:
		if d.Last < d.Prev {
			return gap
		}
		return linked(m, d)
	case BitgetRising, CoinbaseCounter, BitfinexCounter:
		return yes(d.Last > m.last, late)
	case KrakenChecksum:
		return apply
	}
	return gap
}

// count judges the number of a connection: it rises by exactly one.
func count(last, next int64) judgement {
	switch {
	case next <= last:
		return late
	case next == last+1:
		return apply
	}
	return gap
}

func ranged(m mark, d *Delta) judgement {
	switch {
	case d.First > d.Last:
		return gap
	case d.Last <= m.last:
		return late
	}
	return yes(d.First <= m.last+1, gap)
}

func previous(m mark, d *Delta) judgement {
	switch {
	case d.First > d.Last:
		return gap
	case d.Last < m.last, !m.fresh && d.Last == m.last:
		return late
	case d.Prev == m.last:
		return apply
	}
	return yes(m.fresh && d.First <= m.last, gap)
}

func bybit(m mark, d *Delta) judgement {
	switch d.Last {
	case m.last: // before the reset: a frame sent twice after one is still the same frame
		return late
	case 1:
		return replace
	case m.last + 1:
		return apply
	}
	// A lower number is no mere latecomer: the message that announced a reset may be lost.
	return gap
}

// linked judges by what a delta says it follows. Only the delta applied last is known to be late when
// it comes again: numbers may be reset downwards, so a lower one proves nothing.
func linked(m mark, d *Delta) judgement {
	switch {
	case d.Prev == m.last:
		return apply
	case !m.fresh && d.Last == m.last && d.Prev == m.prev:
		return late
	}
	return gap
}

func yes(ok bool, otherwise judgement) judgement {
	if ok {
		return apply
	}
	return otherwise
}
