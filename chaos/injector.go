package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultDelay is that of [Slow] where a rule names none.
const DefaultDelay = 100 * time.Millisecond

// A Rule says what happens to some operations.
type Rule struct {
	Op    string        // the operation's name, or with a * at its end what the name begins with; "" means all
	Fault Fault         // what happens to it
	Rate  float64       // to which share of them, 0 to 1; anything else counts as 0 or 1
	Delay time.Duration // of Slow; not positive means 100 ms
	Err   error         // what the Error wraps; nil means that a connection was reset

	// Script says what happens to the next operations, one after the other, before Rate begins to count.
	Script []Fault

	// From and To say when the rule is in force, counted from when it was set: from From on, before To; a To that is not
	// positive means no end. With Every, that begins anew each so much time, for as long as the rule is set.
	From, To, Every time.Duration
}

// applies says whether the rule is about an operation.
func (r *Rule) applies(op string) bool {
	if begin, ok := strings.CutSuffix(r.Op, "*"); ok {
		return strings.HasPrefix(op, begin)
	}
	return r.Op == "" || r.Op == op
}

// timed says that the rule is not always in force.
func (r *Rule) timed() bool { return r.From > 0 || r.To > 0 }

// during says whether the rule is in force some time after it was set.
func (r *Rule) during(passed time.Duration) bool {
	if r.Every > 0 {
		passed %= r.Every
	}
	return passed >= r.From && (r.To <= 0 || passed < r.To)
}

// MostCounts is how many operations an Injector counts by their name; all others are counted as Others.
const MostCounts = 1000

// Others is the name under which operations are counted that came when there were too many to count each.
const Others = "(others)"

// An Injector decides what happens to operations. The zero value lets all pass. It is safe for concurrent use, and
// must not be copied.
type Injector struct {
	active atomic.Bool // there are rules: all that is asked while there are none

	mu     sync.Mutex
	random *rand.Rand
	rules  []Rule
	played []int     // of each rule's script
	since  time.Time // when the rules were set
	counts map[Count]int
}

// A Count is what [Injector.Counts] counts by.
type Count struct {
	Op    string
	Fault Fault
}

// New returns an Injector. The same seed makes the same decisions for the same sequence of operations.
func New(seed uint64, rules ...Rule) *Injector {
	i := &Injector{random: rand.New(rand.NewPCG(seed, seed))}
	i.Set(rules...)
	return i
}

// Set replaces the rules. The first rule whose script or rate strikes an operation decides. Without rules
// all operations pass.
func (i *Injector) Set(rules ...Rule) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = append([]Rule(nil), rules...)
	i.played = make([]int, len(rules))
	i.since = time.Now()
	if i.random == nil {
		i.random = rand.New(rand.NewPCG(0, 0))
	}
	i.active.Store(len(rules) > 0)
}

// Rules returns the rules.
func (i *Injector) Rules() []Rule {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.rules)
}

// Counts returns how many operations met which fault. Those that passed are counted while there are rules.
func (i *Injector) Counts() map[Count]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	counts := make(map[Count]int, len(i.counts))
	for c, n := range i.counts {
		counts[c] = n
	}
	return counts
}

// A hit is a decision about one operation.
type hit struct {
	op    string
	fault Fault
	rule  Rule
}

// next decides about an operation. A nil Injector lets all pass.
func (i *Injector) next(op string) hit {
	h := hit{op: op}
	if i == nil || !i.active.Load() {
		return h
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, r := range i.rules {
		if !r.applies(op) || r.timed() && !r.during(time.Since(i.since)) {
			continue
		}
		if i.played[n] < len(r.Script) {
			h.fault, h.rule = r.Script[i.played[n]], r
			i.played[n]++
			break // also if it passes: the script says so
		}
		if r.Rate > 0 && i.random.Float64() < r.Rate {
			h.fault, h.rule = r.Fault, r
			break
		}
	}
	if i.counts == nil {
		i.counts = map[Count]int{}
	}
	c := Count{op, h.fault}
	if _, known := i.counts[c]; !known && len(i.counts) >= MostCounts {
		c.Op = Others
	}
	i.counts[c]++
	return h
}

// before does what the fault asks for before the operation happens. An error means that it does not.
func (h hit) before(ctx context.Context) error {
	switch h.fault {
	case Fail, Cut:
		return h.err()
	case Hang:
		<-ctx.Done()
		return context.Cause(ctx)
	case Slow:
		return wait(ctx, h.delay())
	}
	return nil
}

// after does what the fault asks for after the operation has happened.
func (h hit) after(ctx context.Context) error {
	switch h.fault {
	case ApplyThenFail, ApplyThenCut:
		return h.err()
	case ApplyThenHang:
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

// cuts says that the operation takes its connection along.
func (h hit) cuts() bool { return h.fault == Cut || h.fault == ApplyThenCut }

func (h hit) delay() time.Duration {
	if h.rule.Delay > 0 {
		return h.rule.Delay
	}
	return DefaultDelay
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
