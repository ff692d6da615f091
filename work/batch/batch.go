package batch

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/relent-go/relent/retry"
)

// ErrHeldBack is why an item was not sent that comes after another in its order.
var ErrHeldBack = retry.Mark(errors.New("held back: an item before it in its order did not succeed"), retry.Transient)

// most is how many items may be under way, those that wait included. What is beyond waits for them.
const most = 1024

// Do calls fn for each item until it succeeds or the policy says to stop, Options.Concurrency at a time, and reports what became of
// each. The error is that of [Report.Err]. [Key] of fn's context is the item's.
//
// An item that waits to be tried again takes no room from the others, up to 1,024 items under way; what is beyond begins
// as those end.
//
// Do returns when all items have ended; the end of ctx lets those that have not begun be NotSent. It is safe for concurrent
// use. o may be nil.
func Do[T, V any](ctx context.Context, s retry.Source, items []T, fn func(context.Context, T) (V, error), o *Options[T, V]) (*Report[V], error) {
	b := newRun(ctx, s, items, o)
	slots := slots(make(chan struct{}, b.concurrency))
	p := b.with(slots)
	b.workers(func() caller[T, V] {
		return func(ctx context.Context, item Item[T], attempts *int) (V, error) {
			if fn == nil {
				return retry.Do[V](ctx, p, nil)
			}
			return retry.Do(ctx, p, func(ctx context.Context) (V, error) {
				*attempts++
				return fn(ctx, item.Value)
			})
		}
	}, func() {})
	return b.end()
}

// A caller does one item, and counts its attempts.
type caller[T, V any] func(ctx context.Context, item Item[T], attempts *int) (V, error)

// A run is a batch under way.
type run[T, V any] struct {
	Options[T, V]
	ctx         context.Context // ends when something panicked
	cancel      context.CancelFunc
	policy      *retry.Policy
	items       []T
	concurrency int
	report      *Report[V]
	chains      [][]int // the items that must be done in order

	mu    sync.Mutex
	next  int    // of chains; guarded by mu, as what follows
	panic *Panic // the first

	telling  sync.Mutex // held while Progress is called, so that it is called by one at a time
	progress Progress   // guarded by telling
}

func newRun[T, V any](ctx context.Context, s retry.Source, items []T, o *Options[T, V]) *run[T, V] {
	b := &run[T, V]{policy: (*retry.Policy)(nil).Current(), items: items, concurrency: DefaultConcurrency, report: &Report[V]{Outcomes: make([]Outcome[V], len(items))}}
	if o != nil {
		b.Options = *o
	}
	if s != nil {
		b.policy = cmp.Or(s.Current(), b.policy)
	}
	if b.Concurrency > 0 {
		b.concurrency = b.Concurrency
	}
	if ctx == nil {
		c, cancel := context.WithCancelCause(context.Background())
		cancel(retry.ErrNilContext)
		ctx = c
	}
	b.ctx, b.cancel = context.WithCancel(ctx)
	b.progress.Total = len(items)
	b.report.Key = cmp.Or(b.Key, rand.Text())
	b.chain()
	return b
}

// with returns the policy with one more gate: the last, so that its Start is asked first.
func (b *run[T, V]) with(g retry.Gate) *retry.Policy {
	p := *b.policy
	p.MaxAttempts = p.Attempts() // of the policy as it was: ours is no gate that ends a call
	p.Gates = append(append([]retry.Gate{}, p.Gates...), g)
	return &p
}

// chain finds out which items must be done in order, and names them all.
func (b *run[T, V]) chain() {
	of := map[string]int{}
	for i, item := range b.items {
		o := &b.report.Outcomes[i]
		o.Index, o.Key = i, fmt.Sprintf("%s/%d", b.report.Key, i)
		if b.ItemKey != nil {
			o.Key = b.ItemKey(i, item)
		}
		name := ""
		if b.Order != nil {
			name = b.Order(item)
		}
		at, ok := of[name]
		if name == "" || !ok {
			of[name] = len(b.chains)
			b.chains = append(b.chains, []int{i})
			continue
		}
		b.chains[at] = append(b.chains[at], i)
	}
}

// workers does all chains with calls as each worker makes them. leave is called when a worker has ended.
func (b *run[T, V]) workers(call func() caller[T, V], leave func()) {
	var group sync.WaitGroup
	for range min(len(b.chains), max(most, b.concurrency)) {
		do := call()
		group.Go(func() {
			defer leave()
			b.work(do)
		})
	}
	group.Wait()
	b.cancel()
	if b.panic != nil {
		panic(b.panic)
	}
}

// work does chains until there are none.
func (b *run[T, V]) work(do caller[T, V]) {
	at := -1 // the item under way
	returned := false
	defer func() {
		if !returned {
			b.fell(at, recover())
		}
	}()
	for chain := b.take(); chain != nil; chain = b.take() {
		held := false
		for _, at = range chain {
			o := &b.report.Outcomes[at]
			if held {
				o.Err, o.Class = ErrHeldBack, retry.Transient
			} else {
				b.one(o, do)
			}
			held = held || o.State == Unknown || b.Strict && o.State != Succeeded
			b.tell(o.State)
		}
	}
	returned = true
}

func (b *run[T, V]) take() (chain []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next < len(b.chains) {
		chain = b.chains[b.next]
		b.next++
	}
	return chain
}

// fell keeps what a function of the caller's panicked with, if it did not end its goroutine.
func (b *run[T, V]) fell(index int, value any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.panic == nil {
		b.panic = &Panic{Index: index, Value: value, Stack: debug.Stack()}
	}
	b.cancel()
}

func (b *run[T, V]) item(i int) Item[T] {
	return Item[T]{Index: i, Key: b.report.Outcomes[i].Key, Value: b.items[i]}
}

// one does one item.
func (b *run[T, V]) one(o *Outcome[V], do caller[T, V]) {
	item := b.item(o.Index)
	value, err := do(context.WithValue(b.ctx, keyContext{}, o.Key), item, &o.Attempts)
	b.ended(o, item, value, err)
}

// ended keeps how the call for an item ended, and has it reconciled if that is not known.
func (b *run[T, V]) ended(o *Outcome[V], item Item[T], value V, err error) {
	o.Value, o.Err = value, err
	if err == nil {
		o.State = Succeeded
	} else {
		o.failed(err)
	}
	if o.State != Unknown || b.Reconcile == nil || b.ctx.Err() != nil {
		return
	}
	value, finding, err := b.Reconcile(b.ctx, item, o.Err)
	switch {
	case err != nil:
		o.Err = fmt.Errorf("%w; reconciling: %w", o.Err, err)
	case finding == Applied:
		o.State, o.Value, o.Err, o.Class, o.Reconciled = Succeeded, value, nil, 0, true
	case finding == Absent:
		o.State, o.Class, o.Reconciled = Failed, retry.Transient, true
	}
}

// failed takes what there is to know from the error of a call.
func (o *Outcome[V]) failed(err error) {
	o.Err, o.Class, o.State = err, retry.DefaultClassify(err), Failed
	if e, _ := errors.AsType[*retry.Error](err); e.Unknown {
		o.State = Unknown
	} else if o.Attempts == 0 {
		o.State = NotSent
	}
}

// tell counts, and tells of, an item that ended.
func (b *run[T, V]) tell(s State) {
	b.telling.Lock()
	defer b.telling.Unlock()
	p := &b.progress
	p.Ended++
	*[...]*int{&p.NotSent, &p.Failed, &p.Unknown, &p.Succeeded}[s]++
	if b.Progress != nil {
		b.Progress(*p)
	}
}

func (b *run[T, V]) end() (*Report[V], error) { return b.report, b.report.Err() }

// A Panic is what a batch panics with when a function of the caller's did.
type Panic struct {
	Index int    // of the item
	Value any    // nil if the function ended its goroutine
	Stack []byte // of the function
}

// Error describes it with the stack, for it is printed when the program dies of it.
func (p *Panic) Error() string {
	what := "ended its goroutine"
	if p.Value != nil {
		what = fmt.Sprintf("panicked: %v", p.Value)
	}
	return fmt.Sprintf("item %d %s\n\n%s", p.Index, what, p.Stack)
}

// slots is a gate that lets as many attempts run as it has room for. An attempt that waits for another holds none.
type slots chan struct{}

// Admit implements [retry.Gate].
func (slots) Admit(context.Context, *retry.Attempt) error { return nil }

// Start waits for a slot.
func (s slots) Start(ctx context.Context, a *retry.Attempt) error {
	halted := a.Halted()
	select {
	case s <- struct{}{}:
		a.Keep(1)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-halted.Done():
		return context.Cause(halted)
	}
}

// Settle gives the slot back.
func (s slots) Settle(a *retry.Attempt, _ *retry.Outcome) {
	if a.Kept() == 1 {
		<-s
	}
}
