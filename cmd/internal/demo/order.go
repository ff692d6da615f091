package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/retry"
)

// A Fate is what we believe about an order.
type Fate uint8

// The fates.
const (
	Open    Fate = iota // on its way
	Exists              // the venue has it, by its own word
	Refused             // the venue said no, or it was never sent
	Absent              // proven: the venue cannot accept it any more and does not have it
	Unknown             // it could not be settled
)

// An order is one intent: it has one client id for life.
type order struct {
	id, symbol      string
	side            binance.SideType
	kind            binance.OrderType
	force           binance.TimeInForceType
	quantity, price string

	mu     sync.Mutex
	fate   Fate          // guarded by mu
	status string        // the venue's word; guarded by mu
	why    string        // what happened to the answer, or why it is unknown; guarded by mu
	since  time.Duration // when its answer was lost, since the demo began; guarded by mu
}

func (o *order) become(f Fate, status, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fate, o.status, o.why = f, status, why
}

func (o *order) is() (f Fate, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fate, o.why
}

func (o *order) String() string {
	s := fmt.Sprintf("%s %s %s %s", o.side, o.quantity, o.symbol, o.kind)
	if o.price != "" {
		s += " " + o.price
	}
	return s
}

// place sends an order and returns whether its fate is settled. If it is not, settle has to find out.
func (r *run) place(ctx context.Context, o *order) (settled bool) {
	resp, err := r.client.send(ctx, o)
	if err == nil {
		o.become(Exists, string(resp.Status), "")
		return true
	}
	failed, ok := errors.AsType[*retry.Error](err)
	if ok && !failed.Unknown {
		o.become(Refused, "", failed.Error())
		return true
	}
	o.doubted(time.Since(r.began))
	o.become(Open, "", cause(err))
	r.tell("order %s: %s: outcome unknown, so it is not sent again", o.id, cause(err))
	return false
}

// settle asks the venue for an order until its fate is certain. An order that is found exists. One
// that is not found is absent only after the fence: the moment from which the venue cannot accept
// it any more; what was read before proves nothing, since reads may lag behind the engine.
func (r *run) settle(ctx context.Context, o *order, sent time.Time) {
	fence := sent.Add(window + r.cfg.Residual + clockError)
	limit := fence.Add(readTime)
	_, lost := o.is()
	misses := 0
	for pause := 300 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		asked := time.Now()
		found, err := r.client.find(ctx, o)
		switch {
		case err == nil && found != nil:
			o.become(Exists, string(found.Status), lost)
			r.counter.settled(true)
			r.tell("order %s: the venue was asked for it: %s", o.id, found.Status)
			return
		case err == nil && asked.After(fence):
			if misses++; misses == 2 {
				o.become(Absent, "", lost)
				r.counter.settled(true)
				r.tell("order %s: proven absent: the venue can accept it no more, and does not have it", o.id)
				return
			}
		}
		if ctx.Err() != nil || time.Now().After(limit) {
			reason := "the venue did not find it, but might still have accepted it"
			if err != nil {
				reason = "the venue could not be asked: " + cause(err)
			}
			if ctx.Err() != nil {
				reason = "interrupted before it was settled"
			}
			o.become(Unknown, "", fmt.Sprintf("%s; %s", lost, reason))
			r.counter.settled(false)
			r.tell("order %s: UNKNOWN: %s", o.id, reason)
			return
		}
		sleep(ctx, pause)
	}
}

const (
	clockError = 500 * time.Millisecond // more than the offset from the venue's clock can be wrong by
	readTime   = 20 * time.Second       // for the reads after the fence, retries included
)

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// cause is the innermost reason of a failed call, for people.
func cause(err error) string {
	if failed, ok := errors.AsType[*retry.Error](err); ok && failed.Last != nil {
		err = failed.Last
		if inner, ok := errors.AsType[*retry.Error](err); ok && inner.Last != nil {
			err = inner.Last
		}
	}
	return shorten(err.Error())
}
