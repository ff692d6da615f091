package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
)

// A trial is one run: who trades how much on which venue in which weather.
type trial struct {
	faults, profile string
	seed            uint64
	traders, each   int  // intents of each trader
	crashes         int  // of the process
	halts           int  // of all new orders
	flaky           bool // the log loses an answer now and then
	log             func() order.Log
	after           func()                              // ends the log
	alpaca          bool                                // by its interface and SDK, in place of Binance's
	bans            exchange.BanStore                   // nil: in memory
	owner           string                              // of all processes; empty: each has its own, and waits for the lease
	spoil           func(*process, *exchange.Transport) // breaks each process on purpose before it begins
}

func (c trial) String() string {
	return fmt.Sprintf("faults %s, profile %s, seed %d, %d traders with %d intents each, %d crashes, %d halts, flaky %v",
		c.faults, c.profile, c.seed, c.traders, c.each, c.crashes, c.halts, c.flaky)
}

// latency is that of the network, each way.
const latency = 2 * time.Millisecond

var symbols = []string{"BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT", "XRPUSDT", "DOTUSDT", "LTCUSDT", "BNBUSDT"}

// An arena is where a trial takes place: one venue, one log, and the processes that come one after another.
type arena struct {
	trial   trial
	venue   *venue.Venue
	profile venue.Profile
	facts   *exchange.Profile
	rules   order.Rules
	scope   order.Scope
	log     order.Log
	bans    exchange.BanStore
	stops   *halt.Tree
	notes   *notes
	resync  time.Duration
	latency time.Duration
	appends atomic.Int64
	fates   map[int64]fate

	mu       sync.Mutex
	random   *rand.Rand // guarded by mu, as is all below
	live     *process
	changed  chan struct{} // closed when live has changed
	halts    []venue.HaltReport
	restarts []venue.RestartReport
	lives    []time.Time // when processes began to read
	pauses   []pause
	faults   []string // what went wrong that the oracle does not see
	refused  int
	meant    int
}

func newArena(c trial) (*arena, error) {
	what, err := venue.NamedProfile(c.profile)
	if err != nil {
		return nil, err
	}
	if !c.alpaca {
		what.Limits = nil // those of Binance, which the facts below the SDK know
	}
	a := &arena{
		trial: c, profile: what, scope: order.Scope{Venue: "binance", Account: "main", Prefix: "A1"}, stops: &halt.Tree{Ramp: halt.Ramp{Step: 200 * time.Millisecond}},
		notes: newNotes(), random: rand.New(rand.NewPCG(c.seed, 7)), changed: make(chan struct{}), resync: 30 * time.Second,
		latency: latency, bans: c.bans, fates: map[int64]fate{},
	}
	if a.bans == nil {
		a.bans = &banList{}
	}
	a.bans = banTimes{a.bans, a}
	if c.faults == "clock" {
		a.resync = 3 * time.Second
	}
	rich := map[string]decimal.Decimal{}
	for _, asset := range []string{"USDT", "BTC", "ETH", "SOL", "ADA", "XRP", "DOT", "LTC", "BNB"} {
		rich[asset] = decimal.New(1, 9)
	}
	a.venue = venue.New(venue.Config{
		Seed: c.seed, Custom: &what, Symbols: symbols, KeepLog: 400_000, FlowEvery: 5 * time.Second,
		Accounts: []venue.Account{{Key: venue.DefaultKey, Secret: venue.DefaultSecret, Balances: rich}},
	})
	rules, err := venue.Preset(c.faults)
	if err != nil {
		return nil, err
	}
	front := "binance" // whose paths the venue has, whatever its semantics
	if c.alpaca {
		front = "alpaca"
	}
	if a.facts, err = exchange.Load(front); err != nil {
		return nil, err
	}
	a.rules = order.Rules{}
	if c.profile != "strict" {
		facts, err := exchange.Load(c.profile)
		if err != nil {
			return nil, err
		}
		a.rules = order.RulesOf(facts)
	}
	a.scope.Venue = front
	a.rules.Venue, a.rules.IDPrefix, a.rules.IDInteger = front, "", false
	a.log = c.log()
	for range c.crashes {
		a.fates[1+a.random.Int64N(int64(max(1, c.traders*c.each*3)))] = diesBefore + fate(a.random.IntN(2))
	}
	return a, a.venue.Faults.Add(rules...)
}

func (a *arena) way() http.RoundTripper {
	t := a.venue.Transport()
	t.Latency = a.latency
	return t
}

// fate decides what happens at the nth append.
func (a *arena) fate(n int64) fate {
	if f := a.fates[n]; f != lives {
		return f
	}
	if a.trial.flaky && a.chance(0.002) {
		return unheard
	}
	return lives
}

func (a *arena) chance(p float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.random.Float64() < p
}

// Permit is of order.Risk: now and then it says no.
func (a *arena) Permit(_ context.Context, i *order.Intent, _ int) error {
	if !a.chance(0.01) {
		return nil
	}
	a.notes.refused(i.ID)
	return errors.New("the limit of the position is reached")
}

func (a *arena) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// process returns the one that lives, and a channel that is closed when there is another one.
func (a *arena) process() (*process, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.live, a.changed
}

func (a *arena) put(p *process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live = p
	a.lives = append(a.lives, time.Now())
	close(a.changed)
	a.changed = make(chan struct{})
}

// supervise starts a process whenever there is none, until ctx ends.
func (a *arena) supervise(ctx context.Context) {
	var before []order.Order
	for life, dead := 1, time.Now(); ; life++ {
		owner := a.trial.owner
		if owner == "" {
			owner = fmt.Sprint("process ", life)
		}
		var p *process
		for {
			var err error
			if p, err = a.start(owner); err == nil {
				break
			}
			if !errors.Is(err, order.ErrHeld) && !errors.Is(err, errCrashed) {
				a.note("start: %v", err)
			}
			if rest(ctx, time.Second); ctx.Err() != nil {
				return
			}
		}
		a.pause(dead, time.Now(), "no process")
		a.put(p)
		recovered := make(chan struct{})
		go func() {
			defer close(recovered)
			a.recovered(p, before)
		}()
		select {
		case <-p.life.Done(): // it has crashed
		case <-ctx.Done():
			p.machine.Close()
			p.crash()
		}
		dead = time.Now()
		p.work.Wait()
		<-recovered
		a.notes.crashed(func(id string) (order.Order, bool) { return replayed(a.log, a.scope, id) }, a.rules.MaxAges)
		if ctx.Err() != nil {
			return
		}
		before = a.open()
	}
}

// open is what the log holds that is not closed.
func (a *arena) open() (all []order.Order) {
	for after := ""; ; {
		ids, err := a.log.Open(context.Background(), a.scope, after, 500)
		if err != nil {
			a.note("open: %v", err)
		}
		if len(ids) == 0 {
			return all
		}
		for _, id := range ids {
			if o, ok := replayed(a.log, a.scope, id); ok {
				all = append(all, o)
			}
		}
		after = ids[len(ids)-1]
	}
}

// recovered waits until a new process knows the fate of everything that it found, and reports what it then believes.
func (a *arena) recovered(p *process, before []order.Order) {
	if len(before) == 0 {
		return
	}
	var r venue.RestartReport
	for _, o := range before {
		if _, err := p.machine.Wait(p.life, o.Intent.ID); err != nil {
			if p.life.Err() == nil {
				a.note("I10: %s was in the log before the crash: %v", o.Intent.ID, err)
			}
			return // it crashed again
		}
		r.Replay = append(r.Replay, stateReport(o))
	}
	for _, o := range before {
		is, err := p.machine.Get(p.life, o.Intent.ID)
		if err != nil {
			return
		}
		r.After = append(r.After, stateReport(is))
	}
	r.At = time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restarts = append(a.restarts, r)
}

// banList keeps bans across the processes of a trial.
type banList struct {
	mu   sync.Mutex
	bans []exchange.Ban
}

func (b *banList) Load(context.Context) ([]exchange.Ban, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.bans), nil
}

func (b *banList) Save(_ context.Context, ban exchange.Ban) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, old := range b.bans {
		if old.Venue == ban.Venue && old.Account == ban.Account {
			b.bans[i] = exchange.Merge(old, ban)
			return nil
		}
	}
	b.bans = append(b.bans, ban)
	return nil
}
