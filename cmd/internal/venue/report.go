package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

// A Report is what the system under test says of itself, once everything has come to rest. The oracle compares it with
// the venue's own account; without one it can judge I1, I2, I8 and I9 only. All times are those of the machine, not of
// a venue's clock. Slices that stay empty are taken at their word: no attempts means that nothing was recorded.
type Report struct {
	Intents  []IntentReport  `json:"intents"`
	Attempts []AttemptReport `json:"attempts"` // durable records, in the order they were written
	Halts    []HaltReport    `json:"halts,omitempty"`
	Restarts []RestartReport `json:"restarts,omitempty"`
	Books    []BookReport    `json:"books,omitempty"`

	// Slack is how long a request may be on its way from the last check of the sender to the venue. Zero is right for
	// Transport without Latency.
	Slack time.Duration `json:"slack,omitempty"`
}

// An IntentReport is one order that was meant.
type IntentReport struct {
	ClientID string        `json:"clientId"` // as a key of Oracle.Orders
	State    string        `json:"state"`    // where it ended: a State
	Created  time.Time     `json:"created"`
	Settled  time.Time     `json:"settled"`          // when it reached State
	Within   time.Duration `json:"within,omitempty"` // longest from Created to Settled: max age, proof bound and read budget; 0: no bound
	MaxAge   time.Duration `json:"maxAge,omitempty"` // longest from Created to a send; 0: no bound
	Alert    bool          `json:"alert,omitempty"`  // somebody was told; PARKED and BREACH must

	Evidence time.Time    `json:"evidence,omitzero"` // when it was first known that the venue has the order; zero: never
	Absent   []time.Time  `json:"absent,omitempty"`  // when it was concluded that the venue does not have it
	Refused  []time.Time  `json:"refused,omitempty"` // when a guard of price, age or risk forbade a send
	Fills    []FillReport `json:"fills,omitempty"`   // as they were applied
}

// A FillReport is one fill as it was applied.
type FillReport struct {
	TradeID  int64           `json:"tradeId"`
	Quantity decimal.Decimal `json:"quantity"`
}

// An AttemptReport is the durable record of one send. A record after a guard's refusal stands for guards that passed.
type AttemptReport struct {
	ClientID string    `json:"clientId"`
	At       time.Time `json:"at"` // when it had become durable
}

// A HaltReport is a time in which nothing may be sent; a zero To means until the end.
type HaltReport struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// A RestartReport is a recovery after a crash.
type RestartReport struct {
	At     time.Time     `json:"at"`     // when recovery had come to rest
	Replay []StateReport `json:"replay"` // what the log said
	After  []StateReport `json:"after"`  // what the machine believed then
}

// A StateReport is what is believed of one intent.
type StateReport struct {
	ClientID string          `json:"clientId"`
	State    string          `json:"state"`
	Executed decimal.Decimal `json:"executed"`
}

// A BookReport is a book that was said to be in step with the venue.
type BookReport struct {
	Symbol   string      `json:"symbol"`
	Sequence int64       `json:"sequence"` // id of the last update in it
	Bids     [][2]string `json:"bids"`     // price and quantity, the best first; all levels
	Asks     [][2]string `json:"asks"`
}

// States of an intent. Others are taken for not settled.
const (
	StateAcked     = "ACKED" // settled while the venue has the order open
	StateFilled    = "FILLED"
	StateCanceled  = "CANCELED"
	StateExpired   = "EXPIRED"
	StateRejected  = "REJECTED"
	StateAbandoned = "ABANDONED"
	StateAbsent    = "ABSENT" // not settled
	StateParked    = "PARKED"
	StateBreach    = "BREACH"
)

// denies says whether a state means that the venue has no order.
func denies(state string) bool {
	return state == StateRejected || state == StateAbandoned || state == StateAbsent
}

// claims says whether a state means that the venue has or had the order.
func claims(state string) bool {
	switch state {
	case StateAcked, StateFilled, StateCanceled, StateExpired:
		return true
	}
	return false
}

// A Send is a request to place an order that reached the venue, whatever became of it.
type Send struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
}

// A Fill is one side of a trade that belongs to a client.
type Fill struct {
	OrderID  int64           `json:"orderId"`
	TradeID  int64           `json:"tradeId"`
	Price    decimal.Decimal `json:"price"`
	Quantity decimal.Decimal `json:"quantity"`
	At       time.Time       `json:"at"`
}
