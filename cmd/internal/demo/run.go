package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/retry"
)

// A run is one demo.
type run struct {
	cfg     Config
	client  *client
	counter *counter
	prefix  string // of client ids: no two runs share one

	began time.Time
	ended <-chan struct{} // closed when trading has ended
	tasks sync.WaitGroup  // settlements

	mu     sync.Mutex
	orders []*order  // guarded by mu
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

var symbols = []string{"BTCUSDT", "ETHUSDT"}

// Run trades until cfg.For has passed or stop is closed, settles what is open, and judges. The end
// of ctx interrupts everything, settlements included. Run returns an error only if it could not trade at all.
func Run(ctx context.Context, stop <-chan struct{}, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	cfg = cfg.filled()
	c := &counter{}
	client, err := newClient(cfg, c)
	if err != nil {
		return Report{}, err
	}
	r := &run{cfg: cfg, counter: c, client: client, began: time.Now()}
	c.tell = r.tellRetry
	if cfg.Control != nil {
		if err := cfg.Control.Registry.AddVenue(desk, r.venue); err != nil {
			return Report{}, err
		}
	}
	defer r.client.connections.CloseIdleConnections()
	r.prefix = "r" + strconv.FormatInt(r.began.UnixMilli(), 36)
	if err := r.client.syncClock(ctx); err != nil {
		return Report{}, fmt.Errorf("ask %s for its time: %w", cfg.URL, err)
	}
	cfg.Ready()

	trading, cancel := context.WithTimeout(ctx, cfg.For)
	defer cancel()
	r.ended = trading.Done()
	var shown sync.WaitGroup
	done := make(chan struct{})
	shown.Go(func() { r.show(done) })
	var traders sync.WaitGroup
	for i := range cfg.Traders {
		traders.Go(func() { r.trade(ctx, trading, i) })
	}
	go func() { // ends with trading
		select {
		case <-stop:
			cancel()
		case <-trading.Done():
		}
	}()
	traders.Wait()
	r.tasks.Wait()
	ledger, err := r.ledger(ctx)
	close(done)
	shown.Wait()
	report := r.judge(ledger)
	if err != nil {
		report.LedgerError = cause(err)
	}
	return report, nil
}

// trade makes rounds of calls until trading ends. The calls themselves have ctx, so that none is cut
// short by the end of trading.
func (r *run) trade(ctx, trading context.Context, number int) {
	choose := rand.New(rand.NewPCG(r.cfg.Seed, uint64(number)))
	var resting []*order
	for count := 0; trading.Err() == nil; count++ {
		symbol := symbols[choose.IntN(len(symbols))]
		book, err := r.client.depth(ctx, symbol)
		r.client.klines(ctx, symbol)
		if err == nil && choose.Float64() < 0.6 {
			o := r.intend(choose, symbol, book, fmt.Sprintf("%s%c%d", r.prefix, 'a'+number%26, count))
			if o != nil {
				r.attend(ctx, o)
				if f, _ := o.is(); f == Exists && o.force == binance.TimeInForceTypeGTC {
					resting = append(resting, o)
				}
			}
		}
		if len(resting) > 2 {
			r.client.remove(ctx, resting[0])
			resting = resting[1:]
		}
		sleep(trading, time.Duration((0.5+choose.Float64())*float64(r.cfg.Pause)))
	}
	for _, o := range resting { // leave nothing open behind
		r.client.remove(ctx, o)
	}
}

// attend places an order, and has its fate settled if that is open.
func (r *run) attend(ctx context.Context, o *order) {
	r.mu.Lock()
	r.orders = append(r.orders, o)
	r.mu.Unlock()
	if r.place(ctx, o) {
		return
	}
	sent := time.Now() // no attempt was signed later than this
	r.tasks.Go(func() { r.settle(ctx, o, sent) })
}

// intend chooses an order: half of them rest in the book for a while, the rest trade at once.
func (r *run) intend(choose *rand.Rand, symbol string, book *binance.DepthResponse, id string) *order {
	if len(book.Bids) == 0 || len(book.Asks) == 0 {
		return nil
	}
	o := &order{id: id, symbol: symbol, side: binance.SideTypeBuy, kind: binance.OrderTypeLimit, force: binance.TimeInForceTypeGTC}
	near, far := book.Asks[0].Price, book.Bids[len(book.Bids)-1].Price
	if choose.IntN(2) == 0 {
		o.side = binance.SideTypeSell
		near, far = book.Bids[0].Price, book.Asks[len(book.Asks)-1].Price
	}
	o.quantity = "0.001"
	if symbol == "ETHUSDT" {
		o.quantity = "0.01"
	}
	switch choose.IntN(4) {
	case 0:
		o.kind, o.force = binance.OrderTypeMarket, ""
	case 1:
		o.force, o.price = binance.TimeInForceTypeIOC, near
	default:
		o.price = far
	}
	return o
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

// ledger returns what the venue holds, from the venue's own account or through its API.
func (r *run) ledger(ctx context.Context) (Ledger, error) {
	if r.cfg.Ledger != nil {
		return r.cfg.Ledger(ctx)
	}
	return r.ask(ctx)
}

// ask makes a ledger from the venue's API: the history counts an id that was used twice, and each
// order is asked for by its id, since the history has an end.
func (r *run) ask(ctx context.Context) (Ledger, error) {
	l := Ledger{}
	for _, symbol := range symbols {
		counts, err := r.client.history(ctx, symbol, r.began.Add(-time.Minute))
		if err != nil {
			return nil, err
		}
		for id, n := range counts {
			l[id] = Holding{Orders: n}
		}
	}
	for _, o := range r.snapshotOrders() {
		if l[o.id].Orders > 0 {
			continue
		}
		found, err := r.client.find(ctx, o)
		if err != nil {
			return nil, err
		}
		if found != nil {
			l[o.id] = Holding{Orders: 1}
		}
	}
	return l, nil
}

func (r *run) snapshotOrders() []*order {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*order(nil), r.orders...)
}

var _ retry.Observer = (*counter)(nil)
