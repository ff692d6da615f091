package server

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/analytics"
)

const (
	absent       = 30 * time.Second // a finding that no process reports for so long is over
	reopens      = 5 * time.Minute  // within that after its end it is the same one again, as in package analytics
	handover     = 15 * time.Second // longer than a server takes to miss another one
	mostFindings = 1000
)

// A topic is what findings of several processes have in common that are one.
type topic struct{ kind, subject string }

func compareTopics(a, b topic) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.subject, b.subject))
}

// A trouble is a finding of the fleet that lasts, or ended a short time ago.
type trouble struct {
	view                control.FindingView // the last one
	worst               analytics.Severity
	opened, seen, ended time.Time // ended: zero while it lasts
	id                  string
}

// A change is one that sinks are to hear of.
type change struct {
	at      time.Time
	finding analytics.Finding
}

// findings follows those of the whole fleet: processes that find the same are one finding, and one that is reported no more
// lasts a while, so that a process that restarts or is late opens nothing anew. It is safe for concurrent use.
type findings struct {
	tell func(analytics.Finding)

	mu      sync.Mutex
	known   map[topic]*trouble // guarded by mu
	pending []change           // what another server tells, unless it is gone; guarded by mu
}

// see takes what processes report now, and returns what lasts, in the order of Merge. Of several servers one leads: it tells.
func (f *findings) see(now time.Time, reported []control.FindingView, leads bool) []control.FindingView {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = map[topic]*trouble{}
	}
	for _, v := range reported {
		f.reported(now, v)
	}
	shown := []control.FindingView{}
	for _, key := range slices.SortedFunc(maps.Keys(f.known), compareTopics) {
		t := f.known[key]
		if t.ended.IsZero() && now.Sub(t.seen) >= absent {
			t.ended = now
			f.changed(now, t)
		}
		switch {
		case t.ended.IsZero():
			shown = append(shown, t.view)
		case now.Sub(t.ended) > reopens:
			delete(f.known, key)
		}
	}
	due := f.pending
	f.pending = nil
	if !leads {
		for _, c := range due {
			if now.Sub(c.at) < handover {
				f.pending = append(f.pending, c)
			}
		}
		return shown
	}
	for _, c := range due {
		f.tell(c.finding)
	}
	return shown
}

// reported takes one finding in. Beyond mostFindings, new ones wait until others are forgotten.
func (f *findings) reported(now time.Time, v control.FindingView) {
	key := topic{v.Kind, v.Subject}
	severity := analytics.ParseSeverity(v.Severity)
	t := f.known[key]
	switch {
	case t == nil && len(f.known) >= mostFindings:
		return
	case t == nil:
		t = &trouble{view: v, worst: severity, opened: now, id: v.Finding().ID}
		f.known[key] = t
		f.changed(now, t)
	case !t.ended.IsZero():
		v.Since = t.view.Since
		t.view, t.worst, t.ended = v, severity, time.Time{}
		f.changed(now, t)
	default:
		v.Since = t.view.Since
		t.view = v
		if severity > t.worst {
			t.worst = severity
			f.changed(now, t)
		}
	}
	t.seen = now
}

// changed notes a finding that opened, opened again, got worse or ended.
func (f *findings) changed(now time.Time, t *trouble) {
	one := t.view.Finding()
	one.ID, one.Severity, one.Detected, one.Updated, one.Ended = t.id, t.worst, t.opened, now, t.ended
	f.pending = append(f.pending, change{now, one})
}

// fresh returns the view of a process, without the findings if it was not heard for a while.
func (r *reported) fresh(now time.Time) control.View {
	v := r.view
	if now.Sub(r.at) >= absent {
		v.Findings = nil
	}
	return v
}
