package budget_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// counts is a store of attempts that outlives a [budget.Parents].
type counts struct {
	mu    sync.Mutex
	n     map[string]int64
	asked int
	err   error
	hang  bool
}

func (c *counts) CountAttempt(ctx context.Context, parent string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.hang {
		<-ctx.Done()
		return 0, errBusy
	}
	if c.n == nil {
		c.n = make(map[string]int64)
	}
	c.n[parent]++
	return c.n[parent], c.err
}

// under admits one attempt of a parent, and settles it as failed.
func under(p *budget.Parents, parent string, number int) error {
	a := first(0)
	a.Number = number
	err := p.Admit(budget.WithParent(ctx, parent), a)
	if err == nil {
		p.Settle(a, ended(retry.Failed))
	}
	return err
}

func TestM1ParentsHaveAFixedNumberOfAttempts(t *testing.T) {
	for name, store := range map[string]*counts{"in memory": nil, "in a store": {}} {
		t.Run(name, func(t *testing.T) {
			var trips []budget.Trip
			start := func() *budget.Parents {
				p := &budget.Parents{Name: "parents", Max: 5, OnTrip: func(_ context.Context, trip budget.Trip) {
					trip.At = time.Time{}
					trips = append(trips, trip)
				}}
				if store != nil {
					p.Store = store
				}
				return p
			}
			p := start()
			policy := &retry.Policy{Name: "venue.fetch", MaxAttempts: 3, Backoff: immediate, Gates: []retry.Gate{p}}
			calls := 0
			call := func() error {
				return retry.Run(budget.WithParent(ctx, "order 17"), policy, func(context.Context) error { calls++; return busy })
			}
			if err := call(); calls != 3 || !errors.Is(err, retry.ErrExhausted) {
				t.Fatalf("%d attempts, %v; want 3 of the first call", calls, err)
			}
			err := call() // two attempts, and the sixth is refused
			if calls != 5 || !errors.Is(err, errBusy) {
				t.Fatalf("%d attempts, %v; want 5, and the last error", calls, err)
			}
			want := budget.Error{Budget: "parents", Policy: policy.Name, Rule: budget.RuleParent, Cost: 1, Limit: 5, Parent: "order 17"}
			if e := refused(t, err, budget.RuleParent); *e != want {
				t.Errorf("%+v; want %+v", *e, want)
			}
			err = call()
			refused(t, err, budget.RuleParent)
			if calls != 5 || retry.DefaultClassify(err) != retry.Permanent {
				t.Errorf("%d attempts, %v; want none more, and a permanent refusal", calls, err)
			}
			if want := []budget.Trip{{Parent: "order 17", Policy: policy.Name, Max: 5}}; !slices.Equal(trips, want) {
				t.Errorf("trips %+v; want %+v", trips, want)
			}
			if s := p.Stats(); s.Tripped != 1 || s.Denied != 2 || s.Defects != 0 || s.Remembered != 1 {
				t.Errorf("%+v; want one trip, two refusals", s)
			}
			if err := under(p, "order 18", 1); err != nil {
				t.Errorf("another parent: %v", err)
			}
			if store == nil {
				return
			}
			p = start() // after a restart
			if err := under(p, "order 17", 1); !errors.Is(err, budget.ErrSpent) || len(trips) != 2 {
				t.Errorf("after a restart: %v, %d trips; want a refusal, and one more trip", err, len(trips))
			}
			asked := store.asked
			if err := under(p, "order 17", 1); !errors.Is(err, budget.ErrSpent) || len(trips) != 2 || store.asked != asked {
				t.Errorf("%v, %d trips, store asked %d times more; want a refusal out of memory", err, len(trips), store.asked-asked)
			}
		})
	}
}

// First attempts, retries and hedges count alike, but not what never began.
func TestParentsCountWhatIsSent(t *testing.T) {
	p := &budget.Parents{Max: 4}
	in := budget.WithParent(ctx, "job")
	var held []*retry.Attempt
	for number := range 4 {
		a := first(0)
		a.Number = number
		if err := p.Admit(in, a); err != nil {
			t.Fatal(err)
		}
		held = append(held, a)
	}
	p.Settle(held[0], ended(retry.NotStarted))
	p.Settle(held[0], ended(retry.NotStarted))
	if s := p.Stats(); s.Defects != 1 {
		t.Errorf("%+v; want one defect", s)
	}
	if err := under(p, "job", 1); err != nil {
		t.Errorf("%v; want one more for the one that never began", err)
	}
	refused(t, under(p, "job", 1), budget.RuleParent)
	// A stopped parent stays stopped, even if another of its attempts turns out never to have begun.
	p.Settle(held[1], ended(retry.NotStarted))
	p.Settle(held[2], ended(retry.Panicked))
	p.Settle(held[3], ended(retry.Succeeded))
	refused(t, under(p, "job", 1), budget.RuleParent)
	p.Settle(first(0), ended(retry.NotStarted)) // never admitted
	if s := p.Stats(); s.Defects != 2 || s.Tripped != 1 || s.Denied != 2 {
		t.Errorf("%+v; want two defects, one trip, two refusals", s)
	}
	bare := &retry.Attempt{Number: 1} // without a note nothing is taken back
	if err := p.Admit(budget.WithParent(ctx, "other"), bare); err != nil {
		t.Fatal(err)
	}
	p.Settle(bare, ended(retry.NotStarted))
	for range 3 {
		under(p, "other", 1)
	}
	refused(t, under(p, "other", 1), budget.RuleParent)
}

func TestParentsFailClosed(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, test := range []struct {
		name    string
		parents *budget.Parents
		parent  string
		limit   int64
		why     string // "" if it passes
	}{
		{"no parent", &budget.Parents{}, "", 0, "the context has none: use budget.WithParent, or set Loose"},
		{"no parent, loose", &budget.Parents{Loose: true}, "", 0, ""},
		{"long id", &budget.Parents{}, long, 0, "the id is longer than 256 bytes"},
		{"long enough id", &budget.Parents{}, long[1:], 0, ""},
		{"no room", &budget.Parents{Remembered: -1}, "a", 0, "as many are remembered as may be, and none is forgotten; set Remembered higher"},
		{"no room, with a store", &budget.Parents{Remembered: -1, Store: &counts{}}, "a", 0, ""},
		{"broken store", &budget.Parents{Max: 7, Store: &counts{err: errBusy}}, "a", 7, "busy"},
	} {
		err := under(test.parents, test.parent, 1)
		if test.why == "" {
			if err != nil {
				t.Errorf("%s: %v; want nil", test.name, err)
			}
			continue
		}
		e := refused(t, err, budget.RuleParent)
		if e.Err == nil || e.Err.Error() != test.why || e.Limit != test.limit || retry.DefaultClassify(err) != retry.Permanent {
			t.Errorf("%s: %v; want permanent, because %s", test.name, err, test.why)
		}
	}
	for name, p := range map[string]*budget.Parents{
		"negative Max":            {Max: -1},
		"negative Max, store":     {Max: -1, Store: &counts{}},
		"count that is none":      {Store: &counts{n: map[string]int64{"a": -1}}},
		"negative count":          {Store: &counts{n: map[string]int64{"a": -100}}},
		"count above the maximum": {Store: &counts{n: map[string]int64{"a": 100}}},
	} {
		if e := refused(t, under(p, "a", 1), budget.RuleParent); e.Err != nil || p.Stats().Tripped != 1 {
			t.Errorf("%s: %v, %+v; want a trip", name, e, p.Stats())
		}
	}
	p := &budget.Parents{}
	n := 0
	for under(p, "a", 1) == nil {
		n++
	}
	if n != budget.DefaultAttemptsPerParent {
		t.Errorf("%d attempts by default; want %d", n, budget.DefaultAttemptsPerParent)
	}
}

// When memory is full, parents that are known go on, and new ones are refused.
func TestParentsRememberABoundedNumber(t *testing.T) {
	p := &budget.Parents{Remembered: 2, Max: 2}
	for _, step := range []struct {
		parent string
		ok     bool
	}{{"a", true}, {"b", true}, {"c", false}, {"a", true}, {"c", false}, {"b", true}, {"a", false}, {"c", false}} {
		if err := under(p, step.parent, 1); (err == nil) != step.ok {
			t.Errorf("%s: %v; want admitted: %v", step.parent, err, step.ok)
		}
	}
	if s := p.Stats(); s.Remembered != 2 || s.Tripped != 1 || s.Denied != 4 {
		t.Errorf("%+v; want two remembered, one tripped, four refused", s)
	}
	// With a store, memory only spares it questions.
	store, trips := &counts{}, 0
	p = &budget.Parents{Remembered: 1, Max: 1, Store: store, OnTrip: func(context.Context, budget.Trip) { trips++ }}
	for range 3 {
		for _, parent := range []string{"a", "b", "c"} {
			under(p, parent, 1)
		}
	}
	if s := p.Stats(); store.asked != 8 || s.Remembered != 1 || s.Denied != 6 || trips != 5 {
		t.Errorf("%+v, store asked %d times, %d trips; want 8, and 5 because a is remembered", s, store.asked, trips)
	}
}

func TestParentsWaitForTheStoreOnlySoLong(t *testing.T) {
	gone := errors.New("gone")
	for _, halted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStop()
			p := &retry.Policy{Gates: []retry.Gate{s, &budget.Parents{Store: &counts{hang: true}}}}
			ctx, cancel := context.WithCancelCause(budget.WithParent(t.Context(), "a"))
			defer cancel(nil)
			time.AfterFunc(time.Second, func() {
				if halted {
					s.end(gone)
				} else {
					cancel(gone)
				}
			})
			began := time.Now()
			err := retry.Run(ctx, p, func(context.Context) error { t.Error("called"); return nil })
			if d := time.Since(began); !errors.Is(err, gone) || errors.Is(err, budget.ErrSpent) || d != time.Second {
				t.Errorf("halted %v: %v after %v; want %v after 1s", halted, err, d, gone)
			}
		})
	}
}

func TestParentsHoldUnderConcurrency(t *testing.T) {
	for _, store := range []budget.Counts{nil, &counts{}} {
		var mu sync.Mutex
		sent, trips := map[string]int{}, 0
		p := &budget.Parents{Max: 50, Store: store, OnTrip: func(context.Context, budget.Trip) { mu.Lock(); trips++; mu.Unlock() }}
		var calls sync.WaitGroup
		for i := range 8 {
			calls.Go(func() {
				for n := range 200 {
					id := fmt.Sprint("parent ", n%8)
					a := first(uint32(i))
					if p.Admit(budget.WithParent(ctx, id), a) != nil {
						continue
					}
					state := retry.Failed
					if n%3 == 0 {
						state = retry.NotStarted
					} else {
						mu.Lock()
						if sent[id]++; sent[id] > 50 {
							t.Errorf("%s: %d attempts", id, sent[id])
						}
						mu.Unlock()
					}
					p.Settle(a, ended(state))
				}
			})
		}
		calls.Wait()
		if s := p.Stats(); int(s.Tripped) != trips || trips != 8 || s.Defects != 0 {
			t.Errorf("%+v, %d trips; want all 8 to trip once", s, trips)
		}
	}
}

func ExampleParents() {
	orders := &budget.Parents{Max: 2, OnTrip: func(_ context.Context, t budget.Trip) {
		fmt.Printf("stopped %s after %d attempts\n", t.Parent, t.Max)
	}}
	p := &retry.Policy{Name: "venue.place_order", Backoff: immediate, Gates: []retry.Gate{orders}}

	ctx := budget.WithParent(context.Background(), "order 17")
	err := retry.Run(ctx, p, func(context.Context) error { return busy })
	fmt.Println(err.(*retry.Error).Reason)
	// Output:
	// stopped order 17 after 2 attempts
	// retry budget spent: parent "order 17" has had its 2 attempts; find out what they did, then go on under a new parent
}
