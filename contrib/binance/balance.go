package binanceorders

import (
	"encoding/json"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// Balances reads a message of a [User] stream that tells what the account holds of some assets, free and locked together,
// and when. It is false for other messages, and for one that cannot be read: ask by REST then.
func Balances(message []byte) (held map[string]order.Decimal, at time.Time, ok bool) {
	var m struct {
		Event *struct {
			Kind string `json:"e"`
			At   int64  `json:"E"`
			List []struct {
				Asset  string `json:"a"`
				Free   string `json:"f"`
				Locked string `json:"l"`
			} `json:"B"`
		} `json:"event"`
	}
	if json.Unmarshal(message, &m) != nil || m.Event == nil || m.Event.Kind != "outboundAccountPosition" {
		return nil, time.Time{}, false
	}
	var r reader
	held = make(map[string]order.Decimal, len(m.Event.List))
	for _, b := range m.Event.List {
		held[b.Asset] = r.number("f", b.Free).Add(r.number("l", b.Locked))
	}
	return held, time.UnixMilli(m.Event.At), r.err == nil
}
