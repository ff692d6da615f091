package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// A drill goes the whole way in every process, once, and stops nothing.
func TestFleetDrill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		f := join(t, &control.Fleet{Stops: tree, Interval: time.Hour})
		tree.Gate("desk", "binance")
		notes := f.Registry.Subscribe(control.Filter{}, 10)
		defer notes.Close()
		drill := control.DrillOrder{ID: "d1", Scope: "desk", State: "drain", Actor: "ann", Reason: "monthly", Ticket: "OPS-1"}
		f.plane.order(control.Orders{Version: 1, Stops: (&halt.Tree{}).Snapshot()})
		f.plane.order(control.Orders{Version: 2, From: 1, Drills: []control.DrillOrder{drill}})
		f.plane.order(control.Orders{Version: 3, Drills: []control.DrillOrder{drill}}) // all of it again
		if len(f.plane.drilled) != 1 || f.plane.drilled[0].ID != "d1" || f.plane.drilled[0].Error != "" {
			t.Errorf("told %+v; want the drill once, at once", f.plane.drilled)
		}
		if list, _ := notes.Next(t.Context()); len(list) != 1 || list[0].Kind != "stop" || !strings.Contains(list[0].Text, "desk by ann: monthly") {
			t.Errorf("notes %+v; want one of the drill", list)
		}
		own := f.Registry.View().Stops
		if len(own) != 1 || !own[0].Drill || own[0].Source != "fleet" || own[0].State != "drain" || own[0].Reached != 1 || own[0].Processes != 1 {
			t.Errorf("here it shows as %+v", own)
		}
		if s, _ := tree.Look("desk"); len(s.Stops) != 0 || s.State != halt.Running {
			t.Errorf("%+v; want nothing stopped", s)
		}
		// What the control plane knows already is not reported to it; a drill of this process is.
		if _, err := f.Registry.Stop(t.Context(), control.Stop{Scope: "other", State: "drain", Drill: true, Actor: "here", Reason: "own", Source: "api"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		f.plane.order(control.Orders{Version: 4, From: 3, Drills: []control.DrillOrder{{ID: "late", Scope: "x", State: "odd", Actor: "ann", Reason: "r", For: 3 * time.Hour}}})
		f.plane.order(control.Orders{Version: 5, From: 4, Drills: []control.DrillOrder{{ID: "bad", Scope: "a//b", State: "drain", Actor: "ann", Reason: "r"}}})
		if n := len(f.plane.drilled); n != 3 || f.plane.drilled[1].Error == "" || f.plane.drilled[2].Error == "" {
			t.Errorf("told %+v; want what is wrong with them: stopped does not end, and that is no scope", f.plane.drilled)
		}
		f.end()
	})
}

func TestFleetDrillIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, &control.Fleet{Stops: &halt.Tree{}})
		f.plane.order(control.Orders{Version: 1, Stops: (&halt.Tree{}).Snapshot(), Drills: []control.DrillOrder{{ID: "d", Scope: "desk", State: "drain", Actor: "ann", Reason: "r"}}})
		if _, err := f.Registry.Stop(t.Context(), control.Stop{Scope: "own", State: "drain", Drill: true, Actor: "here", Reason: "r", Source: "api"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.plane.mu.Lock()
		last := f.plane.reports[len(f.plane.reports)-1].View.Stops
		f.plane.mu.Unlock()
		if len(last) != 1 || last[0].Scope != "own" {
			t.Errorf("reported %+v; want the drill of this process alone", last)
		}
		f.end()
	})
}

// Many drills at once are bounded, and a control plane that does not listen to them is told of.
func TestFleetDrillsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, &control.Fleet{Stops: &halt.Tree{}, Interval: time.Hour})
		f.plane.order(control.Orders{Version: 1, Stops: (&halt.Tree{}).Snapshot()})
		f.plane.set(func() { f.plane.down = http.StatusTeapot })
		var many []control.DrillOrder
		for i := range 100 {
			many = append(many, control.DrillOrder{ID: fmt.Sprint("d", i), Scope: "desk", State: "drain", Actor: "ann", Reason: "r"})
		}
		f.plane.order(control.Orders{Version: 2, From: 1, Drills: many})
		if s := f.State(); s.Failures == 0 || s.Failures > 100 || !strings.Contains(s.Err.Error(), "drill: ") {
			t.Errorf("%+v; want that it could not be told", s)
		}
		f.end()
	})
	synctest.Test(t, func(t *testing.T) { // nor would a stop reach it
		f := join(t, &control.Fleet{})
		f.plane.order(control.Orders{Version: 1, Stops: (&halt.Tree{}).Snapshot(), Drills: []control.DrillOrder{{ID: "d", Scope: "desk", State: "drain"}}})
		if len(f.plane.drilled) != 0 {
			t.Errorf("told %+v; want nothing of a process without stops", f.plane.drilled)
		}
		f.end()
	})
}

// What several servers say of one drill is added up.
func TestMergeDrills(t *testing.T) {
	at := time.Now()
	drill := func(scope string, since time.Time, reached, of int, took time.Duration) control.View {
		return control.View{Instance: scope, Stops: []control.StopView{{Scope: scope, State: "drain", Drill: true, Since: since, Reached: reached, Processes: of, Took: took}}}
	}
	wire, err := json.Marshal(drill("desk", at, 1, 2, time.Millisecond)) // as another server hears of it
	if err != nil {
		t.Fatal(err)
	}
	var heard control.View
	if err := json.Unmarshal(wire, &heard); err != nil {
		t.Fatal(err)
	}
	got := control.Merge(drill("desk", at, 2, 2, 3*time.Millisecond), heard, drill("other", at, 1, 1, 0)).Stops
	i := slices.IndexFunc(got, func(s control.StopView) bool { return s.Scope == "desk" })
	if len(got) != 2 || got[i].Reached != 3 || got[i].Processes != 4 || got[i].Took != 3*time.Millisecond {
		t.Errorf("%+v; want 3 of 4 processes in 3 ms", got)
	}
}
