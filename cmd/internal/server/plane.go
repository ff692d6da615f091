package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb"
)

// Poll is how often a server looks whether another one changed something.
const Poll = 150 * time.Millisecond

// document is the name of the state that servers share.
const document = "fleet"

// A shared is what all servers of a fleet agree on.
type shared struct {
	Stops    []byte                      `json:"stops"` // halt.Tree.Snapshot
	Released map[string]control.Released `json:"released,omitempty"`
	Tunes    map[string]tuned            `json:"tunes,omitempty"`
	Requests map[string]Request          `json:"requests,omitempty"` // releases that wait for a second person
	Keys     map[string]key              `json:"keys,omitempty"`     // of stops that were engaged
	Config   *control.ConfigOrder        `json:"config,omitempty"`   // of the server that was configured last; not modified
	Drills   []drill                     `json:"drills,omitempty"`   // until they expire; not modified
}

// A tuned is an override of an operation. One that was taken back stays, for its version.
type tuned struct {
	control.TuneOrder
	Version uint64 `json:"version"`
}

// A plane holds the state that servers share, as this one knows it. It is safe for concurrent use.
type plane struct {
	docs                  *sqldb.Documents
	audit                 recorder
	log                   *slog.Logger
	known                 func(operation string) (control.PolicyView, bool)
	approvers, designated []string // as in halt.Tree

	change sync.Mutex // held for whole commands of this server, so that they do not get into each other's way

	mu      sync.Mutex
	version uint64         // of the document; guarded by mu, as are the others
	state   shared         // not modified once it is here
	order   control.Orders // of it; the drills are told apart
	orders  []byte         // it as an event
	changes changes        // that led here
	scopes  map[halt.Scope]halt.Status
	stops   []control.StopView     // of it
	waiting map[chan struct{}]bool // who wants to hear of a change
	unsaved []control.Stop         // that are in force and could not be stored
	reach   map[string]*reach      // of drills, by id
}

// A storeError says that a change could not be stored.
type storeError struct {
	err  error
	next *shared // what was to be stored
}

func (e *storeError) Error() string {
	if retry.DefaultClassify(e.err) == retry.Ambiguous {
		return "it may have been stored or not: " + e.err.Error()
	}
	return "it could not be stored: " + e.err.Error()
}

func (e *storeError) Unwrap() error { return e.err }

// A recorder keeps audit records.
type recorder interface {
	Record(ctx context.Context, r audit.Record) error
}

// open reads the state, and makes it if there is none.
func (p *plane) open(ctx context.Context) error {
	p.waiting, p.reach = map[chan struct{}]bool{}, map[string]*reach{}
	if _, err := p.look(ctx); err != nil {
		return err
	}
	return nil
}

// look reads the state again, and says whether it is news.
func (p *plane) look(ctx context.Context) (news bool, err error) {
	version, body, err := p.docs.Get(ctx, document)
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	same := version == p.version && p.orders != nil
	p.mu.Unlock()
	if same {
		return false, nil
	}
	s, err := parse(body)
	if err != nil {
		return false, fmt.Errorf("the state of the fleet, version %d, cannot be read: %w", version, err)
	}
	return true, p.adopt(version, s)
}

func parse(body []byte) (s shared, err error) {
	if len(body) > 0 {
		err = json.Unmarshal(body, &s)
	}
	if len(s.Stops) == 0 {
		s.Stops = (&halt.Tree{}).Snapshot()
	}
	return s, err
}

// tree returns the stops of a state as a tree. What a release lets go ramps in the processes, not here.
func (p *plane) tree(s *shared) (*halt.Tree, error) {
	t := &halt.Tree{Approvers: p.approvers, Designated: p.designated, Ramp: halt.Ramp{Step: time.Nanosecond}}
	return t, t.Restore(s.Stops)
}

// adopt makes a state the present one, and wakes who waits.
func (p *plane) adopt(version uint64, s shared) error {
	tree, err := p.tree(&s)
	if err != nil {
		return err
	}
	o := control.Orders{Version: version, Stops: s.Stops, Epochs: map[string]uint64{}, Released: s.Released, Tunes: map[string]control.TuneOrder{}, Config: s.Config}
	for _, status := range tree.Status() {
		if status.Epoch > 0 {
			o.Epochs[string(status.Scope)] = status.Epoch
		}
	}
	for name, t := range s.Tunes {
		if len(t.Fields) > 0 {
			o.Tunes[name] = t.TuneOrder
		}
	}
	whole, err := event(o)
	if err != nil {
		return err
	}
	registry := &control.Registry{Instance: "stops", Logger: slog.New(slog.DiscardHandler)}
	if err := registry.AddStops(tree); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if version < p.version {
		return nil // a later one came first
	}
	part, scopes, idle, err := p.since(tree, &o, p.begin(s.Drills))
	if err != nil {
		return err
	}
	p.changes.add(part)
	p.version, p.state, p.order, p.orders, p.stops, p.scopes = version, s, o, whole, registry.View().Stops, scopes
	if idle {
		return nil // it is told with the next change
	}
	for c := range p.waiting {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return nil
}

// update changes the state: change is called with a copy, and again if another server was first.
func (p *plane) update(ctx context.Context, change func(*shared) error) error {
	return p.alter(ctx, false, change)
}

// alter is update. What is urgent is in force for the processes of this server before it is stored: a stop does not wait for a disk.
func (p *plane) alter(ctx context.Context, urgent bool, change func(*shared) error) error {
	p.change.Lock()
	defer p.change.Unlock()
	for {
		p.mu.Lock()
		version, next := p.version, p.state
		p.mu.Unlock()
		next.Released, next.Tunes = maps.Clone(next.Released), maps.Clone(next.Tunes)
		next.Requests, next.Keys = maps.Clone(next.Requests), maps.Clone(next.Keys)
		if err := change(&next); err != nil {
			return err
		}
		body, err := json.Marshal(next)
		if err == nil && urgent {
			err = p.adopt(version, next)
		}
		if err != nil {
			return err
		}
		after, err := p.docs.Put(ctx, document, version, body)
		if errors.Is(err, sqldb.ErrChanged) {
			if _, err := p.look(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return &storeError{err, &next}
		}
		return p.adopt(after, next)
	}
}

// watch polls for changes of other servers until ctx ends.
func (p *plane) watch(ctx context.Context) {
	failing := false
	for tick := time.NewTicker(Poll); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		_, err := p.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			p.log.Error("the state of the fleet cannot be read; the last one stays in force", "error", err)
		}
		failing = err != nil
		if err == nil {
			p.catchUp(ctx)
		}
	}
}

// catchUp stores the stops that could not be stored when they were commanded.
func (p *plane) catchUp(ctx context.Context) {
	p.mu.Lock()
	late := p.unsaved
	p.unsaved = nil
	p.mu.Unlock()
	for _, c := range late {
		c.Key = ""
		p.Stop(ctx, c) // which keeps it for the next time if it fails again
	}
}

// subscribe returns a channel that gets a token with each change, and what ends it.
func (p *plane) subscribe() (news chan struct{}, end func()) {
	news = make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[news] = true
	return news, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, news)
	}
}

// overlay puts what the servers know into a view: stops, and overrides with their versions.
func (p *plane) overlay(v *control.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v.Stops = addDrills(mergeStops(p.stops, v.Stops), p.drills(time.Now()))
	for i := range v.Policies {
		q := &v.Policies[i]
		q.Version = 0
		if t, ok := p.state.Tunes[q.Name]; ok {
			q.Version = t.Version
		}
	}
}

// mergeStops adds the stops that processes have of their own to those of the fleet.
func mergeStops(fleet, own []control.StopView) []control.StopView {
	all := append([]control.StopView{}, fleet...)
	for _, s := range own {
		if s.Drill {
			all = append(all, s)
			continue
		}
		found := false
		for i := range fleet {
			if fleet[i].Scope != s.Scope {
				continue
			}
			found = true
			if all[i].State == "running" && s.State != "running" { // stopped in a process only
				epoch := all[i].Epoch
				all[i] = s
				all[i].Epoch, all[i].Source = max(epoch, s.Epoch), "process"
			} else if all[i].State == "running" && s.Ramp > 0 {
				all[i].Ramp = s.Ramp
			}
		}
		if !found {
			all = append(all, s)
		}
	}
	return all
}
