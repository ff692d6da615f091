package exchange

import "encoding/json"

// Rest is what is known of a venue's HTTP interface.
type Rest struct {
	BaseURLs      []string         `json:"base_urls"`
	MarketDataURL *string          `json:"market_data_url"`
	Limits        []Limit          `json:"limits"`
	EndpointCosts map[string]Price `json:"endpoint_costs"`
	UsageHeaders  []HeaderFact     `json:"usage_headers"`
	WaitHints     []HeaderFact     `json:"wait_hints"`
	Ban           []BanFact        `json:"ban"`
	HTTPStatus    []StatusFact     `json:"http_status"`
	Timing        Timing           `json:"timing"`
}

// A Limit is one rate limit. Scope says whose requests count together: an IP, an account, a key, an endpoint, a
// market, or a pair of them.
type Limit struct {
	ID         string   `json:"id"`
	Scope      string   `json:"scope"`
	Model      string   `json:"model"`
	Limit      *float64 `json:"limit"`     // nil: only the venue can say
	WindowMS   *int64   `json:"window_ms"` // of models with a window
	RefillPerS *float64 `json:"refill_per_s"`
	Notes      string   `json:"notes"`
	Fact
}

// The models of limits.
const (
	modelFixedWeight   = "fixed_window_weight"
	modelFixedCount    = "fixed_window_count"
	modelFixedUnfilled = "fixed_window_count_unfilled"
	modelCount         = "window_count"
	modelWeight        = "window_weight"
	modelRolling       = "rolling_window"
	modelRate          = "rate"
	modelDecay         = "decay_counter"
	modelToken         = "token_bucket"
	modelCredit        = "credit_bucket"
	modelCap           = "cap"
	modelDeadline      = "deadline"
)

var models = []string{
	modelFixedWeight, modelFixedCount, modelFixedUnfilled, modelCount, modelWeight, modelRolling, modelRate,
	modelDecay, modelToken, modelCredit, modelCap, modelDeadline,
}

// A Price is the cost of an endpoint: a number, or numbers by the age of the order ("8/6/5/4/2/1", "1+3/2/1").
type Price string

// UnmarshalJSON takes numbers, too.
func (p *Price) UnmarshalJSON(data []byte) error {
	var n json.Number
	if json.Unmarshal(data, &n) == nil {
		*p = Price(n)
		return nil
	}
	return json.Unmarshal(data, (*string)(p))
}

// A HeaderFact is something in an answer that tells of usage, or of a time to wait.
type HeaderFact struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // usage, header, body
	Unit    string `json:"unit"`
	Meaning string `json:"meaning"`
	Fact
}

// A BanFact is how a venue locks somebody out, and for how long.
type BanFact struct {
	Trigger  string `json:"trigger"`
	Signal   string `json:"signal"`
	Duration string `json:"duration"`
	Scope    string `json:"scope"`
	Action   string `json:"action"`
	Fact
}

// A StatusFact is what an HTTP status means. The first row that matches counts.
type StatusFact struct {
	Status       string  `json:"status"` // "418", "5xx", "520..525"
	Match        *string `json:"match"`  // text in the body, or a condition; nil: any
	Class        Meaning `json:"class"`
	OrderOutcome string  `json:"order_outcome"`
	Notes        string  `json:"notes"`
	Fact
}

// An ErrorFact is what a venue's own error code means. Match is a regular expression on the message; of the rows
// with one code the first that matches counts.
type ErrorFact struct {
	Code         string  `json:"code"` // or a range, "-1100..-1199"
	Match        string  `json:"match"`
	Class        Meaning `json:"class"`
	OrderOutcome string  `json:"order_outcome"`
	Retry        Advice  `json:"retry"`
	Notes        string  `json:"notes"`
	Fact
}

// Timing is how a venue judges the time in a signed request.
type Timing struct {
	TimestampParam    *string `json:"timestamp_param"`
	WindowParam       *string `json:"window_param"`
	DefaultMS         *int64  `json:"default_ms"`
	MaxMS             *int64  `json:"max_ms"`
	FutureToleranceMS *int64  `json:"future_tolerance_ms"`
	ServerTime        *string `json:"server_time"`
	BackendTimeoutMS  *int64  `json:"backend_timeout_ms"`
	Notes             string  `json:"notes"`
	Fact
}
