package venue

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

const (
	maxQueue    = 4096             // frames that may wait for a slow client before its link is cut
	frameBudget = 10 * time.Second // to write one frame
)

// A link is a client's standing connection. Venue.mu guards all fields but those set when it is made.
type link struct {
	n       uint64
	path    string
	remote  string
	form    form
	updates func(report) []byte // form of an account's events on such a link
	fault   *Fault              // how the link itself suffers; nil if it does not
	opened  time.Time
	wake    chan struct{} // has room for one

	streams   map[string]int64 // by name; the update id that a stream of depth was last told
	users     []userSubscription
	queue     []frame
	held      *frame // by FrameReorder, until the next one
	bytes     int
	ended     bool // no more frames; what is queued still goes
	abrupt    bool // not even what is queued
	code      websocket.StatusCode
	reason    string
	second    time.Time // of inbound messages
	messages  int
	logged    bool // that it ended
	suspended bool // half-open: nothing goes out any more
}

// A form is what a link speaks.
type form uint8

const (
	formRaw      form = iota // /ws: events as they are
	formCombined             // /stream: events with the stream's name
	formAPI                  // /ws-api/v3
	formEvents               // an HTTP event stream
)

type userSubscription struct{ id, account int }

// A frame is one message to a client.
type frame struct {
	stream, symbol, client string
	first, last            int64 // update ids of depth
	data                   []byte
	due                    time.Time // not before
}

// send queues a frame, unless a fault rule has something else in mind. The decision is logged here, under the lock, so
// that the order of the log does not depend on how fast links write.
func (h *hub) send(l *link, f frame, now time.Time) {
	if l.ended || l.suspended {
		return
	}
	h.frames++
	h.ledger.totals.Frames++
	if l.form == formCombined {
		f.data = slices.Concat([]byte(`{"stream":`), strconv.AppendQuote(nil, f.stream), []byte(`,"data":`), f.data, []byte("}"))
	}
	hit := h.faults.pick(stageFrame, subject{h.frames, now, "FRAME", f.stream, f.client, f.symbol, nil})
	entry := FrameEntry{Link: l.n, Stream: f.stream, Bytes: len(f.data), First: f.first, Last: f.last}
	out := []frame{f}
	if hit != nil {
		entry.Fault = hit.Name
		switch hit.Kind {
		case FrameGap:
			out = nil
		case FrameDuplicate:
			out = append(out, f)
		case FrameReorder:
			if l.held == nil {
				l.held, out = &f, nil
			}
		case FrameDelay:
			out[0].due = now.Add(hit.Delay)
		}
	}
	h.log.add(Entry{Kind: EntryFrame, Frame: &entry})
	if len(out) > 0 && l.held != nil {
		out = append(out, *l.held)
		l.held = nil
	}
	if l.queue = append(l.queue, out...); len(l.queue) > maxQueue {
		h.cut(l, "too slow", now)
		return
	}
	l.poke()
}

// answer queues an answer to a message of the client. Rules for frames do not touch it.
func (h *hub) answer(l *link, data []byte) {
	if !l.ended && !l.suspended {
		l.queue = append(l.queue, frame{data: data})
		l.poke()
	}
}

func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// end closes a link in good order, after what is queued.
func (h *hub) end(l *link, code websocket.StatusCode, reason string) {
	if l.ended {
		return
	}
	l.ended, l.code, l.reason = true, code, reason
	h.gone(l, reason)
	l.poke()
}

// cut ends a link at once.
func (h *hub) cut(l *link, reason string, _ time.Time) {
	l.abrupt = true
	h.end(l, websocket.StatusPolicyViolation, reason)
	l.poke()
}

// gone logs the end of a link, once, and forgets it.
func (h *hub) gone(l *link, reason string) {
	h.leave(l)
	l.ended = true
	if !l.logged {
		l.logged = true
		h.log.add(Entry{Kind: EntryLink, Link: &LinkEntry{Link: l.n, Event: "closed", Path: l.path, Address: l.remote, Reason: reason}})
	}
}

func (l *link) names() []string {
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(l.streams))))
}

// asUser wraps an event for the subscription that asked for it.
func (l *link) asUser(account int, data []byte) []byte {
	for _, u := range l.users {
		if u.account == account {
			return slices.Concat([]byte(`{"subscriptionId":`), strconv.AppendInt(nil, int64(u.id), 10), []byte(`,"event":`), data, []byte("}"))
		}
	}
	return data // a link by listen key has the account's events and nothing around them
}

// crowded counts a message from the client and says whether there were too many in this second.
func (l *link) crowded(limit int, now time.Time) bool {
	if now.Sub(l.second) >= time.Second {
		l.second, l.messages = now, 0
	}
	l.messages++
	return limit != Unlimited && l.messages > limit
}

// A wire is the way out of a link.
type wire interface {
	write(ctx context.Context, data []byte) error
	close(code websocket.StatusCode, reason string)
	abort()
}

// pump writes frames until the link ends or ctx does. It is the only one that writes data to the wire.
func (v *Venue) pump(ctx context.Context, w *world, l *link, out wire) {
	for {
		v.mu.Lock()
		now := time.Now()
		ready, next := l.take(now)
		ended, abrupt := l.ended && len(l.queue) == 0, l.abrupt
		v.mu.Unlock()
		if !abrupt {
			for _, f := range ready {
				if out.write(ctx, f.data) != nil {
					abrupt = true // the client left
					break
				}
			}
		}
		switch {
		case abrupt:
			v.leave(w, l, "the client left")
			out.abort()
			return
		case ended:
			out.close(l.code, l.reason) // set before ended was
			return
		}
		if !l.await(ctx, next, now) {
			v.leave(w, l, "the client left")
			out.abort()
			return
		}
	}
}

// take removes the frames that are due from the queue and says when the next one is; the zero time if none waits.
func (l *link) take(now time.Time) (ready []frame, next time.Time) {
	if l.suspended {
		l.queue = nil
	}
	n := 0
	for n < len(l.queue) && !l.queue[n].due.After(now) {
		n++
	}
	ready, l.queue = l.queue[:n:n], l.queue[n:]
	if len(l.queue) > 0 {
		next = l.queue[0].due
	}
	return ready, next
}

// await returns true when there may be something to do and false when ctx has ended.
func (l *link) await(ctx context.Context, next, now time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(next.Sub(now))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-l.wake:
		return true
	case <-due:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave notes that a link is gone, for whatever reason came first.
func (v *Venue) leave(w *world, l *link, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.engine.hub.gone(l, reason)
}
