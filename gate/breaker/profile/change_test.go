package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
