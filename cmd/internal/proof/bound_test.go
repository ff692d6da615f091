package proof

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// The parts of within beside what the rules say. Those of the machine are the defaults of its fields.
const (
	attempt = 11 * time.Second // SendTimeout, and a second more until an adapter that does not come back is given up
	signed  = 3 * time.Second  // the window of an attempt, and the error of the clock
	full    = time.Minute      // the weight of a minute is used up when a read is due: it waits for the next minute
	step    = 25 * time.Second // query, lists, fills, holding and canary, each for ReadTimeout at most
)

// within is the longest that an intent may take from its max age to a verdict (I5: max age + proof bound + read budget):
//
//   - the last attempt may begin at the max age; it takes its time, and then its deadline and the residual must pass;
//   - reads take the budget, which is looked at between two steps: the last of them may have to wait for weight, and reads;
//   - a process that crashes takes with it how far its reads had come, and the next one begins them anew;
//   - while there is no process, or a ban forbids all reads, nobody can know more.
//
// Weight may be short long before the venue's limit: a 429 for no reason makes the limiter aim lower for some minutes.
func (a *arena) within(from, to time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	budget, first := cmp.Or(a.rules.Budget, time.Minute), cmp.Or(a.rules.FirstWait, 500*time.Millisecond)
	readers := time.Duration(1)
	for _, began := range a.lives {
		if began.After(from) && began.Before(to) {
			readers++
		}
	}
	return attempt + signed + a.rules.Residual + readers*(first+budget+full+step) + overlap(a.pauses, from, to)
}

// A pause is a time in which nobody reads.
type pause struct {
	from, to time.Time
	why      string
}

func (p pause) String() string {
	return fmt.Sprintf("%s to %s: %s", clockOf(p.from), clockOf(p.to), p.why)
}

func (a *arena) pause(from, to time.Time, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pauses = append(a.pauses, pause{from, to, why})
}

// overlap is how much of a time the pauses take, each moment counted once.
func overlap(pauses []pause, from, to time.Time) (sum time.Duration) {
	pauses = slices.SortedFunc(slices.Values(pauses), func(a, b pause) int { return a.from.Compare(b.from) })
	for _, p := range pauses {
		if p.from.After(from) {
			from = p.from
		}
		end := p.to
		if end.After(to) {
			end = to
		}
		if end.After(from) {
			sum += end.Sub(from)
			from = end
		}
	}
	return sum
}

func TestOverlap(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	pauses := []pause{{at(30), at(40), ""}, {at(10), at(20), ""}, {at(12), at(15), ""}, {at(18), at(25), ""}}
	for _, test := range []struct{ from, to, want int }{
		{0, 5, 0}, {0, 50, 25}, {14, 19, 5}, {21, 35, 9}, {26, 29, 0}, {41, 50, 0},
	} {
		if got := overlap(pauses, at(test.from), at(test.to)); got != time.Duration(test.want)*time.Second {
			t.Errorf("overlap(%d, %d) = %v; want %d s", test.from, test.to, got, test.want)
		}
	}
}

// An order is settled when the log says so, also if the process dies before it can tell.
func TestSettledAtACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := newArena(trial{faults: "calm", profile: "binance", seed: 1, traders: 8, each: 20, crashes: 30, halts: 1, log: inMemory})
		if err != nil {
			t.Fatal(err)
		}
		a.trade()
		for id, x := range a.notes.by {
			entries, err := a.log.Load(t.Context(), a.scope, id)
			if err != nil {
				t.Fatal(err)
			}
			for n, e := range entries {
				o, err := order.Replay(entries[:n+1])
				if err != nil {
					t.Fatal(err)
				}
				if certain(o.State) {
					if late := x.settled.Sub(e.At); late.Abs() > 5*time.Second { // the next process begins later than that
						t.Errorf("%s: settled %v after the log said %v", id, late, o.State)
					}
					break
				}
			}
		}
	})
}

// A banTimes is a store that notes when bans held.
type banTimes struct {
	exchange.BanStore
	arena *arena
}

func (b banTimes) Save(ctx context.Context, ban exchange.Ban) error {
	b.arena.pause(time.Now(), ban.Until.Add(time.Second), "banned: "+ban.Signal) // a second until the first read tries
	return b.BanStore.Save(ctx, ban)
}
