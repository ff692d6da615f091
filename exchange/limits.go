package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Defaults of [Limits].
const (
	DefaultMargin     = 0.1
	DefaultMaxWait    = 30 * time.Second
	DefaultMaxWaiters = 1024
	maxLedgers        = 4096
)

// Limits keep the requests of all who share it within the rate limits of one venue. All [Transport]s to the venue, of all
// accounts and keys, should share one, because limits by IP count them together.
//
// What a request costs is taken from all its ledgers at once, or from none. Who must wait does so in the order of arrival
// within its share of the limit; cancels go first. A wait ends with the context, and is not begun if it must outlast it
// or MaxWait. It holds no lock while it waits. It is safe for concurrent use, and must not be copied once used; its fields
// must not change then.
type Limits struct {
	Profile *Profile // whose limits; nil: none, and nothing is limited
	Clock   *Clock   // of the venue; nil: one that has heard nothing

	Margin     float64       // part of each limit that is left alone; 0 means 0.1; outside 0 to 0.9, the nearer of them
	Tier       string        // of the accounts, where limits depend on it; "" means the lowest
	MaxWait    time.Duration // 0 means 30 s; negative refuses at once
	MaxWaiters int           // at one time; 0 means 1024; negative means none
	OnAlert    func(Alert)   // told of what somebody should look at; nil: nobody. It must not block

	once    sync.Once
	tier    string
	mu      sync.Mutex
	ledgers map[ledgerKey]*ledger
	plain   []*ledger          // those whose key is but the draw, by it
	values  map[string]float64 // limits that the venue told, by ID
	lines   lines
	ramp    time.Time // when traffic was let back in after a ban; zero: it is all back
	unread  map[string]uint64
}

// An Alert is something about a venue that a person should look at.
type Alert struct {
	Venue string
	Kind  string // throttled_early, throttled_again, banned, ban_store, unread_hint
	Text  string
}

type ledgerKey struct {
	draw    int
	account string
	apart   string // symbol, path, kind
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil. Limits with mistakes still work.
func (l *Limits) Check() error {
	var errs []error
	if l.Profile == nil {
		errs = append(errs, errors.New("Profile: is nil, so that nothing is limited"))
	} else if l.Tier != "" && !l.Profile.hasTier(l.Tier) {
		errs = append(errs, fmt.Errorf("Tier: %s knows no %q; the lowest counts", l.Profile.Exchange, l.Tier))
	}
	if !(l.Margin >= 0 && l.Margin <= 0.9) {
		errs = append(errs, fmt.Errorf("Margin: %v is outside 0 to 0.9, and counts as %v", l.Margin, l.margin()))
	}
	if l.MaxWait < 0 && l.MaxWaiters > 0 {
		errs = append(errs, fmt.Errorf("MaxWaiters: %d has no effect without MaxWait", l.MaxWaiters))
	}
	return errors.Join(errs...)
}

func (p *Profile) hasTier(tier string) bool {
	for i := range p.draws {
		if p.draws[i].tier == tier {
			return true
		}
	}
	return false
}

func (l *Limits) margin() float64 {
	switch {
	case l.Margin == 0:
		return DefaultMargin
	case l.Margin >= 0 && l.Margin <= 0.9:
		return l.Margin
	case l.Margin < 0:
		return 0
	}
	return 0.9 // NaN, too
}

func (l *Limits) maxWaiters() int {
	if l.MaxWaiters == 0 {
		return DefaultMaxWaiters
	}
	return max(0, l.MaxWaiters)
}

func (l *Limits) maxWait() time.Duration {
	if l.MaxWait == 0 {
		return DefaultMaxWait
	}
	return max(0, l.MaxWait)
}

func (l *Limits) start() {
	l.ledgers, l.values, l.unread = make(map[ledgerKey]*ledger), make(map[string]float64), make(map[string]uint64)
	if l.Profile == nil {
		return
	}
	l.plain = make([]*ledger, len(l.Profile.draws))
	if l.tier = l.Tier; l.tier == "" || !l.Profile.hasTier(l.tier) {
		for i := range l.Profile.draws {
			if l.tier = l.Profile.draws[i].tier; l.tier != "" {
				break
			}
		}
	}
}

// now returns this moment.
func (l *Limits) now() moment { return l.when(time.Now()) }

// when returns a moment of this machine's.
func (l *Limits) when(local time.Time) moment {
	if l.Clock == nil {
		return moment{local, local, UnheardError}
	}
	venue, off, _ := l.Clock.At(local)
	return moment{local, venue, off}
}

// A grant is what a request may use.
type grant struct {
	parts  []part
	few    [4]part // the place of parts, mostly
	taken  bool
	waited bool      // for it
	holds  time.Time // until then what was taken is booked where the venue will count it
}

// reserve takes what a request costs from all its ledgers, and waits for it if it must.
func (l *Limits) reserve(ctx context.Context, r *request, g *grant) error {
	l.once.Do(l.start)
	if l.Profile == nil {
		return nil
	}
	if r.end == nil || r.of != l.Profile {
		r.end = l.Profile.endpoint(r.method, r.path)
	}
	m := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.plan(m, r, g); err != nil {
		return err
	}
	if l.lines.n == 0 {
		wait, short := l.take(m, r, g)
		if wait == 0 {
			return nil
		}
		if err := l.refuse(ctx, m, short, wait, l.maxWait()); err != nil {
			return err
		}
	}
	return l.wait(ctx, m, r, g)
}

// plan finds the ledgers of a request, and what it costs in each. l.mu is held.
func (l *Limits) plan(m moment, r *request, g *grant) error {
	g.parts = g.few[:0]
	for i := range r.end.draws {
		e := &r.end.draws[i]
		if tier := l.Profile.draws[e.draw].tier; tier != "" && tier != l.tier {
			continue
		}
		ledger, err := l.ledger(m, e, r)
		if err != nil {
			return err
		}
		g.parts = append(g.parts, part{ledger: ledger, cost: e.cost(r)})
	}
	return nil
}

// ledger returns the ledger of a request for one limit. l.mu is held.
func (l *Limits) ledger(m moment, e *endpointDraw, r *request) (*ledger, error) {
	d := &l.Profile.draws[e.draw]
	key := ledgerKey{draw: e.draw, apart: e.apart}
	if !d.byIP {
		key.account = r.account
	}
	if d.bySymbol {
		key.apart += r.symbol
	}
	plain := key == ledgerKey{draw: e.draw}
	if plain && l.plain[e.draw] != nil {
		return l.plain[e.draw], nil
	}
	if g := l.ledgers[key]; g != nil {
		return g, nil
	}
	if len(l.ledgers) >= maxLedgers && !l.forget(m) {
		return nil, &LimitError{Venue: l.Profile.Exchange, Limit: d.limit.ID, Reason: ErrCrowded}
	}
	g := &ledger{
		key: key, limit: d.value, margin: l.margin(), form: d.form, window: d.window, refill: d.refill, unfilled: d.unfilled,
		book: shareBook{draws: d.shares}, levelAt: m.local,
	}
	if d.byPath || d.apart {
		g.book.draws = [shares]bool{}
		g.book.draws[shareOf(r.kind)] = true
	}
	if v, ok := l.values[d.limit.ID]; ok {
		g.limit = v
	}
	l.ledgers[key] = g
	if plain {
		l.plain[e.draw] = g
	}
	return g, nil
}

// forget drops ledgers that hold nothing, and says whether there were any. l.mu is held.
func (l *Limits) forget(m moment) bool {
	if l.lines.n > 0 {
		return false // somebody may wait for one
	}
	some := false
	for key, g := range l.ledgers {
		if g.quiet(m) {
			delete(l.ledgers, key)
			if l.plain[key.draw] == g {
				l.plain[key.draw] = nil
			}
			some = true
		}
	}
	return some
}

// take takes all parts, or none: then it returns how long to wait at least, and for which ledger. l.mu is held.
func (l *Limits) take(m moment, r *request, g *grant) (wait time.Duration, short *ledger) {
	s, cancel := shareOf(r.kind), r.kind == Cancel
	for i := range g.parts {
		p := &g.parts[i]
		if w := p.ledger.fits(m, s, cancel, p.cost, l.back(m, p.ledger)); w > wait {
			wait, short = w, p.ledger
		}
	}
	if wait > 0 {
		return wait, short
	}
	holds := maxWait
	for i := range g.parts {
		p := &g.parts[i]
		p.ledger.take(m, p, s, cancel, l.back(m, p.ledger))
		holds = min(holds, p.ledger.holds(m))
	}
	g.taken, g.holds = len(g.parts) > 0, m.local.Add(holds)
	return 0, nil
}

// depart is asked directly before a request is sent. If what was reserved for it was booked too long ago, because somebody
// took their time meanwhile, it is booked anew where the venue will count it, or else the request must not go.
func (l *Limits) depart(now time.Time, r *request, g *grant) error {
	if !g.taken || now.Before(g.holds) {
		return nil
	}
	m := l.when(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(g)
	if wait, short := l.take(m, r, g); wait > 0 {
		return l.limited(short, wait)
	}
	return nil
}

// giveBack undoes what was taken. l.mu is held.
func (l *Limits) giveBack(g *grant) {
	g.taken = false
	for i := range g.parts {
		p := &g.parts[i]
		p.ledger.giveBack(p)
	}
	l.wake()
}

// settle ends a grant: what was not sent is given back, once.
func (l *Limits) settle(g *grant, sent bool) {
	if sent || !g.taken {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(g)
}

// steps are the parts of a target that are let back in after a ban, window by window.
var steps = [...]float64{0.1, 0.25, 0.5}

// back is the part of a ledger's target that may be used after a ban. l.mu is held.
func (l *Limits) back(m moment, g *ledger) float64 {
	if l.ramp.IsZero() {
		return 1
	}
	n := int(m.local.Sub(l.ramp) / min(g.window, time.Minute))
	if n < len(steps) {
		return steps[max(0, n)]
	}
	if m.local.Sub(l.ramp) > time.Duration(len(steps))*time.Minute {
		l.ramp = time.Time{}
	}
	return 1
}

// comeBack lets traffic back in slowly, from now on.
func (l *Limits) comeBack(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ramp = at
}
