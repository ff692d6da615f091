package breaker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

func TestOverrides(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   func(*breaker.Breaker, breaker.Order) error
		state breaker.State
	}{
		{"isolate", (*breaker.Breaker).Isolate, breaker.Isolated},
		{"force close", (*breaker.Breaker).ForceClose, breaker.ForcedClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			var changes []breaker.Change
			b := &breaker.Breaker{Name: "binance", Rand: even, OnChange: func(c breaker.Change) { changes = append(changes, c) }}
			d := drive(t, b)
			for range 3 {
				o := breaker.Order{Who: "ann", Why: "maintenance", At: d.at, For: time.Hour}
				if err := test.set(b, o); err != nil {
					t.Fatal(err)
				}
				want(t, b, test.state)
				d.times(100, 0, bad) // evidence changes nothing
				want(t, b, test.state)
				if s := b.Snapshot(); s.Order != o || !s.Until.Equal(o.At.Add(time.Hour)) {
					t.Errorf("%+v; want %+v", s, o)
				}
				if _, err := d.wait(time.Hour - 1).admit(); (err == nil) != (test.state == breaker.ForcedClosed) {
					t.Errorf("1 ns before it expires: %v", err)
				} else if err != nil && (!strings.Contains(err.Error(), "maintenance") || err.(*breaker.Error).Wait != 1) {
					t.Errorf("%v; want the reason, and 1 ns", err)
				}
				if _, err := d.wait(1).admit(); err != nil {
					t.Errorf("the probe after it expired: %v", err)
				}
				want(t, b, breaker.HalfOpen)
				if s := b.Snapshot(); s.Order != (breaker.Order{}) {
					t.Errorf("%+v; want no order any more", s)
				}
			}
			c := changes[0]
			if c.From != breaker.Closed || c.To != test.state || c.Who != "ann" || c.Why != "maintenance" || c.Wait != time.Hour || c.Cause != breaker.ByPerson {
				t.Errorf("told of %+v", c)
			}
			if c := changes[1]; c.To != breaker.HalfOpen || c.Cause != breaker.ByExpiry || c.Who != "ann" {
				t.Errorf("told of %+v", c)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	for _, set := range []func(*breaker.Breaker, breaker.Order) error{(*breaker.Breaker).Isolate, (*breaker.Breaker).ForceClose} {
		b := &breaker.Breaker{Rand: even}
		d := drive(t, b)
		d.do(good)
		o := breaker.Order{Who: "ann", Why: "over", For: time.Hour}
		if err := b.Release(o); err != nil || b.State() != breaker.Closed {
			t.Errorf("releasing nothing: %v, %v", err, b.State())
		}
		set(b, o)
		if err := b.Release(breaker.Order{Who: "ann"}); err == nil || b.State() == breaker.HalfOpen {
			t.Errorf("released without a reason: %v", err)
		}
		if err := b.Release(breaker.Order{Who: "ann", Why: "over"}); err != nil {
			t.Error(err)
		}
		want(t, b, breaker.HalfOpen)
		d.times(4, 0, good)
		want(t, b, breaker.Closed)
	}
}

func TestOrdersAreComplete(t *testing.T) {
	b := &breaker.Breaker{}
	for _, set := range []func(breaker.Order) error{b.Isolate, b.ForceClose} {
		err := set(breaker.Order{For: -1})
		if err == nil || b.State() != breaker.Closed {
			t.Fatalf("%v; want a refusal", err)
		}
		for line, field := range []string{"Who:", "Why:", "For:"} {
			if got := strings.Split(err.Error(), "\n")[line]; !strings.HasPrefix(got, field) {
				t.Errorf("line %d is %q; want it to begin with %s", line, got, field)
			}
		}
	}
}

// An order that comes before the first attempt, and without a time, holds from that attempt on.
func TestOrderBeforeAnything(t *testing.T) {
	b := &breaker.Breaker{Rand: even}
	if err := b.Isolate(breaker.Order{Who: "ann", Why: "not yet", For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	want(t, b, breaker.Isolated)
	d := drive(t, b)
	if d.do(good) || d.wait(time.Minute-1).do(good) {
		t.Error("let through while isolated")
	}
	if d.wait(1); !d.do(good) {
		t.Error("no probe after a minute")
	}
	d.times(3, 0, good)
	want(t, b, breaker.Closed)
	if n := b.Health().Counts(); n.Total() != 0 {
		t.Errorf("%+v; want a new window", n)
	}
}
