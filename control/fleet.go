package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/gate/halt"
)

// A Fleet connects a process with its control plane, such as `relent serve`: stops and overrides come down, leases of
// budgets go both ways, and what can be seen, live events and audit records go up. Calls never wait for it.
//
//	tree := &halt.Tree{File: "stops.json", Lease: halt.DefaultLease}
//	registry.AddStops(tree)
//	fleet := &control.Fleet{URL: "https://ops.example:8470", Token: token, Registry: registry, Stops: tree, Dir: "."}
//	go fleet.Run(ctx)
//
// A stop at the control plane is in force here as soon as it arrives. A release is repeated here if nobody stopped the
// scope here meanwhile; else it stays stopped until somebody releases it in this process. While there is no contact,
// the last word stays in force, and with Tree.Lease the tree then moves to its safe states by itself. After a restart, too:
// stops come from Tree.File, and overrides and configuration from Dir, for the operations that are registered. See [Fleet.Restore].
//
// URL and Registry are needed. The fields are not changed after Run. The methods are safe for concurrent use.
type Fleet struct {
	URL      string         // of the control plane, http or https; paths are put behind it
	Token    string         // a bearer token; empty: none, for a control plane on the loopback address
	Registry *Registry      // what is shown and tuned
	Stops    *halt.Tree     // that follows the control plane; nil: stops do not reach this process
	Leases   []*lease.Lease // whose tokens the control plane lends
	Dir      string         // where fleet.json keeps what the control plane said, of one process; empty: a restart forgets it, and then releases do not reach what was stopped before it
	Interval time.Duration  // between reports; not positive means 1 s; at least 100 ms
	Client   *http.Client   // nil means one without a time limit; every request here has its own

	once    sync.Once
	broken  error           // why fleet.json is not used
	tuned   map[string]bool // operations that were tuned by orders; used by listen alone, as is what follows
	present int             // operations that there were when the last orders were carried out
	undone  bool            // some of them could not be recorded
	tried   time.Time       // when they were carried out
	drilled []string        // the last drills that were gone through
	told    chan Drilled    // what is to be said of them

	mu     sync.Mutex
	synced map[string]uint64 // epochs of scopes in which nobody here gave a command since; guarded by mu, and replaced as a whole
	last   wish              // what the last whole orders say; guarded by mu
	dirty  bool              // fleet.json is older than synced and last; guarded by mu
	state  FleetState        // guarded by mu
}

// A FleetState says how a process stands with its control plane.
type FleetState struct {
	Connected bool      // orders arrive
	Heard     time.Time // when the control plane was heard the last time
	Version   uint64    // of the last orders
	Reports   uint64    // that arrived
	Failures  uint64    // of connections and reports
	Err       error     // of the last failure, nil after a success
}

// State returns how things stand.
func (f *Fleet) State() FleetState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (f *Fleet) Check() error {
	var errs []error
	if u, err := url.Parse(f.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("URL: %q is not an http or https URL of a host", f.URL))
	}
	if f.Registry == nil {
		errs = append(errs, errors.New("Registry: nil; there is nothing to show or tune"))
	}
	for i, l := range f.Leases {
		if l == nil {
			errs = append(errs, fmt.Errorf("Leases: number %d is nil", i))
		}
	}
	if f.Dir != "" {
		if info, err := os.Stat(f.Dir); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("Dir: %s is not a folder that can be read", f.Dir))
		}
	}
	return errors.Join(errs...)
}

// Run keeps contact until ctx ends, and returns its cause, or what Check finds. It returns when everything it began has ended.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.Check(); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	f.Restore(ctx) // which shows what it cannot do
	var all sync.WaitGroup
	all.Go(func() { f.listen(ctx) })
	all.Go(func() { f.report(ctx) })
	all.Go(func() { f.tell(ctx) })
	for _, l := range f.Leases {
		all.Go(func() { f.borrow(ctx, l) })
	}
	all.Wait()
	return context.Cause(ctx)
}

func (f *Fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Failures++
	f.state.Err = err
}

// again is how long to wait after failures in a row, so that a fleet does not come back in step.
var again = backoff.Exponential{Base: 200 * time.Millisecond, Max: 5 * time.Second, Jitter: backoff.Full}

// pause waits after the n-th failure in a row, and says whether to go on.
func pause(ctx context.Context, n int) bool {
	return sleep(ctx, max(10*time.Millisecond, again.Delay(n, 0, rand.Float64())))
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
