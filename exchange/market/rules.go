package market

import (
	"errors"
	"fmt"
	"time"
)

// Rules are what has to be known about a venue to follow its market data. [VenueRules] has those of
// the known venues. Rules in use are not modified.
type Rules struct {
	Venue          string
	Sequence       Sequence // no default: a book without a rule never synchronizes
	Checksum       Checksum // default none
	IgnoreChecksum bool     // for a venue whose checksums prove unreliable
	Fetched        bool     // snapshots are requested; otherwise they arrive in band
	Depth          int      // levels of a side that the venue keeps us told about; 0 means all
	Trades         TradeRules
	Candles        CandleRules

	MaxLag time.Duration        // later data makes a book STALE; default 5 s, negative means no limit
	Offset func() time.Duration // what to add to our clock to get the venue's; nil means nothing
}

// TradeRules say how a venue numbers trades, and how it hands out those that were missed.
type TradeRules struct {
	Numbered bool // each trade of a symbol has the number after the one before it
	By       Key  // how missed trades are asked for
	Rows     int  // most trades of a page; 0 if unknown
}

// CandleRules say how a venue makes candles.
type CandleRules struct {
	Repeats bool // a minute without trades has a candle that repeats the close; otherwise it has none
	Rows    int  // most candles of a page; 0 if unknown
}

// A Key says by what a page of trades is asked for.
type Key string

// The keys.
const (
	ByLatest Key = ""     // the venue only hands out its latest trades
	ByID     Key = "id"   // a range of numbers
	ByTime   Key = "time" // a range of times
)

// Check returns all the mistakes.
func (r *Rules) Check() error {
	var errs []error
	if !r.Sequence.Known() {
		errs = append(errs, fmt.Errorf("Sequence: no rule is named %q", r.Sequence))
	}
	if !r.Checksum.Known() {
		errs = append(errs, fmt.Errorf("Checksum: none is named %q", r.Checksum))
	}
	if r.Depth < 0 {
		errs = append(errs, errors.New("Depth: negative"))
	}
	if r.Trades.By != ByLatest && r.Trades.By != ByID && r.Trades.By != ByTime {
		errs = append(errs, fmt.Errorf("Trades.By: no key is named %q", r.Trades.By))
	}
	if r.Trades.By == ByID && !r.Trades.Numbered {
		errs = append(errs, errors.New("Trades.Numbered: a fill by number needs trades that are numbered"))
	}
	return errors.Join(errs...)
}

func (r *Rules) maxLag() time.Duration {
	switch {
	case r.MaxLag < 0:
		return 1<<63 - 1
	case r.MaxLag == 0:
		return 5 * time.Second
	}
	return r.MaxLag
}

// lag is how late data of the venue's time at is, now by our clock.
func (r *Rules) lag(at, now time.Time) time.Duration {
	if r.Offset != nil {
		now = now.Add(r.Offset())
	}
	return now.Sub(at)
}
