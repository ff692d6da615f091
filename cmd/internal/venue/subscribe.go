package venue

import (
	"encoding/json"
	"strings"
)

// maxStreams is how many streams one link may have (Binance spot websocket docs).
const maxStreams = 1024

// A streamName is a stream of one market.
type streamName struct{ symbol, kind string }

// parseStream takes a stream's name apart, such as btcusdt@depth@100ms.
func parseStream(name string) (streamName, bool) {
	symbol, kind, ok := strings.Cut(name, "@")
	if !ok || symbol == "" || symbol != strings.ToLower(symbol) {
		return streamName{}, false
	}
	switch kind {
	case "depth", "depth@100ms", "trade", "aggTrade", "bookTicker":
		return streamName{strings.ToUpper(symbol), kind}, true
	}
	if interval, ok := strings.CutPrefix(kind, "kline_"); ok {
		_, ok = intervals[interval]
		return streamName{strings.ToUpper(symbol), kind}, ok
	}
	return streamName{}, false
}

// A command is a JSON message of a client to a market link.
type command struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	ID     json.RawMessage `json:"id"`
}

type commandResult struct {
	Result any             `json:"result"`
	ID     json.RawMessage `json:"id"`
}

type commandError struct {
	Error struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
	} `json:"error"`
	ID json.RawMessage `json:"id,omitempty"`
}

func badCommand(id json.RawMessage, code int, msg string) commandError {
	e := commandError{ID: id}
	e.Error.Code, e.Error.Msg = code, msg
	return e
}

// validID accepts what the venue does: an integer, a string of at most 36 characters, or null.
func validID(id json.RawMessage) bool {
	switch {
	case len(id) == 0:
		return true
	case len(id) > 64:
		return false
	case id[0] == '"' || string(id) == "null":
		return true
	}
	var n int64
	return json.Unmarshal(id, &n) == nil
}

// command does what a client of a market link asks for and returns the answer. The caller holds Venue.mu.
func (h *hub) command(l *link, message []byte) any {
	var c command
	if err := json.Unmarshal(message, &c); err != nil {
		return badCommand(nil, 3, "Invalid JSON: expected an object with method, params and id")
	}
	if !validID(c.ID) {
		return badCommand(nil, 2, "Invalid request: request ID must be an unsigned integer, a string or null")
	}
	switch c.Method {
	case "LIST_SUBSCRIPTIONS":
		return commandResult{l.names(), c.ID}
	case "SUBSCRIBE", "UNSUBSCRIBE":
	default:
		return badCommand(c.ID, 2, "Invalid request: unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`")
	}
	var names []string
	if json.Unmarshal(c.Params, &names) != nil || len(names) > maxStreams {
		return badCommand(c.ID, 2, "Invalid request: params must be an array of stream names")
	}
	fresh := 0
	for _, name := range names {
		if _, ok := parseStream(name); !ok {
			return badCommand(c.ID, 2, "Invalid request: invalid stream")
		}
		if _, ok := l.streams[name]; !ok {
			fresh++
		}
	}
	if c.Method == "SUBSCRIBE" && len(l.streams)+fresh > maxStreams {
		return badCommand(c.ID, 2, "Invalid request: too many streams")
	}
	for _, name := range names {
		if c.Method == "SUBSCRIBE" {
			h.subscribe(l, name)
		} else {
			h.unsubscribe(l, name)
		}
	}
	return commandResult{nil, c.ID}
}
