package demo

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/exchange/order"
)

// trade submits orders until trading ends. The orders themselves have ctx, so that none is cut short by the end of trading.
func (r *run) trade(ctx, trading context.Context, number int) {
	choose := rand.New(rand.NewPCG(r.cfg.Seed, uint64(number)))
	var resting []string
	var view market.View
	for trading.Err() == nil {
		symbol := symbols[choose.IntN(len(symbols))]
		r.books.View(symbol, 5, &view)
		switch {
		case view.State != market.Synced:
			r.unpriced.Add(1) // no order is made of a book that may be wrong
		case !r.clean.Load():
			r.waited.Add(1)
		default:
			i := intend(choose, symbol, &view)
			i.Strategy, i.Counter = r.strategy, r.count.Add(1)
			i.ID = order.NewID(r.machine.Prefix, i.Strategy, i.Counter)
			if r.submit(ctx, i) && i.TIF == order.GTC {
				resting = append(resting, i.ID)
			}
		}
		if len(resting) > 2 {
			_, _ = r.machine.Cancel(ctx, resting[0]) // refused if it is done already
			resting = resting[1:]
		}
		sleep(trading, time.Duration((0.5+choose.Float64())*float64(r.cfg.Pause)))
	}
}

// intend chooses an order: half of them rest in the book for a while, the rest trade at once.
func intend(choose *rand.Rand, symbol string, book *market.View) order.Intent {
	i := order.Intent{Terms: order.Terms{Symbol: symbol, Side: order.Buy, Type: order.Limit, TIF: order.GTC, Quantity: "0.001"}}
	if symbol == "ETHUSDT" {
		i.Quantity = "0.01"
	}
	near, far := book.Asks, book.Bids
	if choose.IntN(2) == 0 {
		i.Side = order.Sell
		near, far = far, near
	}
	price := func(n market.Number) order.Decimal { d, _ := order.ParseDecimal(n.String()); return d }
	i.Decision, i.GuardBPS = price(near[0].Price), 100
	switch choose.IntN(4) {
	case 0:
		i.Type, i.TIF = order.Market, ""
	case 1:
		i.TIF, i.Price = order.IOC, i.Decision
	default:
		i.Price = price(far[len(far)-1].Price)
	}
	return i
}

// submit hands an intent to the machine, and says whether it was sent.
func (r *run) submit(ctx context.Context, i order.Intent) bool {
	_, err := r.machine.Submit(ctx, i)
	if err == nil {
		return true
	}
	why := refusal(err.Error())
	r.notes.mu.Lock()
	r.notes.of(i.ID).refused = why
	r.notes.mu.Unlock()
	if r.refused.add(why) == 1 {
		r.say("refused", "order %s: not sent, refused by %s: %s", i.ID, why, shorten(err.Error()))
	}
	return false
}

// refusal names what kept an order back. Of a check that failed the machine keeps the text alone, as its log does.
func refusal(why string) string {
	for _, known := range []struct{ text, name string }{
		{"halted:", "a stop"}, {"draining:", "a stop"}, {errDirty.Error(), "the account's stream"}, {order.ErrGated.Error(), "a parked order"},
		{"banned by", "a ban"}, {"rate limit", "the rate limit"}, {"price:", "its price"}, {"old; it may be", "its age"}, {"risk:", "its risk"},
		{order.ErrLog.Error(), "the order log"}, {"cancelled before it was sent", "the end of trading"},
	} {
		if strings.Contains(why, known.text) {
			return known.name
		}
	}
	return "a check"
}

// chart reads candles until trading ends, with retries, a circuit and a budget.
func (r *run) chart(ctx, trading context.Context, number int) {
	for trading.Err() == nil {
		_, _ = r.conn.candles.NewKlinesService().Symbol(symbols[number%len(symbols)]).Interval("1m").Limit(5).Do(ctx) // counted where it is observed
		sleep(trading, chartPause)
	}
}

const (
	charts     = 3
	chartPause = 400 * time.Millisecond
)

// settle waits until the fate of every order is known or parked, and takes back those that still work. It returns what is
// left undone, if ctx or the time ends before.
func (r *run) settle(ctx context.Context) (left []order.Order) {
	limit := time.Now().Add(r.proof() + time.Minute)
	var asked time.Time // to cancel what works
	for ; ; sleep(ctx, 100*time.Millisecond) {
		left = left[:0]
		working := false
		for _, o := range r.machine.Orders(false) {
			if o.State != order.Parked && o.State != order.Breach {
				left = append(left, o)
				working = working || o.State == order.Acked
			}
		}
		if len(left) == 0 || ctx.Err() != nil || time.Now().After(limit) {
			return left
		}
		if working && time.Since(asked) > 3*time.Second {
			asked = time.Now()
			if err := r.machine.CancelAll(ctx); err != nil && refusal(err.Error()) == "a stop" && r.machine.Stats().Unknown == 0 {
				r.tell("%d orders are left as they are: a stop forbids to cancel them", len(left))
				return nil
			}
		}
	}
}

// proof is how long it may take, at most, until an order in doubt is settled or parked.
func (r *run) proof() time.Duration { return window + r.rules.Residual + readBudget + 30*time.Second }

// cause is the innermost reason of a failed call, for people.
func cause(err error) string {
	if err == nil {
		return "no reason given"
	}
	text := err.Error()
	for _, front := range []string{"Get ", "Post ", "Delete "} { // of *url.Error, with the signed address
		if i := strings.Index(text, front+"\""); i >= 0 {
			if _, after, ok := strings.Cut(text[i+len(front)+1:], "\": "); ok {
				text = text[:i] + after
			}
		}
	}
	return cmp.Or(shorten(text), "no reason given")
}
