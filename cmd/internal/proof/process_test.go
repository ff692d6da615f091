package proof

import (
	"context"
	"io"
	"log"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/relent-go/relent/cmd/internal/venue"
	alpacaorders "github.com/relent-go/relent/contrib/alpaca"
	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// A process is one life of a program that trades: a machine, the SDK above its transport, and the private stream.
type process struct {
	arena   *arena
	machine *order.Machine
	clock   *venueClock
	bans    *exchange.Bans
	dead    atomic.Bool
	life    context.Context
	kill    context.CancelFunc
	work    sync.WaitGroup
}

// start begins a process. It fails as a whole if the lease is somebody else's.
func (a *arena) start(owner string) (*process, error) {
	p := &process{arena: a, bans: &exchange.Bans{Store: a.bans}}
	p.life, p.kill = context.WithCancel(context.Background())
	w := &wire{base: a.way(), life: p.life, dead: &p.dead, profile: a.profile, alpaca: a.trial.alpaca}
	transport := &exchange.Transport{
		Base: w, Profile: a.facts, Account: "main", DropUsage: true,
		Limits: &exchange.Limits{Profile: a.facts, Clock: &exchange.Clock{}}, Bans: p.bans,
	}
	p.clock = &venueClock{Clock: transport.Limits.Clock}
	adapter := a.adapter(transport, p.clock)
	p.machine = &order.Machine{
		Scope: a.scope, Adapter: adapter, Rules: a.rules, Clock: p.clock, Alert: a.notes, Owner: owner,
		Log:  &journal{Log: a.log, notes: a.notes, dead: &p.dead, count: &a.appends, die: a.fate, crash: p.crash},
		Risk: a, Book: books{}, Gates: []retry.Gate{a.stops.Gate("binance")}, Reduce: []retry.Gate{a.stops.Gate("binance").RiskReducing()},
		MaxRemember: 1 << 20, Workers: 16,
		Watch: func(o order.Order) {
			if !p.dead.Load() {
				a.notes.watch(o, a.rules.MaxAges)
			}
		},
	}
	transport.Desk = p.machine
	if a.trial.spoil != nil {
		a.trial.spoil(p, transport)
	}
	for !p.clock.known() { // without the venue's time what was recorded before would be given up
		once, cancel := context.WithTimeout(p.life, 5*time.Second)
		_ = p.clock.Sync(once)
		cancel()
		rest(p.life, 100*time.Millisecond)
	}
	p.work.Go(func() { p.clock.keep(p.life, a.resync) })
	ended := make(chan error, 1)
	p.work.Go(func() { ended <- p.machine.Run(p.life) })
	select {
	case <-p.machine.Ready():
	case err := <-ended:
		p.crash()
		p.work.Wait()
		return nil, err
	}
	if !a.trial.alpaca {
		p.work.Go(func() { p.listen(w) })
	}
	return p, nil
}

// crash ends the process as kill -9 would: nothing of it writes or sends any more. It does not block.
func (p *process) crash() {
	if p.dead.CompareAndSwap(false, true) {
		p.kill()
	}
}

func newSDK(c *http.Client) *binance.Client {
	sdk := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
	sdk.BaseURL, sdk.HTTPClient, sdk.Logger = "http://venue", c, log.New(io.Discard, "", 0)
	return sdk
}

// adapter is the SDK's, above a transport.
func (a *arena) adapter(t *exchange.Transport, c *venueClock) order.Venue {
	if a.trial.alpaca {
		v := &alpacaorders.Venue{Options: alpaca.ClientOpts{APIKey: venue.DefaultKey, APISecret: venue.DefaultSecret, BaseURL: "http://venue"}, Transport: t}
		c.time = v.Time
		return v
	}
	v := &binanceorders.Venue{Client: newSDK(&http.Client{Transport: t}), Offset: c.offset}
	c.time = v.Time
	if a.profile.Visibility == venue.VisibleListsOnly {
		return blind{v}
	}
	return v
}

// A venueClock is the venue's clock for the machine, asked for now and then.
type venueClock struct {
	*exchange.Clock
	time func(context.Context) (time.Time, error)
}

func (c *venueClock) Venue() (time.Time, time.Duration, bool) { return c.Now() }

func (c *venueClock) known() bool {
	_, off, ok := c.Now()
	return ok && off < time.Second
}

// Sync is of order.Syncer.
func (c *venueClock) Sync(ctx context.Context) error {
	sent := time.Now()
	at, err := c.time(ctx)
	if err == nil {
		c.Observe(sent, time.Now(), at, time.Millisecond)
	}
	return err
}

func (c *venueClock) keep(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := c.Sync(once)
		cancel()
		wait := every
		if err != nil {
			wait = time.Second
		}
		rest(ctx, wait)
	}
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// offset is what to add to this machine's clock to get the venue's.
func (c *venueClock) offset() time.Duration {
	local := time.Now()
	at, _, _ := c.At(local)
	return at.Sub(local)
}

// A blind venue has no query by client id.
type blind struct{ *binanceorders.Venue }

func (blind) Query(context.Context, order.Ref) (order.Report, error) {
	return order.Report{}, order.ErrUnsupported
}
