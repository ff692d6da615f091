package binanceorders

import (
	"fmt"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/exchange/market"
)

// Snapshot makes of an answer to the SDK's depth service what a book starts anew from. Ask for as many levels as there
// are: a book that begins with some of them is SYNCED and wrong beyond them.
func Snapshot(symbol string, d *binance.DepthResponse) (*market.Snapshot, error) {
	bids, err := levels(d.Bids)
	if err != nil {
		return nil, fmt.Errorf("depth of %s: bids: %w", symbol, err)
	}
	asks, err := levels(d.Asks)
	if err != nil {
		return nil, fmt.Errorf("depth of %s: asks: %w", symbol, err)
	}
	return &market.Snapshot{Symbol: symbol, ID: d.LastUpdateID, Bids: bids, Asks: asks}, nil
}

func levels(list []common.PriceLevel) ([]market.Level, error) {
	all := make([]market.Level, len(list))
	for i, l := range list {
		var err error
		if all[i].Price, err = market.ParseNumber(l.Price); err == nil {
			all[i].Quantity, err = market.ParseNumber(l.Quantity)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
