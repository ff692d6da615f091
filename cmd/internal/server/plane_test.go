package server

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb"
)

// A book is an audit log in memory.
type book struct {
	records []audit.Record
	err     error
}

func (b *book) Record(_ context.Context, r audit.Record) error {
	b.records = append(b.records, r)
	return b.err
}

func newPlane(t *testing.T) (*plane, *book, *sqldb.DB) {
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b := &book{}
	p := &plane{docs: db.Documents(), audit: b, log: quiet, known: func(name string) (control.PolicyView, bool) {
		return control.PolicyView{Name: name, Base: control.Texts(&retry.Policy{Name: name})}, name == "fetch"
	}}
	if err := p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, b, db
}

func (p *plane) stopped(scope string) halt.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	tree, _ := p.tree(&p.state)
	s, _ := tree.Look(halt.Scope(scope))
	return s.State
}

// A stop does not wait for a database: it is in force for who is connected, and stored later.
func TestStopWithoutStore(t *testing.T) {
	p, b, db := newPlane(t)
	good := p.docs
	db.Close()
	news, end := p.subscribe()
	defer end()
	view, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "prices", Actor: "ann", Key: "k"})
	if err == nil || !strings.Contains(err.Error(), "in force for the processes of this server only") || view.Epoch != 1 {
		t.Errorf("Stop = %+v, %v", view, err)
	}
	select {
	case <-news:
	default:
		t.Error("nobody is told")
	}
	if p.stopped("desk") != halt.Stopped || !strings.Contains(orders(p), "desk") {
		t.Error("it is not in force")
	}
	for what, err := range map[string]error{
		"a drill":   second(p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Drill: true})), // which shows just that
		"a release": second(p.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "cid", Reason: "r"})),
		"a tune":    second(p.Tune(t.Context(), control.Tune{Operation: "fetch", Actor: "a", Reason: "r", Fields: map[string]string{"max_attempts": "2"}})),
		"a request": second(p.ask(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Reason: "r"})),
	} {
		if err == nil || what == "a drill" && !strings.Contains(err.Error(), "in force for the processes of this server only") {
			t.Errorf("%s without a store: %v", what, err)
		}
	}
	if _, err := p.look(t.Context()); err == nil {
		t.Error("the store is there")
	}

	// Another store is there: what was not saved is caught up with.
	other, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p.docs = other.Documents()
	p.mu.Lock()
	p.version = 0
	p.mu.Unlock()
	p.catchUp(t.Context())
	if _, body, err := p.docs.Get(t.Context(), document); err != nil || !strings.Contains(string(body), "stops") {
		t.Errorf("stored: %s, %v", body, err)
	}
	if len(b.records) == 0 || good == p.docs {
		t.Error("nothing was recorded")
	}
}

func second[T any](_ T, err error) error { return err }

// Who may approve is configured for the fleet as for a tree.
func TestApprovers(t *testing.T) {
	p, _, _ := newPlane(t)
	p.approvers = []string{"chief"}
	stop := func() uint64 {
		t.Helper()
		v, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		return v.Epoch
	}
	epoch := stop()
	if _, err := p.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: epoch, Actor: "bob", Approver: "cid", Reason: "r"}); !errors.Is(err, halt.ErrApprover) {
		t.Errorf("Resume = %v; want %v", err, halt.ErrApprover)
	}
	q, err := p.ask(t.Context(), control.Resume{Scope: "desk", Epoch: epoch, Actor: "bob", Reason: "mended"})
	if err != nil {
		t.Fatal(err)
	}
	stop() // somebody else stops it again: the request is for an epoch that is over
	if _, err := p.approve(t.Context(), q.ID, caller{name: "chief"}); !errors.Is(err, halt.ErrEpoch) {
		t.Errorf("approve = %v; want %v", err, halt.ErrEpoch)
	}
	if _, err := p.ask(t.Context(), control.Resume{Scope: "desk", Epoch: epoch + 1, Actor: "bob"}); !errors.Is(err, control.ErrIncomplete) {
		t.Errorf("a request without a reason: %v", err)
	}
	for range mostRequests {
		p.ask(t.Context(), control.Resume{Scope: "desk", Epoch: epoch + 1, Actor: "bob", Reason: "r"})
	}
	if _, err := p.ask(t.Context(), control.Resume{Scope: "desk", Epoch: epoch + 1, Actor: "bob", Reason: "r"}); !errors.Is(err, ErrRequests) {
		t.Errorf("ask = %v; want %v", err, ErrRequests)
	}
	list := p.requests()
	if _, err := p.approve(t.Context(), list[len(list)-1].ID, caller{name: "chief"}); err != nil {
		t.Error(err)
	}
	if left := p.requests(); len(left) != 0 {
		t.Errorf("%d requests are left for a scope that is released", len(left))
	}
}

// What is released ramps in processes, and does not count as stopped for ever because nothing is attempted in a server.
func TestReleaseEndsInTheServer(t *testing.T) {
	p, _, _ := newPlane(t)
	if _, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "cid", Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	for _, process := range []control.StopView{{Scope: "desk", State: "running", Ramp: 0.5}, {Scope: "desk", State: "running"}} {
		v := control.View{Stops: []control.StopView{process}}
		p.overlay(&v)
		if len(v.Stops) != 1 || v.Stops[0].State != "running" || v.Stops[0].Ramp != process.Ramp {
			t.Errorf("%+v; want the ramp of the process, %v", v.Stops, process.Ramp)
		}
	}
}

// What cannot be written down does not happen, but for a stop.
func TestWithoutAudit(t *testing.T) {
	p, b, _ := newPlane(t)
	b.err = errors.New("disk full")
	if _, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann"}); err == nil || p.stopped("desk") != halt.Stopped {
		t.Errorf("Stop = %v, %v; want it in force and told", err, p.stopped("desk"))
	}
	if _, err := p.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "cid", Reason: "r"}); !errors.Is(err, control.ErrNotAudited) || p.stopped("desk") != halt.Stopped {
		t.Errorf("Resume = %v, %v; want it refused", err, p.stopped("desk"))
	}
	if _, err := p.Tune(t.Context(), control.Tune{Operation: "fetch", Reason: "r"}); !errors.Is(err, control.ErrIncomplete) {
		t.Errorf("Tune = %v; want %v", err, control.ErrIncomplete)
	}
}

// A state that nobody can read stops nothing and starts nothing.
func TestDamagedState(t *testing.T) {
	p, _, db := newPlane(t)
	if _, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	for version, odd := range []string{"{", `{"stops":"b2Rk"}`} {
		if _, err := db.Documents().Put(t.Context(), document, uint64(version+1), []byte(odd)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.look(t.Context()); err == nil || p.stopped("desk") != halt.Stopped {
			t.Errorf("%s: %v, %v; want an error and the last state", odd, err, p.stopped("desk"))
		}
		fresh := &plane{docs: db.Documents(), log: quiet}
		if err := fresh.open(t.Context()); err == nil {
			t.Errorf("%s: a server starts with it", odd)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*Poll)
	defer cancel()
	p.watch(ctx)
	if p.stopped("desk") != halt.Stopped {
		t.Error("the last state is gone")
	}
}

func TestMergeStops(t *testing.T) {
	fleet := []control.StopView{{Scope: "a", State: "running", Epoch: 2}, {Scope: "b", State: "stopped", Epoch: 1}, {Scope: "c", State: "running", Epoch: 4}}
	own := []control.StopView{
		{Scope: "a", State: "drain", Epoch: 3, Source: "file"}, {Scope: "b", State: "drain"}, {Scope: "c", State: "running", Ramp: 0.5}, {Scope: "d", State: "stopped"},
	}
	all := mergeStops(fleet, own)
	want := []control.StopView{
		{Scope: "a", State: "drain", Epoch: 3, Source: "process"}, {Scope: "b", State: "stopped", Epoch: 1},
		{Scope: "c", State: "running", Epoch: 4, Ramp: 0.5}, {Scope: "d", State: "stopped"},
	}
	if len(all) != len(want) {
		t.Fatalf("%+v", all)
	}
	for i := range want {
		if all[i] != want[i] {
			t.Errorf("%+v; want %+v", all[i], want[i])
		}
	}
}

// A key is remembered among the last 256.
func TestKeysAreBounded(t *testing.T) {
	p, _, _ := newPlane(t)
	for i := range mostKeys + 3 {
		if _, err := p.Stop(t.Context(), control.Stop{Scope: "desk", State: "no-retries", Reason: "r", Actor: "ann", Key: time.Duration(i).String()}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.state.Keys); n != mostKeys {
		t.Errorf("%d keys; want %d", n, mostKeys)
	}
}

// The registry of the server's own process is shown beside those of the fleet.
func TestOwnRegistry(t *testing.T) {
	registry := &control.Registry{Instance: "here", Logger: quiet}
	op, err := registry.AddOperation("", &retry.Policy{Name: "own.fetch"})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := serve(t, Config{Store: file(t), Registry: registry, Drain: time.Millisecond})
	retry.Run(t.Context(), op, func(context.Context) error { return nil })
	until(t, "the operation is seen", func() bool {
		var v control.View
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Policies) == 1 && v.Policies[0].Outcomes["success_first_try"] == 1
	})
	var notes []control.Note
	until(t, "its events are seen", func() bool {
		registry.Note(control.Note{Kind: "order", Text: "hello"})
		ask(t, s, "GET", "/api/v1/events", "", nil, &notes)
		return len(notes) > 0 && notes[0].Instance == "here"
	})
}

func orders(p *plane) string {
	text, _ := p.present(0)
	return string(text)
}
