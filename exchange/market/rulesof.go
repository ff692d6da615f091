package market

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/relent-go/relent/exchange"
)

// shapes says which facts about a sequence a rule was written for.
var shapes = map[Sequence][]string{ // the type, then the fields
	BinanceRange:    {"range", "U", "u"},
	BinancePrev:     {"range+prev", "U", "u", "pu"},
	BybitCounter:    {"counter", "u", "seq"},
	OKXLink:         {"prev_link", "seqId", "prevSeqId"},
	KrakenChecksum:  {"none"},
	CoinbaseCounter: {"counter", "sequence_num"},
	DeribitLink:     {"prev_link", "change_id", "prev_change_id"},
	GateRange:       {"range", "U", "u"},
	KuCoinRange:     {"range", "sequenceStart", "sequenceEnd"},
	BitgetRising:    {"counter+prev", "seq", "pseq"},
	BitfinexCounter: {"counter", "seq", "auth seq"},
	TopOfBook:       {"none"},
}

// RulesOf returns the rules of a venue, with the page sizes of its profile. It returns an error if
// there are none for it, or if the facts are not those that the rules were written for: then its books
// must not be trusted before somebody has looked.
func RulesOf(p *exchange.Profile) (Rules, error) {
	r, ok := VenueRules(p.Exchange)
	if !ok {
		return Rules{}, fmt.Errorf("market: there are no rules for %q", p.Exchange)
	}
	var errs []error
	shape := []string{p.OrderBook.Sequence.Type}
	for _, field := range p.OrderBook.Sequence.Fields {
		name, _, _ := strings.Cut(field, " (")
		shape = append(shape, name)
	}
	if want := shapes[r.Sequence]; !slices.Equal(shape, want) {
		errs = append(errs, fmt.Errorf("orderbook.sequence: %q, but the rule is for %q", shape, want))
	}
	if fetched := strings.HasPrefix(p.OrderBook.Snapshot.Source, "REST"); fetched != r.Fetched {
		errs = append(errs, fmt.Errorf("orderbook.snapshot.source: %q does not fit the rule", p.OrderBook.Snapshot.Source))
	}
	if numbered := p.GapFill.Trades.ContiguousID != nil; numbered != r.Trades.Numbered {
		errs = append(errs, fmt.Errorf("gap_fill.trades.contiguous_id: numbered is %t, but the rule says %t", numbered, r.Trades.Numbered))
	}
	if len(errs) > 0 {
		return Rules{}, fmt.Errorf("market: %s: %w", p.Exchange, errors.Join(errs...))
	}
	r.Trades.Rows, r.Candles.Rows = p.GapFill.Trades.Max, p.GapFill.Klines.Max
	return r, nil
}
