package control_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

func TestHealthGateConforms(t *testing.T) {
	for _, firsts := range []bool{false, true} {
		gatetest.Run(t, func() retry.Gate {
			r := &control.Registry{}
			add(t, r, control.Component{Name: "venue"})
			g, err := r.HealthGate("venue", firsts)
			if err != nil {
				t.Fatal(err)
			}
			return g
		})
	}
}

func TestHealthGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns, venue := &check{}, &check{}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "dns", Critical: true, Check: dns.run}, control.Component{Name: "venue", DependsOn: []string{"dns"}, Critical: true, Check: venue.run},
			control.Component{Name: "desk", DependsOn: []string{"venue"}})
		gate := func(name string, firsts bool) *control.HealthGate {
			g, err := r.HealthGate(name, firsts)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		retries, firsts := gate("desk", false), gate("desk", true)
		attempt := func(g *control.HealthGate, n int) error {
			return g.Admit(t.Context(), &retry.Attempt{Number: n, At: time.Now()})
		}
		judge := func(when string, first, second error) {
			t.Helper()
			if err := attempt(retries, 1); err != nil {
				t.Errorf("%s: first attempt %v; want it to pass", when, err)
			}
			if err := attempt(firsts, 1); !errors.Is(err, first) {
				t.Errorf("%s: first attempt, by option %v; want %v", when, err, first)
			}
			for _, g := range []*control.HealthGate{retries, firsts} {
				if err := attempt(g, 2); !errors.Is(err, second) {
					t.Errorf("%s: retry %v; want %v", when, err, second)
				}
			}
		}
		judge("nothing known", nil, nil)
		r.Health(t.Context())
		judge("all up", nil, nil)
		dns.fail(errDown)
		time.Sleep(5 * time.Second)
		r.Health(t.Context())
		judge("dns down", control.ErrDown, control.ErrDown)
		var e *control.DownError
		if err := attempt(retries, 2); !errors.As(err, &e) || e.Error() != "component desk is down: because of dns" || e.RetryAfter() != 0 ||
			retry.DefaultClassify(err) != retry.Transient {
			t.Errorf("%v; want the cause", err)
		}
		time.Sleep(15 * time.Second)
		judge("still known", control.ErrDown, control.ErrDown)
		time.Sleep(time.Millisecond)
		judge("known too long ago", nil, nil)
		r.Health(t.Context())
		judge("dns down again", control.ErrDown, control.ErrDown)
		dns.fail(nil)
		time.Sleep(5 * time.Second)
		r.Health(t.Context())
		judge("all up again", nil, nil)
		shut(t, r)
	})
	if _, err := new(control.Registry).HealthGate("x", false); !errors.Is(err, control.ErrUnknown) {
		t.Errorf("%v; want that there is no such component", err)
	}
}

// A retry that waits while its dependency goes down does not begin, and learns when to come back if a circuit knows.
func TestHealthGateAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		add(t, r, control.Component{Name: "venue"})
		g, err := r.HealthGate("venue", false)
		if err != nil {
			t.Fatal(err)
		}
		p := &retry.Policy{Gates: []retry.Gate{g}, Backoff: backoff.Constant{Wait: time.Minute, Jitter: backoff.None}}
		go func() {
			time.Sleep(30 * time.Second)
			c := opened(t, r, control.Circuit{Policy: "a", Target: "venue", Component: "venue", Critical: true})
			for range 40 {
				time.Sleep(time.Second)
				r.Health(t.Context())
			}
			_ = c
		}()
		n := 0
		err = retry.Run(t.Context(), p, func(context.Context) error { n++; return errBusy })
		var e *control.DownError
		if n != 1 || !errors.As(err, &e) || e.Cause != "circuit venue is open" || e.RetryAfter() <= 0 {
			t.Errorf("%d attempts, %v; want the refusal of the second, with a time", n, err)
		}
		if want := "component venue is down: circuit venue is open, retry after "; e != nil && e.Error()[:len(want)] != want {
			t.Errorf("%q; want %q", e, want)
		}
		time.Sleep(time.Minute)
		shut(t, r)
	})
}

func BenchmarkHealthGate(b *testing.B) {
	r := &control.Registry{}
	if err := r.AddComponents(control.Component{Name: "venue"}); err != nil {
		b.Fatal(err)
	}
	r.Health(b.Context())
	g, err := r.HealthGate("venue", true)
	if err != nil {
		b.Fatal(err)
	}
	a := &retry.Attempt{Number: 2, At: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Admit(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
}
