package market

import (
	"fmt"
)

// GateSnapshot reads the answer of GET /spot/order_book?with_id=true.
func GateSnapshot(symbol string, body []byte) (*Snapshot, error) {
	return snapshot(symbol, body, "id", "update", "")
}

// KuCoinSnapshot reads the answer of GET /api/v3/market/orderbook/level2.
func KuCoinSnapshot(symbol string, body []byte) (*Snapshot, error) {
	return snapshot(symbol, body, "sequence", "time", "data")
}

// snapshot reads a book with its number and, if it is there, its time.
func snapshot(symbol string, body []byte, id, at, inside string) (*Snapshot, error) {
	s := scan(body)
	if inside != "" && s.err == nil {
		s.enter(inside)
	}
	snap := &Snapshot{Symbol: symbol}
	var f Frame
	sides := 0
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case id:
			snap.ID = s.integer()
		case at:
			snap.At = s.millis()
		case "bids":
			snap.Bids = f.readLevels(&s)
			sides |= 1
		case "asks":
			snap.Asks = f.readLevels(&s)
			sides |= 2
		default:
			s.skip()
		}
	}
	if snap.ID <= 0 || sides != 3 {
		s.fail("a snapshot without %s, bids or asks", id)
	}
	if s.err != nil {
		return nil, fmt.Errorf("%s: snapshot: %w", symbol, s.err)
	}
	return snap, nil
}
