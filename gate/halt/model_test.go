package halt_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// A table is the states of the specification, written out: may first attempts and retries of plain and
// of risk-reducing operations pass?
var table = map[halt.State][4]bool{
	halt.Running:          {true, true, true, true},
	halt.NoRetries:        {true, false, true, false},
	halt.RiskReducingOnly: {false, false, true, true},
	halt.DrainOnly:        {},
	halt.Stopped:          {},
}

// A naive model: a list of all stops, never merged, asked one by one.
type naive struct {
	stops  []naiveStop
	epochs map[string]uint64
}

type naiveStop struct {
	scope, who string
	state      halt.State
}

func covers(scope, path string) bool {
	return scope == "global" || path == scope || len(path) > len(scope) && path[:len(scope)+1] == scope+"/"
}

func (m *naive) lets(path string) [4]bool {
	lets := table[halt.Running]
	for _, s := range m.stops {
		if covers(s.scope, path) {
			for i, open := range table[s.state] {
				lets[i] = lets[i] && open
			}
		}
	}
	return lets
}

// may says whether a resume is allowed.
func (m *naive) may(r halt.Release) bool {
	held := false
	for _, s := range m.stops {
		if s.scope == string(r.Scope) {
			held = true
			if s.who == r.Approver {
				return false
			}
		}
	}
	return held && m.epochs[string(r.Scope)] == r.Epoch && r.Approver != r.Requester
}

// Random commands on a small tree, with restarts in between, against the table.
func TestAgainstTheTable(t *testing.T) {
	scopes := []string{"global", "a", "b", "a/x", "a/y", "b/x", "a/x/1", "a/x/2"}
	people := []string{"ops1", "ops2", "ops3"}
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		file := t.TempDir() + "/stops"
		open := func() (*halt.Tree, map[string][2]*halt.Gate) {
			tree := &halt.Tree{File: file, Ramp: halt.Ramp{Step: 1}}
			gates := make(map[string][2]*halt.Gate)
			for _, s := range scopes {
				path, _ := halt.Scope(s).Path()
				g := tree.Gate(path...)
				gates[s] = [2]*halt.Gate{g, g.RiskReducing()}
			}
			return tree, gates
		}
		tree, gates := open()
		m := &naive{epochs: make(map[string]uint64)}
		at := time.Now()
		var log []string
		for range 60 {
			scope := scopes[random.IntN(len(scopes))]
			switch n := random.IntN(10); {
			case n < 5:
				s := naiveStop{scope, people[random.IntN(len(people))], halt.NoRetries + halt.State(random.IntN(4))}
				r := stop(t, tree, halt.Scope(scope), s.state, s.who)
				m.stops = append(m.stops, s)
				m.epochs[scope]++
				log = append(log, fmt.Sprintf("stop %v", s))
				if r.Epoch != m.epochs[scope] {
					t.Fatalf("seed %d: %v: epoch %d; want %d", seed, log, r.Epoch, m.epochs[scope])
				}
			case n < 9:
				r := halt.Release{
					Scope: halt.Scope(scope), Epoch: m.epochs[scope] - uint64(random.IntN(6)/5),
					Requester: people[random.IntN(len(people))], Approver: people[random.IntN(len(people))],
				}
				log = append(log, fmt.Sprintf("resume %+v", r))
				_, err := tree.Resume(r)
				if may := m.may(r); may != (err == nil) || !may && !errors.Is(err, halt.ErrRefused) {
					t.Fatalf("seed %d: %v: %v; want allowed %v", seed, log, err, may)
				}
				if err == nil {
					m.epochs[scope]++
					kept := m.stops[:0]
					for _, s := range m.stops {
						if s.scope != scope {
							kept = append(kept, s)
						}
					}
					m.stops = kept
				}
			default:
				tree.Close()
				tree, gates = open()
				log = append(log, "restart")
			}
			for _, s := range scopes {
				for range 5 { // a few at most, until ramps are over
					at = at.Add(time.Minute)
					try(gates[s][0], 1, at)
				}
			}
			for _, s := range scopes {
				want := m.lets(s)
				got := [4]bool{}
				for i := range got {
					got[i] = try(gates[s][i/2], 1+i%2, at) == nil
				}
				if got != want {
					t.Fatalf("seed %d: %v: %s lets %v; want %v", seed, log, s, got, want)
				}
			}
		}
	}
}

// The severities are the order of the states, and each is at least as strict as the one before in what retries may.
func TestStates(t *testing.T) {
	for s, want := range table {
		var tree halt.Tree
		g := tree.Gate("x")
		if s != halt.Running {
			stop(t, &tree, "x", s, "ops1")
		}
		p, r := passes(g), passes(g.RiskReducing())
		if got := [4]bool{p[0], p[1], r[0], r[1]}; got != want {
			t.Errorf("%v lets %v; want %v", s, got, want)
		}
		text, _ := s.MarshalText()
		var back halt.State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%v reads back as %v, %v", s, back, err)
		}
	}
	var s halt.State
	if err := s.UnmarshalText([]byte("Stopped")); err == nil {
		t.Error("a name in another case is read")
	}
	if got := halt.State(200).String(); got != "stopped" {
		t.Errorf("no state is %q; want stopped", got)
	}
}
