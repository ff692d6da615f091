package chaos_test

import (
	"context"
	"errors"
	"io"
	"math"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/chaos"
)

var boom = errors.New("boom")

// counted is a function that counts its runs.
func counted(n *int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { *n++; return *n, nil }
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		fault chaos.Fault
		runs  int
		value int
		err   bool
	}{
		{chaos.Pass, 1, 1, false},
		{chaos.Fail, 0, 0, true},
		{chaos.Cut, 0, 0, true},
		{chaos.ApplyThenFail, 1, 0, true},
		{chaos.ApplyThenCut, 1, 0, true},
		{chaos.Hang, 0, 0, true},
		{chaos.ApplyThenHang, 1, 0, true},
		{chaos.Slow, 1, 1, false},
		{chaos.Duplicate, 2, 2, false}, // V6
		{chaos.Fault(99), 1, 1, false},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := chaos.New(1, chaos.Rule{Op: "op", Fault: test.fault, Rate: 1, Delay: time.Second})
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, boom)
				defer cancel()
				began, runs := time.Now(), 0
				v, err := chaos.Do(ctx, i, "op", counted(&runs))
				if v != test.value || runs != test.runs || (err != nil) != test.err {
					t.Errorf("Do = %v, %v after %d runs", v, err, runs)
				}
				took := time.Since(began)
				switch test.fault {
				case chaos.Hang, chaos.ApplyThenHang:
					if took != time.Minute || err != boom {
						t.Errorf("%v after %v; want the cause of the context", err, took)
					}
				case chaos.Slow:
					if took != time.Second {
						t.Errorf("took %v", took)
					}
				default:
					if e, ok := errors.AsType[*chaos.Error](err); test.err && (!ok || e.Fault != test.fault || !errors.Is(err, syscall.ECONNRESET)) {
						t.Errorf("error %v", err)
					}
					if took != 0 {
						t.Errorf("took %v", took)
					}
				}
				if n := i.Counts()[chaos.Count{Op: "op", Fault: test.fault}]; n != 1 {
					t.Errorf("counted %d", n)
				}
			})
		})
	}
}

func TestErrors(t *testing.T) {
	i := chaos.New(1, chaos.Rule{Fault: chaos.Fail, Rate: 1, Err: boom})
	_, err := chaos.Do(t.Context(), i, "op", counted(new(int)))
	if want := "chaos: op: fail: boom"; !errors.Is(err, boom) || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	if got := chaos.Fault(200).String(); got != "fault(200)" {
		t.Error(got)
	}
	fails := func(context.Context, int) (int, error) { return 7, io.EOF }
	if v, err := chaos.Func(nil, "op", fails)(t.Context(), 1); v != 7 || err != io.EOF {
		t.Errorf("Func of nothing = %v, %v; want what the function returns", v, err)
	}
	if _, err := chaos.Func(i, "op", fails)(t.Context(), 1); !errors.Is(err, boom) {
		t.Errorf("Func = %v", err)
	}
}

func TestRules(t *testing.T) {
	trial := func(i *chaos.Injector, op string) string {
		n := 0
		_, err := chaos.Do(context.Background(), i, op, counted(&n))
		switch {
		case err == nil:
			return "p"
		case n == 0:
			return "f"
		}
		return "a"
	}
	series := func(i *chaos.Injector, op string, n int) (s string) {
		for range n {
			s += trial(i, op)
		}
		return s
	}
	var zero chaos.Injector
	if got := series(&zero, "x", 3); got != "ppp" || len(zero.Counts()) != 0 {
		t.Errorf("the zero Injector: %s", got)
	}
	zero.Set(chaos.Rule{Fault: chaos.Fail, Rate: 2})
	if got := series(&zero, "x", 3); got != "fff" {
		t.Errorf("the zero Injector with a rule: %s", got)
	}
	zero.Set()
	if got := series(&zero, "x", 3); got != "ppp" {
		t.Errorf("switched off: %s", got)
	}
	i := chaos.New(7,
		chaos.Rule{Op: "a", Script: []chaos.Fault{chaos.Pass, chaos.Fail, chaos.ApplyThenFail}},
		chaos.Rule{Op: "b", Fault: chaos.Fail, Rate: 0},
		chaos.Rule{Op: "b", Fault: chaos.ApplyThenFail, Rate: 1, Script: []chaos.Fault{chaos.Fail}},
		chaos.Rule{Op: "c", Fault: chaos.Fail, Rate: math.NaN()},
		chaos.Rule{Op: "c", Fault: chaos.Fail, Rate: -1})
	for op, want := range map[string]string{"a": "pfappp", "b": "faaa", "c": "ppp", "d": "pp"} {
		if got := series(i, op, len(want)); got != want {
			t.Errorf("%s: %s; want %s", op, got, want)
		}
	}
	half := chaos.Rule{Fault: chaos.Fail, Rate: 0.5}
	a, b, c := chaos.New(3, half), chaos.New(3, half), chaos.New(4, half)
	one, two, three := series(a, "x", 64), series(b, "x", 64), series(c, "x", 64)
	if one != two || one == three {
		t.Errorf("seeds:\n%s\n%s\n%s", one, two, three)
	}
	if n := a.Counts()[chaos.Count{Op: "x", Fault: chaos.Fail}]; n < 20 || n > 44 {
		t.Errorf("%d of 64 failed at a rate of a half", n)
	}
}

func TestSlowObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := chaos.New(1, chaos.Rule{Fault: chaos.Slow, Rate: 1, Delay: -time.Second})
		began := time.Now()
		if _, err := chaos.Do(t.Context(), i, "op", counted(new(int))); err != nil || time.Since(began) != chaos.DefaultDelay {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, boom)
		defer cancel()
		n := 0
		if _, err := chaos.Do(ctx, i, "op", counted(&n)); err != boom || n != 0 {
			t.Errorf("%v after %d runs", err, n)
		}
	})
}

func BenchmarkPass(b *testing.B) {
	b.ReportAllocs()
	var i chaos.Injector
	fn := func(context.Context) (int, error) { return 0, nil }
	for b.Loop() {
		chaos.Do(b.Context(), &i, "op", fn)
	}
}
