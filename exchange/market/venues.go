package market

import "slices"

// venues are the facts of shared/exchanges: orderbook and gap_fill.
var venues = []Rules{
	{Venue: "alpaca", Sequence: TopOfBook, Trades: TradeRules{By: ByTime, Rows: 10000}, Candles: CandleRules{Rows: 10000}},
	{Venue: "binance", Sequence: BinanceRange, Fetched: true,
		Trades: TradeRules{Numbered: true, By: ByID, Rows: 1000}, Candles: CandleRules{Repeats: true, Rows: 1000}},
	{Venue: "binance-usdm", Sequence: BinancePrev, Fetched: true,
		Trades: TradeRules{Numbered: true, By: ByID, Rows: 1000}, Candles: CandleRules{Repeats: true, Rows: 1500}},
	{Venue: "bitfinex", Sequence: BitfinexCounter, Checksum: BitfinexTop25,
		Trades: TradeRules{By: ByTime, Rows: 10000}, Candles: CandleRules{Rows: 10000}},
	{Venue: "bitget", Sequence: BitgetRising, Checksum: BitgetTop25,
		Trades: TradeRules{By: ByTime, Rows: 1000}, Candles: CandleRules{Rows: 200}},
	{Venue: "bybit", Sequence: BybitCounter, Trades: TradeRules{Rows: 60}, Candles: CandleRules{Repeats: true, Rows: 1000}},
	{Venue: "coinbase", Sequence: CoinbaseCounter,
		Trades: TradeRules{Numbered: true, By: ByTime, Rows: 1000}, Candles: CandleRules{Rows: 350}},
	{Venue: "deribit", Sequence: DeribitLink,
		Trades: TradeRules{Numbered: true, By: ByID, Rows: 1000}, Candles: CandleRules{Repeats: true, Rows: 5000}},
	{Venue: "gate", Sequence: GateRange, Fetched: true,
		Trades: TradeRules{Numbered: true, By: ByID, Rows: 1000}, Candles: CandleRules{Repeats: true, Rows: 1000}},
	{Venue: "kraken", Sequence: KrakenChecksum, Checksum: KrakenTop10, Depth: 10,
		Trades: TradeRules{Numbered: true, By: ByTime, Rows: 1000}, Candles: CandleRules{Rows: 720}},
	{Venue: "kucoin", Sequence: KuCoinRange, Fetched: true,
		Trades: TradeRules{Numbered: true, Rows: 100}, Candles: CandleRules{Rows: 1500}},
	{Venue: "okx", Sequence: OKXLink,
		Trades: TradeRules{Numbered: true, By: ByID, Rows: 100}, Candles: CandleRules{Repeats: true, Rows: 100}},
}

// VenueRules returns the rules of a venue that the fact tables know, to be adapted: Depth is
// Kraken's smallest subscription, Sequence of Bitget that of its older books.
func VenueRules(venue string) (Rules, bool) {
	i := slices.IndexFunc(venues, func(r Rules) bool { return r.Venue == venue })
	if i < 0 {
		return Rules{}, false
	}
	return venues[i], true
}
