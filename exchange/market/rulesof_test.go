package market

import (
	"strings"
	"testing"

	"github.com/relent-go/relent/exchange"
)

func TestRulesOf(t *testing.T) {
	names := exchange.Names()
	if len(names) != len(venues) {
		t.Errorf("%d venues with rules, %d with facts", len(venues), len(names))
	}
	for _, name := range names {
		p, err := exchange.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := RulesOf(p)
		if err != nil || r.Venue != name || r.Check() != nil || r.Candles.Rows == 0 {
			t.Errorf("RulesOf(%s) = %+v, %v", name, r, err)
		}
		if _, err := NewDecoder(name); err != nil {
			t.Error(err)
		}
		wrong := *p
		wrong.OrderBook.Sequence.Fields = []string{"n"}
		wrong.OrderBook.Snapshot.Source = "carrier pigeon"
		if r.Fetched == false {
			wrong.OrderBook.Snapshot.Source = "REST GET /book"
		}
		wrong.GapFill.Trades.ContiguousID = nil
		if !r.Trades.Numbered {
			wrong.GapFill.Trades.ContiguousID = new("id")
		}
		if _, err := RulesOf(&wrong); err == nil || strings.Count(err.Error(), "\n") != 2 {
			t.Errorf("RulesOf(%s with other facts) = %v; want three mistakes", name, err)
		}
	}
	if _, err := RulesOf(&exchange.Profile{Exchange: "nowhere"}); err == nil {
		t.Error("there are rules for nowhere")
	}
}
