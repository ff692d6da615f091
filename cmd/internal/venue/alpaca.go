package venue

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// The Alpaca interface is a second front of the same engine: other paths, other names, other errors. Its client ids are
// unique for ever and its requests carry no time, as on the venue.
const (
	alpacaPrefix = "/alpaca/v2/"
	alpacaEvents = alpacaPrefix + "events/trades"
)

// A front is the interface through which a request came.
type front uint8

const (
	frontBinance front = iota
	frontAlpaca
)

// alpacaStyle is the form of refusals of the Alpaca interface.
const alpacaStyle ErrorStyle = "alpaca"

// alpacaRoutes are by the path behind the prefix; an order's id in it is written as {id}.
var alpacaRoutes = map[string]map[string]*route{
	"orders": {
		http.MethodPost:   {signed: true, places: true, cost: costs(1), serve: alpacaPlace},
		http.MethodGet:    {signed: true, replica: true, cost: costs(1), serve: alpacaList},
		http.MethodDelete: {signed: true, cancels: true, cost: costs(1), serve: alpacaCancelAll},
	},
	"orders/{id}": {
		http.MethodGet:    {signed: true, replica: true, cost: costs(1), serve: alpacaGet},
		http.MethodPatch:  {signed: true, places: true, cancels: true, cost: costs(1), serve: alpacaReplace},
		http.MethodDelete: {signed: true, cancels: true, cost: costs(1), serve: alpacaCancel},
	},
	"orders:by_client_order_id": {http.MethodGet: {signed: true, replica: true, cost: costs(1), serve: alpacaGet}},
	"account":                   {http.MethodGet: {signed: true, cost: costs(1), serve: alpacaAccount}},
	"positions":                 {http.MethodGet: {signed: true, cost: costs(1), serve: alpacaPositions}},
	"clock":                     {http.MethodGet: {signed: true, cost: costs(1), serve: alpacaClock}},
	"account/activities":        {http.MethodGet: {signed: true, replica: true, cost: costs(1), serve: alpacaActivities}},
	"account/activities/FILL":   {http.MethodGet: {signed: true, replica: true, cost: costs(1), serve: alpacaActivities}},
	"events/trades":             {http.MethodGet: {signed: true, cost: costs(1)}},
}

// alpacaOrderRequest is the body of POST /orders and of PATCH /orders/{id}. What it does not name is not supported and
// ignored where the client sends an empty value.
type alpacaOrderRequest struct {
	Symbol        string           `json:"symbol"`
	Qty           *decimal.Decimal `json:"qty"`
	Notional      *decimal.Decimal `json:"notional"`
	Side          string           `json:"side"`
	Type          string           `json:"type"`
	TimeInForce   string           `json:"time_in_force"`
	LimitPrice    *decimal.Decimal `json:"limit_price"`
	StopPrice     *decimal.Decimal `json:"stop_price"`
	TrailPrice    *decimal.Decimal `json:"trail_price"`
	TrailPercent  *decimal.Decimal `json:"trail_percent"`
	OrderClass    string           `json:"order_class"`
	ClientOrderID string           `json:"client_order_id"`
}

// takeAlpaca reads a request of the Alpaca interface.
func (c *call) takeAlpaca(h http.Header) {
	c.front, c.style = frontAlpaca, alpacaStyle
	c.key, c.secret = h.Get("APCA-API-KEY-ID"), h.Get("APCA-API-SECRET-KEY")
	var err error
	if c.params, err = url.ParseQuery(c.query); err != nil {
		c.malformed = true
	}
	path := strings.TrimPrefix(c.path, alpacaPrefix)
	if id, ok := strings.CutPrefix(path, "orders/"); ok && id != "" && !strings.Contains(id, "/") {
		path, c.orderID = "orders/{id}", id
	}
	if c.methods = alpacaRoutes[path]; c.methods != nil {
		c.route = c.methods[c.method]
	}
	c.client = c.params.Get("client_order_id")
	c.symbol = alpacaMarket(c.params.Get("symbols"))
	if c.body == "" || c.tooLarge || c.route == nil || !c.route.places {
		return
	}
	var q alpacaOrderRequest
	if json.Unmarshal([]byte(c.body), &q) != nil || !q.sane() {
		c.malformed = true
		return
	}
	c.order = q
	c.client, c.symbol = q.ClientOrderID, alpacaMarket(q.Symbol)
	c.params = q.params(c.symbol)
}

// sane refuses amounts of absurd length before anybody computes with them.
func (q alpacaOrderRequest) sane() bool {
	for _, d := range []*decimal.Decimal{q.Qty, q.Notional, q.LimitPrice, q.StopPrice, q.TrailPrice, q.TrailPercent} {
		if d != nil && (d.Exponent() < -20 || d.Exponent() > 20 || d.NumDigits() > 40) {
			return false
		}
	}
	return true
}

// params are the same order in the names that the engine's front reads.
func (q alpacaOrderRequest) params(symbol string) url.Values {
	p := url.Values{}
	set := func(name, value string) {
		if value != "" {
			p.Set(name, value)
		}
	}
	set("symbol", symbol)
	set("side", strings.ToUpper(q.Side))
	set("type", strings.ToUpper(q.Type))
	set("newClientOrderId", q.ClientOrderID)
	if q.Type == "limit" {
		switch q.TimeInForce {
		case "ioc", "fok":
			set("timeInForce", strings.ToUpper(q.TimeInForce))
		default:
			set("timeInForce", string(gtc)) // the simulated day has no end
		}
	}
	for _, a := range []struct {
		name string
		d    *decimal.Decimal
	}{{"quantity", q.Qty}, {"quoteOrderQty", q.Notional}, {"price", q.LimitPrice}, {"stopPrice", q.StopPrice}} {
		if a.d != nil {
			set(a.name, a.d.String())
		}
	}
	return p
}

// alpacaMarket is the engine's symbol for a name of Alpaca's: BTC/USD is BTCUSD, AAPL is AAPLUSD. The engine's own names
// are taken as well.
func alpacaMarket(name string) string {
	name = strings.ReplaceAll(name, "/", "")
	if base, _ := split(name); base == "" && name != "" {
		return name + "USD"
	}
	return name
}

// alpacaSymbol is the way back.
func (m *marketState) alpacaSymbol() (name, class string) {
	switch {
	case m.quote != "USD":
		return m.base + "/" + m.quote, "crypto"
	case m.base == "BTC" || m.base == "ETH":
		return m.base + "/USD", "crypto"
	}
	return m.base, "us_equity"
}

// alpacaID is a UUID that holds an order's number, which keeps it the same from run to run.
func (e *engine) alpacaID(id int64) string {
	return fmt.Sprintf("%08x-5e1f-4000-8000-%012x", uint32(mix(e.cfg.Seed)), id)
}

func (e *engine) fromAlpacaID(text string) int64 {
	i := strings.LastIndexByte(text, '-')
	id, err := strconv.ParseInt(text[i+1:], 16, 64)
	if err != nil || !strings.EqualFold(e.alpacaID(id), text) {
		return 0
	}
	return id
}

// alpacaOrder is the order a request names, by its id or by its client id; nil if there is none.
func (c *call) alpacaOrder(e *engine) *order {
	a := e.accounts[c.account]
	if c.orderID == "" {
		return a.first[c.client]
	}
	id := e.fromAlpacaID(c.orderID)
	for _, s := range e.symbols {
		if o := byID(a.orders[s], id); o != nil {
			return o
		}
	}
	return nil
}
