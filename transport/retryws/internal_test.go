package retryws

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The learnt quantile is never below the true one, and at most a quarter octave above.
func TestGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{20, 99, 100, 101, 1000, 4000} {
		var g gaps
		var all []time.Duration
		for range n {
			d := time.Duration(r.ExpFloat64() * float64(3*time.Second))
			all = append(all, d)
			g.add(d)
		}
		slices.Sort(all)
		want := all[n-1-n/100]
		if got, ok := g.p99(); !ok || got < want || got > want*5/4+2*time.Millisecond {
			t.Errorf("%d gaps: p99 = %v, %v; want %v to %v", n, got, ok, want, want*5/4)
		}
	}
	var g gaps
	for range fewGaps - 1 {
		g.add(time.Second)
	}
	if _, ok := g.p99(); ok {
		t.Error("19 gaps are enough; want 20")
	}
	for _, d := range []time.Duration{-time.Second, 0, 1 << 62} {
		g.add(d)
	}
	if got, _ := g.p99(); got <= 0 {
		t.Errorf("p99 = %v of odd gaps", got)
	}
	for range 3 * forget { // the past is forgotten
		g.add(time.Millisecond)
	}
	if got, _ := g.p99(); got > 3*time.Millisecond || g.total > forget {
		t.Errorf("p99 = %v of %d; want the new gaps only", got, g.total)
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for ms := range 100_000 {
		d := time.Duration(ms) * time.Millisecond
		b := bucket(d)
		if b < last || upper(b) < d {
			t.Fatalf("bucket(%v) = %d, up to %v, after %d", d, b, upper(b), last)
		}
		last = b
	}
}

// No more than the limit less what is kept back, in any time.
func TestQuota(t *testing.T) {
	for _, test := range []struct{ messages, want int }{{1, 1}, {2, 1}, {5, 4}, {10, 9}, {480, 432}} {
		q := newQuota(Limits{Messages: test.messages, Per: time.Second})
		now := time.Unix(0, 0).Add(time.Second)
		n := 0
		for end := now.Add(time.Second); ; n++ {
			now = now.Add(q.wait(now))
			if !now.Before(end) {
				break
			}
			q.take(now)
		}
		if n != test.want {
			t.Errorf("%d of %d messages in a second; want %d", n, test.messages, test.want)
		}
	}
	var q quota
	q.take(time.Now())
	if q.wait(time.Now()) != 0 {
		t.Error("no limit waits")
	}
}

// Only the newest keys are kept, each once.
func TestKeys(t *testing.T) {
	var k keys
	name := func(i int) string { return time.Duration(i).String() }
	for i := range 3 * keysKept {
		k.add(name(i))
		k.add(name(i))
	}
	if len(k.set) != keysKept || len(k.ring) != keysKept || k.has(name(2*keysKept-1)) || !k.has(name(2*keysKept)) {
		t.Errorf("%d keys", len(k.set))
	}
}

// Hints are never cut short, and nonsensical ones do not count.
func TestPace(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name     string
		e        ending
		failures int // before
		wait     time.Duration
		hold     time.Duration
	}{
		{"first", ending{sign: Lost}, 0, 250 * time.Millisecond, 0},
		{"second", ending{sign: Lost}, 1, 500 * time.Millisecond, 0},
		{"cap of 30 s", ending{sign: Lost}, 20, 15 * time.Second, 0},
		{"cap of 60 s when throttled", ending{sign: Throttled}, 20, 30 * time.Second, 0},
		{"hint", ending{sign: Lost, after: time.Minute}, 0, time.Minute + 250*time.Millisecond, 0},
		{"throttled with a hint", ending{sign: Throttled, after: time.Hour}, 0, time.Hour + 250*time.Millisecond, time.Hour},
		{"negative hint", ending{sign: Throttled, after: -1}, 0, 250 * time.Millisecond, 0},
		{"hint of 8 days", ending{sign: Crowded, after: 8 * 24 * time.Hour}, 0, 30*time.Second + 250*time.Millisecond, 0},
		{"ban", ending{sign: Banned}, 0, 10*time.Minute + 3*time.Second, 10*time.Minute + 3*time.Second},
		{"disallowed", ending{sign: Disallowed, after: time.Hour}, 0, time.Hour + 250*time.Millisecond, 0},
	} {
		p := pace{failures: test.failures}
		wait, hold := p.wait(test.e, now, 0.5)
		if hold.IsZero() {
			hold = now
		}
		if wait != test.wait || hold.Sub(now) != test.hold || p.failures != test.failures+1 {
			t.Errorf("%s: waits %v, others %v; want %v, %v", test.name, wait, hold.Sub(now), test.wait, test.hold)
		}
	}
	var p pace
	for range 30 { // bans grow up to three days, and are forgotten after one without
		p.wait(ending{sign: Banned}, now, 0)
	}
	if wait, _ := p.wait(ending{sign: Banned}, now, 0); wait != longestBan+time.Second {
		t.Errorf("the 31st ban lasts %v; want %v", wait, longestBan+time.Second)
	}
	if wait, _ := p.wait(ending{sign: Banned}, now.Add(25*time.Hour), 0); wait != shortestBan+time.Second {
		t.Errorf("a ban a day later lasts %v; want %v", wait, shortestBan+time.Second)
	}
}

func TestHost(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"wss://stream.venue.example:9443/ws?token=x", "stream.venue.example:9443"},
		{"nonsense", "nonsense"},
		{"://", "://"},
	} {
		if got := host(test.address); got != test.want {
			t.Errorf("host(%q) = %q; want %q", test.address, got, test.want)
		}
	}
}
