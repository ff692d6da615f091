package venue

import (
	"net/http"
	"slices"
	"time"
)

// countOrders refuses an order beyond the account's counts (Binance spot API errors, -1015).
func (e *engine) countOrders(a *account, now time.Time) *apiError {
	for i, limit := range []int{e.cfg.Limits.OrdersPer10s, e.cfg.Limits.OrdersPerDay} {
		a.counts[i].roll(now)
		if limit != Unlimited && a.counts[i].used >= limit {
			err := refuse(-1015, "Too many new orders; current limit is %d orders per %s.", limit, orderWindows[i].text)
			err.status, err.retryAfter = http.StatusTooManyRequests, a.counts[i].left(now)
			return err
		}
	}
	return nil
}

// returnCount gives an order's count back: the venue counts unfilled orders only.
func (e *engine) returnCount(o *order) {
	if o.account.house() {
		return
	}
	for i := range o.account.counts {
		if w := &o.account.counts[i]; w.start.Equal(o.windows[i]) && w.used > 0 {
			w.used--
		}
	}
}

// openIn counts the open orders of a market.
func (a *account) openIn(m *marketState) (n int) {
	for _, o := range a.open {
		if o.market == m {
			n++
		}
	}
	return n
}

// openOf returns the open orders of a market, of all markets if m is nil, by ascending id.
func (a *account) openOf(m *marketState) []*order {
	var out []*order
	for _, o := range a.open {
		if m == nil || o.market == m {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(x, y *order) int { return int(x.id - y.id) })
	return out
}
