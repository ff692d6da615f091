package venue

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Venue is a simulated exchange. It is an http.Handler for the public REST interface; Admin is another one, for the
// operator. All methods are safe for concurrent use.
type Venue struct {
	// Faults are the rules by which requests suffer; a new venue has none.
	Faults Faults

	cfg     Config         // complete; not modified
	keys    map[string]int // API key to index of cfg.Accounts
	profile Profile
	closed  chan struct{}

	starting sync.Mutex     // between the start of work and Close
	ended    bool           // guarded by starting
	work     sync.WaitGroup // goroutines of the venue

	mu    sync.Mutex
	world *world // guarded by mu
}

// A world is everything that a reset replaces.
type world struct {
	seed   uint64
	seq    uint64 // number of the latest request
	engine *engine
	limits *limits
	log    *journal
	ledger *ledger

	listenKeys map[string]int // to the number of their account
}

// New returns a venue that is open for business. Values of cfg that make no sense are replaced by defaults;
// Config.Validate tells which.
func New(cfg Config) *Venue {
	cfg, _ = cfg.complete()
	v := &Venue{cfg: cfg, profile: *cfg.Custom, keys: map[string]int{}, closed: make(chan struct{})}
	for i, a := range cfg.Accounts {
		v.keys[a.Key] = i
	}
	v.Reset(cfg.Seed)
	return v
}

// Reset empties the venue and starts it with a new seed; 0 means 1. Fault rules stay and begin anew. Requests that are
// under way, held ones above all, lose their connection and do nothing; streams are cut.
func (v *Venue) Reset(seed uint64) {
	cfg, start := v.cfg, time.Now()
	cfg.Seed = max(seed, 1)
	ledger := newLedger(cfg.Limits, cfg.MaxOrders)
	log := &journal{keep: cfg.KeepLog}
	hub := newHub(&v.Faults, log, ledger)
	w := &world{
		seed: cfg.Seed, ledger: ledger, log: log,
		engine: newEngine(cfg, log, ledger, hub, start),
		limits: newLimits(cfg.Limits, cfg.Custom.Limits, ledger, start), listenKeys: map[string]int{},
	}
	hub.engine = w.engine
	w.engine.after = func(d time.Duration, f func(time.Time)) {
		v.spawn(func() {
			if !v.wait(d) {
				return
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.world == w {
				w.log.seq = 0
				f(time.Now())
			}
		})
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.world != nil {
		old := v.world.engine.hub
		for _, l := range slices.Clone(old.links) {
			old.cut(l, "reset", start)
		}
	}
	v.world = w
	v.Faults.restart(cfg.Seed, start)
}

// Close ends the venue: held requests and all later ones have their connection cut. It waits for those that came by
// Transport and for streams, not for those of an http.Server; closing that does. The oracle and the log can still be
// read.
func (v *Venue) Close() {
	v.starting.Lock()
	if !v.ended {
		v.ended = true
		close(v.closed)
	}
	v.starting.Unlock()
	v.work.Wait()
}

// spawn starts a goroutine that Close waits for, unless the venue is closed.
func (v *Venue) spawn(f func()) bool {
	v.starting.Lock()
	defer v.starting.Unlock()
	if v.ended {
		return false
	}
	v.work.Go(f)
	return true
}

// Oracle returns the venue's account of what clients did so far.
func (v *Venue) Oracle() Oracle {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.world
	o := w.ledger.oracle(w.seed)
	o.book = func(symbol string, sequence int64) (bids, asks [][2]string, ok bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		b, ok := w.book(symbol, sequence)
		return b.Bids, b.Asks, ok
	}
	for _, s := range w.engine.symbols {
		o.Sequences[s] = w.engine.markets[s].updates
	}
	return o
}

// Book returns a market's book as it was after the update with an id, and false if the venue no longer knows, which
// Config.KeepBook decides, or never did.
func (v *Venue) Book(symbol string, sequence int64) (BookReport, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.world.book(symbol, sequence)
}

func (w *world) book(symbol string, sequence int64) (BookReport, bool) {
	m := w.engine.markets[symbol]
	if m == nil {
		return BookReport{}, false
	}
	bids, asks, ok := m.bookAt(sequence)
	return BookReport{symbol, sequence, pairs(bids), pairs(asks)}, ok
}

// Log returns the kept entries with N above since, the oldest first. A gap after since means that entries were
// dropped because of Config.KeepLog.
func (v *Venue) Log(since uint64) []Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.world.log.since(since)
}

// wait lets d pass, whether or not the client is still there. It returns false, at once, when the venue is closed.
func (v *Venue) wait(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-v.closed:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-v.closed:
		return false
	}
}

var _ http.Handler = (*Venue)(nil)
