package sim_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

// run plays a scenario that nobody stops.
func run(t *testing.T, s sim.Scenario) sim.Result {
	t.Helper()
	r, err := sim.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A chain is a log each of whose records depends on all before it.
type chain struct {
	head   [sha256.Size]byte
	events int
}

func (c *chain) Observe(_ context.Context, e retry.Event) {
	c.events++
	c.head = sha256.Sum256(fmt.Appendf(c.head[:], "%v %d %v %d %v %v %v %v %v %v", e.Kind, e.Call, e.At, e.Attempts, e.State, e.Err, e.Took, e.Wait, e.Elapsed, e.Reason))
}

// S13, V3: one seed twice, through policy, backoff, gates and observer.
func TestRunIsRepeatable(t *testing.T) {
	play := func(seed uint64) (sim.Result, chain) {
		var log chain
		r := run(t, sim.Scenario{Seed: seed, Clients: 3, Horizon: 100 * time.Second, Policy: func(c sim.Client) *retry.Policy {
			return &retry.Policy{Idempotent: true, Gates: []retry.Gate{&budget.Budget{}}, Observer: &log}
		}})
		return r, log
	}
	first, head := play(1)
	again, headAgain := play(1)
	other, headOther := play(2)
	if first.Trace != again.Trace || head != headAgain || !slices.Equal(first.Queue, again.Queue) {
		t.Errorf("traces %x and %x, heads %x and %x of one seed", first.Trace, again.Trace, head.head, headAgain.head)
	}
	if first.Trace == other.Trace || head.head == headOther.head {
		t.Error("another seed is the same run")
	}
	if total := sum(first.Arrivals); head.events < total-100 || head.events > 2*total {
		t.Errorf("%d events of %d calls", head.events, total)
	}
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

// Changing a policy does not reshuffle the arrivals.
func TestArrivalsAreTheirOwn(t *testing.T) {
	quiet, storm := run(t, sim.Scenario{Seed: 3}), run(t, sim.Scenario{Seed: 3, Policy: three(), Clients: 5})
	if !slices.Equal(quiet.Arrivals, storm.Arrivals) {
		t.Error("other policy, other arrivals")
	}
	if n := sum(quiet.Arrivals); math.Abs(float64(n)-400*80) > 4*math.Sqrt(400*80) {
		t.Errorf("%d arrivals in 400 s; want about 32 000", n)
	}
	if slices.Equal(quiet.Arrivals, run(t, sim.Scenario{Seed: 4}).Arrivals) {
		t.Error("other seed, same arrivals")
	}
}

// The series add up, and show what happened.
func TestSeries(t *testing.T) {
	r := run(t, sim.Scenario{Seed: 1, Policy: three()})
	for i := range r.Load {
		if i < 60 && (r.Queue[i] > 60 || r.Goodput[i] < 40) || i >= 60 && i < 70 && r.Goodput[i] != 0 {
			t.Errorf("second %d: load %d, goodput %d, queue %d", i, r.Load[i], r.Goodput[i], r.Queue[i])
		}
	}
	if r.Queue[69] < 10*80*3/2 || r.Queue[399] < 20_000 {
		t.Errorf("queue of %d after the stall, %d at the end; want retries in it", r.Queue[69], r.Queue[399])
	}
	if r.Recovered() || !(float64(sum(r.Goodput[300:])) < 0.05*80*100) { // S2
		t.Errorf("goodput of %d in the last 100 s; want less than 5 %%", sum(r.Goodput[300:]))
	}
	if r := run(t, sim.Scenario{Seed: 1}); sum(r.Load) != sum(r.Arrivals) || sum(r.Goodput) > sum(r.Arrivals) {
		t.Errorf("load %d, goodput %d of %d arrivals without retries", sum(r.Load), sum(r.Goodput), sum(r.Arrivals))
	}
}

// What a run means by its fields, seen in what comes out.
func TestScenarioFields(t *testing.T) {
	calm := sim.Scenario{Seed: 2, Stall: -1, Horizon: 120 * time.Second}
	for _, test := range []struct {
		name   string
		change func(*sim.Scenario)
		holds  func(calm, got sim.Result) bool
	}{
		{"a spike multiplies the arrivals while it lasts", func(s *sim.Scenario) { s.Spike, s.SpikeFor = 3, 10*time.Second },
			func(calm, got sim.Result) bool {
				return slices.Equal(calm.Arrivals[:60], got.Arrivals[:60]) && sum(got.Arrivals[60:70]) > 2000 && sum(got.Arrivals[70:80]) < 1000
			}},
		{"a full queue rejects", func(s *sim.Scenario) { s.Queue, s.Service = 5, 20 },
			func(_, got sim.Result) bool { return slices.Max(got.Queue) == 5 }},
		{"a rejection is retried at once if the policy says so", func(s *sim.Scenario) { s.Queue, s.Service, s.Policy = 1, 20, retries(3, 0) },
			func(_, got sim.Result) bool { return sum(got.Load) > 3*sum(got.Arrivals) }},
		{"a shorter timeout of the policy counts", func(s *sim.Scenario) {
			s.Policy = func(sim.Client) *retry.Policy { return &retry.Policy{AttemptTimeout: ms, MaxAttempts: 1} }
		}, func(calm, got sim.Result) bool { return sum(got.Goodput) < sum(calm.Goodput)/10 }},
		{"a longer one does not", func(s *sim.Scenario) {
			s.Policy = func(sim.Client) *retry.Policy { return &retry.Policy{AttemptTimeout: time.Hour, MaxAttempts: 1} }
		}, func(calm, got sim.Result) bool { return slices.Equal(calm.Goodput, got.Goodput) }},
		{"a nil policy makes no retries", func(s *sim.Scenario) { s.Policy = func(sim.Client) *retry.Policy { return nil } },
			func(calm, got sim.Result) bool { return calm.Trace == got.Trace }},
		{"a stall at once, for longer than the run", func(s *sim.Scenario) { s.Trigger, s.Stall = -1, time.Hour },
			func(_, got sim.Result) bool { return sum(got.Goodput) == 0 && !got.Recovered() }},
		{"a server that cannot keep up", func(s *sim.Scenario) { s.Service = 50 },
			func(_, got sim.Result) bool { return got.Queue[119] > 3000 }},
		{"a deadline drops what is late", func(s *sim.Scenario) { s.Service, s.DropExpired = 50, true },
			func(_, got sim.Result) bool { return got.Queue[119] < 100 && sum(got.Goodput) > 45*120 }},
	} {
		s := calm
		if test.change(&s); !test.holds(run(t, calm), run(t, s)) {
			t.Errorf("not so: %s", test.name)
		}
	}
}

// Odd values have a meaning.
func TestOddScenarios(t *testing.T) {
	want := run(t, sim.Scenario{Horizon: 90 * time.Second})
	for name, s := range map[string]sim.Scenario{
		"negative": {Arrivals: -1, Service: -1, Timeout: -1, Clients: -1, Queue: -1, LIFOAbove: -1, Spike: -1, SpikeFor: -1, From: -1, Horizon: 90 * time.Second},
		"NaN":      {Arrivals: math.NaN(), Service: math.NaN(), Spike: math.NaN(), Horizon: 90 * time.Second},
		"infinite": {Arrivals: math.Inf(1), Service: math.Inf(1), Horizon: 90 * time.Second},
	} {
		if got := run(t, s); got.Trace != want.Trace || got.Recovery != want.Recovery {
			t.Errorf("%s: another run than the reference", name)
		}
	}
	huge := sim.Scenario{Arrivals: 1e300, Service: 1e300, Horizon: 10 * ms, Trigger: math.MaxInt64, Stall: math.MaxInt64, SpikeFor: math.MaxInt64, Margin: math.MaxInt64, From: math.MaxInt64}
	if got := run(t, huge); got.Recovered() {
		t.Errorf("%v after the end of the run", got.Recovery)
	}
	tiny := sim.Scenario{Arrivals: math.SmallestNonzeroFloat64, Service: math.SmallestNonzeroFloat64, Horizon: time.Second, Timeout: math.MaxInt64 / 2}
	if got := run(t, tiny); sum(got.Arrivals) != 0 {
		t.Errorf("%d arrivals; want none", sum(got.Arrivals))
	}
}

func TestScenarioCheck(t *testing.T) {
	if err := (sim.Scenario{}).Check(); err != nil {
		t.Errorf("the zero scenario: %v", err)
	}
	bad := sim.Scenario{
		Arrivals: -1, Service: 1e9, Spike: math.NaN(), Timeout: -1, Horizon: -1, SpikeFor: -1, From: -1, Clients: -1, Queue: -1,
		Actions: []sim.Action{{}, {At: time.Hour, Do: func() {}}},
	}
	err := bad.Check()
	for _, field := range []string{"Arrivals:", "Service:", "Spike:", "Timeout:", "Horizon:", "SpikeFor:", "From:", "Clients:", "Queue, LIFOAbove:", "Actions[0]:", "Actions[1]:"} {
		if !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("mistakes\n%v\nwithout %s", err, field)
		}
	}
	for want, s := range map[string]sim.Scenario{"leaves no 10 s after 1m10s": {Horizon: 75 * time.Second}, "is above 24h": {Horizon: 100 * time.Hour}} {
		if err := s.Check(); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("Check = %v; want %q", err, want)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := sim.Run(ctx, sim.Scenario{}); err != enough {
		t.Errorf("Run = %v; want %v", err, enough)
	}
}

// A lever is a stop switch for the operator: while it is pulled, it refuses attempts from number from on,
// and ends waits.
type lever struct {
	from  int
	ctx   context.Context
	pull  context.CancelCauseFunc
	woken []time.Time
}

var errStop = errors.New("stop")

func newLever(from int) *lever {
	l := &lever{from: from}
	l.release()
	return l
}

func (l *lever) release()                              { l.ctx, l.pull = context.WithCancelCause(context.Background()) }
func (l *lever) Halted(*retry.Attempt) context.Context { return l.ctx }
func (l *lever) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number >= l.from && l.ctx.Err() != nil {
		return errStop
	}
	return nil
}
func (l *lever) Start(ctx context.Context, a *retry.Attempt) error { return l.Admit(ctx, a) }
func (l *lever) Settle(a *retry.Attempt, o *retry.Outcome) {
	if o.State == retry.NotStarted {
		l.woken = append(l.woken, a.At)
	}
}

// A stop ends waits at once, and refuses what comes after it.
func TestStopEndsWaits(t *testing.T) {
	l := newLever(2)
	var finished []retry.Event
	s := sim.Scenario{
		Horizon: 120 * time.Second,
		Policy: func(sim.Client) *retry.Policy {
			return &retry.Policy{
				Idempotent: true, Gates: []retry.Gate{l}, Backoff: backoff.Constant{Wait: time.Hour, Jitter: backoff.None},
				Observer: observer(func(e retry.Event) {
					if errors.Is(e.Reason, errStop) {
						finished = append(finished, e)
					}
				}),
			}
		},
		Actions: []sim.Action{{}, {At: 65 * time.Second, Do: func() { l.pull(errStop) }}},
	}
	run(t, s)
	if len(l.woken) < 200 || len(finished) < len(l.woken) {
		t.Fatalf("%d waits ended, %d calls; want those of the stall", len(l.woken), len(finished))
	}
	first := finished[0].At
	for i, e := range finished {
		if at := e.At.Sub(first); i < len(l.woken) && at != 0 || i >= len(l.woken) && at <= 0 {
			t.Fatalf("call %d of %d ended %v after the stop; the first %d waited", i, len(finished), at, len(l.woken))
		}
	}
}

type observer func(retry.Event)

func (o observer) Observe(_ context.Context, e retry.Event) { o(e) }

// V2: an hour of backoff in a bubble takes no time.
func TestAnHourOfBackoff(t *testing.T) {
	before := time.Now()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := &retry.Policy{MaxAttempts: 2, Backoff: backoff.Constant{Wait: time.Hour, Jitter: backoff.None}}
		retry.Run(t.Context(), p, func(context.Context) error { return sim.ErrRejected })
		if waited := time.Since(start); waited != time.Hour {
			t.Errorf("waited %v; want an hour", waited)
		}
	})
	if took := time.Since(before); took > 50*time.Millisecond {
		t.Errorf("an hour took %v", took)
	}
}

// The mean over many seeds is what the closed form says.
func TestModelAgreesWithForecast(t *testing.T) {
	n, loads, horizon := 20, []float64{80}, 150*time.Second
	if long {
		n, loads, horizon = 200, []float64{60, 70, 80, 85}, 250*time.Second
	}
	for _, arrivals := range loads {
		want := sim.Forecast{Arrivals: arrivals, Service: 100, Timeout: time.Second, Stall: 10 * time.Second}.Recovery()
		mean := 0.0
		for seed := range n {
			mean += run(t, sim.Scenario{Seed: uint64(seed), Arrivals: arrivals, Horizon: horizon}).Recovery / float64(n)
		}
		if math.Abs(mean-want) > 0.1*want {
			t.Errorf("λ %v: mean recovery %.1f s; want %.1f", arrivals, mean, want)
		}
	}
}
