package proof

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/cmd/internal/venue"
	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/memory"
)

// A clock is the venue's clock for the machine.
type clock struct{ *exchange.Clock }

func (c clock) Venue() (time.Time, time.Duration, bool) { return c.Now() }

// alarms counts what was raised, by intent.
type alarms struct {
	mu sync.Mutex
	by map[string]int
}

func (a *alarms) Raise(_ context.Context, alarm order.Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[alarm.ID]++
}

type allowed struct{}

func (allowed) Permit(context.Context, *order.Intent, int) error { return nil }

// books shows prices and says that every market is open.
type books struct{}

func (books) Quote(symbol string) (order.Quote, bool) {
	if symbol == "ETHUSDT" {
		return order.Quote{Bid: "2999", Ask: "3001", Synced: true}, true
	}
	return order.Quote{Bid: "59990", Ask: "60010", Synced: true}, true
}

func (books) Open(string) error { return nil }

// A world is one venue and one machine that trades on it.
type world struct {
	venue   *venue.Venue
	machine *order.Machine
	alarms  *alarms
	end     func()
}

// open runs a machine with the rules of a profile against a venue with the semantics of the same one.
func open(t *testing.T, faults, profile string, seed uint64, logs order.Log) *world {
	t.Helper()
	v := venue.New(venue.Config{Seed: seed, Profile: profile, ReplicaLag: time.Second, Limits: venue.Limits{}})
	rules, err := venue.Preset(faults)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Faults.Add(rules...); err != nil {
		t.Fatal(err)
	}
	facts, err := exchange.Load("binance") // whose paths the venue has, whatever its semantics
	if err != nil {
		t.Fatal(err)
	}
	what := facts
	if profile != "strict" {
		if what, err = exchange.Load(profile); err != nil {
			t.Fatal(err)
		}
	}
	r := order.RulesOf(what)
	if profile == "strict" {
		r = order.Rules{}
	}
	r.Venue, r.IDPrefix, r.IDInteger = "binance", "", false
	transport := &exchange.Transport{Base: v.Transport(), Profile: facts, Account: "main", Clock: &exchange.Clock{}, DropUsage: true}
	sdk := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
	sdk.BaseURL = "http://venue"
	sdk.HTTPClient = &http.Client{Transport: transport}
	sdk.Logger = log.New(io.Discard, "", 0)
	adapter := &binanceorders.Venue{Client: sdk}
	w := &world{venue: v, alarms: &alarms{by: map[string]int{}}}
	w.machine = &order.Machine{
		Scope: order.Scope{Venue: "binance", Account: "main", Prefix: "A1"}, Adapter: adapter, Log: logs, Rules: r,
		Clock: clock{transport.Clock}, Alert: w.alarms, Owner: "proof", Risk: allowed{}, Book: books{}, Unguarded: true,
		MaxRemember: 100_000, Workers: 16,
	}
	transport.Desk = w.machine
	for range 50 { // until the venue has said what time it is
		if _, err := adapter.Time(t.Context()); err == nil {
			break
		}
		time.Sleep(time.Second)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.machine.Run(ctx) }()
	select {
	case <-w.machine.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	w.end = func() {
		w.machine.Close()
		cancel()
		<-ended
		v.Close()
	}
	return w
}

// trade submits intents from several traders, cancels some, and waits until every fate is decided.
func (w *world) trade(t *testing.T, traders, each int, seed uint64) (submitted, refused int64) {
	var count, no atomic.Int64
	var all sync.WaitGroup
	for trader := range traders {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(trader)))
			for n := range each {
				time.Sleep(time.Duration(20+random.IntN(300)) * time.Millisecond)
				terms := order.Terms{Symbol: []string{"BTCUSDT", "ETHUSDT"}[random.IntN(2)], Side: []order.Side{order.Buy, order.Sell}[random.IntN(2)], Quantity: "0.01"}
				switch random.IntN(4) {
				case 0:
					terms.Type = order.Market
				case 1:
					terms.Type, terms.TIF, terms.Price = order.Limit, order.IOC, price(terms, 1.01)
				case 2:
					terms.Type, terms.Price = order.Limit, price(terms, 1)
				default:
					terms.Type, terms.Price = order.Limit, price(terms, 0.9)
				}
				count.Add(1)
				o, err := w.machine.Submit(context.Background(), order.Intent{Strategy: "t" + strconv.Itoa(trader), Counter: uint64(n + 1), Terms: terms})
				if err != nil {
					if no.Add(1) == 1 {
						t.Logf("the first that was refused: %v", err)
					}
					continue
				}
				if random.IntN(3) == 0 {
					w.machine.Cancel(context.Background(), o.Intent.ID)
				}
			}
		})
	}
	all.Wait()
	for range 30 { // the proofs, and the cancels of what still works
		w.machine.CancelAll(context.Background())
		time.Sleep(10 * time.Second)
		if s := w.machine.Stats(); s.Unknown == 0 && working(w.machine) == 0 {
			break
		}
	}
	return count.Load(), no.Load()
}

func price(t order.Terms, factor float64) order.Decimal {
	base := 60000.0
	if t.Symbol == "ETHUSDT" {
		base = 3000
	}
	if t.Side == order.Sell {
		factor = 2 - factor
	}
	return order.Decimal(strconv.FormatFloat(base*factor, 'f', 2, 64))
}

func working(m *order.Machine) (n int) {
	for _, o := range m.Orders(false) {
		if o.State == order.Acked {
			n++
		}
	}
	return n
}

// Under every weather and the semantics of every kind of venue: no order twice, none lost, and every doubt settled or
// parked with an alarm, by the venue's own account.
func TestNoOrderTwice(t *testing.T) {
	traders, each, seeds := 8, 12, uint64(1)
	if os.Getenv("RELENT_SOAK") != "" {
		each, seeds = 350, rounds(t, 36*traders*350)
	}
	var total, turned, parked, resent, unknown atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d orders meant; %d refused before they were sent; %d parked at some time, %d sent again after proof, %d reads to settle a fate; none twice, none lost",
			total.Load(), turned.Load(), parked.Load(), resent.Load(), unknown.Load())
		if resent.Load() == 0 || parked.Load() == 0 || turned.Load() > total.Load()/2 {
			t.Error("the run did not come to what it is for")
		}
	})
	for _, faults := range []string{"calm", "lossy", "late", "ratelimit", "storm", "outage"} {
		for _, profile := range []string{"binance", "bybit", "okx", "coinbase", "kraken", "strict"} {
			t.Run(faults+"/"+profile, func(t *testing.T) {
				t.Parallel()
				for seed := range seeds {
					synctest.Test(t, func(t *testing.T) {
						w := open(t, faults, profile, seed+1, &memory.Orders{MaxIntents: 1 << 20})
						defer w.end()
						n, refused := w.trade(t, traders, each, seed+1)
						w.judge(t, seed+1)
						if faults == "calm" && refused > 0 && each < 100 { // longer runs spend what the account has
							t.Errorf("%d of %d orders were refused in calm weather", refused, n)
						}
						s := w.machine.Stats()
						total.Add(n)
						turned.Add(refused)
						parked.Add(int64(s.EverParked))
						resent.Add(int64(s.Resends + s.Probes))
						unknown.Add(int64(s.Reads))
					})
				}
			})
		}
	}
}

// judge compares the venue's account with the machine's.
func (w *world) judge(t *testing.T, seed uint64) {
	t.Helper()
	oracle := w.venue.Oracle()
	for _, i := range oracle.Check().Invariants {
		if i.ID == "I8" {
			continue // below
		}
		if !i.Pass {
			t.Errorf("seed %d: %s fails: %+v", seed, i.ID, i)
		}
	}
	for _, r := range oracle.InsideBans {
		if !underWay(r) {
			t.Errorf("seed %d: sent inside a ban: %+v", seed, r)
		}
	}
	known := map[string]order.Order{}
	for _, o := range w.machine.Orders(true) {
		known[o.Intent.Wire] = o
		w.alarms.mu.Lock()
		alarmed := w.alarms.by[o.Intent.ID] > 0
		w.alarms.mu.Unlock()
		facts, there := oracle.Orders[o.Intent.Wire]
		switch o.State {
		case order.Parked, order.Breach:
			if !alarmed {
				t.Errorf("seed %d: %s is %v, and nobody was told", seed, o.Intent.ID, o.State)
			}
		case order.Rejected, order.Abandoned:
			if there && facts.Executed.IsPositive() {
				t.Errorf("seed %d: %s is %v here and executed %v at the venue", seed, o.Intent.ID, o.State, facts.Executed)
			}
		case order.Filled, order.Canceled, order.Expired:
			if !there {
				t.Errorf("seed %d: %s is %v here, and the venue never had it", seed, o.Intent.ID, o.State)
			} else if got := string(o.Executed); facts.Executed.String() != dash(got) {
				t.Errorf("seed %d: %s executed %s here and %v at the venue", seed, o.Intent.ID, got, facts.Executed)
			}
		}
	}
	for id := range oracle.Orders {
		if _, ok := known[id]; !ok {
			t.Errorf("seed %d: the venue has %s, of which the machine knows nothing", seed, id)
		}
	}
}

// underWay says that a request came in the very moment in which the ban began: it was sent before anybody here could hear of
// the ban. The venue bans for 30 s (its presets) or 2 min (who goes on after a 429), and the network here takes no time.
func underWay(r venue.BadRequest) bool {
	left := r.BannedUntil.Sub(r.At)
	return left == 30*time.Second || left == 2*time.Minute
}

func dash(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// The test can fail: whoever sends again what may have arrived makes duplicates on the same venue.
func TestNaiveRetryMakesDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := venue.New(venue.Config{Seed: 1})
		defer v.Close()
		rules, err := venue.Preset("lossy")
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Faults.Add(rules...); err != nil {
			t.Fatal(err)
		}
		sdk := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
		sdk.BaseURL = "http://venue"
		sdk.HTTPClient = v.Client()
		sdk.Logger = log.New(io.Discard, "", 0)
		for n := range 500 {
			id := fmt.Sprintf("n%017d", n)
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := sdk.NewCreateOrderService().Symbol("BTCUSDT").Side("BUY").Type("MARKET").Quantity("0.01").NewClientOrderID(id).Do(ctx)
				cancel()
				if err == nil {
					break
				}
			}
		}
		pass := true
		for _, i := range v.Oracle().Check().Invariants {
			if i.ID == "I1" || i.ID == "I2" {
				pass = pass && i.Pass
			}
		}
		if pass {
			t.Error("a retry that asks nobody makes no duplicate: the test proves nothing")
		}
	})
}
