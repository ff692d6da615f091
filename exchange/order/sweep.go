package order

import (
	"context"
	"math/rand/v2"
	"time"
)

// sweep compares what works with what the venue shows, every 30 to 60 s, for a healthy stream may lose a message, too.
func (m *Machine) sweep(ctx context.Context) {
	for {
		timer := time.NewTimer(m.sweepEvery()/2 + time.Duration(rand.Int64N(int64(m.sweepEvery()/2))))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		m.undecided()
		for symbol, list := range m.working() {
			m.sweepSymbol(ctx, symbol, list)
		}
	}
}

func (m *Machine) sweepEvery() time.Duration { return positive(m.Sweep, time.Minute) }

// working returns the orders that are acked and that nobody reads otherwise, by symbol.
func (m *Machine) working() map[string][]*life {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make(map[string][]*life)
	for _, l := range m.byID {
		if o := l.order(); o.State == Acked {
			list[o.Intent.Symbol] = append(list[o.Intent.Symbol], l)
		}
	}
	return list
}

// sweepSymbol reads the orders of a symbol: by one list, and by themselves those that are not in it.
func (m *Machine) sweepSymbol(ctx context.Context, symbol string, list []*life) {
	var open []Report
	if lister, ok := m.Adapter.(Lister); ok {
		read, cancel := context.WithTimeout(ctx, m.readTimeout())
		open, _ = lister.Open(read, symbol) // without it each is read by itself
		cancel()
	}
	for _, l := range list {
		if l.take(ctx) != nil {
			return
		}
		if s := l.story; s.State == Acked && l.flight == nil {
			if r := ours(open, s.Ref()); r != nil {
				_ = m.see(ctx, l, r, fromList) // what cannot be read is counted there
			} else {
				l.unseen = true
				m.plan(l, 0)
			}
		}
		l.give()
	}
}
