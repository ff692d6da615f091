package budget_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// A model is the specification of a Budget in plain words: what there is, and what is held.
type model struct {
	capacity, gain, cost int64
	least, permille      int64
	every                time.Duration

	balance        int64
	firsts         []*retry.Attempt
	retries        []*retry.Attempt
	successes      int64
	started        int64
	last, elapsed  time.Duration
	asked, refused int
}

func (m *model) trickle(now time.Duration) {
	if m.every > 0 && m.asked > 0 {
		n := int64(now-m.last) / int64(m.every)
		m.last += time.Duration(n) * m.every
		m.balance = min(m.capacity, m.balance+n)
	} else {
		m.last = now
	}
	m.elapsed = now
}

// allows says what the Budget must answer to a retry.
func (m *model) allows() bool {
	requests := int64(len(m.firsts) + len(m.retries))
	return m.balance >= m.cost && int64(len(m.retries)) < max(m.least, requests*m.permille/1000)
}

// Any interleaving of admissions and outcomes gives what the specification says, and both bounds hold after every step.
func TestBoundsUnderRandomInterleavings(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			m := model{
				capacity: 1000 * (1 + r.Int64N(20)),
				gain:     1 + r.Int64N(400),
				cost:     500 * (1 + r.Int64N(4)),
				least:    1 + r.Int64N(4),
				permille: 50 * (1 + r.Int64N(10)),
			}
			b := &budget.Budget{
				Ratio:      float64(m.gain) / 1000,
				Max:        float64(m.capacity) / 1000,
				Costs:      budget.Costs{Transient: m.cost, Ambiguous: m.cost, Throttled: m.cost},
				Ceiling:    float64(m.permille) / 1000,
				CeilingMin: int(m.least),
			}
			if r.IntN(2) == 0 {
				b.Trickle, b.Load.Clients = 1, 10 // a milli-token each 10 ms
				m.every = 10 * time.Millisecond
			}
			m.balance = m.capacity
			now := time.Duration(0)
			for step := range 500 {
				now += time.Duration(r.Int64N(int64(100 * time.Millisecond)))
				switch k := r.IntN(10); {
				case k < 3:
					m.firsts = append(m.firsts, admit(t, b, at(first(r.Uint32()), now)))
				case k < 6:
					m.trickle(now)
					m.asked++
					want := m.allows()
					a := at(again(retry.Class(r.IntN(3))), now)
					err := b.Admit(ctx, a)
					if (err == nil) != want {
						t.Fatalf("step %d: Admit = %v; want allowed: %v, in %+v", step, err, want, m)
					}
					if want {
						m.balance -= m.cost
						m.retries = append(m.retries, a)
					}
				case k < 8 && len(m.firsts) > 0:
					a := take(r, &m.firsts)
					m.end(b, a, retry.State(r.IntN(5)), false)
				case len(m.retries) > 0:
					a := take(r, &m.retries)
					m.end(b, a, retry.State(r.IntN(5)), true)
				}
				s := b.Stats()
				if s.Balance != m.balance || s.Retries != int64(len(m.retries)) || s.Requests != int64(len(m.firsts)+len(m.retries)) || s.Started != m.started || s.Defects != 0 {
					t.Fatalf("step %d: %+v; want balance %d, %d retries, %d firsts, %d started", step, s, m.balance, len(m.retries), len(m.firsts), m.started)
				}
				tokens := m.capacity + m.gain*m.successes
				if m.every > 0 {
					tokens += int64(m.elapsed / m.every)
				}
				if most := tokens / m.cost; m.started > most {
					t.Fatalf("step %d: %d retries started; want at most %d", step, m.started, most)
				}
			}
		})
	}
}

// end settles an attempt.
func (m *model) end(b *budget.Budget, a *retry.Attempt, s retry.State, again bool) {
	b.Settle(a, ended(s))
	switch {
	case again && s == retry.NotStarted:
		m.balance += m.cost
	case again:
		m.started++
	}
	if s == retry.Succeeded {
		m.successes++
		m.balance += m.gain
	}
	m.balance = min(m.balance, m.capacity)
}

// take removes one of the attempts in flight.
func take(r *rand.Rand, from *[]*retry.Attempt) *retry.Attempt {
	i := r.IntN(len(*from))
	a := (*from)[i]
	*from = append((*from)[:i], (*from)[i+1:]...)
	return a
}

// The same with goroutines, for the race detector: at no instant are there more retries in flight than the ceiling, nor
// more started than were paid for, also while settings change.
func TestBoundsUnderConcurrency(t *testing.T) {
	for _, change := range []bool{false, true} {
		t.Run(fmt.Sprintf("change %v", change), func(t *testing.T) {
			b := &budget.Budget{Max: 20, Ratio: 0.05, CeilingMin: 4, Ceiling: budget.None}
			var inFlight, started, successes atomic.Int64
			var calls sync.WaitGroup
			for lane := range uint32(8) {
				calls.Go(func() {
					r := rand.New(rand.NewPCG(uint64(lane), 2))
					for range 3000 {
						s := retry.State(1 + r.IntN(4))
						if s == retry.Succeeded {
							successes.Add(1) // before it is earned, so that the bound holds at every instant
						}
						if err := run(b, first(lane), s); err != nil {
							t.Errorf("first attempt: %v", err)
						}
						a := again(retry.Transient)
						if b.Admit(ctx, a) != nil {
							continue
						}
						if n := inFlight.Add(1); n > 4 {
							t.Errorf("%d retries in flight; want at most 4", n)
						}
						if s = retry.State(r.IntN(5)); s == retry.Succeeded {
							successes.Add(1)
						}
						if s != retry.NotStarted {
							if n, most := started.Add(1), (20000+50*successes.Load())/1000; n > most {
								t.Errorf("%d retries started; want at most %d", n, most)
							}
						}
						inFlight.Add(-1)
						b.Settle(a, ended(s))
					}
				})
			}
			done := make(chan bool)
			if change {
				go func() {
					defer close(done)
					for i := range 300 {
						b.Change(&budget.Budget{Max: float64(1 + i*7%20), Ratio: 0.05, CeilingMin: 1 + i%4, Ceiling: budget.None})
						b.Stats()
					}
				}()
			} else {
				close(done)
			}
			calls.Wait()
			<-done
			if s := b.Stats(); s.Requests != 0 || s.Retries != 0 || s.Defects != 0 || s.Balance < 0 || s.Balance > s.Capacity || s.Started != started.Load() {
				t.Errorf("%+v; want nothing in flight, a balance within the bucket, and %d retries started", s, started.Load())
			}
		})
	}
}

// No setting makes the bucket hold more than it may, or less than nothing.
func FuzzSettings(f *testing.F) {
	f.Add(0.1, 10.0, 0.2, 3, 0.2, 0.5, 1.0, 10, int64(1000), int64(1))
	f.Add(math.NaN(), math.Inf(1), math.NaN(), math.MaxInt, math.NaN(), -1.0, math.Inf(1), -1, int64(math.MaxInt64), int64(math.MaxInt64))
	f.Add(-1.0, -1.0, -1.0, math.MinInt, 2.0, 3.0, 5e-324, math.MaxInt, int64(math.MinInt64), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, ratio, most, ceiling float64, least int, normal, sheddable, trickle float64, clients int, cost, times int64) {
		b := &budget.Budget{
			Ratio: ratio, Max: most, Ceiling: ceiling, CeilingMin: least, Floors: budget.Floors{Normal: normal, Sheddable: sheddable},
			Trickle: trickle, Load: budget.Load{Offered: ratio, Capacity: most, Clients: clients}, Costs: budget.Costs{Transient: cost},
		}
		b.Check()
		capacity := b.Stats().Capacity
		admitted := int64(0)
		for i := range 50 {
			for _, p := range []retry.Priority{retry.Sheddable, retry.Normal, retry.Critical} {
				a := at(prio(p), time.Duration(i)*time.Millisecond)
				a.Policy.Cost = times
				if b.Admit(ctx, a) == nil {
					admitted++
					b.Settle(a, ended(retry.State(i%5)))
				}
			}
			earn(b, 1)
			s := b.Stats()
			if s.Balance < 0 || s.Balance > s.Capacity || s.Capacity != capacity || s.Retries != 0 || s.Ceiling < 0 || capacity > 1e12 {
				t.Fatalf("%+v", s)
			}
		}
		if capacity == 0 && admitted > 0 {
			t.Fatalf("%d retries out of nothing", admitted)
		}
	})
}
