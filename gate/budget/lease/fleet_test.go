package lease

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// A fleet is a thousand processes, a coordinator, and a network between them that loses, repeats and reorders. One
// process in four has trouble: it retries as much as it may, and half of those crash every now and then, with
// whatever they hold. The others earn. Time goes in steps of 20 ms; spending and calls are counted in cells of 100 ms.
type fleet struct {
	random    *rand.Rand
	leases    []*Lease
	drift     []float64 // of the clock of each process: 1 is none
	next      []float64 // when each asks
	c         *Coordinator
	mail      [][]func() // by the step in which it arrives
	step      int
	connected bool // there is a network

	calls, spent []int64 // first attempts, and milli-tokens spent, by cell
	messages     int
}

const (
	fleetSize = 1000
	stepTime  = 0.02
	cell      = 5  // steps
	rate      = 4  // first attempts per second and process
	hunger    = 60 // retries per second of one in trouble, if it may
	lifetime  = 20 // cells, of one that crashes
)

func (f *fleet) now() float64 { return float64(f.step) * stepTime }

// process is the time on the clock of process i.
func (f *fleet) process(i int) time.Time { return at(f.now() * f.drift[i]) }

// send lets deliver run after a while, not at all, or several times. Messages of those in trouble are lost more often.
func (f *fleet) send(i, copies int, deliver func()) {
	switch p := f.random.IntN(10); {
	case !f.connected, p == 0, p < 3 && trouble(i):
		return
	case p == 9:
		copies *= 2
	}
	for range copies {
		f.messages++
		when := f.step + 1 + f.random.IntN(10) // up to 0.2 s
		if when < len(f.mail) {
			f.mail[when] = append(f.mail[when], deliver)
		}
	}
}

func (f *fleet) ask(i int) {
	l := f.leases[i]
	r := l.Request(f.process(i))
	f.next[i] = l.Next(f.random.Float64()).Sub(begin).Seconds() / f.drift[i]
	copies := 1
	if broken(i) {
		copies = 6
	}
	f.send(i, copies, func() {
		g := f.c.Grant(r, at(f.now()))
		f.send(i, 1, func() {
			l.Accept(g, f.process(i))
			if l == f.leases[i] {
				f.next[i] = l.Next(f.random.Float64()).Sub(begin).Seconds() / f.drift[i]
			}
		})
	})
}

// live is what process i does in one cell: it makes calls, whose first attempts fail, and retries them.
func (f *fleet) live(i int) {
	a, o := &retry.Attempt{Number: 1, At: f.process(i), Note: new(uint64), Lane: f.random.Uint32()}, &retry.Outcome{State: retry.Failed}
	o.Start, o.End = a.At, a.At
	for range f.count(rate) {
		f.leases[i].Settle(a, o)
		f.calls[f.step/cell]++
	}
	if !trouble(i) {
		return
	}
	a.Number = 2
	for range f.count(hunger) {
		*a.Note = 0
		if f.leases[i].Admit(nil, a) != nil {
			break
		}
		end := *o
		if f.random.IntN(20) == 0 {
			end.State = retry.NotStarted // and so comes back
		} else {
			f.spent[f.step/cell] += price
		}
		f.leases[i].Settle(a, &end)
	}
}

// count draws how many of so many a second fall into a cell.
func (f *fleet) count(perSecond int) (n int) {
	for range perSecond {
		if f.random.IntN(10) == 0 {
			n++
		}
	}
	return n
}

func newFleet(c *Coordinator, connected bool) *fleet {
	f := &fleet{
		random: rand.New(rand.NewPCG(1, 2)), c: c, connected: connected,
		mail:  make([][]func(), fleetCells*cell),
		calls: make([]int64, fleetCells), spent: make([]int64, fleetCells),
	}
	for i := range fleetSize {
		f.leases = append(f.leases, f.start(i))
		f.drift = append(f.drift, 0.996+0.008*f.random.Float64())
		f.next = append(f.next, f.random.Float64())
	}
	return f
}

func trouble(i int) bool { return i%10 == 0 }
func crashes(i int) bool { return i%20 == 0 }
func broken(i int) bool  { return i%2 == 1 } // none that is in trouble: its grants would be wasted, and hide the damage

// start is process i with nothing but its name, which is new.
func (f *fleet) start(i int) *Lease {
	l := &Lease{Process: fmt.Sprint(i, " ", f.step), Valid: time.Second, History: 2 * time.Second, Floor: -1, Want: 1}
	if trouble(i) {
		l.Want = 20_000
	}
	return l
}

func (f *fleet) run() *fleet {
	for ; f.step < fleetCells*cell; f.step++ {
		for _, deliver := range f.mail[f.step] {
			deliver()
		}
		f.mail[f.step] = nil
		for i := range f.leases {
			if crashes(i) && f.random.IntN(lifetime*cell) == 0 {
				f.leases[i], f.next[i] = f.start(i), 0
			}
			if f.now() >= f.next[i] {
				f.ask(i)
			}
			if f.step%cell == i%cell {
				f.live(i)
			}
		}
	}
	return f
}

// used returns the largest part of the bound that any window spent: capacity + floor*(W+T) + ratio*calls(W+T+H).
func (f *fleet) used(capacity, floor, validCells, historyCells int64) (most float64, window string) {
	sum := func(list []int64) []int64 {
		sums := make([]int64, len(list)+1)
		for i, n := range list {
			sums[i+1] = sums[i] + n
		}
		return sums
	}
	spent, calls := sum(f.spent), sum(f.calls)
	for from := range fleetCells {
		for to := from + 1; to <= fleetCells; to++ {
			w := int64(to - from)
			back := max(0, from-int(validCells+historyCells))
			bound := capacity + floor*(w+validCells)/10 + DefaultRatio*(calls[to]-calls[back])
			if part := float64(spent[to]-spent[from]) / float64(bound); part > most {
				most, window = part, fmt.Sprintf("%.1f s to %.1f s", float64(from)/10, float64(to)/10)
			}
		}
	}
	return most, window
}

func total(list []int64) (sum int64) {
	for _, n := range list {
		sum += n
	}
	return sum
}

// Over every window, a thousand processes together spend no more than they may, whatever the network does.
func TestFleet(t *testing.T) {
	const capacity, floor = 1_000_000, 200_000
	c := &Coordinator{Capacity: capacity, Floor: floor, Valid: time.Second}
	f := newFleet(c, true).run()
	used, window := f.used(capacity, floor, 10, 20)
	t.Logf("used %.2f of the bound, from %s; %d retries, %d calls, %d messages", used, window, total(f.spent)/price, total(f.calls), f.messages)
	if used > 1 {
		t.Errorf("used %.3f of the bound, from %s", used, window)
	}
	if used < 0.4 {
		t.Errorf("used %.3f of the bound: the test proves little", used)
	}
	if s := c.State(at(f.now())); s.Tokens < 0 || s.Lent < 0 || s.Tokens > capacity {
		t.Errorf("%+v; want the bucket within its capacity", s)
	}

	alone := newFleet(c, false).run()
	t.Logf("cut off, the same fleet makes %d retries", total(alone.spent)/price)
	if used, _ := alone.used(0, 0, 0, 20); used > 1 {
		t.Errorf("cut off, it used %.3f of what its first attempts earned", used)
	}
}
