package venue

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// apiMethods are the calls of /ws-api/v3 and the endpoints that do the same.
var apiMethods = map[string]struct{ method, path string }{
	"ping":                {http.MethodGet, "/api/v3/ping"},
	"time":                {http.MethodGet, "/api/v3/time"},
	"exchangeInfo":        {http.MethodGet, "/api/v3/exchangeInfo"},
	"depth":               {http.MethodGet, "/api/v3/depth"},
	"trades.recent":       {http.MethodGet, "/api/v3/trades"},
	"trades.historical":   {http.MethodGet, "/api/v3/historicalTrades"},
	"trades.aggregate":    {http.MethodGet, "/api/v3/aggTrades"},
	"klines":              {http.MethodGet, "/api/v3/klines"},
	"order.place":         {http.MethodPost, "/api/v3/order"},
	"order.status":        {http.MethodGet, "/api/v3/order"},
	"order.cancel":        {http.MethodDelete, "/api/v3/order"},
	"order.cancelReplace": {http.MethodPost, "/api/v3/order/cancelReplace"},
	"openOrders.status":   {http.MethodGet, "/api/v3/openOrders"},
	"account.status":      {http.MethodGet, "/api/v3/account"},

	"userDataStream.subscribe.signature": {http.MethodPost, subscribePath},
}

// subscribePath is the name under which the log and fault rules know the request for a user data stream.
const subscribePath = "/ws-api/v3/userDataStream"

type apiRequest struct {
	ID     json.RawMessage            `json:"id"`
	Method string                     `json:"method"`
	Params map[string]json.RawMessage `json:"params"`
}

type apiReply struct {
	ID     json.RawMessage `json:"id"`
	Status int             `json:"status"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// serveMessage takes one message of a /ws-api/v3 link the way of a request.
func (v *Venue) serveMessage(w *world, l *link, message []byte) {
	q, refusal := readMessage(message)
	if refusal != nil {
		v.reply(w, l, q.ID, refusal.answer(codeInStatus))
		return
	}
	if q.Method == "userDataStream.unsubscribe" {
		v.mu.Lock()
		h := w.engine.hub
		for _, u := range l.users {
			h.users[u.account] = without(h.users[u.account], l)
		}
		l.users = nil
		v.mu.Unlock()
		v.reply(w, l, q.ID, Answer{Status: http.StatusOK, Body: []byte("{}")})
		return
	}
	c := &call{method: apiMethods[q.Method].method, path: apiMethods[q.Method].path, remote: l.remote, link: l, params: url.Values{}}
	for name, raw := range q.Params {
		c.params.Set(name, plain(raw))
	}
	c.fill()
	v.number(c)
	a, d := v.answer(c)
	v.record(c, a, d)
	switch d {
	case Whole:
		v.reply(w, l, q.ID, a)
	case Cut:
		v.mu.Lock()
		w.engine.hub.cut(l, "fault", c.arrived)
		v.mu.Unlock()
	}
}

func readMessage(message []byte) (q apiRequest, refusal *apiError) {
	d := json.NewDecoder(bytes.NewReader(message))
	if d.Decode(&q) != nil {
		return apiRequest{}, refuse(-1135, "Invalid JSON Request")
	}
	if _, err := d.Token(); err != io.EOF {
		return apiRequest{}, refuse(-1135, "Invalid JSON Request")
	}
	if !validID(q.ID) {
		q.ID = nil
		return q, refuse(-1135, "Invalid JSON Request: id")
	}
	if _, known := apiMethods[q.Method]; !known && q.Method != "userDataStream.unsubscribe" {
		return q, refuse(-1000, "Unknown method.")
	}
	return q, nil
}

// plain is a JSON value as a parameter: the text of a string, else the JSON itself.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw))
}

// fill sets what follows from the parameters of a message.
func (c *call) fill() {
	c.key = c.params.Get("apiKey")
	c.deadline = c.params.Get("deadline")
	text := url.Values{}
	for name, values := range c.params {
		if name != "signature" {
			text[name] = values
		}
	}
	c.signed = text.Encode() // the parameters sorted by name, as they are signed (Binance WebSocket API docs)
	delete(c.params, "apiKey")
	c.about()
	if c.path == subscribePath {
		c.route = &subscribeRoute
		return
	}
	c.route = routes[c.path][c.method]
}

// reply sends an answer in the form of /ws-api/v3.
func (v *Venue) reply(w *world, l *link, id json.RawMessage, a Answer) {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	body := json.RawMessage(a.Body)
	if !json.Valid(body) { // a page of a proxy
		body = refuse(-1000, "%s", http.StatusText(a.Status)).answer(codeInStatus).Body
	}
	r := apiReply{ID: id, Status: a.Status, Result: body}
	if a.Status >= http.StatusBadRequest {
		r.Result, r.Error = nil, body
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.engine.hub.answer(l, encode(r))
}
