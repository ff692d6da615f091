package breaker_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// What two processes tell each other, as it travels.
func TestDeltas(t *testing.T) {
	sender, receiver := &breaker.Breaker{Name: "binance"}, &breaker.Breaker{Name: "binance"}
	d := drive(t, sender)
	if got := sender.Deltas("a", 1); got != nil {
		t.Errorf("%+v from one that saw nothing", got)
	}
	d.times(3, 0, good).times(1, time.Second, bad).times(1, 3*time.Second, unknown).times(1, 0, throttle)
	sender.Isolate(breaker.Order{Who: "me", Why: "test", For: time.Hour})
	d.do(good) // refused, which is nobody's evidence
	sent, err := json.Marshal(sender.Deltas("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"key":"binance","node":"a","incarnation":1,"bucket":1,"ok":3,"transient":1},` +
		`{"key":"binance","node":"a","incarnation":1,"bucket":2,"ok":0,"ambiguous":1},` +
		`{"key":"binance","node":"a","incarnation":1,"bucket":5,"ok":0,"throttled":1}]`
	if string(sent) != want {
		t.Errorf("%s\nwant %s", sent, want)
	}
	var deltas []breaker.Delta
	if err := json.Unmarshal(sent, &deltas); err != nil {
		t.Fatal(err)
	}
	receiver.Merge(start, deltas...)
	if got := receiver.Peers()["a"]; got != (breaker.Counts{OK: 3, Transient: 1, Throttled: 1, Ambiguous: 1}) {
		t.Errorf("%+v", got)
	}
	sender.Merge(d.at, deltas...)
	if got := sender.Peers(); len(got) != 0 {
		t.Errorf("its own deltas came back, and it believed them: %+v", got)
	}
}

func TestMerge(t *testing.T) {
	delta := func(node string, incarnation, bucket, ok uint64) breaker.Delta {
		return breaker.Delta{Key: "binance", Node: node, Incarnation: incarnation, Bucket: bucket, Counts: breaker.Counts{OK: ok}}
	}
	for _, test := range []struct {
		name   string
		deltas []breaker.Delta
		want   map[string]uint64
	}{
		{"nothing", nil, nil},
		{"another key", []breaker.Delta{{Key: "okx", Node: "a", Counts: breaker.Counts{OK: 1}}}, nil},
		{"growth", []breaker.Delta{delta("a", 1, 1, 1), delta("a", 1, 1, 5), delta("a", 1, 1, 3)}, map[string]uint64{"a": 5}},
		{"a new incarnation", []breaker.Delta{delta("a", 1, 900, 7), delta("a", 2, 1, 2)}, map[string]uint64{"a": 2}},
		{"an old incarnation", []breaker.Delta{delta("a", 2, 1, 2), delta("a", 1, 900, 7)}, map[string]uint64{"a": 2}},
		{"out of the sender's window", []breaker.Delta{delta("a", 1, 20, 2), delta("a", 1, 10, 7), delta("a", 1, 11, 1)}, map[string]uint64{"a": 3}},
		{"two processes", []breaker.Delta{delta("a", 1, 1, 1), delta("b", 1, 1, 2)}, map[string]uint64{"a": 1, "b": 2}},
		{"a name like a book", []breaker.Delta{delta(strings.Repeat("x", 257), 1, 1, 1)}, nil},
		{"more than can be", []breaker.Delta{delta("a", 1, 1, math.MaxUint64), delta("a", 1, 2, math.MaxUint64)}, map[string]uint64{"a": 2 << 48}},
		{"nothing counted", []breaker.Delta{delta("a", 1, 1, 0)}, nil},
	} {
		b := &breaker.Breaker{Name: "binance"}
		b.Merge(start, test.deltas...)
		got := b.Peers()
		same := len(got) == len(test.want)
		for node, n := range test.want {
			same = same && got[node] == breaker.Counts{OK: n}
		}
		if !same {
			t.Errorf("%s: %+v; want %v", test.name, got, test.want)
		}
	}
	b := &breaker.Breaker{Name: "binance"}
	if b.Merge(time.Time{}, delta("a", 1, 1, 1)); len(b.Peers()) != 0 {
		t.Error("took in what came at no time")
	}
}

func TestPeersAreBounded(t *testing.T) {
	b := &breaker.Breaker{Name: "binance"}
	say := func(i int, at time.Time) {
		b.Merge(at, breaker.Delta{Key: "binance", Node: fmt.Sprint("n", i), Incarnation: 1, Bucket: 1, Counts: breaker.Counts{OK: 1}})
	}
	for i := range 300 {
		say(i, start)
	}
	if n := len(b.Peers()); n != 256 {
		t.Errorf("%d processes; want 256", n)
	}
	later := start.Add(11 * time.Second)
	say(300, later)
	if n := b.Peers(); len(n) != 1 || n["n300"].OK != 1 {
		t.Errorf("%v; want the new one in the place of one that fell silent", n)
	}
}

// Whatever the order and however often, the merged view is the same.
func TestMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 5))
		var deltas []breaker.Delta
		for range 40 {
			deltas = append(deltas, breaker.Delta{Key: "binance", Node: string(rune('a' + random.IntN(3))), Incarnation: uint64(random.IntN(3)),
				Bucket: uint64(random.IntN(25)), Counts: breaker.Counts{OK: random.Uint64N(9), Transient: random.Uint64N(9), Slow: random.Uint64N(9)}})
		}
		x, y := &breaker.Breaker{Name: "binance"}, &breaker.Breaker{Name: "binance"}
		x.Merge(start, deltas...)
		random.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
		for _, d := range deltas {
			y.Merge(start, d)
		}
		y.Merge(start, deltas[:20]...)
		if got, want := fmt.Sprint(y.Peers()), fmt.Sprint(x.Peers()); got != want {
			t.Fatalf("seed %d: %s; want %s", seed, got, want)
		}
	}
}

// One vote halves the samples that the open test needs, and does no more.
func TestOneVote(t *testing.T) {
	for _, test := range []struct {
		quorum, votes int
		want          breaker.State
	}{
		{3, 0, breaker.Throttling},
		{3, 1, breaker.Open},
		{0, 1, breaker.Throttling},
	} {
		b := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: test.quorum}, Rand: func() float64 { return 0.999 }}
		d := drive(t, b)
		d.do(good)
		for range test.votes {
			b.Merge(d.at, breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: 1, Counts: breaker.Counts{Transient: 20}})
		}
		want(t, b, breaker.Closed)
		d.times(9, 0, bad)
		want(t, b, test.want)
	}
}

// What a quorum brought about ends when its votes are old, or when probes say otherwise.
func TestAfterAQuorum(t *testing.T) {
	vote := breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: 1, Counts: breaker.Counts{Transient: 30}}
	b := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1}, Rand: even}
	d := drive(t, b)
	d.do(good)
	b.Merge(d.at, vote)
	want(t, b, breaker.Throttling)
	d.times(9, time.Second, good) // the vote is fresh for 10 s
	want(t, b, breaker.Throttling)
	d.times(2, time.Second, good)
	want(t, b, breaker.Closed)

	b = &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1, QuorumOpen: true, OpenFor: time.Second}, Rand: even}
	d = drive(t, b)
	d.do(good)
	b.Merge(d.at, vote)
	want(t, b, breaker.Open)
	b.Merge(d.at, vote)
	d.wait(time.Second).times(4, 0, good)
	want(t, b, breaker.Closed)
	b.Merge(d.at, vote)
	d.do(bad)
	want(t, b, breaker.Closed) // the old vote does not open it again
	vote.Counts.Transient++
	d.wait(1)
	b.Merge(d.at, vote)
	want(t, b, breaker.Open)

	// A person's word is stronger than any number of votes.
	b = &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1, QuorumOpen: true}, Rand: even}
	d = drive(t, b)
	d.do(good)
	b.ForceClose(breaker.Order{Who: "me", Why: "test", For: time.Hour})
	b.Merge(d.at, vote)
	d.do(bad)
	want(t, b, breaker.ForcedClosed)
}

func FuzzDeltas(f *testing.F) {
	f.Add([]byte(`[{"key":"binance","node":"a","incarnation":1,"bucket":7,"ok":5,"transient":3}]`), int64(0))
	f.Add([]byte(`[{"key":"binance","node":"a","bucket":18446744073709551615,"ok":18446744073709551615}]`), int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, ns int64) {
		var deltas []breaker.Delta
		if json.Unmarshal(data, &deltas) != nil {
			return
		}
		b := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1}, Rand: even}
		d := drive(t, b)
		d.times(30, time.Millisecond, good)
		local := b.Health().Counts()
		b.Merge(start.Add(time.Duration(ns)), deltas...)
		once := fmt.Sprint(b.Peers())
		b.Merge(start.Add(time.Duration(ns)), deltas...)
		if twice := fmt.Sprint(b.Peers()); twice != once {
			t.Errorf("merged twice: %s; want %s", twice, once)
		}
		if s := b.State(); s != breaker.Closed && s != breaker.Throttling {
			t.Errorf("others made it %v", s)
		}
		if ns <= 0 && b.Health().Counts() != local {
			t.Errorf("local counts %+v; want %+v", b.Health().Counts(), local)
		}
		for name, n := range b.Peers() {
			if len(name) > 256 || n.Total() > 1<<56 {
				t.Errorf("%q: %+v is beyond the bounds", name, n)
			}
		}
	})
}
