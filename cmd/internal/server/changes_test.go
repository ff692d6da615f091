package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

func TestChanges(t *testing.T) {
	var c changes
	if _, ok := c.since(0); ok {
		t.Error("nobody has heard anything, and it is told as changes")
	}
	for i := range mostChanges + 3 {
		c.add(fmt.Appendf(nil, "%d ", i+1))
	}
	for _, test := range []struct {
		since uint64
		want  string
		ok    bool
	}{
		{67, "", true}, {66, "67 ", true}, {64, "65 66 67 ", true}, {2, "", false}, {0, "", false}, {68, "", false},
	} {
		if text, ok := c.since(test.since); ok != test.ok || string(text) != test.want {
			t.Errorf("since(%d) = %q, %v; want %q, %v", test.since, text, ok, test.want, test.ok)
		}
	}
	if text, ok := c.since(3); !ok || bytes.Count(text, []byte(" ")) != mostChanges {
		t.Errorf("since(3) = %q, %v; want all that are kept", text, ok)
	}
	c.add(nil)
	c.add([]byte("69 "))
	if _, ok := c.since(66); ok {
		t.Error("more than stops changed, and it is told as changes")
	}
	if text, ok := c.since(68); !ok || string(text) != "69 " {
		t.Errorf("since(68) = %q, %v", text, ok)
	}
}

// What a stop costs does not grow with the stops there are.
func TestStopIsToldAlone(t *testing.T) {
	p, _, _ := newPlane(t)
	stop := func(scope string) (told control.Orders, size int) {
		t.Helper()
		_, before := p.present(0)
		if _, err := p.Stop(t.Context(), control.Stop{Scope: scope, State: "stopped", Reason: "r", Actor: "ann"}); err != nil {
			t.Fatal(err)
		}
		text, _ := p.present(before)
		return parseEvent(t, text), len(text)
	}
	stop("desk0")
	_, small := stop("desk1")
	for i := range 100 {
		stop(fmt.Sprint("more", i))
	}
	told, size := stop("desk2")
	if size > small+small/10 || len(told.Epochs) != 1 || told.Epochs["desk2"] != 1 || told.From == 0 {
		t.Errorf("the stop after 102 others takes %d bytes; the second took %d: %+v", size, small, told.Epochs)
	}

	// A release, a request for one, and another stop of the same scope.
	change := func(do func()) control.Orders {
		t.Helper()
		_, before := p.present(0)
		do()
		text, _ := p.present(before)
		return parseEvent(t, text)
	}
	told = change(func() {
		if _, err := p.Resume(t.Context(), control.Resume{Scope: "desk0", Epoch: 1, Actor: "bob", Approver: "cid", Reason: "r"}); err != nil {
			t.Fatal(err)
		}
	})
	if told.From == 0 || told.Epochs["desk0"] != 2 || told.Released["desk0"].Approver != "cid" || len(told.Epochs) != 1 {
		t.Errorf("release %+v", told)
	}
	told = change(func() {
		if _, err := p.ask(t.Context(), control.Resume{Scope: "desk1", Epoch: 1, Actor: "bob", Reason: "r"}); err != nil {
			t.Fatal(err)
		}
	})
	if told.From == 0 || len(told.Stops) != 0 || told.Version != told.From+1 {
		t.Errorf("request %+v", told)
	}
	told = change(func() { stop("desk0") })
	if told.From == 0 || told.Epochs["desk0"] != 3 || len(told.Released) != 0 {
		t.Errorf("stop after a release %+v", told)
	}

	// More than stops is told whole.
	p.known = func(string) (control.PolicyView, bool) { return control.PolicyView{Name: "fetch"}, true }
	for name, do := range map[string]func(){
		"an override": func() {
			if _, err := p.Tune(t.Context(), control.Tune{Operation: "fetch", Fields: map[string]string{"max_attempts": "2"}, Actor: "ann", Reason: "r"}); err != nil {
				t.Fatal(err)
			}
		},
		"a configuration": func() {
			if err := p.configure(t.Context(), Settings{Hash: "h", Policies: map[string]map[string]string{"fetch": {"cost": "2"}}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if told := change(do); told.From != 0 || len(told.Epochs) != 103 {
			t.Errorf("%s: %d scopes from version %d; want all of them, from none", name, len(told.Epochs), told.From)
		}
	}
	if told := change(func() { stop("desk3") }); told.From == 0 {
		t.Error("a stop after them is told whole")
	}
	text, _ := p.present(0)
	if told := parseEvent(t, text); len(told.Tunes) != 1 || told.Config == nil || told.Config.Hash != "h" {
		t.Errorf("the whole: %+v", told)
	}
}

// parseEvent reads the first of some events.
func parseEvent(t *testing.T, text []byte) (o control.Orders) {
	t.Helper()
	first, _, _ := strings.Cut(string(text), "\n\n")
	data, ok := strings.CutPrefix(first, "event: orders\ndata: ")
	if !ok || json.Unmarshal([]byte(data), &o) != nil {
		t.Fatalf("%.200q is no event of orders", text)
	}
	return o
}

// Processes keep in step by changes alone, whichever they hear of late, and with what another server did.
func TestProcessesKeepInStep(t *testing.T) {
	store := file(t)
	a, _ := serve(t, Config{Store: store, Name: "a"})
	b, _ := serve(t, Config{Store: store, Name: "b"})
	p, q := join(t, a, "p", ""), join(t, b, "q", "")
	for _, one := range []*process{p, q} {
		until(t, "both are connected", func() bool { return one.fleet.State().Connected })
	}
	for i := range 40 {
		server := []*Server{a, b}[i%2]
		if code := ask(t, server, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: fmt.Sprint("desk", i%10), State: []string{"no-retries", "drain", "stopped"}[i%3], Reason: "r"}, nil); code != 200 {
			t.Fatalf("stop: %d", code)
		}
	}
	for i := range 5 {
		scope := fmt.Sprint("desk", i)
		var stops []control.StopView
		var v control.View
		until(t, "the stops are shown", func() bool { ask(t, a, "GET", "/api/v1/view", "", nil, &v); stops = v.Stops; return len(stops) == 10 })
		for _, s := range stops {
			if s.Scope == scope {
				until(t, "it is released", func() bool {
					return ask(t, a, "POST", "/api/v1/resume", "as bob", map[string]any{"scope": scope, "epoch": 4, "reason": "r", "approver": "cid"}, nil) == 200
				})
			}
		}
	}
	for _, one := range []*process{p, q} {
		until(t, "every scope is as it was ordered", func() bool {
			for i := range 10 {
				s, _ := one.tree.Look(halt.Scope(fmt.Sprint("desk", i)))
				if (len(s.Stops) == 0) != (i < 5) || s.Epoch < 4 {
					return false
				}
			}
			return true
		})
		if f := one.fleet.State(); f.Failures != 0 {
			t.Errorf("%+v; want no failures on the way", f)
		}
	}
}

// A stop is told before it is stored, and does not wait for the store.
func TestStopIsToldBeforeItIsStored(t *testing.T) {
	p, _, db := newPlane(t)
	if _, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "r", Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	told := false
	err := p.alter(t.Context(), true, func(s *shared) error {
		tree, err := p.tree(s)
		if err != nil {
			return err
		}
		if told { // another server was first
			if early := parseEvent(t, p.changes.last[len(p.changes.last)-2]); early.Epochs["other"] != 1 {
				t.Errorf("%+v: the stop is not told while the store is asked", early)
			}
		} else if _, err := db.Documents().Put(t.Context(), document, p.version, []byte("{}")); err != nil {
			return err
		}
		told = true
		_, err = tree.Stop(halt.Command{Scope: "other", Who: "ann"})
		s.Stops = tree.Snapshot()
		return err
	})
	if err != nil || !told || p.stopped("other") != halt.Stopped {
		t.Errorf("%v, %v", err, p.stopped("other"))
	}

	_, before := p.present(0)
	db.Close()
	if _, err := p.Stop(t.Context(), control.Stop{Scope: "third", Reason: "r", Actor: "ann"}); err == nil {
		t.Error("the store is there")
	}
	text, _ := p.present(before)
	if told := parseEvent(t, text); told.From != told.Version || told.Epochs["third"] != 1 || len(told.Epochs) != 1 {
		t.Errorf("%+v; want the stop, in the version that is stored", told)
	}
}
