package binanceorders

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// Limits are those of Binance for one link of market data (web-socket-streams.md: 5 messages a second, 1024 streams).
var Limits = retryws.Limits{Messages: 5, Per: time.Second, Topics: 1024}

// Market is the [retryws.Protocol] of Binance's market data streams. The Channel of a topic is what the venue has behind
// the @ ("depth@100ms", "trade", "aggTrade", "bookTicker", "kline_1m"), and its Symbol is in capitals. A message says by
// which of these it was subscribed but for depth, of which a link has either "depth" or "depth@100ms".
type Market struct {
	URL   string // such as wss://stream.binance.com:9443/ws
	Depth string // channel of depth messages; empty means "depth@100ms"
}

var _ retryws.Protocol = Market{}

// Address is of [retryws.Protocol].
func (m Market) Address(retryws.Credentials) retryws.Address { return retryws.Address{URL: m.URL} }

// Auth is of [retryws.Protocol]: market data is for everybody.
func (Market) Auth(*retryws.Request) ([]byte, error) { return nil, nil }

// Subscribe is of [retryws.Protocol].
func (Market) Subscribe(r *retryws.Request) ([]byte, error) { return ask("SUBSCRIBE", r) }

// Unsubscribe is of [retryws.Protocol].
func (Market) Unsubscribe(r *retryws.Request) ([]byte, error) { return ask("UNSUBSCRIBE", r) }

// Ping is of [retryws.Protocol]: Binance takes ping frames.
func (Market) Ping() []byte { return nil }

func ask(method string, r *retryws.Request) ([]byte, error) {
	names := make([]string, len(r.Topics))
	for i, t := range r.Topics {
		names[i] = strings.ToLower(t.Symbol) + "@" + t.Channel
	}
	return json.Marshal(map[string]any{"method": method, "params": names, "id": r.ID})
}

// A marketMessage has what tells one message from another. Names that differ by case alone stand beside each other, because
// encoding/json takes one for the other if only one is there; what is a number here and a list there stays as it came.
type marketMessage struct {
	ID     uint64          `json:"id"`
	Event  string          `json:"e"`
	At     int64           `json:"E"`
	Symbol string          `json:"s"`
	Side   json.RawMessage `json:"S"`
	First  json.RawMessage `json:"U"`
	Last   json.RawMessage `json:"u"`
	Trade  json.RawMessage `json:"t"`
	Time   json.RawMessage `json:"T"`
	Asks   json.RawMessage `json:"a"` // the number of an aggTrade
	Ask    json.RawMessage `json:"A"`
	Candle *struct {
		Interval string          `json:"i"`
		Ignored  json.RawMessage `json:"I"`
	} `json:"k"`
	Error *struct {
		Code int    `json:"code"`
		Text string `json:"msg"`
	} `json:"error"`
}

// Classify is of [retryws.Protocol].
func (m Market) Classify(message []byte, f *retryws.Frame) {
	var v marketMessage
	if json.Unmarshal(message, &v) != nil {
		return
	}
	topic := func(channel string) {
		f.Kind, f.Topic, f.Time = retryws.Data, retryws.Topic{Channel: channel, Symbol: v.Symbol}, at(v.At)
	}
	switch {
	case v.Error != nil:
		f.Kind, f.ID, f.Text = retryws.Refused, v.ID, v.Error.Text
	case v.ID != 0:
		f.Kind, f.ID = retryws.Confirmed, v.ID
	case v.Event == "depthUpdate":
		topic(cmp.Or(m.Depth, "depth@100ms"))
		f.First, f.Last = number(v.First), number(v.Last)
	case v.Event == "trade":
		topic("trade")
		f.First, f.Last = number(v.Trade), number(v.Trade)
	case v.Event == "aggTrade":
		topic("aggTrade")
		f.First, f.Last = number(v.Asks), number(v.Asks)
	case v.Event == "kline" && v.Candle != nil:
		topic("kline_" + v.Candle.Interval)
	case v.Event == "serverShutdown":
		f.Kind, f.Closing, f.Text = retryws.Notice, true, "serverShutdown"
	case v.Event == "" && v.Symbol != "" && number(v.Last) > 0:
		topic("bookTicker")
		f.First, f.Last = number(v.Last), number(v.Last)
	}
}

// number is 0 for what is none.
func number(text json.RawMessage) int64 {
	n, _ := strconv.ParseInt(string(text), 10, 64)
	return n
}

// at is the zero time for a message that does not say.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
