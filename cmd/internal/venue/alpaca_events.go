package venue

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// serveAlpacaEvents is the event stream of an account's trade updates. With since it begins with those after that time,
// as far back as they are kept; with since_id after that event; until ends it.
func (v *Venue) serveAlpacaEvents(w http.ResponseWriter, r *http.Request, c *call) {
	if err := v.check(c); err != nil {
		c.decision = "refused"
		v.deliver(w, r, c, err.answer(c.style), Whole)
		return
	}
	since, err := c.eventTime("since")
	until, err2 := c.eventTime("until")
	if err != nil || err2 != nil {
		c.decision = "refused"
		v.deliver(w, r, c, alpacaRefusal(http.StatusUnprocessableEntity, 40010001, "since and until must be times as in RFC 3339").alpacaAnswer(), Whole)
		return
	}
	c.decision = "accepted"
	ctx, cancel := v.lifetime(r.Context())
	defer cancel()
	if !until.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	v.record(c, Answer{Status: http.StatusOK}, Whole)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if http.NewResponseController(w).Flush() != nil {
		return // the client left
	}
	l := v.newLink(c)
	l.form = formEvents
	e := c.world.engine
	l.updates = func(r report) []byte { return encode(e.alpacaUpdate(r)) }
	v.open(c, l)
	v.replay(c, l, since, until)
	var work sync.WaitGroup
	work.Go(func() { v.age(ctx, c.world, l) })
	out := &eventStream{w: w}
	v.pump(ctx, c.world, l, out)
	cancel()
	work.Wait()
	if out.cut {
		panic(http.ErrAbortHandler)
	}
}

// eventTime reads an optional time.
func (c *call) eventTime(name string) (time.Time, error) {
	raw := c.params.Get(name)
	if raw == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, raw)
}

// replay sends what happened before a link opened, and lets it hear the rest. Nothing comes between the two.
func (v *Venue) replay(c *call, l *link, since, until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, a, now := c.world.engine.hub, c.world.engine.accounts[c.account], time.Now()
	sinceID := c.params.Get("since_id")
	from := len(a.reports)
	if !since.IsZero() {
		from, _ = slices.BinarySearchFunc(a.reports, since, func(r report, t time.Time) int { return r.at.Compare(t) })
	} else if sinceID != "" {
		from = 1 + slices.IndexFunc(a.reports, func(r report) bool { return c.world.engine.alpacaID(1<<41+r.id) == sinceID })
	}
	for _, r := range a.reports[from:] {
		if until.IsZero() || r.at.Before(until) {
			h.send(l, frame{stream: "trade_updates", symbol: r.order.market.symbol, client: r.order.client, data: l.updates(r)}, now)
		}
	}
	h.users[a.number] = insert(h.users[a.number], l)
}

// An eventStream is the wire of server-sent events.
type eventStream struct {
	w   http.ResponseWriter
	cut bool
}

func (s *eventStream) write(_ context.Context, data []byte) error {
	c := http.NewResponseController(s.w)
	_ = c.SetWriteDeadline(time.Now().Add(frameBudget)) // in memory there is none
	if _, err := s.w.Write(slices.Concat([]byte("data: "), data, []byte("\n\n"))); err != nil {
		return err
	}
	return c.Flush()
}

func (s *eventStream) close(websocket.StatusCode, string) {}
func (s *eventStream) abort()                             { s.cut = true }
