package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// stoppable returns a registry with an emergency stop.
func stoppable(t *testing.T) (*control.Registry, *halt.Tree, *book) {
	t.Helper()
	records, tree := &book{}, &halt.Tree{}
	r := &control.Registry{Recorder: records}
	if err := r.AddStops(tree); err != nil {
		t.Fatal(err)
	}
	return r, tree, records
}

func TestStopAndResume(t *testing.T) {
	r, tree, records := stoppable(t)
	p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk", "venue")}}
	call := func() error { return retry.Run(t.Context(), p, func(context.Context) error { return nil }) }
	notes := r.Subscribe(control.Filter{Kinds: []string{"stop"}}, 0)

	v, err := r.Stop(t.Context(), control.Stop{Scope: "desk", State: "drain", Reason: "prices", Ticket: "T1", Actor: "ann", Source: "dashboard", Expires: time.Hour})
	if err != nil || v.Scope != "desk" || v.State != "drain" || v.Epoch != 1 || v.Actor != "ann" || v.Ticket != "T1" || v.Reason != "prices" || v.Expires.IsZero() || v.Source != "dashboard" {
		t.Errorf("Stop = %+v, %v", v, err)
	}
	if err := call(); !errors.Is(err, halt.ErrDraining) {
		t.Errorf("call = %v; want refused", err)
	}
	if got := r.View().Stops; len(got) != 1 || got[0].State != "drain" || got[0].Epoch != 1 || got[0].Source != "dashboard" || got[0].Since.IsZero() {
		t.Errorf("stops %+v", got)
	}
	for _, test := range []struct {
		name   string
		resume control.Resume
		err    error
	}{
		{"by the one who stopped", control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "ann"}, halt.ErrTwoPersons},
		{"by one person", control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "bob"}, halt.ErrTwoPersons},
		{"of what was seen before", control.Resume{Scope: "desk", Epoch: 0, Actor: "bob", Approver: "cid"}, halt.ErrEpoch},
		{"of what is not stopped", control.Resume{Epoch: 0, Actor: "bob", Approver: "cid"}, halt.ErrNoStop},
	} {
		records.take()
		if _, err := r.Resume(t.Context(), test.resume); !errors.Is(err, test.err) || !errors.Is(err, halt.ErrRefused) {
			t.Errorf("resume %s: %v; want %v", test.name, err, test.err)
		}
		if got := records.take(); len(got) != 1 || !strings.HasPrefix(got[0], "deny bob") {
			t.Errorf("resume %s: recorded %q", test.name, got)
		}
	}
	v, err = r.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Reason: "all clear", Actor: "bob", Approver: "cid"})
	if err != nil || v.State != "running" || v.Epoch != 2 || v.Ramp != 0.1 {
		t.Errorf("Resume = %+v, %v; want a ramp", v, err)
	}
	if got := records.take(); len(got) != 1 || got[0] != "resume bob desk drain:" {
		t.Errorf("recorded %q", got)
	}
	notes.Close()
	all, _ := notes.Next(t.Context())
	if len(all) != 6 || all[0].Text != "stop desk by ann: prices" || all[0].Target != "desk" || !strings.Contains(all[1].Text, "command refused") {
		t.Errorf("notes %+v", all)
	}
}

func TestStopIsRefused(t *testing.T) {
	r, _, records := stoppable(t)
	for _, test := range []struct {
		name   string
		stop   control.Stop
		want   string
		record string
	}{
		{"no state", control.Stop{State: "halt", Actor: "ann"}, `stop global: state "halt" is none of`, "deny ann global stop: "},
		{"running", control.Stop{State: "running", Actor: "ann"}, "running is no state to stop in: resume the scope instead", "deny ann global stop: "},
		{"expiry", control.Stop{Scope: "desk", Expires: time.Hour, Actor: "ann"}, "stop desk: command refused", "deny ann desk stopped: command refused"},
		{"scope", control.Stop{Scope: "a//b", Actor: "ann"}, "stop a//b: ", "deny ann a//b stopped: command refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if v, err := r.Stop(t.Context(), test.stop); !strings.Contains(fmt.Sprint(err), test.want) || v.Epoch != 0 {
				t.Errorf("Stop = %+v, %v; want %q", v, err, test.want)
			}
			if got := records.take(); len(got) != 1 || !strings.HasPrefix(got[0], test.record) {
				t.Errorf("recorded %q; want %q", got, test.record)
			}
			if got := r.View().Stops; len(got) != 0 {
				t.Errorf("stops %+v; want none", got)
			}
		})
	}
	if err := r.AddStops(&halt.Tree{}); !errors.Is(err, control.ErrDuplicate) {
		t.Errorf("a second tree: %v", err)
	}
}

// Without an emergency stop there is nothing to command, and that is on record.
func TestNoStops(t *testing.T) {
	records := &book{}
	r := &control.Registry{Recorder: records}
	_, stop := r.Stop(t.Context(), control.Stop{Actor: "ann"})
	_, resume := r.Resume(t.Context(), control.Resume{Actor: "ann"})
	if !errors.Is(stop, control.ErrNoStops) || !errors.Is(resume, control.ErrNoStops) {
		t.Errorf("%v, %v; want ErrNoStops", stop, resume)
	}
	if got := records.take(); len(got) != 2 || !strings.HasPrefix(got[0], "deny ann global stop") || !strings.HasPrefix(got[1], "deny ann global resume") {
		t.Errorf("recorded %q", got)
	}
}

// A command that comes twice with one key engages once, also when both come at the same time.
func TestStopKeys(t *testing.T) {
	r, tree, records := stoppable(t)
	c := control.Stop{Scope: "desk", State: "no-retries", Actor: "ann", Reason: "x", Key: "k1"}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if v, err := r.Stop(t.Context(), c); err != nil || v.Epoch != 1 {
				t.Errorf("Stop = %+v, %v; want the first one's", v, err)
			}
		})
	}
	all.Wait()
	if s, _ := tree.Look("desk"); s.Epoch != 1 {
		t.Errorf("epoch %d; want 1", s.Epoch)
	}
	if got := records.take(); len(got) != 20 {
		t.Errorf("%d records; want one for each command", len(got))
	}
	other := c
	other.Scope = "global"
	if _, err := r.Stop(t.Context(), other); !errors.Is(err, control.ErrKey) {
		t.Errorf("another command with the key: %v", err)
	}
	if got := records.take(); len(got) != 1 || !strings.HasPrefix(got[0], "deny ann global stop: stop global: the key belongs to another command") {
		t.Errorf("recorded %q", got)
	}
	// One that was refused engaged nothing, and may come again when it is right.
	bad := control.Stop{Scope: "a//b", Actor: "ann", Key: "k2"}
	r.Stop(t.Context(), bad)
	bad.Scope = "b"
	if v, err := r.Stop(t.Context(), bad); err != nil || v.State != "stopped" {
		t.Errorf("Stop = %+v, %v", v, err)
	}
	// Without a key, each command is one.
	c.Key = ""
	if v, _ := r.Stop(t.Context(), c); v.Epoch != 2 {
		t.Errorf("epoch %d; want 2", v.Epoch)
	}
	// Keys do not accumulate without end.
	c.Key = "k1"
	for i := range 1100 {
		r.Stop(t.Context(), control.Stop{Scope: "global", State: "no-retries", Actor: "ann", Key: fmt.Sprint("more", i)})
	}
	if v, _ := r.Stop(t.Context(), c); v.Epoch != 3 {
		t.Errorf("epoch %d; want that the first key was forgotten", v.Epoch)
	}
}

// A drill goes all the way, is recorded as one, and stops nothing.
func TestDrill(t *testing.T) {
	r, tree, records := stoppable(t)
	tree.Gate("desk")
	v, err := r.Stop(t.Context(), control.Stop{Scope: "desk", Actor: "ann", Reason: "monthly", Source: "cli", Drill: true})
	if err != nil || !v.Drill || v.Epoch != 0 {
		t.Errorf("Stop = %+v, %v", v, err)
	}
	if got := records.take(); len(got) != 1 || got[0] != "drill ann desk stopped:" {
		t.Errorf("recorded %q", got)
	}
	if got := r.View().Stops; len(got) != 1 || !got[0].Drill || got[0].Source != "cli" || got[0].State != "stopped" {
		t.Errorf("stops %+v; want the drill", got)
	}
}

// A stop that cannot be recorded is in force, and says so.
func TestStopWithoutItsRecord(t *testing.T) {
	r, tree, records := stoppable(t)
	records.err = errors.New("disk full")
	c := control.Stop{Scope: "desk", Actor: "ann", Key: "k"}
	v, err := r.Stop(t.Context(), c)
	if !errors.Is(err, halt.ErrRecord) || !errors.Is(err, control.ErrNotAudited) || v.Epoch != 1 {
		t.Errorf("Stop = %+v, %v; want both a view and the error", v, err)
	}
	if s, _ := tree.Look("desk"); s.State != halt.Stopped {
		t.Errorf("%v; want stopped", s.State)
	}
	if again, err := r.Stop(t.Context(), c); again.Epoch != 1 || !errors.Is(err, halt.ErrRecord) {
		t.Errorf("again: %+v, %v; want the same", again, err)
	}
	if _, err := r.Resume(t.Context(), control.Resume{Scope: "desk", Epoch: 1, Actor: "bob", Approver: "cid"}); !errors.Is(err, halt.ErrRefused) {
		t.Errorf("Resume = %v; want refused, since it cannot be recorded", err)
	}
}

// What a limit stops shows as a trip; who recorded a tree's commands before still does.
func TestTripsAndOtherRecorders(t *testing.T) {
	other := &listener{err: errDown}
	tree := &halt.Tree{Recorder: other}
	r := &control.Registry{}
	if err := r.AddStops(tree); err != nil {
		t.Fatal(err)
	}
	w, err := tree.Watch("desk", halt.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w.Duplicate("o1")
	if got := r.View().Stops; len(got) != 1 || got[0].Source != "trip" || got[0].State != "risk-reducing" || got[0].Reason == "" {
		t.Errorf("stops %+v; want a trip", got)
	}
	if len(other.got) == 0 || other.got[0].Action != halt.ActionTrip {
		t.Errorf("the other recorder got %+v", other.got)
	}
	if _, err := r.Stop(t.Context(), control.Stop{Scope: "desk", Actor: "ann"}); !errors.Is(err, errDown) {
		t.Errorf("%v; want the other recorder's error", err)
	}
}

type listener struct {
	got []halt.Record
	err error
}

func (l *listener) Record(r halt.Record) error {
	l.got = append(l.got, r)
	return l.err
}

// How scopes were stopped is remembered within bounds.
func TestSourcesAreBounded(t *testing.T) {
	r, _, _ := stoppable(t)
	for i := range 1100 {
		r.Stop(t.Context(), control.Stop{Scope: fmt.Sprintf("s%04d", i), State: "drain", Actor: "ann", Source: "cli"})
	}
	for _, s := range r.View().Stops {
		if s.Source != "" && s.Source != "cli" {
			t.Errorf("%+v", s)
		}
	}
}

// Whose name nobody checked is recorded as such.
func TestClaimedActors(t *testing.T) {
	r, _, records := stoppable(t)
	if _, err := r.AddOperation("", &retry.Policy{Name: "fetch"}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is a repetition
		v, err := r.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann", Claimed: true, Source: "cli", Key: "k"})
		if err != nil || v.Source != "cli" {
			t.Errorf("Stop = %+v, %v", v, err)
		}
	}
	if got := r.View().Stops; len(got) != 1 || got[0].Source != "cli" {
		t.Errorf("stops %+v", got)
	}
	r.Stop(t.Context(), control.Stop{Scope: "desk", State: "odd", Actor: "ann", Claimed: true, Source: "cli"})
	r.Tune(t.Context(), control.Tune{Operation: "fetch", Actor: "ann", Claimed: true, Source: "cli"})
	var rules []string
	for _, one := range records.records {
		rules = append(rules, one.Rule)
	}
	if got := strings.Join(rules, ", "); got != "cli claimed, cli claimed repeated, cli claimed, cli claimed" {
		t.Errorf("rules %s", got)
	}
}
