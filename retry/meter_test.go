package retry_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// tally is a meter that writes down what it is told.
type tally struct {
	want   retry.Interest
	log    []string
	events []retry.Event
}

func (m *tally) Begin() retry.Interest { m.log = append(m.log, "begin"); return m.want }
func (m *tally) Wake()                 { m.log = append(m.log, "wake") }

func (m *tally) Succeed(took time.Duration) {
	m.log = append(m.log, fmt.Sprintf("succeed %v", took))
}

func (m *tally) Observe(_ context.Context, e retry.Event) {
	m.events = append(m.events, e)
	line := fmt.Sprintf("%v %v %d", e.Kind, e.State, e.Attempts)
	if e.Told {
		line += " told"
	}
	if e.Partial {
		line += " partial"
	}
	m.log = append(m.log, fmt.Sprintf("%s took %v of %v", line, e.Took, e.Elapsed))
}

// ways are the paths through the engine, all of which tell a meter the same.
var ways = []struct {
	name  string
	timed bool // the engine reads the clock anyway
	set   func(*retry.Policy)
}{
	{"plain", false, func(*retry.Policy) {}},
	{"gates", true, func(p *retry.Policy) { p.Gates = []retry.Gate{open{}} }},
	{"timeout", true, func(p *retry.Policy) { p.AttemptTimeout = time.Hour }},
	{"gates and timeout", true, func(p *retry.Policy) { p.Gates, p.MaxElapsed = []retry.Gate{open{}}, time.Hour }},
}

func TestMeter(t *testing.T) {
	second := func(ctx context.Context, errs ...error) func(context.Context) error {
		return func(context.Context) error {
			time.Sleep(time.Second)
			if len(errs) == 0 {
				return nil
			}
			err := errs[0]
			errs = errs[1:]
			return err
		}
	}
	refused := errors.New("refused")
	for _, test := range []struct {
		name    string
		want    retry.Interest
		errs    []error
		change  func(*retry.Policy)
		log     []string
		untimed []string // where nobody reads the clock at the beginning; nil: the same
	}{
		{"count", retry.Count, nil, nil, []string{"begin", "succeed -1ns"}, nil},
		{"time", retry.Time, nil, nil, []string{"begin", "succeed 1s"}, nil},
		{"tell", retry.Tell, nil, nil, []string{"begin", "finished succeeded 1 took 1s of 1s"}, nil},
		{"retry", retry.Time, []error{errBusy}, nil,
			[]string{"begin", "retrying failed 1 took 1s of 1s", "wake", "finished succeeded 2 took 1s of 4s"}, nil},
		{"retry without a start", retry.Count, []error{errBusy}, nil,
			[]string{"begin", "retrying failed 1 took 1s of 1s", "wake", "finished succeeded 2 took 1s of 4s"},
			[]string{"begin", "retrying failed 1 partial took 0s of 0s", "wake", "finished succeeded 2 partial took 1s of 3s"}},
		{"failure without a start", retry.Count, []error{retry.Mark(refused, retry.Permanent)}, nil,
			[]string{"begin", "finished failed 1 took 1s of 1s"}, []string{"begin", "finished failed 1 partial took 0s of 0s"}},
		{"no wait", retry.Time, []error{errBusy}, func(p *retry.Policy) { p.Backoff = backoff.Constant{} },
			[]string{"begin", "retrying failed 1 took 1s of 1s", "finished succeeded 2 took 1s of 2s"}, nil},
		{"invalid after the wait", retry.Time, []error{errBusy}, func(p *retry.Policy) {
			asked := 0
			p.Validate = func(context.Context, retry.Attempt) error {
				if asked++; asked == 2 {
					return refused
				}
				return nil
			}
		}, []string{"begin", "retrying failed 1 took 1s of 1s", "wake", "finished failed 1 told took 1s of 3s"}, nil},
		{"invalid before the wait", retry.Time, []error{errBusy}, func(p *retry.Policy) {
			p.Validate = func(context.Context, retry.Attempt) error { return refused }
		}, []string{"begin", "finished failed 1 took 1s of 1s"}, nil},
		{"refused at once", retry.Time, nil, func(p *retry.Policy) { p.Gates = []retry.Gate{shut{refused}} },
			[]string{"begin", "finished not started 0 took 0s of 0s"}, nil},
	} {
		for _, way := range ways {
			if test.name == "refused at once" && way.name == "plain" {
				continue
			}
			t.Run(test.name+"/"+way.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &tally{want: test.want}
					p := &retry.Policy{Observer: m, Idempotent: true, Backoff: backoff.Constant{Wait: 2 * time.Second, Jitter: backoff.None}}
					way.set(p)
					if test.change != nil {
						test.change(p)
					}
					retry.Run(t.Context(), p, second(t.Context(), test.errs...))
					log := test.log
					if !way.timed && test.untimed != nil && len(p.Gates) == 0 {
						log = test.untimed
					}
					if !slices.Equal(m.log, log) {
						t.Errorf("told %q; want %q", m.log, log)
					}
				})
			})
		}
	}
}

// What nobody timed is not made up.
func TestMeterOfUntimedFailure(t *testing.T) {
	m := &tally{want: retry.Count}
	err := retry.Run(t.Context(), &retry.Policy{Observer: m, Idempotent: true}, func(context.Context) error { return retry.Mark(errBusy, retry.Permanent) })
	if e := m.events[0]; e.Took != 0 || e.Elapsed != 0 || !e.Partial {
		t.Errorf("event %+v; want no times", e)
	}
	var e *retry.Error
	if !errors.As(err, &e) || e.Elapsed != 0 {
		t.Errorf("%v; want no time", err)
	}
}

// The time that a meter learns is that of the call, what gates waited included.
func TestMeterCountsTheWaitOfGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, most := range []time.Duration{0, time.Hour} {
			m := &tally{want: retry.Time}
			retry.Run(t.Context(), &retry.Policy{Observer: m, MaxElapsed: most, Gates: []retry.Gate{slow{}}}, func(context.Context) error { return nil })
			if want := []string{"begin", "succeed 1s"}; !slices.Equal(m.log, want) {
				t.Errorf("told %q; want %q", m.log, want)
			}
		}
	})
}

// slow waits for a second before an attempt begins.
type slow struct{ open }

func (slow) Start(context.Context, *retry.Attempt) error { time.Sleep(time.Second); return nil }

type shut struct{ err error }

func (s shut) Admit(context.Context, *retry.Attempt) error { return s.err }
func (shut) Settle(*retry.Attempt, *retry.Outcome)         {}

// A call that ends in no ordinary way still ends once for its meter.
func TestMeterEndsOnce(t *testing.T) {
	for _, way := range ways {
		for _, want := range []retry.Interest{retry.Count, retry.Time, retry.Tell} {
			for _, test := range []struct {
				name string
				fn   func(context.Context) error
			}{
				{"panic", func(context.Context) error { panic("x") }},
				{"goexit", func(context.Context) error { runtime.Goexit(); return nil }},
			} {
				t.Run(fmt.Sprint(test.name, "/", way.name, "/", want), func(t *testing.T) {
					m := &tally{want: want}
					p := &retry.Policy{Observer: m}
					way.set(p)
					done := make(chan bool)
					go func() {
						defer close(done)
						defer func() { recover() }()
						retry.Run(t.Context(), p, test.fn)
					}()
					<-done
					if len(m.events) != 1 || m.log[0] != "begin" || len(m.log) != 2 {
						t.Fatalf("told %q; want the beginning and one event", m.log)
					}
					if e := m.events[0]; e.State != retry.Panicked || e.Attempts != 1 || !e.Unknown || !errors.Is(e.Reason, retry.ErrPanicked) {
						t.Errorf("event %+v; want a panic in the first attempt", e)
					}
				})
			}
		}
	}
}

// A meter that panics is not told again.
func TestMeterThatPanics(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			m := &rude{}
			p := &retry.Policy{Observer: m}
			way.set(p)
			func() {
				defer func() { recover() }()
				retry.Run(t.Context(), p, func(context.Context) error { return nil })
			}()
			if m.told != 1 {
				t.Errorf("told %d times; want 1", m.told)
			}
		})
	}
}

type rude struct{ told int }

func (*rude) Begin() retry.Interest                  { return retry.Count }
func (*rude) Wake()                                  {}
func (m *rude) Succeed(time.Duration)                { m.told++; panic("rude") }
func (m *rude) Observe(context.Context, retry.Event) { m.told++ }

// Calls that never begin an attempt, and asynchronous ones, are counted like others.
func TestMeterOfOtherCalls(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m := &tally{}
	p := &retry.Policy{Observer: m}
	retry.Run(ended, p, func(context.Context) error { return nil })
	retry.Run(t.Context(), p, nil)
	var err error
	for range retry.Attempts(t.Context(), p, &err) {
		err = nil
	}
	retry.Go(t.Context(), p, func(context.Context) (int, error) { return 0, nil }).Wait(t.Context())
	want := []string{"begin", "finished not started 0", "begin", "finished not started 0", "begin", "succeed -1ns", "begin", "succeed -1ns"}
	for i := range m.log {
		m.log[i] = m.log[i][:min(len(m.log[i]), len(want[i]))]
	}
	if !slices.Equal(m.log, want) {
		t.Errorf("told %q; want %q", m.log, want)
	}
}

type counter struct {
	begun, ended atomic.Uint64
	want         retry.Interest
}

func (c *counter) Begin() retry.Interest              { c.begun.Add(1); return c.want }
func (*counter) Wake()                                {}
func (c *counter) Succeed(time.Duration)              { c.ended.Add(1) }
func (*counter) Observe(context.Context, retry.Event) {}

func TestMeterAllocs(t *testing.T) {
	for _, way := range ways[:2] {
		for _, want := range []retry.Interest{retry.Count, retry.Time, retry.Tell} {
			p := &retry.Policy{Observer: &counter{want: want}}
			way.set(p)
			if n := testing.AllocsPerRun(1000, func() { retry.Do(t.Context(), p, fetch) }); n != 0 {
				t.Errorf("%s, interest %d: %v allocations; want 0", way.name, want, n)
			}
		}
	}
}

// BenchmarkMeter compares a first attempt with and without a meter.
func BenchmarkMeter(b *testing.B) {
	for _, way := range ways[:2] {
		b.Run(way.name+"/none", func(b *testing.B) {
			p := &retry.Policy{}
			way.set(p)
			for b.Loop() {
				sink, _ = retry.Do(b.Context(), p, fetch)
			}
		})
		for i, name := range []string{"count", "time", "tell"} {
			b.Run(way.name+"/"+name, func(b *testing.B) {
				p := &retry.Policy{Observer: &counter{want: retry.Interest(i)}}
				way.set(p)
				for b.Loop() {
					sink, _ = retry.Do(b.Context(), p, fetch)
				}
			})
		}
	}
}
