package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

func TestDrillsAreShown(t *testing.T) {
	p, b, _ := newPlane(t)
	view, err := p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "drill", Drill: true, Actor: "ann", Source: "cli"})
	if err != nil || !view.Drill || view.Processes != 0 || p.stopped("desk") != halt.Running || len(b.records) != 1 {
		t.Errorf("%+v, %v, %v, %d records", view, err, p.stopped("desk"), len(b.records))
	}
	if r := b.records[0]; r.Decision != audit.Drill || r.Rule != "stop cli" || r.Validation != "no process is connected to this server" {
		t.Errorf("recorded %+v; want a drill", r)
	}
	for range 2 * mostDrills {
		if _, err := p.Stop(t.Context(), control.Stop{Scope: "other", Reason: "drill", Drill: true, Actor: "ann", State: "drain", Expires: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	v := control.View{Stops: []control.StopView{{Scope: "here", State: "stopped", Drill: true}}}
	p.overlay(&v)
	if len(v.Stops) != 3 || v.Stops[0].Scope != "here" || v.Stops[1].Scope != "desk" || !v.Stops[1].Drill || v.Stops[1].Expires.Sub(v.Stops[1].Since) != control.DrillShown || v.Stops[2].State != "drain" {
		t.Errorf("stops %+v; want the drills", v.Stops)
	}
	for i := range 2 * mostDrills {
		if _, err := p.Stop(t.Context(), control.Stop{Scope: fmt.Sprint("s", i), Reason: "drill", Drill: true, Actor: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.state.Drills); n != mostDrills {
		t.Errorf("%d drills; want %d", n, mostDrills)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.state.Drills {
		p.state.Drills[i].View.Expires = time.Now()
	}
	for _, r := range p.reach {
		r.expire = time.Now().Add(-time.Second)
	}
	if p.begin(nil); len(p.reach) != 0 || len(p.drills(time.Now())) != 0 {
		t.Errorf("%d drills are remembered after their end", len(p.reach))
	}
}

// Under a key a drill is gone through once.
func TestDrillIsRepeated(t *testing.T) {
	p, b, _ := newPlane(t)
	c := control.Stop{Scope: "desk", Reason: "drill", Drill: true, Actor: "ann", Source: "cli", Key: "k"}
	one, err1 := p.Stop(t.Context(), c)
	two, err2 := p.Stop(t.Context(), c)
	if err1 != nil || err2 != nil || !one.Since.Equal(two.Since) || len(p.reach) != 1 || b.records[1].Rule != "stop cli repeated" {
		t.Errorf("%v, %v, %d drills, %+v", err1, err2, len(p.reach), b.records)
	}
	c.Drill = false
	if _, err := p.Stop(t.Context(), c); err == nil || p.stopped("desk") != halt.Running {
		t.Errorf("a stop under the key of a drill: %v", err)
	}
}

// A drill reaches every process as a stop does, is recorded there and here, and says how far it came. Nothing stops.
func TestDrill(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t)})
	one, two := join(t, s, "p1", ""), join(t, s, "p2", "")
	for _, p := range []*process{one, two} {
		until(t, "both are connected", func() bool { return p.fleet.State().Connected })
	}
	seen := one.registry.Subscribe(control.Filter{}, 10)
	defer seen.Close()
	var d control.StopView
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: "desk", State: "drain", Reason: "monthly", Drill: true}, &d); code != 200 || !d.Drill {
		t.Fatalf("drill: %d, %+v", code, d)
	}
	join(t, s, "p3", "")                                                     // a moment later
	if d.Reached > 2 || d.Processes < 2 || (d.Took > 0) != (d.Reached > 0) { // on a busy machine a second is short
		t.Errorf("%+v; want both processes reached", d)
	}
	t.Logf("%d went through it within %v", d.Reached, d.Took)
	if list, _ := seen.Next(t.Context()); len(list) == 0 || list[0].Kind != "stop" || !strings.Contains(list[0].Text, "desk by ann: monthly") {
		t.Errorf("the process noted %+v", list)
	}
	if one.state("desk") != halt.Running || two.state("desk") != halt.Running {
		t.Error("the drill stopped something")
	}
	var v control.View
	ask(t, s, "GET", "/api/v1/view", "", nil, &v)
	until(t, "the view has the drill, once", func() bool {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Stops) == 1 && v.Stops[0].Drill && v.Stops[0].Reached >= 2
	})
	var records []audit.Record
	ask(t, s, "GET", "/api/v1/audit?q=monthly", "", nil, &records)
	if len(records) != 1 || records[0].Decision != audit.Drill || records[0].Actor != "ann" || records[0].Validation != said(d) || !strings.HasPrefix(said(d), "reached ") {
		t.Errorf("recorded %+v", records)
	}

	// A process that comes a moment later goes through it, too; one that hangs is missed.
	until(t, "a late one is counted", func() bool {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return v.Stops[0].Reached == 3 && v.Stops[0].Processes >= 3
	})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(s.URL(), "/")+control.OrdersPath, nil)
	hung, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Body.Close()
	if ask(t, s, "POST", "/api/v1/stop", "", control.Stop{Scope: "desk", State: "drain", Reason: "again", Drill: true}, &d); d.Reached > 3 || d.Processes < 4 {
		t.Errorf("%+v; want 3 of 4 processes", d)
	}
	until(t, "the others went through it", func() bool {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return v.Stops[0].Reached == 3 && v.Stops[0].Processes >= 4
	})
}

// A drill at one server reaches the processes of another one.
func TestDrillAcrossServers(t *testing.T) {
	store := postgrestest.Start(t).URL(t)
	a, _ := serve(t, Config{Store: store, Name: "a"})
	b, endB := serve(t, Config{Store: store, Name: "b"})
	p, q := join(t, a, "p", ""), join(t, b, "q", "")
	until(t, "both are connected", func() bool { return p.fleet.State().Connected && q.fleet.State().Connected })
	var d control.StopView
	if ask(t, a, "POST", "/api/v1/stop", "", control.Stop{State: "drain", Reason: "monthly", Drill: true, Expires: time.Hour}, &d); d.Reached > 1 || d.Processes < 1 {
		t.Errorf("%+v; want the process of this server", d)
	}
	for _, s := range []*Server{a, b} {
		until(t, "each server tells of both processes", func() bool {
			var v control.View
			ask(t, s, "GET", "/api/v1/view", "", nil, &v)
			return len(v.Stops) == 1 && v.Stops[0].Reached == 2 && v.Stops[0].Processes >= 2
		})
	}
	endB() // a server that starts again shows the drill, and has nobody go through it
	b, _ = serve(t, Config{Store: store, Name: "b"})
	late := join(t, b, "late", "")
	until(t, "it is connected", func() bool { return late.fleet.State().Reports > 0 })
	if n := len(late.registry.View().Stops); n != 0 {
		t.Errorf("%d drills in a process that came after it", n)
	}
}

// Who says that he went through a drill has to name one, and himself.
func TestOddDrills(t *testing.T) {
	p, _, _ := newPlane(t)
	p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "drill", Drill: true, Actor: "ann"})
	id := p.state.Drills[0].ID
	var logged strings.Builder
	p.log = slog.New(slog.NewTextHandler(&logged, nil))
	for _, test := range []struct {
		id, instance string
		ok           bool
	}{{"none", "p1", false}, {id, "", false}, {id, strings.Repeat("x", 257), false}, {id, "p1", true}, {id, "p1", true}} {
		if err := p.reached(control.Drilled{ID: test.id, Error: "disk full"}, test.instance); (err == nil) != test.ok {
			t.Errorf("%q by %.9q: %v", test.id, test.instance, err)
		}
	}
	if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "instance=p1 error=\"disk full\"") {
		t.Errorf("logged %s", got)
	}
	if n := p.ownDrills(time.Now())[0].Reached; n != 1 {
		t.Errorf("counted %d times; want once", n)
	}
	s, _ := serve(t, Config{Store: file(t)})
	if code := ask(t, s, "POST", control.DrillPath, "", control.Drilled{ID: "none"}, nil); code != http.StatusNotFound {
		t.Errorf("no such drill: %d", code)
	}
	if code := ask(t, s, "POST", control.DrillPath, "", "odd", nil); code != http.StatusBadRequest {
		t.Errorf("nonsense: %d", code)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if v := p.await(gone, id, control.StopView{}); v.Reached != 1 {
		t.Errorf("%+v", v)
	}
	if v := p.await(gone, "none", control.StopView{Scope: "x"}); v.Scope != "x" {
		t.Errorf("%+v", v)
	}
}

// Drills reach processes whatever else they miss: nobody has to have heard all that was before.
func TestDrillWithTheWholeOrders(t *testing.T) {
	p, _, _ := newPlane(t)
	p.Stop(t.Context(), control.Stop{Scope: "desk", Reason: "drill", Drill: true, Actor: "ann"})
	var o control.Orders
	read := func() {
		text, _ := p.present(0)
		_, data, _ := strings.Cut(string(text), "data: ")
		o = control.Orders{}
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			t.Fatal(err)
		}
	}
	if read(); len(o.Drills) != 1 || o.From != 0 || len(o.Stops) == 0 {
		t.Errorf("%+v; want all orders, with the drill", o)
	}
	p.mu.Lock()
	for _, r := range p.reach {
		r.began = r.began.Add(-handed)
	}
	p.mu.Unlock()
	if read(); len(o.Drills) != 0 {
		t.Errorf("%+v; want no drill that began long ago", o.Drills)
	}
}
