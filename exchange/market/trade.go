package market

import "time"

// A Trade is one trade of the public tape.
type Trade struct {
	Symbol   string
	ID       int64     // rises by one per trade of the symbol, where trades are numbered
	Key      string    // identifies it where they are not; may be empty otherwise
	At       time.Time // by the venue's clock
	Price    Number
	Quantity Number
	Buy      bool // the taker bought
	Filled   bool // read again, not from the stream
}

// A Hole stands where trades or candles are missing for good. It is bounded by numbers where
// trades have them, and by times otherwise, both included.
type Hole struct {
	First, Last int64 // numbers; 0 if there are none
	From, To    time.Time
	Why         error
}

// A Candle sums up the trades of an interval.
type Candle struct {
	Symbol   string
	Interval time.Duration
	Start    time.Time
	Open     Number
	High     Number
	Low      Number
	Close    Number
	Volume   Number
	Closed   bool // the venue says that it is final
}

// same says whether two candles hold the same numbers.
func (c *Candle) same(d *Candle) bool {
	return c.Open.Cmp(d.Open) == 0 && c.High.Cmp(d.High) == 0 && c.Low.Cmp(d.Low) == 0 &&
		c.Close.Cmp(d.Close) == 0 && c.Volume.Cmp(d.Volume) == 0
}

// A Kind says what an [Event] holds.
type Kind uint8

// The kinds.
const (
	Traded     Kind = iota // Trade
	Missing                // Hole: trades or candles that are missing for good
	Live                   // Candle, which still changes
	Closed                 // Candle, which is final
	Correction             // Candle: a final one that was different when it was delivered
)

var kindNames = [...]string{"trade", "hole", "live", "closed", "correction"}

// String returns the name in lower case.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// An Event is what consumers of trades and candles get.
type Event struct {
	Symbol     string
	Kind       Kind
	BestEffort bool // read again by time: the venue does not number its trades
	Trade      Trade
	Hole       Hole
	Candle     Candle
}
