package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
)

// A key remembers a stop that was engaged under an idempotency key.
type key struct {
	Asked control.Stop     `json:"asked"`
	View  control.StopView `json:"view"`
	At    time.Time        `json:"at"`
}

// mostKeys are those that are remembered.
const mostKeys = 256

// A Request is a release that waits for a second person.
type Request struct {
	ID        string    `json:"id"`
	Scope     string    `json:"scope"`
	Epoch     uint64    `json:"epoch"`
	Reason    string    `json:"reason"`
	Requester string    `json:"requester"`
	Expires   time.Time `json:"expires"`
}

// patience is how long a request for a release waits for a second person.
const patience = 15 * time.Minute

// mostRequests wait at one time.
const mostRequests = 100

// Errors of requests.
var (
	ErrRequest  = errors.New("there is no such request: it was carried out, or is older than 15 minutes")
	ErrRequests = errors.New("too many releases wait for a second person")
)

var _ control.Commander = (*plane)(nil)

// Stop implements [control.Commander]: the stop is in force for every process that is connected, stored, and recorded. If
// the store is away, it is in force for the processes of this server, and stored when the store is back.
func (p *plane) Stop(ctx context.Context, c control.Stop) (view control.StopView, err error) {
	c.Scope = cmp.Or(c.Scope, string(halt.Global))
	repeated, id := false, rand.Text() // of a drill
	err = p.alter(ctx, true, func(s *shared) error {
		before, known := s.Keys[c.Key]
		if c.Key != "" && known {
			asked := c
			asked.Actor, asked.Claimed, asked.Source = before.Asked.Actor, before.Asked.Claimed, before.Asked.Source
			if asked != before.Asked {
				return control.ErrKey
			}
			view, repeated = before.View, true
			return errNothing
		}
		tree, err := p.tree(s)
		if err != nil {
			return err
		}
		registry := &control.Registry{Instance: "fleet", Logger: slog.New(slog.DiscardHandler)}
		if err := registry.AddStops(tree); err != nil {
			return err
		}
		plain := c
		plain.Key = ""
		if view, err = registry.Stop(ctx, plain); err != nil {
			return err
		}
		if c.Drill {
			s.Drills = rehearsed(s.Drills, drill{id, c.Expires, view})
		} else {
			s.Stops = tree.Snapshot()
			delete(s.Released, view.Scope)
		}
		if c.Key != "" {
			if s.Keys == nil {
				s.Keys = map[string]key{}
			}
			s.Keys[c.Key] = key{c, view, time.Now()}
			for len(s.Keys) > mostKeys {
				oldest := slices.MinFunc(slices.Collect(maps.Keys(s.Keys)), func(a, b string) int { return s.Keys[a].At.Compare(s.Keys[b].At) })
				delete(s.Keys, oldest)
			}
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if lost, ok := errors.AsType[*storeError](err); ok && lost.next != nil {
		p.mu.Lock()
		if !c.Drill {
			p.unsaved = append(p.unsaved, c)
		}
		version := p.version
		p.mu.Unlock()
		err = errors.Join(p.adopt(version, *lost.next), fmt.Errorf("it is in force for the processes of this server only: %w", lost))
	}
	record := audit.Record{
		Decision: audit.Stop, Actor: c.Actor, Scope: c.Scope, State: c.State, Why: c.Reason, Ticket: c.Ticket, Rule: control.Rule(c.Source, c.Claimed),
	}
	if repeated {
		record.Rule = strings.TrimSpace(record.Rule + " repeated")
	}
	if c.Drill {
		record.Decision, record.Rule = audit.Drill, strings.TrimSpace(string(audit.Stop)+" "+record.Rule)
		if view.Drill && !repeated {
			view = p.await(ctx, id, view)
			record.Validation = said(view)
		}
	}
	record.Epoch = view.Epoch
	return view, p.record(ctx, record, wrap("stop "+c.Scope, err))
}

// errNothing ends an update that changes nothing and is none the worse for it.
var errNothing = errors.New("nothing changes")

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// record writes down a command, and why it was refused. A command that is in force and could not be written down says so.
func (p *plane) record(ctx context.Context, r audit.Record, refused error) error {
	if refused != nil { // as package control writes it down
		r.State, r.Decision, r.Outcome = string(r.Decision), audit.Deny, audit.Failed
		r.Validation = refused.Error()[:min(len(refused.Error()), 512)]
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := p.audit.Record(ctx, r); err != nil {
		return errors.Join(refused, fmt.Errorf("the command could not be recorded in the audit log: %w", err))
	}
	return refused
}

// Resume implements [control.Commander]. The record comes first: a release that cannot be written down does not happen.
func (p *plane) Resume(ctx context.Context, c control.Resume) (view control.StopView, err error) {
	c.Scope = cmp.Or(c.Scope, string(halt.Global))
	entry := audit.Record{
		Decision: audit.Resume, Actor: c.Actor, Approver: c.Approver, Scope: c.Scope, Why: c.Reason, Rule: control.Rule(c.Source, c.Claimed), Epoch: c.Epoch,
	}
	recorded := false
	err = p.update(ctx, func(s *shared) error {
		tree, err := p.tree(s)
		if err != nil {
			return err
		}
		release := halt.Release{Scope: halt.Scope(c.Scope), Epoch: c.Epoch, Requester: c.Actor, Approver: c.Approver, Why: c.Reason, Drill: true}
		if _, err := tree.Resume(release); err != nil {
			return err
		}
		if !recorded {
			if err := p.record(ctx, entry, nil); err != nil {
				return fmt.Errorf("%w: %w", control.ErrNotAudited, err)
			}
			recorded = true
		}
		release.Drill = false
		if _, err := tree.Resume(release); err != nil {
			return err
		}
		s.Stops = tree.Snapshot()
		if s.Released == nil {
			s.Released = map[string]control.Released{}
		}
		s.Released[c.Scope] = control.Released{Requester: c.Actor, Approver: c.Approver, Reason: c.Reason}
		maps.DeleteFunc(s.Requests, func(_ string, r Request) bool { return r.Scope == c.Scope })
		status, err := tree.Look(halt.Scope(c.Scope))
		view = control.StopView{
			Scope: c.Scope, State: halt.Running.String(), Epoch: status.Epoch, Actor: c.Actor, Source: c.Source, Reason: c.Reason, Since: time.Now(), Ramp: 0.1,
		}
		return err
	})
	if err != nil {
		return control.StopView{}, p.record(ctx, entry, wrap("resume "+c.Scope, err))
	}
	return view, nil
}

// ask keeps a release until a second person approves it. What could not be released now is refused at once.
func (p *plane) ask(ctx context.Context, c control.Resume) (r Request, err error) {
	c.Scope = cmp.Or(c.Scope, string(halt.Global))
	err = p.update(ctx, func(s *shared) error {
		now := time.Now()
		maps.DeleteFunc(s.Requests, func(_ string, r Request) bool { return now.After(r.Expires) })
		if len(s.Requests) >= mostRequests {
			return ErrRequests
		}
		tree, err := p.tree(s)
		if err != nil {
			return err
		}
		trial := halt.Release{Scope: halt.Scope(c.Scope), Epoch: c.Epoch, Requester: c.Actor, Approver: "somebody else than " + c.Actor, Why: c.Reason, Drill: true}
		if _, err := tree.Resume(trial); err != nil && !errors.Is(err, halt.ErrApprover) { // who approves is not known yet
			return err
		}
		if strings.TrimSpace(c.Reason) == "" {
			return fmt.Errorf("%w: reason", control.ErrIncomplete)
		}
		r = Request{ID: strings.ToLower(rand.Text()[:8]), Scope: c.Scope, Epoch: c.Epoch, Reason: c.Reason, Requester: c.Actor, Expires: now.Add(patience)}
		if s.Requests == nil {
			s.Requests = map[string]Request{}
		}
		s.Requests[r.ID] = r
		return nil
	})
	return r, p.record(ctx, audit.Record{
		Decision: "request", Actor: c.Actor, Scope: c.Scope, Why: c.Reason, Rule: control.Rule(c.Source, c.Claimed), Epoch: c.Epoch,
	}, wrap("resume "+c.Scope, err))
}

// requests are those that wait, the oldest first.
func (p *plane) requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	list := []Request{}
	for _, r := range p.state.Requests {
		if now.Before(r.Expires) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Request) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID)) })
	return list
}

// approve carries a request out.
func (p *plane) approve(ctx context.Context, id string, who caller) (control.StopView, error) {
	for _, r := range p.requests() {
		if r.ID == id {
			return p.Resume(ctx, control.Resume{Scope: r.Scope, Epoch: r.Epoch, Reason: r.Reason, Actor: r.Requester, Approver: who.name, Claimed: who.claimed, Source: who.source})
		}
	}
	return control.StopView{}, fmt.Errorf("request %s: %w", id, ErrRequest)
}

// Tune implements [control.Commander] for all processes that have the operation.
func (p *plane) Tune(ctx context.Context, c control.Tune) (view control.PolicyView, err error) {
	known, ok := p.known(c.Operation)
	view = known
	err = p.update(ctx, func(s *shared) error {
		if !ok {
			return control.ErrUnknownPolicy
		}
		for _, one := range []struct{ field, value string }{{"actor", c.Actor}, {"reason", c.Reason}} {
			if strings.TrimSpace(one.value) == "" {
				return fmt.Errorf("%w: %s", control.ErrIncomplete, one.field)
			}
		}
		now := s.Tunes[c.Operation]
		if now.Version != c.Version {
			return fmt.Errorf("%w: it is at version %d, not %d", control.ErrVersion, now.Version, c.Version)
		}
		fields := maps.Clone(now.Fields)
		if fields == nil {
			fields = map[string]string{}
		}
		for name, text := range c.Fields {
			if fields[name] = text; text == "" {
				delete(fields, name)
			}
		}
		base, err := control.Tuned(stand(c.Operation, known, ok), known.Base)
		if err == nil {
			_, err = control.Tuned(base, fields)
		}
		if err != nil {
			return err
		}
		if s.Tunes == nil {
			s.Tunes = map[string]tuned{}
		}
		s.Tunes[c.Operation] = tuned{control.TuneOrder{Fields: fields, Actor: c.Actor, Reason: c.Reason}, now.Version + 1}
		view.Override, view.Version = fields, now.Version+1
		return nil
	})
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		all = append(all, name+": "+c.Fields[name])
	}
	return view, p.record(ctx, audit.Record{
		Decision: "tune", Operation: c.Operation, Actor: c.Actor, Why: c.Reason, Rule: control.Rule(c.Source, c.Claimed), Validation: strings.Join(all, ", "), Count: c.Version,
	}, wrap("tune "+c.Operation, err))
}
