package venue

import (
	"cmp"
	"math"
	"strings"

	"github.com/shopspring/decimal"
)

func (m Market) complete(symbol string, bad func(string, ...any)) Market {
	price, step := decimal.New(100, 0), decimal.New(1, -3)
	switch base, _ := split(symbol); base {
	case "BTC":
		price, step = decimal.New(60_000, 0), decimal.New(1, -5)
	case "ETH":
		price, step = decimal.New(3000, 0), decimal.New(1, -4)
	}
	for _, f := range []struct {
		name string
		d    *decimal.Decimal
		def  decimal.Decimal
	}{
		{"Price", &m.Price, price},
		{"Tick", &m.Tick, decimal.New(1, -2)},
		{"Step", &m.Step, step},
		{"MinNotional", &m.MinNotional, decimal.New(5, 0)},
		{"MaxQuantity", &m.MaxQuantity, decimal.New(9000, 0)},
	} {
		if f.d.IsNegative() {
			bad("Markets[%s].%s: %s is negative", symbol, f.name, f.d)
		}
		if f.d.Sign() <= 0 {
			*f.d = f.def
		}
	}
	// Amounts are written with eight digits, so a value beyond them could not be told to a client.
	if m.Tick.Mul(m.Step).Truncate(digits).Cmp(m.Tick.Mul(m.Step)) != 0 {
		bad("Markets[%s].Tick: tick times step has more than %d digits", symbol, digits)
		m.Tick, m.Step = decimal.New(1, -2), step
	}
	m.Price = floorTo(m.Price, m.Tick)
	if m.Price.Cmp(m.Tick) < 0 || m.Price.Cmp(maxPrice) > 0 {
		bad("Markets[%s].Price: not between the tick and %s", symbol, maxPrice)
		m.Price = price
	}
	if m.FlowEvery < 0 {
		bad("Markets[%s].FlowEvery: %v is negative", symbol, m.FlowEvery)
		m.FlowEvery = 0
	}
	if m.MaxOpenOrders < 0 || m.Volatility < 0 || m.Volatility > 0.1 || math.IsNaN(m.Volatility) {
		bad("Markets[%s]: MaxOpenOrders %d or Volatility %v is out of range", symbol, m.MaxOpenOrders, m.Volatility)
		m.MaxOpenOrders, m.Volatility = 0, 0
	}
	m.MaxOpenOrders = cmp.Or(m.MaxOpenOrders, 200)
	m.Volatility = cmp.Or(m.Volatility, 0.0002)
	return m
}

// split takes a symbol apart; base is empty if it is none.
func split(symbol string) (base, quote string) {
	if len(symbol) > 20 || strings.Trim(symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return "", ""
	}
	for _, q := range quoteAssets {
		if b, ok := strings.CutSuffix(symbol, q); ok && b != "" {
			return b, q
		}
	}
	return "", ""
}
