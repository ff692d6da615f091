package venue

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// linkCost is the weight of opening a link (Binance spot WebSocket API docs).
const linkCost = 2

// isFeed says whether a path is that of a standing connection.
func isFeed(path string) bool {
	return path == "/stream" || path == "/ws" || strings.HasPrefix(path, "/ws/") || path == "/ws-api/v3" || path == alpacaEvents
}

// serveFeed is the way of a request for a standing connection, until that ends.
func (v *Venue) serveFeed(w http.ResponseWriter, r *http.Request, c *call) {
	if a, ok := v.handshake(c); !ok {
		v.deliver(w, r, c, a, Whole)
		return
	} else if c.decision == "lost" {
		v.deliver(w, r, c, Answer{}, Nothing)
		return
	}
	if c.path == alpacaEvents {
		v.serveAlpacaEvents(w, r, c)
		return
	}
	c.decision = "accepted"
	l := v.newLink(c)
	v.open(c, l)                                                  // before the client knows, so that it misses nothing after it does
	ctx, cancel := v.lifetime(context.WithoutCancel(r.Context())) // a hijacked connection outlives the request's context
	defer cancel()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // it is no browser's cookie that lets somebody in here
		CompressionMode:    websocket.CompressionDisabled,
		OnPingReceived:     func(context.Context, []byte) bool { return v.heard(c.world, l) && !l.silent() },
		OnPongReceived:     func(context.Context, []byte) { v.heard(c.world, l) },
	})
	if err != nil {
		c.decision = "refused"
		v.record(c, Answer{Status: http.StatusBadRequest}, Whole)
		v.leave(c.world, l, "not a websocket")
		return
	}
	v.record(c, Answer{Status: http.StatusSwitchingProtocols}, Whole)
	var work sync.WaitGroup
	work.Go(func() { v.pump(ctx, c.world, l, socket{conn}); cancel() })
	work.Go(func() { v.ping(ctx, c.world, l, conn) })
	work.Go(func() { v.age(ctx, c.world, l) })
	v.listen(ctx, c.world, l, conn)
	cancel()
	work.Wait()
}

// handshake lets a client in, or answers why not.
func (v *Venue) handshake(c *call) (Answer, bool) {
	v.mu.Lock()
	err := c.world.limits.connect(c, linkCost, c.arrived)
	v.mu.Unlock()
	if err != nil {
		return err.answer(c.style), false
	}
	f := v.Faults.pick(stageRequest, c.subject())
	if f == nil {
		return Answer{}, true
	}
	c.fault, c.reset = f.Name, f.Reset
	switch f.Kind {
	case Drop, AcceptDropAnswer:
		v.wait(f.Delay)
		c.decision = "lost"
	case Delay, Hold, LateAnswer:
		if !v.wait(f.Delay) {
			c.decision = "lost"
		}
	case Unavailable, BadGateway:
		c.decision = "faulted"
		return f.page(), false
	case TooManyRequests, Overloaded:
		c.decision = "faulted"
		return f.refusal(c), false
	case Ban:
		return v.ban(c, f).answer(c.style), false
	}
	return Answer{}, true
}

// newLink makes the link of a request, with the streams its path names.
func (v *Venue) newLink(c *call) *link {
	l := &link{
		path: clip(c.path), remote: c.remote, opened: time.Now(), wake: make(chan struct{}, 1), streams: map[string]int64{},
		fault: v.Faults.pick(stageLink, c.subject()),
	}
	switch {
	case c.path == "/stream":
		l.form = formCombined
	case c.path == "/ws-api/v3":
		l.form = formAPI
	}
	return l
}

// open makes a link known.
func (v *Venue) open(c *call, l *link) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := c.world.engine.hub
	h.latest++
	l.n = h.latest
	entry := LinkEntry{Link: l.n, Event: "open", Path: l.path, Address: l.remote}
	if l.fault != nil {
		entry.Fault = l.fault.Name
	}
	h.log.seq = c.seq
	h.log.add(Entry{Kind: EntryLink, Link: &entry})
	h.ledger.totals.Links++
	if c.world != v.world {
		h.cut(l, "reset", time.Now())
		return
	}
	h.links = insert(h.links, l)
	for _, name := range pathStreams(c) {
		if a := c.world.listenKeys[name]; a > 0 {
			h.users[a] = insert(h.users[a], l)
		} else if len(l.streams) < maxStreams {
			h.subscribe(l, name)
		}
	}
	if !h.pulsing {
		h.pulsing = v.spawn(func() { v.pulse(c.world) })
	}
}

// pathStreams returns the streams a path names: /ws/name, /ws/a/b or /stream?streams=a/b.
func pathStreams(c *call) []string {
	list := c.params.Get("streams")
	if c.path != "/stream" {
		list = strings.TrimPrefix(strings.TrimPrefix(c.path, "/ws"), "/")
	}
	if c.path == "/ws-api/v3" || list == "" {
		return nil
	}
	return strings.Split(list, "/")
}

// pulse drives the regular events while there are links.
func (v *Venue) pulse(w *world) {
	t := time.NewTicker(v.cfg.Pulse)
	defer t.Stop()
	for {
		select {
		case <-v.closed:
			return
		case <-t.C:
		}
		v.mu.Lock()
		h := w.engine.hub
		if len(h.links) == 0 {
			h.pulsing = false
			v.mu.Unlock()
			return
		}
		w.log.seq = 0
		h.pulse(time.Now())
		v.mu.Unlock()
	}
}

// lifetime returns a context that ends with the venue.
func (v *Venue) lifetime(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if !v.spawn(func() {
		select {
		case <-v.closed:
			cancel()
		case <-ctx.Done():
		}
	}) {
		cancel()
	}
	return ctx, cancel
}

// heard counts a message and ends a link that talks too much. It returns whether the link goes on.
func (v *Venue) heard(w *world, l *link) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l.form != formAPI && l.crowded(v.cfg.Limits.MessagesPerSecond, time.Now()) {
		w.engine.hub.end(l, websocket.StatusPolicyViolation, "Too many requests")
	}
	return !l.ended
}

// listen reads what the client says until the link ends.
func (v *Venue) listen(ctx context.Context, w *world, l *link, conn *websocket.Conn) {
	conn.SetReadLimit(maxBody)
	var calls sync.WaitGroup
	defer calls.Wait()
	free := make(chan struct{}, 16) // messages of one link that are under way
	for {
		if l.fault != nil && l.fault.Kind == HalfOpen && !v.sleep(ctx, l.fault.Delay-time.Since(l.opened)) {
			return
		}
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if !v.heard(w, l) {
			continue // it is being closed
		}
		if l.form == formAPI {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			calls.Go(func() { defer func() { <-free }(); v.serveMessage(w, l, message) })
			continue
		}
		v.mu.Lock()
		h := w.engine.hub
		if kind == websocket.MessageText {
			h.answer(l, encode(h.command(l, message)))
		} else {
			h.end(l, websocket.StatusUnsupportedData, "text is expected")
		}
		v.mu.Unlock()
	}
}

// A socket is the wire of a websocket.
type socket struct{ conn *websocket.Conn }

func (s socket) write(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, frameBudget)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, data)
}

func (s socket) close(code websocket.StatusCode, reason string) { _ = s.conn.Close(code, reason) }
func (s socket) abort()                                         { _ = s.conn.CloseNow() }
