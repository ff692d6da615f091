package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// family is drivers of the gates a, b, c … below "venue", which had good times for 0.3 s.
func family(t *testing.T, tree *breaker.Tree, names string) []*driver {
	var ds []*driver
	for i := range names {
		ds = append(ds, drive(t, tree.Gate("venue", names[i:i+1])))
	}
	together(ds, 30, good)
	return ds
}

// together makes n rounds of attempts by all of ds, 10 ms apart; a nil driver stands by.
func together(ds []*driver, n int, outcomes ...retry.Outcome) {
	at := time.Time{}
	for _, d := range ds {
		if d != nil && d.at.After(at) {
			at = d.at
		}
	}
	for range n {
		for i, d := range ds {
			if d != nil {
				d.at = at
				d.do(outcomes[i%len(outcomes)])
			}
		}
		at = at.Add(10 * time.Millisecond)
	}
}

func TestParent(t *testing.T) {
	for _, test := range []struct {
		name     string
		rules    breaker.Rules
		outcomes []retry.Outcome // by gate
		want     breaker.State   // of the venue
	}{
		{"1 of 4 bad", breaker.Rules{}, []retry.Outcome{bad, good, good, good}, breaker.Closed},
		{"2 of 4", breaker.Rules{}, []retry.Outcome{bad, bad, good, good}, breaker.Throttling}, // half fails: its lower bound is not above half
		{"3 of 4", breaker.Rules{}, []retry.Outcome{bad, bad, bad, good}, breaker.Throttling},  // the three are open before the venue's rate is
		{"all", breaker.Rules{}, []retry.Outcome{bad}, breaker.Open},
		{"1 of 4, and 1 is enough", breaker.Rules{MinBad: 1, FailureRate: 0.1}, []retry.Outcome{bad, good, good, good}, breaker.Throttling},
		{"2 of 4, and 3 are needed", breaker.Rules{MinBad: 3}, []retry.Outcome{bad, bad, good, good}, breaker.Closed},
		{"2 of 4, by a share of 0.4", breaker.Rules{BadShare: 0.4}, []retry.Outcome{bad, bad, good, good}, breaker.Throttling},
		{"2 of 4, by a share of 0.6", breaker.Rules{BadShare: 0.6}, []retry.Outcome{bad, bad, good, good}, breaker.Closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			worst := breaker.Closed
			tree := &breaker.Tree{Rules: test.rules, Rand: even, OnChange: func(c breaker.Change) {
				if c.Key == "venue" {
					worst = max(worst, c.To)
				}
			}}
			ds := family(t, tree, "abcd")
			together(ds, 400, test.outcomes...)
			if worst != test.want {
				t.Errorf("the venue became %v; want %v (%+v)", worst, test.want, tree.Group("venue").Snapshot())
			}
		})
	}
}

// A child that has nothing to do is neither good nor bad.
func TestIdleChildrenDoNotCount(t *testing.T) {
	tree := &breaker.Tree{Rand: even}
	ds := family(t, tree, "abcdef")
	ds[0].wait(20 * time.Second)
	for _, i := range []int{2, 3, 4, 5} {
		ds[i] = nil
	}
	together(ds, 300, good)
	together(ds, 400, bad)
	want(t, tree.Group("venue"), breaker.Open)
	if s := tree.Gate("venue", "f").State(); s != breaker.Open {
		t.Errorf("a gate below an open venue is %v", s)
	}
	if !tree.Gate("venue", "f").Suspect() || tree.Gate("venue", "f").Hedge() == nil {
		t.Error("a gate below an open venue knows nothing of it")
	}
	if s := tree.Gate("venue", "f").Snapshot().State; s != breaker.Closed {
		t.Errorf("by itself it is %v", s)
	}
}

// What a person isolated is no evidence against its parent.
func TestIsolatedChildrenDoNotCount(t *testing.T) {
	tree := &breaker.Tree{Rand: even}
	ds := family(t, tree, "abcd")
	for _, name := range []string{"b", "c"} {
		tree.Gate("venue", name).Isolate(breaker.Order{Who: "me", Why: "test", For: time.Hour})
	}
	for range 100 {
		together(ds, 1, bad, good, good, good)
		want(t, tree.Group("venue"), breaker.Closed)
	}
}

// All in a tree agree on time, whenever they saw their first attempt.
func TestTreeTime(t *testing.T) {
	tree := &breaker.Tree{}
	a, b := drive(t, tree.Gate("venue", "a")), drive(t, tree.Gate("venue", "b"))
	a.do(good)
	a.wait(25 * time.Second).do(good)
	b.wait(25 * time.Second).do(good)
	c := drive(t, tree.Gate("venue", "orders", "c"))
	tree.Gate("venue", "orders", "d") // which sees nothing
	c.wait(26 * time.Second).do(good)
	if n := tree.Group("venue").Health().Counts(); n.OK != 3 {
		t.Errorf("%+v; want the one of each in the last 10 s", n)
	}
	if n := tree.Group("venue").Deltas("me", 1); len(n) != 2 || n[1].Bucket-n[0].Bucket != 1 {
		t.Errorf("%+v; want two buckets, one after the other", n)
	}
}

// An attempt needs a permit of each breaker on its way, and gives back what it got when another refuses.
func TestProbesThroughATree(t *testing.T) {
	tree := &breaker.Tree{Rand: seeded()}
	ds := family(t, tree, "ab")
	together([]*driver{ds[0], nil}, 100, bad) // so that a is open first
	together(ds, 200, bad)
	venue, a := tree.Group("venue"), tree.Gate("venue", "a")
	d := ds[0]
	d.at = venue.Snapshot().Until.Add(-1)
	if s := a.Snapshot(); venue.State() != breaker.Open || s.State != breaker.Open || d.at.Before(s.Until) {
		t.Fatalf("%+v in %+v; want both open, and the group for longer", s, venue.Snapshot())
	}
	var e *breaker.Error
	if _, err := d.admit(); !errors.As(err, &e) || e.Key != "venue" {
		t.Fatalf("%v; want the venue to refuse", err)
	}
	if s := a.Snapshot(); s.State != breaker.HalfOpen || s.Probes != 0 {
		t.Errorf("%+v; want its permit back", s)
	}
	d.wait(1)
	probe, err := d.admit()
	if err != nil {
		t.Fatal(err)
	}
	if x, y := a.Snapshot(), venue.Snapshot(); x.Probes != 1 || y.Probes != 1 {
		t.Errorf("%+v and %+v; want a permit of each", x, y)
	}
	// An attempt that holds no permit of the venue says nothing to it.
	other := d.attempt(1)
	*other.Note = *probe.Note
	tree.Gate("venue", "b").Settle(other, &bad)
	want(t, venue, breaker.HalfOpen)
	d.settle(probe, good)
	if x, y := a.Snapshot(), venue.Snapshot(); x.Permits != 2 || y.Permits != 2 {
		t.Errorf("%+v and %+v; want 2 permits of each", x, y)
	}
	probe, _ = d.admit()
	d.settle(probe, canceled)
	if x, y := a.Snapshot(), venue.Snapshot(); x.Probes+y.Probes != 0 {
		t.Errorf("%+v and %+v; want the permits back", x, y)
	}
	probe, _ = d.admit()
	d.settle(probe, bad)
	if x, y := a.Snapshot(), venue.Snapshot(); x.State != breaker.Open || y.State != breaker.Open {
		t.Errorf("%+v and %+v; want both open", x, y)
	}
	for i := 0; venue.State() != breaker.Closed || tree.Gate("venue", "b").State() != breaker.Closed; i++ {
		for _, d := range ds {
			d.at = start.Add(time.Minute + time.Duration(i)*time.Second)
			d.do(good)
		}
		if i > 300 {
			t.Fatalf("stuck: %+v, %+v", venue.Snapshot(), tree.Gate("venue", "b").Snapshot())
		}
	}
}

// Results of attempts that began before a group opened are no evidence for it.
func TestLateResultsInATree(t *testing.T) {
	tree := &breaker.Tree{Rand: seeded()}
	ds := family(t, tree, "ab")
	idle := drive(t, tree.Gate("venue", "idle"))
	idle.at = ds[0].at
	idle.do(good)
	var late []*retry.Attempt
	for range 30 {
		a, err := idle.admit()
		if err != nil {
			t.Fatal(err)
		}
		late = append(late, a)
	}
	together(ds, 400, bad)
	venue := tree.Group("venue")
	want(t, venue, breaker.Open)
	idle.at = ds[0].at
	before := venue.Snapshot().CUSUM
	idle.settle(late[0], bad)
	if s := venue.Snapshot(); s.State != breaker.Open || s.CUSUM != before {
		t.Errorf("%+v; want no change by a late result while open", s)
	}
	for i := 0; venue.State() != breaker.Closed; i++ {
		together(ds, 100, good)
		if i > 100 {
			t.Fatalf("stuck: %+v", venue.Snapshot())
		}
	}
	idle.at = ds[0].at
	for _, a := range late[1:] {
		idle.settle(a, bad)
	}
	if s := venue.Snapshot(); s.CUSUM != 0 {
		t.Errorf("%+v; want nothing learned from late results", s)
	}
}

func TestGroupOverride(t *testing.T) {
	tree := &breaker.Tree{}
	d := drive(t, tree.Gate("binance", "orders", "BTC"))
	d.do(good)
	if err := tree.Group("binance").Isolate(breaker.Order{Who: "ann", Why: "maintenance", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	_, err := d.admit()
	var e *breaker.Error
	if !errors.As(err, &e) || e.Key != "binance" || e.State != breaker.Isolated {
		t.Errorf("%v; want the group to refuse", err)
	}
	want(t, tree.Gate("binance/orders/BTC"), breaker.Isolated)
	want(t, tree.Gate("okx", "orders"), breaker.Closed)
	if err := tree.Group("okx").ForceClose(breaker.Order{Who: "ann", Why: "drill", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	want(t, tree.Gate("okx", "orders"), breaker.ForcedClosed)
}

func TestTreeKeys(t *testing.T) {
	tree := &breaker.Tree{MaxKeys: 6}
	gate := tree.Gate("a", "b")
	if gate != tree.Gate("a/b") || gate != tree.Named("a.b") || gate != tree.Named("a.b") || gate.Name != "a/b" {
		t.Error("one path, several gates")
	}
	if tree.Group("a") != tree.Group("a") || tree.Group("a") == tree.Gate("a") {
		t.Error("a group is one, and not a gate")
	}
	tree.Gate("c") // groups a, gates a/b, a and c: 4
	var names []string
	for name, b := range tree.All() {
		if name != b.Name {
			t.Errorf("%s is named %s", name, b.Name)
		}
		names = append(names, name)
	}
	if want := []string{"a", "a", "a/b", "c"}; !slices.Equal(names, want) {
		t.Errorf("%q; want %q", names, want)
	}
	for range tree.All() {
		break
	}
	over := tree.Gate("x", "y", "z") // would make 7
	if over.Name != breaker.Overflow || over != tree.Gate("p/q/r") || over != tree.Named("p.q.r") {
		t.Errorf("beyond the limit: %s", over.Name)
	}
	if tree.Group("x", "y") != nil {
		t.Error("a group beyond the limit")
	}
	if d, e := tree.Gate("d"), tree.Gate("e"); d.Name != "d" || e != over {
		t.Errorf("%s and %s; want the sixth, with the overflow, and then the overflow", d.Name, e.Name)
	}
	d := drive(t, over)
	if d.ruin(over); tree.Gate("a", "b").State() != breaker.Closed {
		t.Error("the overflow concerns others")
	}
	if b := (&breaker.Tree{MaxKeys: 1}).Gate("a", "b"); b.Name != breaker.Overflow {
		t.Error("more breakers than allowed")
	}
}

// A gate and a group may have one name, whichever comes first; the gate is then part of the group.
func TestGateInItsOwnGroup(t *testing.T) {
	for _, gateFirst := range []bool{true, false} {
		tree := &breaker.Tree{}
		var gate *breaker.Breaker
		if gateFirst {
			gate = tree.Gate("venue", "orders")
			drive(t, gate).do(good)
		}
		tree.Gate("venue", "orders", "BTC")
		if !gateFirst {
			gate = tree.Gate("venue", "orders")
		}
		tree.Group("venue", "orders").Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour})
		want(t, gate, breaker.Isolated)
		want(t, tree.Group("venue"), breaker.Closed)
		if drive(t, gate).do(good) {
			t.Error("let through below an isolated group")
		}
		drive(t, tree.Gate("venue", "other")).do(good)
		if n := tree.Group("venue").Health().Counts(); gateFirst && n.OK != 2 {
			t.Errorf("gate first %v: %+v in the venue", gateFirst, n)
		}
	}
}

func TestKeyed(t *testing.T) {
	type instrument struct{}
	tree := &breaker.Tree{Rand: even}
	k := breaker.Keyed{Tree: tree, Key: func(ctx context.Context, a *retry.Attempt) string {
		return "binance/orders/" + ctx.Value(instrument{}).(string)
	}}
	do := func(name string, o retry.Outcome, at time.Duration) error {
		a := &retry.Attempt{Policy: read, Number: 1, Note: new(uint64), At: start.Add(at)}
		err := k.Admit(context.WithValue(t.Context(), instrument{}, name), a)
		if err == nil {
			o.Start, o.End = a.At, a.At
			k.Settle(a, &o)
		}
		return err
	}
	for i := range 30 {
		do("BTC", good, time.Duration(i))
		do("ETH", good, time.Duration(i))
	}
	for i := range 60 {
		do("BTC", bad, time.Duration(100+i))
		do("ETH", good, time.Duration(100+i))
	}
	if err := do("BTC", good, 200); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("BTC: %v; want it open", err)
	}
	if err := do("ETH", good, 200); err != nil {
		t.Errorf("ETH: %v", err)
	}

	k = breaker.Keyed{Tree: tree}
	drive(t, k).do(good) // of binance.fetch_book
	if n := tree.Gate("binance", "fetch_book").Health().Counts(); n.OK != 1 {
		t.Errorf("by the name of the policy: %+v", n)
	}
	a := &retry.Attempt{Number: 1, At: start, Note: new(uint64)}
	if err := k.Admit(t.Context(), a); err != nil {
		t.Errorf("without a policy: %v", err)
	}
	k.Settle(a, &good)
	if n := tree.Gate("").Health().Counts(); n.OK != 1 {
		t.Errorf("without a policy: %+v", n)
	}
	k.Settle(&retry.Attempt{}, &good) // nobody knows whose
	if d := drive(t, breaker.Keyed{}); !d.do(good) || !d.do(bad) {
		t.Error("without a tree: refused")
	}
}

// One tree for many goroutines that meet new and old places.
func TestTreeInParallel(t *testing.T) {
	tree := &breaker.Tree{MaxKeys: 40}
	k := breaker.Keyed{Tree: tree}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				p := &retry.Policy{Name: fmt.Sprintf("venue%d.op%d.%d", i%3, i%5, i%7), Idempotent: true}
				a := &retry.Attempt{Policy: p, Call: uint64(g*1000 + i), Number: 1, Lane: uint32(g), Note: new(uint64), At: start.Add(time.Duration(i) * time.Millisecond)}
				if k.Admit(context.Background(), a) == nil {
					o := bad
					if i%2 > 0 {
						o = good
					}
					o.Start = a.At
					k.Settle(a, &o)
				}
				if i%50 == 0 {
					for _, b := range tree.All() {
						b.Snapshot()
						b.State()
					}
					tree.Group("venue1").Health().Counts()
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for name := range tree.All() {
		if n++; strings.Count(name, "/") > 2 {
			t.Errorf("a breaker named %q", name)
		}
	}
	if n > 41 {
		t.Errorf("%d breakers; the limit is 40 and one for the overflow", n)
	}
}
