package profile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/breaker/profile"
	"github.com/relent-go/relent/retry"
)

// line is what matters of a change.
func line(c breaker.Change) string {
	s := fmt.Sprintf("%d %v %s: %v to %v, %s, %d ok %d failed", c.Generation, c.At.Sub(epoch), c.Key, c.From, c.To, c.Cause, c.Counts.OK, c.Counts.Ambiguous)
	if c.Wait > 0 {
		s += fmt.Sprintf(", for %v", c.Wait)
	}
	if c.Who != "" {
		s += fmt.Sprintf(", %s: %s", c.Who, c.Why)
	}
	return s
}

func compare(t *testing.T, got []string, want ...string) {
	t.Helper()
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("changes\n%s\nwant\n%s", a, b)
	}
}

func TestChangesAreTold(t *testing.T) {
	var got []string
	tell := func(c breaker.Change) { got = append(got, line(c)) }

	b := profile.Gobreaker{}.New("venue")
	b.OnChange = tell
	d := &driver{t: t, g: b}
	d.calls(1, time.Second, "S")
	d.calls(6, time.Second, "F")
	d.now = 70 * time.Second
	d.began() // hangs
	d.now = 150 * time.Second
	d.refused(breaker.Open)
	d.now = 200 * time.Second
	d.good(d.began())
	order := breaker.Order{Who: "ann", Why: "drill", For: time.Minute}
	b.Isolate(order)
	d.now = 260 * time.Second
	d.bad(d.began())
	b.Isolate(order)
	b.Release(breaker.Order{Who: "bob", Why: "over"})
	compare(t, got,
		"1 6s venue: closed to open, failures in a row, 1 ok 6 failed, for 1m0s",
		"2 1m10s venue: open to half_open, open time over, 0 ok 0 failed",
		"3 2m10s venue: half_open to open, probe hung, 0 ok 1 failed, for 1m0s",
		"4 3m20s venue: open to half_open, open time over, 0 ok 0 failed",
		"5 3m20s venue: half_open to closed, probes succeeded, 1 ok 0 failed",
		"6 3m20s venue: closed to isolated, set by a person, 0 ok 0 failed, ann: drill",
		"7 4m20s venue: isolated to half_open, override expired, 0 ok 0 failed, ann: drill",
		"8 4m20s venue: half_open to open, probe failed, 0 ok 1 failed, for 1m0s",
		"9 4m20s venue: open to isolated, set by a person, 0 ok 0 failed, ann: drill",
		"10 4m20s venue: isolated to half_open, override released, 0 ok 0 failed, bob: over",
	)

	got = nil
	r := profile.Resilience4j{Calls: 2}.New("r4j")
	r.OnChange = tell
	d = &driver{t: t, g: r}
	d.calls(2, 0, "FS")
	r = profile.Resilience4j{Calls: 2}.New("r4j")
	r.OnChange = tell
	d.g = r
	for range 2 {
		d.ends(d.began(), retry.Succeeded, 0, 2*time.Minute)
	}
	compare(t, got,
		"1 0s r4j: closed to open, failure rate, 1 ok 1 failed, for 1m0s",
		"1 0s r4j: closed to open, slow rate, 2 ok 0 failed, for 1m0s",
	)
}

func TestEnvoyChangesAreTold(t *testing.T) {
	var got []string
	c := profile.Envoy{MinHosts: 2, MinRequests: 4, StdevFactor: 0.5}.New()
	c.OnChange = func(c breaker.Change) { got = append(got, line(c)) }
	a, b := &driver{t: t, g: c.Host("a")}, &driver{t: t, g: c.Host("b")}
	a.calls(1, time.Second, "S")
	a.calls(5, time.Second, "F")
	a.now = 45 * time.Second
	a.calls(4, 0, "SF")
	b.now = 45 * time.Second
	b.calls(4, 0, "S")
	b.now = 55 * time.Second
	b.calls(1, 0, "S")
	compare(t, got,
		"1 5s a: closed to open, failures in a row, 1 ok 5 failed, for 30s",
		"2 40s a: open to closed, open time over, 0 ok 0 failed",
		"3 50s a: closed to open, failure rate, 2 ok 2 failed, for 30s",
	)
}

// Who is told may use the breaker, and may panic; the next one is told all the same.
func TestOnChangeMayDoAnything(t *testing.T) {
	b := profile.Failsafe{}.New("venue")
	d := &driver{t: t, g: b}
	var got []string
	b.OnChange = func(c breaker.Change) {
		got = append(got, fmt.Sprint(c.To))
		if len(got) == 1 {
			d.now += time.Minute
			d.good(d.began()) // leaves its changes to this one
			got = append(got, "came back")
		}
		if len(got) == 4 {
			panic("told")
		}
	}
	func() {
		defer func() {
			if r := recover(); r != "told" {
				t.Errorf("panic %v; want it to rise", r)
			}
		}()
		d.bad(d.began())
	}()
	d.bad(d.began())
	compare(t, got, "open", "came back", "half_open", "closed", "open")
}

// A retry does not begin if its breaker opened, or its host was ejected, during its backoff.
func TestOpenedDuringABackoff(t *testing.T) {
	for _, name := range profile.Names() {
		synctest.Test(t, func(t *testing.T) {
			g, _ := profile.New(name)
			ruin := &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{g}}
			for _, opens := range []bool{false, true} {
				calls := 0
				p := &retry.Policy{Idempotent: true, MaxAttempts: 2, Gates: []retry.Gate{g}, Backoff: backoff.Constant{Wait: 4 * time.Second, Jitter: backoff.None}}
				err := retry.Run(t.Context(), p, func(context.Context) error {
					if calls++; calls == 2 {
						return nil
					}
					if opens {
						time.AfterFunc(time.Second, func() {
							for range 200 {
								time.Sleep(10 * time.Millisecond)
								retry.Run(t.Context(), ruin, func(context.Context) error { return errors.New("down") })
							}
						})
					}
					return retry.Mark(errors.New("down"), retry.Transient)
				})
				if name == "failsafe" {
					continue // one failure opens it, and no retry is let through
				}
				if refused := errors.Is(err, breaker.ErrOpen); refused != opens || calls == 1 != opens {
					t.Errorf("%s, opens %v: %v after %d attempts", name, opens, err, calls)
				}
			}
			if r, ok := g.(retry.Rechecker); !ok || r.Recheck(t.Context(), &retry.Attempt{Number: 2, At: time.Now()}) == nil {
				t.Errorf("%s: a retry begins while open", name)
			}
		})
	}
}

// A probe that ends well, but after its lease, closes nothing; an order without a time holds from now on, and one ahead too.
func TestLateProbesAndOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := profile.Failsafe{}.New("venue")
		p := &retry.Policy{Idempotent: true, MaxAttempts: 1, Gates: []retry.Gate{b}}
		run := func(err error, takes time.Duration) error {
			return retry.Run(t.Context(), p, func(context.Context) error { time.Sleep(takes); return err })
		}
		run(errors.New("down"), 0)
		time.Sleep(2 * time.Minute)
		if run(nil, time.Hour); b.State() != breaker.Open {
			t.Errorf("%v after a probe of an hour with a lease of a minute; want open", b.State())
		}
		if run(nil, 0); b.State() != breaker.Closed {
			t.Errorf("%v after a probe; want closed", b.State())
		}
		for _, at := range []time.Time{{}, time.Now().Add(100 * time.Hour)} {
			time.Sleep(time.Hour)
			b.Isolate(breaker.Order{Who: "ann", Why: "drill", At: at, For: 10 * time.Minute})
			time.Sleep(10*time.Minute - 1)
			early := run(nil, 0)
			time.Sleep(1)
			if then := run(nil, 0); early == nil || then != nil {
				t.Errorf("at %v: %v, then %v; want refused for ten minutes", at, early, then)
			}
		}
	})
}

// Neither hosts nor what a slow listener is to be told grow without bound.
func TestBounds(t *testing.T) {
	c := profile.Envoy{}.New()
	for i := range profile.MaxHosts {
		c.Host(fmt.Sprint(i))
	}
	more := c.Host("one more")
	if more != c.Host("and another") || more != c.Host(breaker.Overflow) || more == c.Host("0") || c.Host("0") != c.Host("0") {
		t.Error("hosts beyond the most do not share one")
	}
	b := profile.Failsafe{}.New("venue")
	d := &driver{t: t, g: b}
	told := 0
	b.OnChange = func(breaker.Change) {
		if told++; told > 1 {
			return
		}
		for range 300 {
			d.now += time.Minute
			d.bad(d.began())
		}
	}
	d.bad(d.began())
	if told != 257 {
		t.Errorf("told %d changes of 601; want the first and 256 that waited", told)
	}
}
