package linear

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var (
	seed  = flag.Uint64("seed", 1, "of the histories")
	times = flag.Int("times", 1, "how many times the usual number of histories")
)

// A trial is one gate and what is done to it. Its methods record operations with [do].
type trial interface {
	before(c *client) // by one client alone
	step(c *client)   // by any client, at the same time as others: at most one operation
	after(c *client)  // by one client alone
}

// A family makes trials for one model.
type family struct {
	model porcupine.Model
	trial func(r *rand.Rand, clients int) trial
	loose func(all []porcupine.Operation, i int) // tells input i what overlaps with it; may be nil
}

// A client is one of the goroutines of a history.
type client struct {
	id    int
	rand  *rand.Rand
	clock *atomic.Int64
	ops   []porcupine.Operation
}

// do records one operation. What f returns may still be changed afterwards.
func do[I, O any](c *client, in *I, f func() O) *O {
	out := new(O)
	op := porcupine.Operation{ClientId: c.id, Input: in, Output: out}
	op.Call = c.clock.Add(1)
	*out = f()
	op.Return = c.clock.Add(1)
	c.ops = append(c.ops, op)
	return out
}

// chance is true once in n times.
func (c *client) chance(n int) bool { return c.rand.IntN(n) == 0 }

// A history is a trial in progress.
type history struct {
	number  int
	trial   trial
	clock   atomic.Int64
	clients []*client // and one more, who is alone
	steps   int
	arrived atomic.Int32
}

func (f *family) history(number int) *history {
	random := func(n int) *rand.Rand { return rand.New(rand.NewPCG(*seed<<32+uint64(number), uint64(n))) }
	r := random(0)
	n := 2 + r.IntN(workers-1)
	h := &history{number: number, trial: f.trial(r, n), steps: 2 + r.IntN(4)}
	for i := range n + 1 {
		h.clients = append(h.clients, &client{id: i, rand: random(1 + i), clock: &h.clock})
	}
	return h
}

func (h *history) alone() *client { return h.clients[len(h.clients)-1] }

// take is what a worker does in a history, at the same time as the others. All of them go from history to history, so that
// on a busy machine, too, there is always one who waits to run on each processor.
func (h *history) take(w int) {
	n := len(h.clients) - 1
	w = (w + h.number) % workers // so that none is always left out
	if w >= n {
		return
	}
	h.arrived.Add(1)
	for spins := 1; int(h.arrived.Load()) < n; spins++ {
		if spins%64 == 0 {
			runtime.Gosched() // there may be fewer processors than workers
		}
	}
	c := h.clients[w]
	for range h.steps {
		if c.chance(4) {
			runtime.Gosched()
		}
		h.trial.step(c)
	}
}

// operations returns what was done, in the order of the calls.
func (h *history) operations() []porcupine.Operation {
	var all []porcupine.Operation
	for _, c := range h.clients {
		all = append(all, c.ops...)
	}
	slices.SortFunc(all, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return all
}

func overlap(a, b porcupine.Operation) bool {
	return a.ClientId != b.ClientId && a.Call < b.Return && b.Call < a.Return
}

const (
	workers = 4   // clients of a history, at most
	batch   = 256 // histories that are run before they are checked
)

// A tally is what came of many histories.
type tally struct {
	histories  int
	operations int
	overlapped int // histories
	pairs      int // of operations that overlapped
	refused    *history
	took       time.Duration
}

// run makes n histories and checks them, until one has no explanation.
func (f *family) run(n int) (sum tally) {
	began := time.Now()
	for first := 0; first < n && sum.refused == nil; first += batch {
		histories := make([]*history, min(batch, n-first))
		for i := range histories {
			histories[i] = f.history(first + i)
			histories[i].trial.before(histories[i].alone())
		}
		var busy sync.WaitGroup
		for w := range workers {
			busy.Go(func() {
				for _, h := range histories {
					h.take(w)
				}
			})
		}
		busy.Wait()
		var parts [2]tally
		for p := range parts {
			busy.Go(func() {
				for i := p; i < len(histories); i += len(parts) {
					f.check(histories[i], &parts[p])
				}
			})
		}
		busy.Wait()
		for _, p := range parts {
			sum.histories += p.histories
			sum.operations += p.operations
			sum.overlapped += p.overlapped
			sum.pairs += p.pairs
			if p.refused != nil && (sum.refused == nil || p.refused.number < sum.refused.number) {
				sum.refused = p.refused
			}
		}
	}
	sum.took = time.Since(began)
	return sum
}

func (f *family) check(h *history, sum *tally) {
	h.trial.after(h.alone())
	all := h.operations()
	pairs := 0
	for i := range all {
		for j := range i {
			if overlap(all[i], all[j]) {
				pairs++
			}
		}
		if f.loose != nil {
			f.loose(all, i)
		}
	}
	sum.histories++
	sum.operations += len(all)
	sum.pairs += pairs
	if pairs > 0 {
		sum.overlapped++
	}
	if sum.refused == nil && !porcupine.CheckOperations(f.model, all) {
		sum.refused = h
	}
}

// holds checks that every history has an explanation.
func (f *family) holds(t *testing.T, n int) {
	t.Helper()
	n = count(n)
	sum := f.run(n)
	for tries := 0; sum.overlapped == 0 && sum.refused == nil && tries < 50; tries++ { // the machine is busy with others
		sum = f.run(n)
	}
	t.Logf("%d histories of %d operations in %v; in %d of them some overlap, %d pairs in all",
		sum.histories, sum.operations, sum.took.Round(time.Millisecond), sum.overlapped, sum.pairs)
	if h := sum.refused; h != nil {
		t.Errorf("history %d of seed %d has no explanation:\n%s", h.number, *seed, f.describe(h))
		f.draw(t, h)
		return
	}
	if sum.overlapped == 0 {
		t.Errorf("no operations overlap in %d histories, so they prove nothing", sum.histories)
	}
	done.Add(int64(sum.histories))
}

// fails checks that a broken gate is found out.
func (f *family) fails(t *testing.T, n int) {
	t.Helper()
	sum := f.run(count(n))
	if sum.refused == nil {
		t.Fatalf("all of %d histories of a broken gate have an explanation, with %d pairs of operations that overlap", sum.histories, sum.pairs)
	}
	t.Logf("found out by history %d, after %v:\n%s", sum.refused.number, sum.took.Round(time.Millisecond), f.describe(sum.refused))
}

func count(n int) int {
	n = n * *times / slowdown
	if testing.Short() {
		n /= 10
	}
	return n
}

// done counts the histories of all tests.
var done atomic.Int64

func (f *family) describe(h *history) string {
	var b strings.Builder
	for _, op := range h.operations() {
		who := fmt.Sprintf("goroutine %d", op.ClientId)
		if op.ClientId == h.alone().id {
			who = "alone      "
		}
		fmt.Fprintf(&b, "  %3d to %3d  %s  %s\n", op.Call, op.Return, who, f.model.DescribeOperation(op.Input, op.Output))
	}
	return b.String()
}

// draw keeps a picture of a history, for a browser.
func (f *family) draw(t *testing.T, h *history) {
	_, info := porcupine.CheckOperationsVerbose(f.model, h.operations(), 10*time.Second)
	name := filepath.Join(t.ArtifactDir(), "history.html")
	file, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	if err := porcupine.Visualize(f.model, info, file); err != nil {
		t.Error(err)
	}
	t.Logf("its picture, if go test has -artifacts: %s", name)
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if n := done.Load(); n > 0 && testing.Verbose() {
		fmt.Printf("%d histories in all have an explanation\n", n)
	}
	os.Exit(code)
}
