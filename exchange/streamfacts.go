package exchange

// WebSocket is what is known of a venue's streams.
type WebSocket struct {
	URLs               []string       `json:"urls"`
	Ping               PingFact       `json:"ping"`
	MaxAgeMS           *int64         `json:"max_age_ms"` // of a connection; nil: not known to end
	PlannedCloseNotice *string        `json:"planned_close_notice"`
	ConnectLimits      []Limit        `json:"connect_limits"`
	MessageLimits      []Limit        `json:"message_limits"`
	SubscribeLimits    []Limit        `json:"subscribe_limits"`
	UserStream         UserStreamFact `json:"user_stream"`
}

// A PingFact is who keeps a connection alive, and how often.
type PingFact struct {
	Direction  string `json:"direction"`
	IntervalMS int64  `json:"interval_ms"`
	DeadlineMS *int64 `json:"deadline_ms"`
	Payload    string `json:"payload"`
	Fact
}

// A UserStreamFact is about the stream of our own orders.
type UserStreamFact struct {
	Method            string  `json:"method"`
	ListenKey         *string `json:"listen_key"`
	Event             string  `json:"event"`
	Fields            string  `json:"fields"`
	SnapshotOnConnect bool    `json:"snapshot_on_connect"`
	Fact
}

// OrderBook is what is known of a venue's book channel.
type OrderBook struct {
	Channel  string        `json:"channel"`
	Sequence SequenceFact  `json:"sequence"`
	Checksum *ChecksumFact `json:"checksum"`
	Snapshot SnapshotFact  `json:"snapshot"`
	Resync   []string      `json:"resync"`
	Fact
}

// A SequenceFact is how updates are numbered.
type SequenceFact struct {
	Type   string   `json:"type"` // range, range+prev, prev_link, counter, counter+prev, none
	Fields []string `json:"fields"`
	Rule   string   `json:"rule"`
	Fact
}

var sequences = []string{"range", "range+prev", "prev_link", "counter", "counter+prev", "none"}

// A ChecksumFact is how a book can be checked.
type ChecksumFact struct {
	Algo string `json:"algo"`
	Note string `json:"note"`
}

// A SnapshotFact is where a book begins.
type SnapshotFact struct {
	Source  string  `json:"source"`
	IDField *string `json:"id_field"`
	Cost    int     `json:"cost"`
}

// GapFill is how what a stream missed is read.
type GapFill struct {
	Trades TradesFact `json:"trades"`
	Klines KlinesFact `json:"klines"`
	Fact
}

// A TradesFact is how trades are read again.
type TradesFact struct {
	Endpoint     string  `json:"endpoint"`
	Key          string  `json:"key"`
	Max          int     `json:"max"`
	Alt          string  `json:"alt"`
	ContiguousID *string `json:"contiguous_id"`
}

// A KlinesFact is how candles are read again.
type KlinesFact struct {
	Endpoint string `json:"endpoint"`
	Key      string `json:"key"`
	Max      int    `json:"max"`
}
