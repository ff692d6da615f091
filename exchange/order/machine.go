package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/retry"
)

// A Machine carries out intents at one venue for one account. It is the [exchange.Desk] of the transport below the
// venue's SDK.
//
// Set the fields, call Check, start Run in a goroutine of yours, and wait for Ready. Until then, and after Run has
// returned, nothing is sent. A Machine is safe for concurrent use; its fields must not change once Run has begun.
type Machine struct {
	Scope // Venue, Account, and the prefix of the client ids, at most 6 letters or digits

	Adapter Venue  // the SDK
	Log     Log    // durable
	Rules   Rules  // of the venue
	Clock   Clock  // the venue's
	Alert   Alert  // for what needs a person
	Owner   string // names this process in the lease: host and process id, say

	Risk   Risk   // nil refuses orders that can raise risk, unless Unguarded
	Book   Book   // nil refuses intents with a price guard, and all resends of orders that can fill, unless Unguarded
	Stream Stream // the private stream; nil counts as one that always has gaps: lists are read instead
	Ban    Ban    // nil: the transport knows about bans

	// Unguarded lets first attempts pass without Risk and Book. Intents with a price guard still need a Book.
	Unguarded bool

	Gates  []retry.Gate // before each order, amend and replacement; the emergency stop is one of them
	Reduce []retry.Gate // before cancels and reduce-only orders, such as halt.Gate.RiskReducing

	Watch func(Order) // told after each change, in the goroutine that made it; must be quick

	DeadMan      time.Duration // the venue cancels all orders if we fall silent for so long, where the adapter is a [Switch]; not positive: never
	Lease        time.Duration // not positive means 15 s
	Sweep        time.Duration // working orders are read at least so often, whatever the stream says; not positive means 1 min
	SendTimeout  time.Duration // of one attempt; not positive means 10 s
	ReadTimeout  time.Duration // of one read; not positive means 5 s
	Workers      int           // goroutines of Run that verify, repair and send again; not positive means 4
	MaxOpen      int           // intents that are not closed; not positive means 10,000
	MaxRemember  int           // closed intents kept in memory for late evidence; not positive means 4,096
	MaxIdleSends int           // attempts of an intent that sent nothing, before it is given up; not positive means 20

	once  sync.Once
	ready chan struct{}
	done  chan struct{} // closed when Run has returned

	mu       sync.Mutex
	running  bool               // guarded by mu, as is all below
	began    bool               // Run was called
	stop     context.CancelFunc // of Run
	lease    Lease
	dead     error // why nothing is sent any more
	byID     map[string]*life
	byWire   map[string]*life
	byVenue  map[string]*life
	closed   []string // ids in byID that may be forgotten, oldest first
	open     int
	parked   map[lane]int      // symbols and sides with parked orders
	breaches int               // of the account
	restored map[string]int    // symbols with orders that a restart found and nobody has read yet
	assets   map[string]assets // of symbols
	tides    map[holding]tide  // what was traded
	canary   *life             // an order known to exist
	due      schedule
	wake     chan struct{}

	calls  sync.WaitGroup // of callers
	wired  atomic.Bool    // requests do come through the desk
	counts counts
}

// A lane is what a parked order closes.
type lane struct {
	symbol string
	side   Side
}

var _ exchange.Desk = (*Machine)(nil)

func (m *Machine) init() {
	m.once.Do(func() {
		m.ready, m.done, m.wake = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
		m.byID, m.byWire, m.byVenue = make(map[string]*life), make(map[string]*life), make(map[string]*life)
		m.parked, m.restored = make(map[lane]int), make(map[string]int)
		m.assets, m.tides = make(map[string]assets), make(map[holding]tide)
	})
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil. Run does not start with
// mistakes.
func (m *Machine) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		name    string
		missing bool
		why     string
	}{
		{"Venue", m.Venue == "", "orders need a venue"},
		{"Account", m.Account == "", "orders need an account"},
		{"Adapter", m.Adapter == nil, "nothing could be sent"},
		{"Log", m.Log == nil, "a log that cannot be written means no order"},
		{"Clock", m.Clock == nil, "deadlines count by the venue's clock"},
		{"Alert", m.Alert == nil, "a parked order always has an alert"},
		{"Owner", m.Owner == "", "the lease needs a name that no other process has"},
		{"Risk", m.Risk == nil && !m.Unguarded, "set it, or say Unguarded"},
		{"Book", m.Book == nil && !m.Unguarded, "set it, or say Unguarded"},
	} {
		if f.missing {
			mistake("%s: is missing: %s", f.name, f.why)
		}
	}
	if len(m.Prefix) > MaxPrefix || !plain(m.Prefix) {
		mistake("Prefix: %.40q is not at most %d letters and digits", m.Prefix, MaxPrefix)
	}
	if err := m.Rules.Check(); err != nil {
		mistake("Rules: %w", err)
	}
	return errors.Join(errs...)
}

func (m *Machine) leaseSpan() time.Duration   { return positive(m.Lease, 15*time.Second) }
func (m *Machine) sendTimeout() time.Duration { return positive(m.SendTimeout, 10*time.Second) }
func (m *Machine) readTimeout() time.Duration { return positive(m.ReadTimeout, 5*time.Second) }
func (m *Machine) maxOpen() int               { return cmp.Or(max(0, m.MaxOpen), 10_000) }
func (m *Machine) maxRemember() int           { return cmp.Or(max(0, m.MaxRemember), 4096) }
func (m *Machine) maxIdleSends() int          { return cmp.Or(max(0, m.MaxIdleSends), 20) }
func (m *Machine) workers() int               { return cmp.Or(max(0, m.Workers), 4) }

// enter begins a call, or says why nothing may be sent. A call that was let in must leave.
func (m *Machine) enter() error {
	m.init()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	m.calls.Add(1)
	return nil
}

func (m *Machine) leave() { m.calls.Done() }

// usable needs mu.
func (m *Machine) usable() error {
	switch {
	case m.dead != nil:
		return m.dead
	case !m.running:
		return ErrNotReady
	}
	return nil
}

// fail ends all sending. Reads and evidence go on as far as the log lets them.
func (m *Machine) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead == nil {
		m.dead = err
		if m.stop != nil {
			m.stop()
		}
	}
}

// now returns the venue's time, or the local one where there is no estimate: it is for the log only then.
func (m *Machine) now() time.Time {
	now, _, ok := m.Clock.Venue()
	if !ok {
		return time.Now()
	}
	return now
}

// alarm needs the turn of the life that it is about.
func (m *Machine) alarm(ctx context.Context, k AlarmKind, l *life, format string, args ...any) {
	a := Alarm{Kind: k, Scope: m.Scope, Text: fmt.Sprintf(format, args...), At: m.now()}
	if l != nil {
		s := l.story
		a.ID, a.Symbol, a.Side, a.State = s.Intent.ID, s.Intent.Symbol, s.Intent.Side, s.State
	}
	m.counts.alarms.Add(1)
	m.Alert.Raise(ctx, a)
}
