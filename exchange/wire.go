package exchange

// Wire is how a venue's facts show in requests and answers. Without it every request that may change something
// counts as an order without an id, which a [Transport] refuses, and every limit counts for every request.
//
// A place is where in a request a value lies: "query:name", "form:name" (a urlencoded body), "json:a.b" (a JSON
// body), "header:Name", or "path" for the last segment of the path. Of several places the first that holds a value
// counts. An answer's values are at paths in its JSON: "a.b"; a list on the way means each of its elements.
type Wire struct {
	Routes       []Route  `json:"routes"`
	ClientID     []string `json:"client_id"`               // places of the order's id in orders and amends
	CancelID     []string `json:"cancel_id,omitempty"`     // of the order's id in cancels; none: as ClientID
	Symbol       []string `json:"symbol,omitempty"`        // of the instrument
	Signed       []string `json:"signed,omitempty"`        // of the signed time
	SignedUnit   string   `json:"signed_unit,omitempty"`   // milliseconds, epoch_s, epoch_ms, rfc3339
	Window       []string `json:"window,omitempty"`        // of the time that the request is good for, in ms
	Deadline     []string `json:"deadline,omitempty"`      // of the moment itself
	DeadlineUnit string   `json:"deadline_unit,omitempty"` // as SignedUnit
	Code         []string `json:"code,omitempty"`          // of the error code in answers
	Message      []string `json:"message,omitempty"`       // of its text
	OK           []string `json:"ok,omitempty"`            // codes that are none
	OrderID      []string `json:"order_id,omitempty"`      // of the venue's id, in the answer to an order
	EchoID       []string `json:"echo_id,omitempty"`       // of our id, in the answer to an order
	Time         []string `json:"time,omitempty"`          // of the venue's time, in the answer of a route that learns it
	TimeUnit     string   `json:"time_unit,omitempty"`     // as SignedUnit
	Draws        []Draw   `json:"draws,omitempty"`
	Usage        []Usage  `json:"usage,omitempty"`
	ThrottleMS   int64    `json:"throttle_ms,omitempty"` // wait after "slow down" without a time; 0 means 1000
	Honours      []string `json:"honours,omitempty"`     // idempotency headers that the venue knows, so that they stay
	SeesClosed   bool     `json:"sees_closed,omitempty"` // the query by client id finds closed orders; needs orders.query_by_client_id
	AckIsEngine  bool     `json:"ack_is_engine,omitempty"`
	AmendKeepsID bool     `json:"amend_keeps_id,omitempty"` // needs orders.amend
}

// A Route says what requests to a path are for. Paths match from their end, so that a base path does not matter; "*"
// is any one segment, "**" any number of them at the end. The longest path that matches counts.
type Route struct {
	Method string `json:"method"` // or "*"
	Path   string `json:"path"`
	Kind   Kind   `json:"kind"`
	Learn  string `json:"learn,omitempty"` // what the answer teaches: "time", or "limits" of Binance's exchangeInfo
}

// A Draw says which requests count against a limit, and how much.
type Draw struct {
	Limit  string   `json:"limit"`            // ID of one of Rest.Limits
	Kinds  []Kind   `json:"kinds,omitempty"`  // none means all
	Paths  []string `json:"paths,omitempty"`  // as in Route; none means all
	Except []string `json:"except,omitempty"` // paths that do not count
	Costs  Prices   `json:"costs,omitempty"`  // by the end of the path, dearest by default; none: the model decides
	Tier   string   `json:"tier,omitempty"`   // counts only for accounts of this tier; the first tier is the default
	Apart  bool     `json:"apart,omitempty"`  // requests of different kinds count apart
	Codes  []string `json:"codes,omitempty"`  // error codes that say that this limit was reached
}

// Prices are costs by path.
type Prices map[string]Price

// A Usage is a header that tells how far a limit is used. Of several limits it is about those that the request drew
// on. The name may end in "*", which stands for a window such as "1M" and chooses the limit that has it.
type Usage struct {
	Header string   `json:"header"`
	Says   string   `json:"says"` // used, left
	Limits []string `json:"limits"`
}

// UnmarshalText reads the name of a kind.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return &kindError{string(text)}
}

// MarshalText returns the name of a kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

type kindError struct{ text string }

func (e *kindError) Error() string { return "no kind of request: " + e.text }
