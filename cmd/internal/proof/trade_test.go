package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
)

// trade lets the traders trade, the process crash, new orders be halted, and persons look after parked orders. It returns
// when every fate is decided, or after hours of not being.
func (a *arena) trade() {
	ctx, end := context.WithCancel(context.Background())
	var staff, traders sync.WaitGroup
	staff.Go(func() { a.supervise(ctx) })
	staff.Go(func() { a.operate(ctx) })
	staff.Go(func() { a.halt(ctx) })
	for n := range a.trial.traders {
		traders.Go(func() { a.trader(n) })
	}
	traders.Wait()
	a.venue.Faults.Clear()
	if !a.settle() {
		a.note("I5: after an hour of calm there is work left: %s", a.left())
	}
	end()
	staff.Wait()
	a.venue.Close()
}

// left is what is not done.
func (a *arena) left() (text string) {
	p, _ := a.process()
	if p == nil || p.dead.Load() {
		return "there is no process"
	}
	for _, o := range p.machine.Orders(false) {
		text += fmt.Sprintf("%s %v (%s) of %v, %s of %s filled, by %d attempts, %+v; ", o.Intent.ID, o.State, o.Status, o.Terms, o.Filled, o.Executed, len(o.Attempts), o.Command)
	}
	return text + fmt.Sprintf("%+v", p.machine.Stats())
}

// trader submits intents of all kinds, one after another.
func (a *arena) trader(n int) {
	random := rand.New(rand.NewPCG(a.trial.seed, uint64(100+n)))
	last := ""
	for k := range a.trial.each {
		time.Sleep(time.Duration(20+random.IntN(6000)) * time.Millisecond)
		i := order.Intent{Strategy: "t" + strconv.Itoa(n), Counter: uint64(k + 1), Terms: a.terms(random)}
		i.ID = order.NewID(a.scope.Prefix, i.Strategy, i.Counter)
		if random.IntN(4) == 0 {
			i.MaxAge = time.Minute
		}
		if random.IntN(8) == 0 && last != "" {
			a.replace(last, i)
			continue
		}
		if !a.submit(i) {
			continue
		}
		last = i.ID
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(6000)) * time.Millisecond)
			p, _ := a.process()
			_, _ = p.machine.Cancel(p.life, i.ID) // of one that is done, or of a process that is dead, it is refused
		}
	}
}

func (a *arena) terms(random *rand.Rand) order.Terms {
	t := order.Terms{
		Symbol: symbols[random.IntN(len(symbols))], Side: []order.Side{order.Buy, order.Sell}[random.IntN(2)],
		Type: order.Limit, Quantity: "1",
	}
	switch random.IntN(6) {
	case 0:
		t.Type = order.Market
	case 1:
		t.TIF, t.Price = order.IOC, priceOf(t, 1.02)
	case 2:
		t.Price = priceOf(t, 1.02) // crosses
	case 3:
		t.PostOnly, t.Price = true, priceOf(t, 0.97)
	case 4:
		t.Price = priceOf(t, 0.9995) // rests, and is met sooner or later
	default:
		t.Price = priceOf(t, 0.95)
	}
	if a.trial.alpaca {
		t.Symbol, t.PostOnly = strings.TrimSuffix(t.Symbol, "USDT")+"/USDT", false
	}
	return t
}

// priceOf is a share of the price at which a market begins, the better for a buyer the lower.
func priceOf(t order.Terms, factor float64) order.Decimal {
	base := map[string]float64{"BTCUSDT": 60000, "ETHUSDT": 3000}[t.Symbol]
	if base == 0 {
		base = 100
	}
	if t.Side == order.Sell {
		factor = 2 - factor
	}
	d, _ := order.ParseDecimal(strconv.FormatFloat(base*factor, 'f', 2, 64))
	return d
}

// submit hands an intent to the process that lives. If that dies on the way, the same intent goes to the next one: who
// submits again after a crash cannot know whether the intent was taken.
func (a *arena) submit(i order.Intent) bool {
	a.mu.Lock()
	a.meant++
	a.mu.Unlock()
	for {
		p, next := a.process()
		if p == nil {
			<-next
			continue
		}
		_, err := p.machine.Submit(p.life, i)
		switch {
		case err == nil, errors.Is(err, order.ErrExists):
			return true
		case p.dead.Load():
			<-next
			continue
		case errors.Is(err, order.ErrGuard), errors.Is(err, order.ErrGated), errors.Is(err, order.ErrLog):
		default:
			a.note("submit %s: %v", i.ID, err)
		}
		a.mu.Lock()
		a.refused++
		a.mu.Unlock()
		return false
	}
}

func (a *arena) replace(old string, next order.Intent) {
	a.mu.Lock()
	a.meant++
	a.mu.Unlock()
	p, _ := a.process()
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.life, time.Minute)
	defer cancel()
	_, _ = p.machine.Replace(ctx, old, next) // refused if the old one has ended, as it may
}

// halt stops new orders now and then.
func (a *arena) halt(ctx context.Context) {
	span := time.Duration(a.trial.each) * 3000 * time.Millisecond / time.Duration(a.trial.halts+1)
	for range a.trial.halts {
		if rest(ctx, span); ctx.Err() != nil {
			return
		}
		scope := halt.At("binance")
		_, err := a.stops.Stop(halt.Command{Scope: scope, State: halt.RiskReducingOnly, Who: "one", Why: "a drill"})
		from := time.Now()
		rest(ctx, time.Second)
		to := time.Now()
		status, err2 := a.stops.Look(scope)
		_, err3 := a.stops.Resume(halt.Release{Scope: scope, Requester: "two", Approver: "three", Epoch: status.Epoch, Why: "the drill is over"})
		if err := errors.Join(err, err2, err3); err != nil {
			a.note("halt: %v", err)
		}
		a.mu.Lock()
		a.halts = append(a.halts, venue.HaltReport{From: from, To: to})
		a.mu.Unlock()
	}
}

// operate has two persons look up what is parked, some minutes after the alarm, and say what they saw.
func (a *arena) operate(ctx context.Context) {
	since := map[string]time.Time{}
	for {
		if rest(ctx, 20*time.Second); ctx.Err() != nil {
			return
		}
		p, _ := a.process()
		if p == nil || p.dead.Load() || p.machine.Stats().Parked == 0 {
			continue
		}
		var facts map[string]venue.OrderFacts
		for _, o := range p.machine.Orders(false) {
			if o.State != order.Parked {
				continue
			}
			if since[o.Intent.ID].IsZero() {
				since[o.Intent.ID] = time.Now()
			}
			if time.Since(since[o.Intent.ID]) < 2*time.Minute {
				continue
			}
			if facts == nil {
				facts = a.venue.Oracle().Orders
			}
			f, there := facts[o.Intent.Wire]
			if err := p.decide(o, f, there); err != nil && !p.dead.Load() && !errors.Is(err, order.ErrState) && !errors.Is(err, order.ErrLog) {
				a.note("operator: %v", err)
			}
		}
	}
}

var statusOf = map[string]order.Status{
	"NEW": order.StatusNew, "PARTIALLY_FILLED": order.StatusPartial, "FILLED": order.StatusFilled, "CANCELED": order.StatusCanceled,
	"REJECTED": order.StatusRejected, "EXPIRED": order.StatusExpired, "EXPIRED_IN_MATCH": order.StatusExpired,
}

func (p *process) decide(o order.Order, f venue.OrderFacts, there bool) error {
	if !there {
		_, err := p.machine.Resolve(p.life, order.Resolution{ID: o.Intent.ID, Actor: "one", Approver: "two", Reason: "not at the venue"})
		return err
	}
	r := order.Report{
		Wire: o.Intent.Wire, VenueID: strconv.FormatInt(f.OrderIDs[0], 10), Status: statusOf[f.Status],
		Executed: order.Decimal(f.Executed.String()),
	}
	if p.arena.trial.alpaca {
		r.VenueID = "" // it has other ids there, and fills have other keys: the machine reads them
		return p.machine.Seen(p.life, r)
	}
	for _, t := range f.Fills {
		r.Fills = append(r.Fills, order.Fill{
			Key: fmt.Sprintf("%s/%d", f.Symbol, t.TradeID), Wire: o.Intent.Wire, VenueID: r.VenueID, Symbol: f.Symbol,
			Quantity: order.Decimal(t.Quantity.String()), Price: order.Decimal(t.Price.String()), At: t.At,
		})
	}
	return p.machine.Seen(p.life, r)
}

// settle cancels what works until nothing is left to decide.
func (a *arena) settle() bool {
	for range 360 {
		if p, _ := a.process(); p != nil && !p.dead.Load() {
			_ = p.machine.CancelAll(p.life)
			time.Sleep(10 * time.Second)
			if s := p.machine.Stats(); !p.dead.Load() && int64(s.Open) == s.Breaches {
				return true
			}
			continue
		}
		time.Sleep(10 * time.Second)
	}
	return false
}
