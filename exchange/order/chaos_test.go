package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// A profile is a kind of venue for the chaos test.
type profile struct {
	name    string
	rules   order.Rules
	dedupe  exchange.Dedupe
	blind   bool
	window  time.Duration
	nothing bool // no resend may ever happen
}

func profiles() []profile {
	deadline := fenced
	deadline.Residual = 3 * time.Second
	gate := deadline
	gate.QueryClosed = false
	bybit := fenced
	bybit.AckIsEngine = false
	alpaca := order.Rules{Venue: "venue", Resend: order.ResendIsQuery, ResendTaking: true, QueryClosed: true}
	coinbase := alpaca
	coinbase.ResendWithin = 15 * time.Minute
	off := fenced
	off.Resend = order.ResendNever
	return []profile{
		{name: "window", rules: fenced, dedupe: exchange.DedupeOpenOnly, window: time.Second},
		{name: "deadline", rules: deadline, dedupe: exchange.DedupeOpenOnly, window: 2 * time.Second},
		{name: "pending only", rules: gate, dedupe: exchange.DedupeNone, blind: true, window: 2 * time.Second},
		{name: "no dedupe", rules: deadline, dedupe: exchange.DedupeNone, window: 2 * time.Second},
		{name: "accepted only", rules: bybit, dedupe: exchange.DedupeAlways, window: 5 * time.Second},
		{name: "permanent", rules: alpaca, dedupe: exchange.DedupeAlways},
		{name: "returns original", rules: coinbase, dedupe: exchange.DedupeReturns},
		{name: "never", rules: off, dedupe: exchange.DedupeOpenOnly, window: time.Second, nothing: true},
		{name: "strict", rules: order.Rules{Venue: "venue"}, dedupe: exchange.DedupeNone, blind: true, nothing: true},
	}
}

// faults draws trips. The residual of the slowest engine stays below that of the rules: the proof rests on it.
type faults struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	residual time.Duration
}

func (f *faults) float() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.Float64()
}

func (f *faults) within(d time.Duration) time.Duration { return time.Duration(f.float() * float64(d)) }

func (f *faults) chance(p float64) bool { return f.float() < p }

func (f *faults) trip(*order.Intent, int) trip {
	t := trip{in: f.within(20 * time.Millisecond), queue: f.within(5 * time.Millisecond), late: f.chance(0.5)}
	if f.chance(0.2) {
		t.in = f.within(20 * time.Second) // held
	}
	if f.chance(0.2) {
		t.queue = f.within(f.residual)
	}
	t.unsent, t.vanish, t.lost, t.quiet = f.chance(0.05), f.chance(0.1), f.chance(0.2), f.chance(0.2)
	if f.chance(0.5) {
		t.fill = []int{30, 100}[f.rnd.IntN(2)]
	}
	for range 2 {
		if f.chance(0.4) {
			t.after = append(t.after, event{after: f.within(40 * time.Second), fill: 10 + 10*int(f.float()*9)})
		}
	}
	if f.chance(0.2) {
		t.after = append(t.after, event{after: f.within(40 * time.Second), status: order.StatusCanceled})
	}
	if f.chance(0.1) {
		refusals := []exchange.Verdict{
			{Outcome: exchange.NotPlaced, Meaning: exchange.RateLimited, Status: 429, After: time.Second},
			{Outcome: exchange.NotPlaced, Meaning: exchange.ClockOff, Code: "-1021"},
			{Outcome: exchange.NotPlaced, Meaning: exchange.InsufficientFunds, Code: "-2010"},
			{Outcome: exchange.Unknown, Status: 503},
		}
		t.refuse = &refusals[int(f.float()*4)]
	}
	return t
}

// A trial is one run of a machine, or of a mutant, against a profile with faults.
type trial struct {
	profile
	seed    uint64
	intents int
	mutate  func(r *rig, v *venue)
	restart bool
}

// run returns what the venue's log shows to be wrong.
func (c trial) run(t *testing.T) (wrong []string) {
	complain := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s, seed %d: ", c.name, c.seed)+fmt.Sprintf(format, args...))
	}
	synctest.Test(t, func(t *testing.T) {
		f := &faults{rnd: rand.New(rand.NewPCG(c.seed, 1)), residual: c.rules.Residual * 9 / 10}
		r := newRig(t, c.rules, func(m *order.Machine) { m.Workers = 16; m.MaxRemember = 1 << 20 })
		v := r.venue
		v.dedupe, v.blind, v.window, v.plan = c.dedupe, c.blind, c.window, f.trip
		v.lag = func() time.Duration {
			if f.chance(0.1) {
				return f.within(min(3*time.Second, c.rules.Residual/10)) // what is left of the residual
			}
			return 5 * time.Millisecond
		}
		v.read = func(string) error {
			if f.chance(0.1) {
				return errNetwork
			}
			return nil
		}
		r.stream.gaps = c.seed%2 == 0
		seen := func(rep order.Report) {
			if (r.stream.gaps && f.chance(0.5)) || c.mutate != nil && f.chance(0.9) {
				return
			}
			time.Sleep(f.within(100 * time.Millisecond))
			if err := r.live.Load().Seen(context.Background(), rep); err == nil {
				v.tell(rep.Wire)
			} else if !errors.Is(err, order.ErrNotReady) && c.mutate == nil {
				t.Errorf("Seen = %v", err)
			}
		}
		v.stream = seen
		if c.mutate != nil {
			c.mutate(r, v)
		}
		r.start()
		var wg sync.WaitGroup
		for n := range c.intents {
			wg.Go(func() {
				time.Sleep(f.within(2 * time.Minute))
				i := limit(uint64(n))
				i.Symbol = fmt.Sprint("S", n) // so that parked orders do not close everything
				if f.chance(0.5) {
					i.Type, i.Price = order.Market, ""
				}
				if f.chance(0.8) {
					i.MaxAge = 5 * time.Minute
				}
				o, err := r.live.Load().Submit(context.Background(), i)
				if err != nil && c.mutate == nil && !errors.Is(err, order.ErrNotReady) && !errors.Is(err, order.ErrGuard) {
					t.Errorf("Submit = %v", err)
				}
				if f.chance(0.2) {
					time.Sleep(f.within(20 * time.Second))
					_, _ = r.live.Load().Cancel(context.Background(), o.Intent.ID) // one of another process, or that is done, is refused
				}
			})
		}
		if c.restart {
			for range 3 {
				time.Sleep(30 * time.Second)
				r.restart()
			}
		}
		wg.Wait()
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		c.judge(r, complain)
		r.close()
	})
	return wrong
}

// judge reads the invariants from the venue's log.
func (c trial) judge(r *rig, complain func(string, ...any)) {
	v := r.venue
	venue := make(map[string][]*held)
	for _, h := range v.orders {
		venue[h.wire] = append(venue[h.wire], h)
	}
	sent := make(map[string]int)
	for _, s := range v.sends {
		sent[s.wire]++
		if s.maxAge > 0 && s.at.Sub(s.created) > s.maxAge {
			complain("I7: %s was sent %v after it was made", s.wire, s.at.Sub(s.created))
		}
		if s.known {
			complain("I12: %s was sent although the machine knew that it exists", s.wire)
		}
	}
	parked := 0
	for n := range c.intents {
		i := limit(uint64(n))
		wire := id(i)
		es, err := r.log.Load(context.Background(), r.Scope, wire)
		if err != nil || len(es) == 0 {
			if sent[wire] > 0 {
				complain("I6: %s was sent without a record", wire)
			}
			continue
		}
		o, err := order.Replay(es)
		if err != nil {
			complain("replay: %v", err)
		}
		shown, err := r.Get(context.Background(), wire)
		if got, want := text(shown), text(o); err != nil || got != want {
			complain("I10: %s is %s, %v; its log says %s", wire, got, err, want)
		}
		attempts := 0
		for _, e := range es {
			if e.Kind == order.KindSending {
				attempts++
			}
		}
		if sent[wire] > attempts {
			complain("I6: %s was sent %d times with %d records", wire, sent[wire], attempts)
		}
		executed, fills := order.Decimal(""), make(map[string]bool)
		for _, h := range venue[wire] {
			executed = executed.Add(h.now().executed)
			for _, fill := range h.fills {
				fills[fill.Key] = true
			}
		}
		if executed.Cmp(o.Intent.Quantity) > 0 {
			complain("I1: %s executed %s of %s", wire, executed, o.Intent.Quantity)
		}
		if len(venue[wire]) > 1 {
			complain("I2: the venue has %d orders of %s", len(venue[wire]), wire)
		}
		switch exists := len(venue[wire]) > 0; {
		case o.State == order.Parked:
			parked++
			continue
		case exists && (o.State == order.Abandoned || o.State == order.Rejected):
			complain("I3: %s is %v (%s) and exists", wire, o.State, o.Why)
		case o.State == order.Acked && exists && !closed(venue[wire][0].now().status):
		case !o.State.Terminal():
			complain("I5: %s is %v (%s) at the end; the venue has %d of it", wire, o.State, o.Why, len(venue[wire]))
		}
		if len(o.Fills) != len(fills) || o.Filled != executed {
			complain("I4: %s has %d fills of %s; the venue has %d of %s", wire, len(o.Fills), o.Filled, len(fills), executed)
		}
	}
	if parked > r.alarms.count(order.AlarmParked) {
		complain("I5: %d orders are parked, with %d alarms", parked, r.alarms.count(order.AlarmParked))
	}
	if s := r.Stats(); c.nothing && s.Resends+s.Probes > 0 {
		complain("%d resends and %d probes; want none ever", s.Resends, s.Probes)
	}
	if n := r.Stats().EverParked; c.rules.Fence && n*20 > uint64(c.intents) {
		complain("%d of %d orders were parked although there is a fence", n, c.intents)
	}
}

func TestInvariants(t *testing.T) {
	seeds, intents := 3, 150
	if os.Getenv("RELENT_SOAK") != "" {
		seeds = 40
	}
	for _, p := range profiles() {
		t.Run(p.name, func(t *testing.T) {
			for seed := range seeds {
				c := trial{profile: p, seed: uint64(seed), intents: intents, restart: seed%3 == 1}
				if wrong := c.run(t); len(wrong) > 0 {
					t.Errorf("%d complaints:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 8)], "\n"))
				}
			}
		})
	}
}

// text is all of an order. A log gives its times back to the microsecond.
func text(o order.Order) string {
	o.Changed, o.Doubted = o.Changed.Truncate(time.Microsecond), o.Doubted.Truncate(time.Microsecond)
	data, err := json.Marshal(o)
	return fmt.Sprint(string(data), err)
}

// Machines that are wrong on purpose must be caught: a judge that passes everything is none.
func TestWrongMachinesAreCaught(t *testing.T) {
	hasty := fenced
	hasty.Residual, hasty.FirstWait, hasty.Spacing = 0, time.Millisecond, time.Millisecond
	for _, test := range []struct {
		name   string
		want   string
		rules  order.Rules
		mutate func(*rig, *venue)
	}{
		{"resends at once", "I2", hasty, func(r *rig, v *venue) { v.lie = time.Millisecond }},
		{"reads at once, then resends", "I2", fenced, func(r *rig, v *venue) {
			v.lie = time.Millisecond
			r.Rules.Residual = 2100 * time.Millisecond
		}},
		{"forgets a fill", "I4", fenced, func(r *rig, v *venue) { v.forget = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := profile{name: test.name, rules: fenced, dedupe: exchange.DedupeOpenOnly, window: 5 * time.Second}
			caught := 0
			for seed := uint64(1); caught == 0 && seed < 20; seed++ {
				c := trial{profile: p, seed: seed, intents: 300, mutate: func(r *rig, v *venue) {
					r.Rules = test.rules
					test.mutate(r, v)
				}}
				for _, w := range c.run(t) {
					if strings.Contains(w, test.want+":") {
						caught++
					}
				}
			}
			if caught == 0 {
				t.Errorf("the judge has not caught it by %s", test.want)
			}
		})
	}
}
