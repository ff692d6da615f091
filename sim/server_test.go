package sim

import (
	"testing"
	"time"
)

// A stall keeps the work at hand: what was left of it is done afterwards, and not counted twice.
func TestStallKeepsWork(t *testing.T) {
	m := &model{s: Scenario{}.complete(), server: server{random: stream(1, service, 0)}}
	m.server.line.add(&request{op: &operation{}, deadline: time.Hour})
	m.work()
	ends := m.server.ends
	if ends <= 0 || m.server.busy == nil {
		t.Fatalf("the server works until %v; want some time", ends)
	}
	m.now = ends / 3
	m.stall()
	m.now = time.Minute
	m.resume()
	if want := time.Minute + ends - ends/3; m.server.ends != want {
		t.Errorf("the work ends at %v; want %v", m.server.ends, want)
	}
	counted := 0
	for len(m.events.list) > 0 {
		if e := m.events.pop(); e.gen == m.server.gen {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("%d ends of the work count; want 1", counted)
	}
}

// A line has two ends, and room for everybody.
func TestLine(t *testing.T) {
	var l line
	var want []*request
	take := func(got, wanted *request) {
		t.Helper()
		if got != wanted {
			t.Fatal("the wrong one was next")
		}
	}
	for i := range 1000 {
		r := &request{}
		l.add(r)
		want = append(want, r)
		switch i % 5 {
		case 3:
			take(l.oldest(), want[0])
			want = want[1:]
		case 4:
			take(l.newest(), want[len(want)-1])
			want = want[:len(want)-1]
		}
	}
	if l.len() != len(want) {
		t.Errorf("%d in line; want %d", l.len(), len(want))
	}
	for _, r := range want {
		take(l.oldest(), r)
	}
}
