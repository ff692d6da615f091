package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/relent-go/relent/control"
)

// A drill is a stop that the processes of the fleet go through, and that stops nothing.
type drill struct {
	ID   string           `json:"id"`
	For  time.Duration    `json:"for,omitempty"` // that was asked for
	View control.StopView `json:"view"`          // shown until it expires
}

// mostDrills are shown at one time, the last ones.
const mostDrills = 20

// How long a drill is handed to processes that connect, and how long a command waits for processes to say that they went
// through one: what a stop may take to reach all of a fleet.
const (
	handed  = 10 * time.Second
	awaited = time.Second
)

// A reach is how far a drill came among the processes of this server.
type reach struct {
	began  time.Time       // here; zero: before this server did
	of     int             // processes that were connected then
	seen   map[string]bool // those that it reached
	took   time.Duration   // until the last of them said so
	whole  chan struct{}   // closed when it reached all of them
	expire time.Time
}

// rehearsed adds a drill to those that are shown.
func rehearsed(drills []drill, d drill) []drill {
	if d.View.Expires.IsZero() {
		d.View.Expires = d.View.Since.Add(control.DrillShown)
	}
	d.View.Reached, d.View.Processes, d.View.Took = 0, 0, 0 // of the tree that tried it
	drills = slices.DeleteFunc(slices.Clone(drills), func(one drill) bool {
		return one.View.Scope == d.View.Scope || d.View.Since.After(one.View.Expires)
	})
	drills = append(drills, d)
	return drills[max(0, len(drills)-mostDrills):]
}

// begin takes notice of drills, and returns those that are new. mu is held.
func (p *plane) begin(drills []drill) (fresh []control.DrillOrder) {
	now := time.Now()
	for id, r := range p.reach {
		if now.After(r.expire) {
			delete(p.reach, id)
		}
	}
	for _, d := range drills {
		if p.reach[d.ID] != nil || now.After(d.View.Expires) {
			continue
		}
		r := &reach{seen: map[string]bool{}, whole: make(chan struct{}), expire: d.View.Expires}
		if p.orders != nil { // else a server that was here before told it
			r.began, r.of = now, len(p.waiting)
			fresh = append(fresh, d.order())
		}
		if r.of == 0 {
			close(r.whole)
		}
		p.reach[d.ID] = r
	}
	return fresh
}

func (d drill) order() control.DrillOrder {
	return control.DrillOrder{ID: d.ID, Scope: d.View.Scope, State: d.View.State, Actor: d.View.Actor, Reason: d.View.Reason, Ticket: d.View.Ticket, For: d.For}
}

// due returns the drills that a process is to go through which connects now. mu is held.
func (p *plane) due(now time.Time) (orders []control.DrillOrder) {
	for _, d := range p.state.Drills {
		if r := p.reach[d.ID]; r != nil && now.Sub(r.began) < handed {
			orders = append(orders, d.order())
		}
	}
	return orders
}

// ErrDrill is returned for a drill that is over, or never was.
var ErrDrill = errors.New("there is no such drill, or not any more")

// reached takes notice that a process went through a drill.
func (p *plane) reached(done control.Drilled, instance string) error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.reach[done.ID]
	if r == nil || instance == "" || len(instance) > 256 {
		return ErrDrill
	}
	if r.seen[instance] || len(r.seen) >= mostInstances || r.began.IsZero() {
		return nil
	}
	if done.Error != "" {
		p.log.Warn("a process could not go through a drill as it should", "instance", instance, "error", done.Error)
	}
	r.seen[instance] = true
	r.took = now.Sub(r.began)
	if len(r.seen) == r.of {
		close(r.whole)
	}
	return nil
}

// await waits until all processes of this server went through a drill, a second at most, and returns how far it came.
func (p *plane) await(ctx context.Context, id string, view control.StopView) control.StopView {
	p.mu.Lock()
	r := p.reach[id]
	p.mu.Unlock()
	if r == nil {
		return view
	}
	timer := time.NewTimer(awaited)
	defer timer.Stop()
	select {
	case <-r.whole:
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.show(view)
}

// show adds to a drill how far it came.
func (r *reach) show(v control.StopView) control.StopView {
	v.Reached, v.Processes, v.Took = len(r.seen), max(r.of, len(r.seen)), r.took
	return v
}

// said tells the audit log how far a drill came.
func said(v control.StopView) string {
	if v.Processes == 0 {
		return "no process is connected to this server"
	}
	return fmt.Sprintf("reached %d of %d processes of this server, the last after %v", v.Reached, v.Processes, v.Took.Round(100*time.Microsecond))
}

// drills returns those that are shown, with how far they came among the processes of this server. mu is held.
func (p *plane) drills(now time.Time) (views []control.StopView) {
	for _, d := range p.state.Drills {
		if !now.Before(d.View.Expires) {
			continue
		}
		v := d.View
		if r := p.reach[d.ID]; r != nil {
			v = r.show(v)
		}
		views = append(views, v)
	}
	return views
}

// ownDrills is drills.
func (p *plane) ownDrills(now time.Time) []control.StopView {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drills(now)
}

// addDrills adds drills to stops. One that is there already, since other servers told of it, comes as far as both say.
func addDrills(stops, drills []control.StopView) []control.StopView {
	for _, d := range drills {
		i := slices.IndexFunc(stops, func(s control.StopView) bool { return s.Drill && s.Scope == d.Scope && s.Since.Equal(d.Since) })
		if i < 0 {
			stops = append(stops, d)
			continue
		}
		s := &stops[i]
		s.Reached, s.Processes, s.Took = s.Reached+d.Reached, s.Processes+d.Processes, max(s.Took, d.Took)
	}
	return stops
}
