package venue

import (
	"net/http"
	"net/url"
	"time"
)

// A call is a request on its way.
type call struct {
	world   *world
	seq     uint64
	arrived time.Time
	method  string
	path    string
	front   front
	style   ErrorStyle
	link    *link // over which it came, if it is a message of one
	remote  string
	key     string
	query   string
	body    string

	params    url.Values
	malformed bool
	signed    string // what the signature is of, if it is not query and body
	deadline  string // of the request, where the profile knows one
	repeated  string // a parameter that was sent more than once
	tooLarge  bool
	client    string // client id the request is about
	symbol    string
	methods   map[string]*route // of the path
	route     *route
	secret    string             // of the Alpaca interface, as are the next two
	orderID   string             // in the path
	order     alpacaOrderRequest // in the body
	account   int                // index, once the key is known

	hold         time.Duration // in the gateway, beside Config.GatewayDelay
	slow         time.Duration // in the engine, after the last check
	shift        time.Duration // of the venue's clock
	lag          time.Duration // of the replica that answers
	stale        time.Duration // of a depth snapshot
	ignoreWindow bool
	release      func()                                   // undoes it when the request is done
	stress       func(e *engine, now time.Time) *apiError // what a fault does to the engine first
	steps        []float64                                // in which an order is filled, by a fault
	stepDelay    time.Duration
	hidden       bool // a query of an order finds nothing
	reset        bool // if the connection is cut, it is by a reset

	fault     string
	decision  string
	forwarded time.Time
	weight    int
	placed    *order
}

// read parses query and body. A parameter in both counts as it is in the query (Binance spot REST docs, "General
// Information on Endpoints").
func (c *call) read() {
	var err, errBody error
	if c.params, err = url.ParseQuery(c.query); c.params == nil {
		c.params = url.Values{}
	}
	if c.body != "" && !c.tooLarge {
		var form url.Values
		form, errBody = url.ParseQuery(c.body)
		for name, values := range form {
			if _, ok := c.params[name]; !ok {
				c.params[name] = values
			}
		}
	}
	for name, values := range c.params {
		if len(values) > 1 && (c.repeated == "" || name < c.repeated) {
			c.repeated = name
		}
	}
	c.malformed = err != nil || errBody != nil
}

// about sets what a request is about, for fault rules and the log.
func (c *call) about() {
	c.symbol = c.params.Get("symbol")
	c.client = c.params.Get("origClientOrderId")
	if c.method == http.MethodPost {
		c.client = c.params.Get("newClientOrderId")
	}
}
