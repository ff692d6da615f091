package demo

import (
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// balances are what the account holds, as its stream tells. A value counts only while no fill is known that it may lack.
type balances struct {
	mu sync.Mutex
	by map[string]balance // by asset; guarded by mu
}

type balance struct {
	held   order.Decimal
	at     time.Time // by the venue's clock
	behind time.Time // a fill is known from then, by the venue's clock
}

// base is the asset that a symbol trades.
func base(symbol string) string { return strings.TrimSuffix(symbol, "USDT") }

func (b *balances) tell(asset string, held order.Decimal, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = map[string]balance{}
	}
	x := b.by[asset]
	if !at.Before(x.at) {
		x.held, x.at = held, at
	}
	b.by[asset] = x
}

// filled says that the account has traded.
func (b *balances) filled(symbol string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x, ok := b.by[base(symbol)]; ok && at.After(x.behind) {
		x.behind = at
		b.by[base(symbol)] = x
	}
}

func (b *balances) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.by = nil
}

func (b *balances) of(symbol string) (order.Decimal, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.by[base(symbol)]
	return x.held, ok && !x.behind.After(x.at)
}
