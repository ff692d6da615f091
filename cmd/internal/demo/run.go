package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/store/sqldb"
	"github.com/relent-go/relent/transport/retryws"
)

// A run is one demo.
type run struct {
	cfg      Config
	rules    order.Rules
	strategy string // in client ids: no two runs share one
	began    time.Time
	life     context.Context // of all that runs beside the traders
	work     sync.WaitGroup
	ops      operations
	counter  *counter
	analyst  *analytics.Analyzer
	sights   sighting

	conn     *connection
	clock    *clock
	banStore exchange.BanStore
	machine  *order.Machine
	notes    notes
	balances balances

	links        *retryws.Budget
	market, user *retryws.Session
	books        *market.Books
	clean        atomic.Bool // the account is known
	dirty        atomic.Bool // and it was not, for a reason worth telling
	trading      atomic.Bool
	up           atomic.Bool // all of the above is there to be looked at

	count    atomic.Uint64 // intents
	refused  reasons       // orders that were not sent
	unpriced atomic.Int64  // times that a trader had no book that it could trust
	waited   atomic.Int64  // and none knew the account
	stale    atomic.Int64  // times that a book went out of step
	missed   atomic.Int64  // events that a stream lacked, found by reading

	mu     sync.Mutex
	story  []Line    // the latest; guarded by mu
	retold time.Time // when a retry was last told; guarded by mu
}

// A Line is something worth telling about a call or an order.
type Line struct {
	At   time.Duration // since the demo began
	Text string
}

// lines is how much of the story is kept.
const lines = 8

// Run trades until cfg.For has passed or stop is closed, settles what is open, and judges. The end
// of ctx interrupts everything, settlements included. Run returns an error only if it could not trade at all.
func Run(ctx context.Context, stop <-chan struct{}, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	r := &run{cfg: cfg.filled(), began: time.Now(), links: &retryws.Budget{Connects: 150, Per: 5 * time.Minute}}
	r.strategy = "demo" + strconv.FormatInt(r.began.UnixMilli(), 36)
	r.counter = &counter{tell: r.tellRetry, sights: &r.sights}
	r.analyst = &analytics.Analyzer{Sinks: []analytics.Sink{analytics.SinkFunc(r.found)}}
	r.clock = &clock{tell: r.tell}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	r.life = life
	defer r.work.Wait()
	defer end()
	facts, err := exchange.Load(desk)
	if err != nil {
		return Report{}, err
	}
	r.rules = order.RulesOf(facts)
	r.rules.Budget = readBudget
	if cfg.Residual > 0 {
		r.rules.Residual = cfg.Residual
	}
	// A simulated venue knows nothing of those before it: neither their orders nor their bans.
	prefix, bans := "R1", "bans.json"
	if cfg.Venue != nil {
		prefix = order.NewID("S", r.strategy, 0)[:order.MaxPrefix]
		bans = "bans-" + prefix + ".json"
	}
	r.banStore = &exchange.FileBans{Path: filepath.Join(cfg.Dir, bans)}
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(cfg.Dir, "orders.db"))
	if err != nil {
		return Report{}, fmt.Errorf("order log: %w", err)
	}
	defer db.Close()
	if err := r.operate(); err != nil {
		return Report{}, err
	}
	r.conn = r.connect(facts, r.banStore)
	defer r.conn.base.CloseIdleConnections()
	r.newMachine(db.Orders(), prefix)
	if err := r.start(ctx); err != nil {
		return Report{}, err
	}
	return r.trades(ctx, stop, end)
}

// start begins all that runs beside the traders, and returns when orders can be placed.
func (r *run) start(ctx context.Context) error {
	r.clock.ask = r.conn.orders.Time
	if err := r.clock.Sync(ctx); err != nil {
		return fmt.Errorf("ask %s for its time: %w", r.cfg.URL, err)
	}
	r.followBooks()
	ended := make(chan error, 1)
	r.work.Go(func() { ended <- r.machine.Run(r.life) })
	select {
	case <-r.machine.Ready():
	case err := <-ended:
		if errors.Is(err, order.ErrHeld) {
			err = fmt.Errorf("%w; if that process is gone, try again in 15 s", err)
		}
		return fmt.Errorf("order log in %s: %w", r.cfg.Dir, err)
	}
	r.followAccount()
	r.up.Store(true)
	r.work.Go(func() { _ = r.analyst.Run(r.life) })
	return r.connected(ctx)
}

// connected waits for the books and the account, half a minute at most.
func (r *run) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !r.clean.Load() || r.booksHealthy(ctx) != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("the streams of %s did not come up: %w", r.cfg.URL, errors.Join(r.accountHealthy(ctx), r.booksHealthy(ctx)))
		}
		sleep(ctx, 20*time.Millisecond)
	}
	return nil
}

// trades lets the traders trade, settles, and judges.
func (r *run) trades(ctx context.Context, stop <-chan struct{}, end func()) (Report, error) {
	r.cfg.Ready()
	r.sights.begin(time.Now())
	r.trading.Store(true)
	r.work.Go(func() { r.clock.keep(r.life) })
	r.work.Go(r.watchStops)
	r.work.Go(r.show)
	trading, cancel := context.WithTimeout(ctx, r.cfg.For)
	defer cancel()
	var traders sync.WaitGroup
	for i := range r.cfg.Traders {
		traders.Go(func() { r.trade(ctx, trading, i) })
	}
	for i := range charts {
		traders.Go(func() { r.chart(ctx, trading, i) })
	}
	select {
	case <-stop:
		cancel()
	case <-trading.Done():
	}
	r.trading.Store(false)
	traders.Wait()
	left := r.settle(ctx)
	orders := r.machine.Orders(true)
	ledger, err := r.ledger(ctx, orders)
	report := r.judge(orders, left, ledger, ctx.Err() != nil)
	if err != nil {
		report.LedgerError = cause(err)
	}
	_ = r.machine.Close()
	end()
	return report, nil
}

// tell adds a line to the story.
func (r *run) tell(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, Line{time.Since(r.began), fmt.Sprintf(format, args...)})
	if len(r.story) > lines {
		r.story = r.story[1:]
	}
}

// tellRetry is tell for retries, of which only one a second is told: they are many, and orders matter more.
func (r *run) tellRetry(format string, args ...any) {
	r.mu.Lock()
	now := time.Now()
	due := now.Sub(r.retold) >= time.Second
	if due {
		r.retold = now
	}
	r.mu.Unlock()
	if due {
		r.tell(format, args...)
	}
}

// A ledger is what the venue really holds, by client id.
type ledger map[string]holding

// A holding is what the venue holds under one client id.
type holding struct {
	orders     int  // venue orders that carry it
	overFilled bool // more was executed than intended
}

// ledger returns what the venue holds, from the simulated venue's own account or through the API.
func (r *run) ledger(ctx context.Context, orders []order.Order) (ledger, error) {
	if r.cfg.Venue != nil {
		return ledgerOf(r.cfg.Venue.Oracle()), nil
	}
	return r.ask(ctx, orders)
}

func ledgerOf(o venue.Oracle) ledger {
	l := ledger{}
	for id, f := range o.Orders {
		l[id] = holding{f.VenueOrders, f.Intended.IsPositive() && f.Executed.Cmp(f.Intended) > 0}
	}
	return l
}

// ask makes a ledger from the venue's API: the lists count an id that was used twice, and each order that is in none is asked
// for by its id, since lists have an end.
func (r *run) ask(ctx context.Context, orders []order.Order) (ledger, error) {
	l := ledger{}
	for _, symbol := range symbols {
		finished, err := r.conn.orders.Finished(ctx, symbol, r.venueTime(r.began))
		if err != nil {
			return nil, err
		}
		open, err := r.conn.orders.Open(ctx, symbol)
		if err != nil {
			return nil, err
		}
		for _, report := range append(finished, open...) {
			h := l[report.Wire]
			h.orders++
			h.overFilled = h.overFilled || report.Executed.Cmp(report.Terms.Quantity) > 0
			l[report.Wire] = h
		}
	}
	for _, o := range orders {
		if l[o.Intent.Wire].orders > 0 {
			continue
		}
		_, err := r.conn.orders.Query(ctx, o.Ref())
		switch {
		case err == nil:
			l[o.Intent.Wire] = holding{orders: 1}
		case !errors.Is(err, order.ErrNotFound):
			return nil, err
		}
	}
	return l, nil
}
