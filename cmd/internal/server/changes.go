package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// mostChanges are those that are kept for processes that did not hear of them yet. Who missed more is told everything.
const mostChanges = 64

// changes are the last changes of the orders, each as an event that is made once for all processes. With hundreds of stopped
// scopes, all of the orders would be most of the work of a stop.
type changes struct {
	count uint64   // of all changes; the first is number 1
	last  [][]byte // of the newest ones; nil: it cannot be told as a change
}

// add appends a change.
func (c *changes) add(event []byte) {
	c.count++
	if c.last = append(c.last, event); len(c.last) > mostChanges {
		c.last = c.last[1:]
	}
}

// since returns the events after change number n, or false if it takes all of the orders.
func (c *changes) since(n uint64) (text []byte, ok bool) {
	if n == 0 || n > c.count || c.count-n > uint64(len(c.last)) {
		return nil, false
	}
	missing := c.last[uint64(len(c.last))-(c.count-n):]
	for _, event := range missing {
		if event == nil {
			return nil, false
		}
	}
	if len(missing) == 1 {
		return missing[0], true
	}
	return bytes.Join(missing, nil), true
}

// event is what a process reads.
func event(o control.Orders) ([]byte, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "event: orders\ndata: %s\n\n", data), nil
}

// since returns the event that leads from the present orders to the next ones, and the scopes of these. It is nil if more
// than stops changes and drills begin. A stop has the version of before until it is stored. Nothing but
// the version changes if it is idle. mu is held.
func (p *plane) since(tree *halt.Tree, next *control.Orders, drills []control.DrillOrder) (text []byte, scopes map[halt.Scope]halt.Status, idle bool, err error) {
	scopes = map[halt.Scope]halt.Status{}
	part := control.Orders{Version: next.Version, From: p.version, Epochs: map[string]uint64{}, Released: map[string]control.Released{}, Drills: drills}
	var differ []halt.Scope
	for _, s := range tree.Status() {
		if s.Epoch == 0 {
			continue
		}
		scopes[s.Scope] = s
		if before := p.scopes[s.Scope]; before.Epoch == s.Epoch && reflect.DeepEqual(before.Stops, s.Stops) {
			continue
		}
		name := string(s.Scope)
		differ = append(differ, s.Scope)
		part.Epochs[name] = s.Epoch
		if r, ok := next.Released[name]; ok {
			part.Released[name] = r
		}
	}
	if p.version == 0 || len(scopes) < len(p.scopes) || !sameTunes(p.state.Tunes, next.Tunes) || !sameConfig(p.state.Config, next.Config) {
		return nil, scopes, false, nil
	}
	if len(differ) > 0 {
		part.Stops = tree.Snapshot(differ...)
	}
	text, err = event(part)
	return text, scopes, len(differ)+len(drills) == 0, err
}

// sameTunes says that overrides are as they were.
func sameTunes(before map[string]tuned, now map[string]control.TuneOrder) bool {
	had := map[string]control.TuneOrder{}
	for name, t := range before {
		if len(t.Fields) > 0 {
			had[name] = t.TuneOrder
		}
	}
	return maps.EqualFunc(had, now, func(a, b control.TuneOrder) bool { return reflect.DeepEqual(a, b) })
}

func sameConfig(a, b *control.ConfigOrder) bool {
	return a == b || a != nil && b != nil && a.Hash == b.Hash
}

// present returns what a process has to hear that heard change number n last, or nothing yet if n is 0, and the number of
// the last change in it. Who hears all of the orders hears of the drills that have just begun, too.
func (p *plane) present(n uint64) (text []byte, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text, ok := p.changes.since(n); ok {
		return text, p.changes.count
	}
	o := p.order
	if o.Drills = p.due(time.Now()); len(o.Drills) > 0 {
		if text, err := event(o); err == nil {
			return text, p.changes.count
		}
	}
	return p.orders, p.changes.count
}
