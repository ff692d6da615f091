package venue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coder/websocket"
)

// silent says whether the link's fault is to leave pings unanswered.
func (l *link) silent() bool {
	return l.fault != nil && (l.fault.Kind == NoPong || l.fault.Kind == HalfOpen)
}

// sleep waits for d or until ctx ends, and says whether d passed.
func (v *Venue) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ping asks the client for a sign of life, and cuts the link if none comes (Binance: every 20 s, cut after 60 s).
func (v *Venue) ping(ctx context.Context, w *world, l *link, conn *websocket.Conn) {
	for v.sleep(ctx, v.cfg.PingEvery) {
		if l.fault != nil && l.fault.Kind == HalfOpen && time.Since(l.opened) >= l.fault.Delay {
			continue // nothing goes out, so nothing can be missing
		}
		patience, cancel := context.WithTimeout(ctx, v.cfg.PongWait)
		err := conn.Ping(patience)
		late := patience.Err() != nil && ctx.Err() == nil
		cancel()
		if err != nil {
			if late {
				v.mu.Lock()
				w.engine.hub.cut(l, "no pong", time.Now())
				v.mu.Unlock()
			}
			return
		}
	}
}

// age ends a link when its life is over, and makes it suffer what its fault says.
func (v *Venue) age(ctx context.Context, w *world, l *link) {
	life := v.cfg.LinkLife
	if f := l.fault; f != nil {
		if f.Kind == LifeCut {
			life = min(life, f.Delay)
		} else if f.Delay < life {
			if !v.sleep(ctx, f.Delay) {
				return
			}
			v.strike(w, l)
			if f.Kind == ServerShutdown {
				life = f.Delay + f.grace()
			}
		}
	}
	if !v.sleep(ctx, life-time.Since(l.opened)) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.engine.hub.end(l, websocket.StatusGoingAway, "life of the link is over")
}

// strike is what a link's fault does when its time has come.
func (v *Venue) strike(w *world, l *link) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, now := w.engine.hub, time.Now()
	switch l.fault.Kind {
	case CloseLink:
		h.cut(l, "fault", now)
	case HalfOpen:
		l.suspended = true
	case ServerShutdown:
		event, _ := json.Marshal(struct { // plain data
			Event string `json:"e"`
			Time  int64  `json:"E"`
		}{"serverShutdown", now.UnixMilli()})
		if l.form == formAPI {
			event = append(append([]byte(`{"event":`), event...), '}')
		}
		h.send(l, frame{stream: "serverShutdown", data: event}, now)
	}
}
