package venue

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A route is one endpoint.
type route struct {
	signed  bool
	keyed   bool                 // needs an API key and no signature
	places  bool                 // may place an order
	cancels bool                 // may cancel one
	replica bool                 // answered from a view that may lag
	cost    func(url.Values) int // request weight
	serve   func(e *engine, c *call, now time.Time) (any, *apiError)
}

func costs(n int) func(url.Values) int { return func(url.Values) int { return n } }

// either costs less if a parameter narrows the request down.
func either(name string, with, without int) func(url.Values) int {
	return func(p url.Values) int {
		if p.Get(name) != "" {
			return with
		}
		return without
	}
}

// Weights are those of Binance spot REST docs.
func depthCost(p url.Values) int {
	n, err := strconv.Atoi(p.Get("limit"))
	switch {
	case err != nil || n <= 100:
		return 5
	case n <= 500:
		return 25
	case n <= 1000:
		return 50
	}
	return 250
}

// routes are by path, then by method. go-binance v2.8.7 still asks /api/v1/trades.
var routes = map[string]map[string]*route{
	"/api/v3/ping":         {http.MethodGet: {cost: costs(1), serve: servePing}},
	"/api/v3/time":         {http.MethodGet: {cost: costs(1), serve: serveTime}},
	"/api/v3/exchangeInfo": {http.MethodGet: {cost: costs(20), serve: serveExchangeInfo}},
	"/api/v3/depth":        {http.MethodGet: {cost: depthCost, serve: serveDepth}},
	"/api/v3/trades":       {http.MethodGet: {cost: costs(25), serve: serveTrades}},
	"/api/v1/trades":       {http.MethodGet: {cost: costs(25), serve: serveTrades}},
	"/api/v3/klines":       {http.MethodGet: {cost: costs(2), serve: serveKlines}},
	"/api/v3/order": {
		http.MethodPost:   {signed: true, places: true, cost: costs(1), serve: servePlace},
		http.MethodGet:    {signed: true, replica: true, cost: costs(4), serve: serveOrder},
		http.MethodDelete: {signed: true, cancels: true, cost: costs(1), serve: serveCancel},
	},
	"/api/v3/order/cancelReplace": {http.MethodPost: {signed: true, places: true, cancels: true, cost: costs(1), serve: serveCancelReplace}},
	"/api/v3/openOrders": {
		http.MethodGet:    {signed: true, replica: true, cost: either("symbol", 6, 80), serve: serveOpenOrders},
		http.MethodDelete: {signed: true, cancels: true, cost: costs(1), serve: serveCancelAll},
	},
	"/api/v3/historicalTrades": {http.MethodGet: {keyed: true, cost: costs(25), serve: serveHistoricalTrades}},
	"/api/v3/aggTrades":        {http.MethodGet: {cost: costs(4), serve: serveAggTrades}},
	"/api/v3/userDataStream": {
		http.MethodPost:   {keyed: true, cost: costs(2), serve: serveListenKey},
		http.MethodPut:    {keyed: true, cost: costs(2), serve: serveListenKey},
		http.MethodDelete: {keyed: true, cost: costs(2), serve: serveListenKey},
	},
	"/api/v3/allOrders":       {http.MethodGet: {signed: true, replica: true, cost: costs(20), serve: serveAllOrders}},
	"/api/v3/myTrades":        {http.MethodGet: {signed: true, replica: true, cost: either("orderId", 5, 20), serve: serveMyTrades}},
	"/api/v3/account":         {http.MethodGet: {signed: true, cost: costs(20), serve: serveAccount}},
	"/api/v3/rateLimit/order": {http.MethodGet: {signed: true, cost: costs(40), serve: serveOrderCount}},
}

// subscribeRoute is userDataStream.subscribe.signature of /ws-api/v3.
var subscribeRoute = route{signed: true, cost: costs(2), serve: serveSubscribe}
