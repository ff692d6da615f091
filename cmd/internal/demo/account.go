package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryws"
)

// followAccount hears the account's stream. From the loss of a link until orders and fills were read again the account is
// dirty, and new orders wait.
func (r *run) followAccount() {
	_, address := streams(r.cfg.URL)
	now := func() time.Time { at, _, _ := r.clock.Now(); return at }
	r.user = r.listen("account", &binanceorders.User{URL: address, Key: r.cfg.Key, Secret: r.cfg.Secret, Now: now}, &retryws.Account{
		Dirty: func(error) { r.clean.Store(false); r.balances.forget() }, Clean: func() { r.clean.Store(true) }, Reconcile: r.reconcile, Every: 20 * time.Second,
	})
	events := &retryws.Consumer{Size: 1 << 14, Overflow: retryws.Cut}
	r.user.Attach(events)
	_ = r.user.Want(binanceorders.UserTopic) // one topic
	r.work.Go(func() { _ = r.user.Run(r.life) })
	r.work.Go(func() {
		for e := range events.Events(r.life) {
			if e.Kind != retryws.Message {
				continue
			}
			held, at, _ := binanceorders.Balances(e.Data)
			for asset, n := range held {
				r.balances.tell(asset, n, at)
			}
			report, ok, err := binanceorders.Execution(e.Data)
			if ok {
				err = r.machine.Seen(r.life, report)
			}
			if err != nil && r.life.Err() == nil {
				r.tell("account: %s: it is read again", shorten(err.Error()))
				r.user.Reconnect()
			}
		}
	})
}

// reconcile reads what the stream may have lacked: open orders, those that are not among them any more, fills, and then balances.
func (r *run) reconcile(ctx context.Context, since time.Time) (differences int, err error) {
	if since.IsZero() || since.Before(r.began) {
		since = r.began
	}
	merge := func(report order.Report) error {
		known, err := r.machine.Get(ctx, report.Wire)
		if errors.Is(err, order.ErrNoOrder) {
			return nil // of somebody else
		}
		if err == nil && known.VenueID != "" && known.Executed.Cmp(report.Executed) < 0 {
			differences++
		}
		return r.machine.Seen(ctx, report)
	}
	for _, symbol := range symbols {
		open, err := r.conn.orders.Open(ctx, symbol)
		if err != nil {
			return differences, err
		}
		for _, report := range open {
			if err := merge(report); err != nil {
				return differences, err
			}
		}
		for _, o := range r.machine.Orders(false) {
			listed := slices.ContainsFunc(open, func(r order.Report) bool { return r.Wire == o.Intent.Wire })
			if o.State != order.Acked || o.Intent.Symbol != symbol || listed {
				continue
			}
			report, err := r.conn.orders.Query(ctx, o.Ref())
			if errors.Is(err, order.ErrNotFound) {
				continue // reads lag: the machine asks again
			}
			if err == nil {
				err = merge(report)
			}
			if err != nil {
				return differences, err
			}
		}
		fills, err := r.conn.orders.Fills(ctx, symbol, r.venueTime(since))
		if err != nil {
			return differences, err
		}
		for _, f := range fills {
			if err := r.machine.SeenFill(ctx, f); err != nil && !errors.Is(err, order.ErrNoOrder) {
				return differences, err
			}
		}
	}
	for _, symbol := range symbols {
		asked := r.venueTime(time.Now())
		held, err := r.conn.orders.Holding(ctx, symbol, true)
		if err != nil {
			return differences, err
		}
		r.balances.tell(base(symbol), held, asked)
	}
	r.missed.Add(int64(differences))
	return differences, nil
}

// venueTime is a moment of this machine's by the venue's clock, or earlier.
func (r *run) venueTime(local time.Time) time.Time {
	return local.Add(r.clock.offset() - 5*time.Second)
}

// streamChanged tells of streams, and all who send of a ban that a stream was told of.
func (r *run) streamChanged(c retryws.Change) {
	refused, ok := errors.AsType[*retryws.HandshakeError](c.Err)
	if ok && refused.Status == http.StatusTeapot {
		now := time.Now()
		_ = r.banStore.Save(r.life, exchange.Ban{
			Venue: desk, Host: r.conn.orders.Client.BaseURL, Scope: "ip", First: now, Until: now.Add(max(refused.After, time.Minute)), Count: 1, Signal: "418 on a stream",
		})
	}
	text := ""
	switch c.Kind {
	case retryws.LinkEnded:
		if r.life.Err() != nil {
			return
		}
		text = fmt.Sprintf("%s stream: %v (%s), again in %v", c.Session, c.Reason, cause(c.Err), c.Wait.Round(time.Millisecond))
	case retryws.Alerted:
		text = fmt.Sprintf("%s stream: needs a look: %s", c.Session, cause(c.Err))
	case retryws.TurnoverEnded:
		text = fmt.Sprintf("%s stream: a second link took over", c.Session)
		if c.Err != nil {
			text = fmt.Sprintf("%s stream: the second link did not take over: %s", c.Session, cause(c.Err))
		}
	case retryws.LostFound:
		text = fmt.Sprintf("account: %d events that the stream did not bring were found by reading", c.Count)
	case retryws.ReconcileError:
		text = fmt.Sprintf("account: cannot be read (%s), again in %v", cause(c.Err), c.Wait.Round(time.Millisecond))
	case retryws.AccountClean:
		if r.dirty.Swap(false) {
			text = "account: orders and fills were read again: new orders go on"
		}
	case retryws.AccountDirty:
		r.dirty.Store(c.Err != nil && r.trading.Load())
	}
	if text != "" {
		r.tell("%s", text)
		r.cfg.Control.Registry.Note(control.Note{At: c.At, Kind: "stream", Target: c.Session, Text: text})
	}
}

var errDirty = retry.Mark(errors.New("the account is being read again, because its stream broke"), retry.Transient)

// known is a gate that keeps new orders back while the account is not known. Cancels do not pass through it.
type known struct{ clean *atomic.Bool }

// Admit implements retry.Gate.
func (k known) Admit(context.Context, *retry.Attempt) error {
	if !k.clean.Load() {
		return errDirty
	}
	return nil
}

// Settle implements retry.Gate.
func (known) Settle(*retry.Attempt, *retry.Outcome) {}

func (r *run) accountHealthy(context.Context) error {
	if !r.clean.Load() {
		return errDirty
	}
	return nil
}
