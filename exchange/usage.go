package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A usage is a Usage, ready to be looked for.
type usage struct {
	name   string // as net/http spells it; of a header for several windows, the beginning
	many   bool
	left   bool
	limits []string
}

func newUsage(list []Usage) []usage {
	all := make([]usage, len(list))
	for i, u := range list {
		name, many := strings.CutSuffix(u.Header, "*")
		all[i] = usage{textproto.CanonicalMIMEHeaderKey(name), many, u.Says == "left", u.Limits}
	}
	return all
}

// correct raises the counts of what a request drew on to what the headers of its answer say. server is the venue's
// time in it; received is this machine's.
func (l *Limits) correct(g *grant, h http.Header, server, received time.Time) {
	late := !received.Before(g.holds)
	if len(g.parts) == 0 || len(l.Profile.usage) == 0 && !late {
		return
	}
	m := l.when(received)
	if server.IsZero() {
		server = m.venue
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		l.late(m, g, server)
	}
	many := false
	for i := range l.Profile.usage {
		u := &l.Profile.usage[i]
		if u.many {
			many = true
			continue
		}
		for _, text := range h[u.name] {
			l.apply(m, g, u, u.name, text, 0, server)
		}
	}
	if !many {
		return
	}
	for name, values := range h {
		for i := range l.Profile.usage {
			u := &l.Profile.usage[i]
			suffix, ok := strings.CutPrefix(name, u.name)
			if !ok || !u.many || len(values) == 0 {
				continue
			}
			if window, ok := windowOf(suffix); ok {
				l.apply(m, g, u, name, values[0], window, server)
			} else {
				l.unreadable(name)
			}
		}
	}
}

// unanswered books a request until now that has got no answer: nobody says when the venue counted it.
func (l *Limits) unanswered(g *grant) {
	m := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late(m, g, m.venue)
}

// late books what took longer than was allowed for. l.mu is held.
func (l *Limits) late(m moment, g *grant, answered time.Time) {
	for i := range g.parts {
		p := &g.parts[i]
		p.ledger.late(m, p, answered)
	}
}

// apply corrects the ledgers that one header is about. l.mu is held.
func (l *Limits) apply(m moment, g *grant, u *usage, name, text string, window time.Duration, server time.Time) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n >= 0 && n <= math.MaxInt32) {
		l.unreadable(name)
		return
	}
	known := false
	for i := range g.parts {
		p := &g.parts[i]
		d := &l.Profile.draws[p.ledger.key.draw]
		if !slices.Contains(u.limits, d.limit.ID) || window != 0 && window != d.window {
			continue
		}
		known = true
		used := n
		if u.left {
			used = max(p.ledger.limit, stated(d.limit)) - n
		}
		p.ledger.correct(m, p, used, server)
	}
	if !known && window != 0 {
		l.unreadable(name) // about a window that no limit has, or one that this request did not draw on
	}
}

// stated is what a limit is said to be, relied on or not; 0 if nobody says.
func stated(l *Limit) float64 {
	if l.Limit == nil {
		return 0
	}
	return *l.Limit
}

// unreadable counts a header that could not be applied. l.mu is held.
func (l *Limits) unreadable(name string) {
	if _, ok := l.unread[name]; ok || len(l.unread) < 64 {
		l.unread[name]++
	}
}

// unreadHint counts a time to wait that could not be read, or was out of range.
func (l *Limits) unreadHint() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unreadable("time to wait")
}

// throttled notes that the venue refused a request because of a limit, and blocks what it drew on for wait: what the code
// names, or else all that no code names.
func (l *Limits) throttled(g *grant, v *Verdict, wait time.Duration) {
	if len(g.parts) == 0 {
		return
	}
	m := l.now()
	until := m.local.Add(wait)
	var alerts []Alert
	l.mu.Lock()
	named := func(p *part) bool { return slices.Contains(l.Profile.draws[p.ledger.key.draw].codes, v.Code) }
	free := func(p *part) bool { return len(l.Profile.draws[p.ledger.key.draw].codes) == 0 }
	hit := func(*part) bool { return true }
	for _, which := range []func(*part) bool{free, named} {
		for i := range g.parts {
			if which(&g.parts[i]) {
				hit = which
			}
		}
	}
	for i := range g.parts {
		if p := &g.parts[i]; hit(p) {
			early, again := p.ledger.slow(m, until, l.back(m, p.ledger))
			id := l.Profile.draws[p.ledger.key.draw].limit.ID
			if early {
				alerts = append(alerts, Alert{l.Profile.Exchange, "throttled_early", fmt.Sprintf("limit %s was reached before the local count said so: somebody else uses it, or it is lower", id)})
			}
			if again {
				alerts = append(alerts, Alert{l.Profile.Exchange, "throttled_again", fmt.Sprintf("limit %s was reached twice within its window", id)})
			}
		}
	}
	l.mu.Unlock()
	for _, a := range alerts {
		l.alert(a)
	}
}

func (l *Limits) alert(a Alert) {
	if l.OnAlert != nil {
		l.OnAlert(a)
	}
}

// SetLimit replaces a limit by what the venue says it is now, such as exchangeInfo of Binance. It returns an error if there
// is no such limit, or the value is not above 0.
func (l *Limits) SetLimit(id string, value float64) error {
	l.once.Do(l.start)
	if !(value > 0 && value <= math.MaxInt32) {
		return fmt.Errorf("limit %s: %v is none", id, value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := false
	for i := range l.draws() {
		known = known || l.Profile.draws[i].limit.ID == id
	}
	if !known {
		return fmt.Errorf("limit %s: nothing draws on it", id)
	}
	l.values[id] = value
	for key, g := range l.ledgers {
		if l.Profile.draws[key.draw].limit.ID == id {
			g.limit = value
		}
	}
	l.wake()
	return nil
}

func (l *Limits) draws() []draw {
	if l.Profile == nil {
		return nil
	}
	return l.Profile.draws
}

// learnLimits reads the rateLimits of Binance's exchangeInfo.
func (l *Limits) learnLimits(body []byte) {
	var list []struct {
		RateLimitType string  `json:"rateLimitType"`
		Interval      string  `json:"interval"`
		IntervalNum   int     `json:"intervalNum"`
		Limit         float64 `json:"limit"`
	}
	// The answer is long, and only its beginning was read.
	_, rest, _ := bytes.Cut(body, []byte(`"rateLimits":`))
	if json.NewDecoder(bytes.NewReader(rest)).Decode(&list) != nil {
		return
	}
	for _, told := range list {
		if told.Interval == "" {
			continue
		}
		window, _ := windowOf(strconv.Itoa(told.IntervalNum) + told.Interval[:1])
		for i := range l.draws() {
			d := &l.Profile.draws[i]
			var kind string
			switch {
			case d.limit.Model == modelFixedWeight:
				kind = "REQUEST_WEIGHT"
			case d.byIP:
				kind = "RAW_REQUESTS"
			default:
				kind = "ORDERS"
			}
			if kind == told.RateLimitType && d.window == window {
				_ = l.SetLimit(d.limit.ID, told.Limit) // one that is no limit changes nothing
			}
		}
	}
}

// Filled gives an account's order back to the limits that count only unfilled orders (Binance). Call it once for each order
// with its first fill.
func (l *Limits) Filled(account string) {
	l.each(func(m moment, key ledgerKey, g *ledger) {
		if g.unfilled && key.account == account {
			g.filled(m)
		}
	})
}

// Report says how much of a limit is used that only somebody else can count: open orders, connections. Limits of that model
// ("cap") hold nobody up until it was called, and count further orders from then on.
func (l *Limits) Report(id, account, symbol string, used float64) {
	l.once.Do(l.start)
	m := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.draws() {
		d := &l.Profile.draws[i]
		if d.limit.ID != id || d.form != capped {
			continue
		}
		if g, err := l.ledger(m, &endpointDraw{draw: i}, &request{kind: Order, account: account, symbol: symbol}); err == nil {
			g.reported, g.level = true, max(0, used)
		}
	}
	l.wake()
}

func (l *Limits) each(do func(m moment, key ledgerKey, g *ledger)) {
	l.once.Do(l.start)
	m := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, g := range l.ledgers {
		do(m, key, g)
	}
	l.wake()
}
