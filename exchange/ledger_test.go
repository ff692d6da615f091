package exchange

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// oneLimit is a profile with one limit, drawn on by all.
func oneLimit(t testing.TB, l Limit) *Profile {
	t.Helper()
	p := mustLoad(t, "binance")
	l.ID, l.Fact = "it", Fact{Confidence: Doc}
	p.Rest.Limits = []Limit{l}
	p.Wire.Draws, p.Wire.Usage = []Draw{{Limit: "it", Costs: Prices{"/two": "2", "/five": "5", "default": "1"}}}, []Usage{{Header: "X-Left", Says: "left", Limits: []string{"it"}}}
	p.compile()
	return p
}

func number(n float64) *float64 { return &n }

func reserve(l *Limits, kind Kind, path string) (*grant, error) {
	g := &grant{}
	return g, l.reserve(bg, &request{kind: kind, method: "GET", path: path, age: -1}, g)
}

// In no window of the limit's length is more let go than the limit, whatever the model, and nothing is lost for good.
func TestModelsNeverExceed(t *testing.T) {
	for _, l := range []Limit{
		{Model: modelCount, Limit: number(50), WindowMS: new(int64(10_000))},
		{Model: modelRolling, Limit: number(10), WindowMS: new(int64(1000))},
		{Model: modelRate, Limit: number(30), WindowMS: new(int64(1000))},
		{Model: modelFixedCount, Limit: number(60), WindowMS: new(int64(10_000))},
		{Model: modelToken, Limit: number(20), RefillPerS: number(5)},
		{Model: modelDecay, Limit: number(15), RefillPerS: number(0.33)},
	} {
		t.Run(l.Model, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := oneLimit(t, l)
				limits := &Limits{Profile: p, MaxWait: -1}
				type event struct {
					at   time.Time
					cost float64
				}
				var log []event
				paths := map[string]float64{"/one": 1, "/two": 2, "/five": 5}
				names := []string{"/one", "/two", "/five"}
				kinds := []Kind{Read, Order, Cancel, Verify, Repair}
				for range 4000 {
					path := names[rand.IntN(3)]
					g, err := reserve(limits, kinds[rand.IntN(len(kinds))], path)
					switch {
					case err == nil && rand.IntN(10) == 0:
						limits.settle(g, false)
						limits.settle(g, false) // once only
					case err == nil:
						log = append(log, event{time.Now(), paths[path]})
					}
					time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
				}
				if len(log) < 20 {
					t.Fatalf("%d let go: the limit never comes back", len(log))
				}
				window := limits.Profile.draws[0].window
				for i := range log {
					sum := 0.0
					for _, e := range log[i:] {
						d := e.at.Sub(log[i].at)
						switch {
						case l.RefillPerS != nil:
							if sum += e.cost; sum > *l.Limit+d.Seconds()**l.RefillPerS+1e-6 {
								t.Fatalf("%v within %v: more than the bucket holds", sum, d)
							}
						case l.Model == modelFixedCount && floor(e.at, window) == floor(log[i].at, window), l.Model != modelFixedCount && d < window:
							if sum += e.cost; sum > *l.Limit {
								t.Fatalf("%v within %v; want at most %v", sum, d, *l.Limit)
							}
						}
					}
				}
			})
		})
	}
}

func TestSetLimitAndLearn(t *testing.T) {
	p := mustLoad(t, "binance")
	l := &Limits{Profile: p}
	tr := &Transport{Profile: p, Limits: l, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		return reply(r, 200, `{"timezone":"UTC","rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":1200},
			{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000},
			{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":6100},{"rateLimitType":"ORDERS","interval":"","limit":1}],"symbols":[`), nil
	})}
	if _, err := get(t.Context(), tr, host+"/api/v3/exchangeInfo"); err != nil {
		t.Fatal(err)
	}
	g, err := reserve(l, Order, "/api/v3/x")
	if err != nil {
		t.Fatal(err)
	}
	_ = g
	l.reserve(bg, &request{kind: Order, method: "POST", path: "/api/v3/order"}, &grant{})
	want := map[string]float64{"request_weight": 1200, "orders_10s": 50, "orders_1d": 160000, "raw_requests": 6100}
	for _, s := range l.Stats().Ledgers {
		if s.Max != want[s.Limit] {
			t.Errorf("%s: %v; want %v", s.Limit, s.Max, want[s.Limit])
		}
	}
	for _, err := range []error{l.SetLimit("nothing", 5), l.SetLimit("raw_requests", 0), l.SetLimit("raw_requests", 1e300), (&Limits{}).SetLimit("x", 1)} {
		if err == nil {
			t.Error("an odd limit was set")
		}
	}
	l.learnLimits([]byte(`{"rateLimits":"none"}`))
	// What nobody knows is a tenth of the nearest rate.
	for i := range p.draws {
		if d := &p.draws[i]; d.limit.ID == "orders_1d" && d.value != 100*8640/10 {
			t.Errorf("orders_1d counts as %v", d.value)
		}
	}
	p.Rest.Limits[3].Scope = "moon"
	if got := p.limitOf(&p.Rest.Limits[3]); got != 1 {
		t.Errorf("without anything near: %v; want 1", got)
	}
}

func TestFilledGivesBack(t *testing.T) {
	p := mustLoad(t, "binance")
	l := &Limits{Profile: p}
	l.reserve(bg, &request{kind: Order, method: "POST", path: "/api/v3/order", account: "a"}, &grant{})
	used := func() float64 {
		for _, s := range l.Stats().Ledgers {
			if s.Limit == "orders_10s" {
				return s.Used
			}
		}
		return -1
	}
	l.Filled("b")
	if used() != 1 {
		t.Errorf("%v used; want 1: the fill was another account's", used())
	}
	l.Filled("a")
	l.Filled("a")
	if used() != 0 {
		t.Errorf("%v used; want 0", used())
	}
}

func TestReport(t *testing.T) {
	p := mustLoad(t, "kraken")
	l := &Limits{Profile: p, MaxWait: -1, Tier: "pro"}
	order := func(symbol string) error {
		return l.reserve(bg, &request{kind: Order, method: "POST", path: "/0/private/AddOrder", account: "a", symbol: symbol}, &grant{})
	}
	l.Report("open_orders", "a", "XBTUSD", 26) // 60 by one source: 30, less the margin
	l.Report("nothing", "a", "XBTUSD", 26)
	if err := order("XBTUSD"); err != nil {
		t.Error(err)
	}
	err := order("XBTUSD")
	if e, ok := errors.AsType[*LimitError](err); !ok || e.Limit != "open_orders" {
		t.Errorf("%v; want open_orders", err)
	}
	if err := order("ETHUSD"); err != nil {
		t.Errorf("another market: %v", err)
	}
	l.Report("open_orders", "a", "XBTUSD", 3)
	if err := order("XBTUSD"); err != nil {
		t.Errorf("after orders were closed: %v", err)
	}
	(&Limits{}).Report("x", "", "", 1)
}

func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustLoad(t, "binance")
		var alerts []Alert
		l := &Limits{Profile: p, OnAlert: func(a Alert) { alerts = append(alerts, a) }}
		answer, header := `{"code":-1015,"msg":"Too many new orders"}`, "Retry-After: 3"
		tr := &Transport{Profile: p, PassOrders: true, Limits: l, Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, 429, answer, header), nil })}
		ctx, v := WithVerdict(t.Context())
		send(ctx, tr, "POST", orderURL, orderForm)
		if v.After != 3*time.Second || len(alerts) != 2 || alerts[0].Kind != "throttled_early" {
			t.Errorf("%+v, %+v; want 3 s, and alerts: there was room by our count", v, alerts)
		}
		for _, s := range l.Stats().Ledgers {
			if blocked := !s.Blocked.IsZero(); blocked != strings.HasPrefix(s.Limit, "orders") || blocked && s.Headroom != 0 {
				t.Errorf("%+v; want only the orders blocked", s)
			}
		}
		alerts = nil
		time.Sleep(3 * time.Second)
		send(ctx, tr, "POST", orderURL, orderForm)
		if len(alerts) != 2 || alerts[1].Kind != "throttled_again" {
			t.Errorf("%+v; want that it was the second time", alerts)
		}
		// Without a time the default counts, with full jitter above it; an unreadable one is counted.
		answer, header = `{"code":-1003,"msg":"x"}`, "Retry-After: never"
		ctx, v = WithVerdict(t.Context())
		get(ctx, tr, host+"/api/v3/klines")
		if v.After < time.Second || v.After >= 2*time.Second {
			t.Errorf("wait %v; want 1 to 2 s", v.After)
		}
		s := l.Stats()
		if s.Unread["time to wait"] != 1 {
			t.Errorf("unread %v; want one", s.Unread)
		}
		for _, e := range s.Ledgers {
			if e.Limit == "request_weight" && e.Target > 0.1*e.Max {
				t.Errorf("%+v; want 90 %% of what was used", e)
			}
		}
		time.Sleep(10 * time.Minute)
		for _, e := range l.Stats().Ledgers {
			if e.Limit == "request_weight" && (e.Target < 0.1*e.Max || e.Target > 0.2*e.Max) {
				t.Errorf("%+v; want 10 %% more after ten quiet minutes", e)
			}
		}
		time.Sleep(2 * time.Hour)
		for _, e := range l.Stats().Ledgers {
			if e.Limit == "request_weight" && e.Target != 0.9*e.Max {
				t.Errorf("%+v; want all of the target back", e)
			}
		}
		// A limit that the facts say takes longer.
		bitfinex := &Transport{Profile: mustLoad(t, "bitfinex"), Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			return reply(r, 500, `["error",11010,"ratelimit: error"]`), nil
		})}
		ctx, v = WithVerdict(t.Context())
		get(ctx, bitfinex, host+"/v2/book/tBTCUSD/P0")
		if v.After < time.Minute {
			t.Errorf("Bitfinex: %v; want a minute", v.After)
		}
		// A code that names none of the limits that the request drew on blocks them all.
		deribit := &Transport{Profile: mustLoad(t, "deribit"), Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			return reply(r, 400, `{"error":{"code":10047,"message":"matching_engine_queue_full"}}`), nil
		})}
		get(t.Context(), deribit, host+"/api/v2/public/ticker")
		if _, err := get(t.Context(), deribit, host+"/api/v2/private/get_order_state"); err != nil {
			t.Errorf("after a wait: %v", err)
		}
		if s := deribit.Stats().Limits.Ledgers; len(s) != 1 || s[0].Throttled != 2 {
			t.Errorf("%+v; want one limit, refused twice", s)
		}
		(&Limits{}).throttled(&grant{}, v, 1)
		(&Limits{Profile: p}).alert(Alert{})
	})
}

func TestUsageHeaders(t *testing.T) {
	p := mustLoad(t, "binance")
	l := &Limits{Profile: p}
	tr := &Transport{Profile: p, Limits: l, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		return reply(r, 200, `{}`, "X-MBX-USED-WEIGHT-1m: 700", "X-MBX-USED-WEIGHT-3H: 5", "X-MBX-USED-WEIGHT-ODD: 5", "X-MBX-ORDER-COUNT-10S: many"), nil
	})}
	get(t.Context(), tr, host+"/api/v3/klines")
	s := l.Stats()
	if len(s.Unread) != 3 {
		t.Errorf("unread %v; want three", s.Unread)
	}
	for _, e := range s.Ledgers {
		if e.Limit == "request_weight" && e.Used != 700 {
			t.Errorf("%+v; want what the venue said", e)
		}
	}
	// "left", for a sliding window, a bucket and a cap; odd values change nothing.
	for _, limit := range []Limit{
		{Model: modelCount, Limit: number(50), WindowMS: new(int64(10_000))}, {Model: modelToken, Limit: number(50), RefillPerS: number(1)},
		{Model: modelFixedCount, Limit: number(50), WindowMS: new(int64(60_000))},
	} {
		p := oneLimit(t, limit)
		l := &Limits{Profile: p}
		g, _ := reserve(l, Read, "/one")
		for text, want := range map[string]float64{"20": 30, "45": 30, "x": 30, "-1": 30, "1e30": 30, "NaN": 30} {
			l.correct(g, http.Header{"X-Left": {"20"}}, time.Time{}, time.Now())
			l.correct(g, http.Header{"X-Left": {text}}, time.Time{}, time.Now())
			if got := l.Stats().Ledgers[0].Used; got < want-1 || got > want {
				t.Errorf("%s, left %s: %v used; want %v", limit.Model, text, got, want)
			}
		}
		g.parts[0].ledger.correct(l.now(), &g.parts[0], -1, time.Now())
	}
	// An answer from the other side of the edge belongs to the earlier window.
	g := &ledger{form: fixed, window: time.Minute, limit: 100}
	m := moment{local: time.Now(), venue: time.Unix(600, 0).Add(-100 * time.Millisecond)}
	g.turn(m)
	pt := part{ledger: g, cost: 1}
	g.take(m, &pt, shareRest, false, 1)
	g.correct(m, &pt, 90, time.Unix(601, 0))
	if g.at(9).used != 90 || g.at(10).used != 1 {
		t.Errorf("windows %+v; want 90 in the ninth, 1 in the tenth", g.fixed)
	}
	g.giveBack(&pt)
	if g.at(10).used != 0 {
		t.Errorf("windows %+v; want the tenth given back", g.fixed)
	}
	l.unread = make(map[string]uint64)
	for i := range 100 {
		l.unreadable(fmt.Sprint(i))
	}
	if len(l.unread) != 64 {
		t.Errorf("%d headers are remembered; want 64", len(l.unread))
	}
}

func TestManyLedgers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustLoad(t, "kraken")
		l := &Limits{Profile: p, MaxWait: -1}
		order := func(symbol string) error {
			return l.reserve(bg, &request{kind: Cancel, method: "POST", path: "/0/private/CancelOrder", symbol: symbol, age: -1}, &grant{})
		}
		for i := range maxLedgers {
			if err := order(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := order("one more"); !errors.Is(err, ErrCrowded) {
			t.Errorf("%v; want ErrCrowded", err)
		}
		time.Sleep(time.Hour) // they have all decayed
		if err := order("one more"); err != nil {
			t.Error(err)
		}
		if n := len(l.Stats().Ledgers); n > 10 {
			t.Errorf("%d ledgers; want those that hold nothing forgotten", n)
		}
		l.lines.n = 1
		if l.forget(l.now()) {
			t.Error("forgot a ledger while somebody waits")
		}
	})
}

// A ledger that was forgotten is not the one that counts afterwards.
func TestForgottenLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Limits{Profile: testProfile(t, 2), MaxWait: -1}
		reserve(l, Read, "/api/v3/klines")
		before := len(l.Stats().Ledgers)
		time.Sleep(48 * time.Hour)
		if !l.forget(l.now()) || len(l.Stats().Ledgers) != 0 {
			t.Errorf("%d ledgers; want none", len(l.Stats().Ledgers))
		}
		reserve(l, Read, "/api/v3/klines")
		now := l.Stats().Ledgers
		if len(now) != before || now[0].Used == 0 {
			t.Errorf("%+v; want %d ledgers that count", now, before)
		}
	})
}

func TestWaitersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 2)
		l := &Limits{Profile: p, MaxWaiters: 2, MaxWait: 90 * time.Second}
		reserve(l, Read, "/api/v3/klines")
		errs := make(chan error, 3)
		for range 2 {
			go func() { _, err := reserve(l, Read, "/api/v3/klines"); errs <- err }()
		}
		synctest.Wait()
		if _, err := reserve(l, Read, "/api/v3/klines"); !errors.Is(err, ErrCrowded) {
			t.Errorf("%v; want ErrCrowded", err)
		}
		// Of the two, one goes in the next minute; the other would wait for longer than MaxWait.
		// Both hear of it in the same moment, in any order.
		one, other := <-errs, <-errs
		if one != nil {
			one, other = other, one
		}
		if one != nil || !errors.Is(other, ErrLimited) {
			t.Errorf("%v and %v; want one to go, and ErrLimited for the other", one, other)
		}
	})
}

// What is given back wakes who waits for it.
func TestGivenBackWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 2)
		l := &Limits{Profile: p, MaxWait: time.Hour}
		g, _ := reserve(l, Read, "/api/v3/klines")
		done := make(chan error, 2)
		for range 2 {
			go func() { _, err := reserve(l, Read, "/api/v3/klines"); done <- err }()
			synctest.Wait()
		}
		began := time.Now()
		l.settle(g, false)
		if err := <-done; err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v; want the place at once", err, time.Since(began))
		}
		if err := <-done; err != nil || time.Since(began) < 30*time.Second {
			t.Errorf("%v after %v; want the next minute", err, time.Since(began))
		}
	})
}

func TestCheckLimits(t *testing.T) {
	p := mustLoad(t, "kraken")
	if err := (&Limits{Profile: p, Tier: "pro", Margin: 0.2}).Check(); err != nil {
		t.Errorf("Check() = %v; want nil", err)
	}
	for want, l := range map[string]*Limits{
		"Profile": {}, "Tier": {Profile: p, Tier: "emperor"}, "Margin": {Profile: p, Margin: 1}, "MaxWaiters": {Profile: p, MaxWait: -1, MaxWaiters: 1},
	} {
		if err := l.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Check() = %v; want %s", err, want)
		}
	}
	for margin, want := range map[float64]float64{0: 0.1, -1: 0, 0.5: 0.5, 2: 0.9} {
		if got := (&Limits{Margin: margin}).margin(); got != want {
			t.Errorf("Margin %v counts as %v; want %v", margin, got, want)
		}
	}
	if n := (&Limits{MaxWaiters: -1}).maxWaiters(); n != 0 {
		t.Errorf("MaxWaiters -1 counts as %d", n)
	}
	if _, err := reserve(&Limits{}, Order, "/x"); err != nil {
		t.Errorf("without a profile: %v", err)
	}
}

func TestTiers(t *testing.T) {
	p := mustLoad(t, "kraken")
	for tier, want := range map[string]float64{"": 15, "pro": 20, "emperor": 15} {
		l := &Limits{Profile: p, Tier: tier}
		l.reserve(bg, &request{kind: Read, method: "POST", path: "/0/private/Balance"}, &grant{})
		if s := l.Stats().Ledgers; len(s) != 1 || s[0].Max != want {
			t.Errorf("%q: %+v; want one of %v", tier, s, want)
		}
	}
}

// When others on the IP use most of a limit, the rest does not take what is reserved for verification.
func TestReserveOutlivesForeignUse(t *testing.T) {
	p := oneLimit(t, Limit{Model: modelFixedCount, Limit: number(100), WindowMS: new(int64(60_000))})
	synctest.Test(t, func(t *testing.T) {
		l := &Limits{Profile: p, MaxWait: -1}
		g, _ := reserve(l, Read, "/one")
		l.correct(g, http.Header{"X-Left": {"40"}}, time.Time{}, time.Now())
		count := func(kind Kind) (n int) {
			for {
				if _, err := reserve(l, kind, "/one"); err != nil {
					return n
				}
				n++
			}
		}
		if n := count(Order); n != 12 { // 90 less 60, less the 18 of verification
			t.Errorf("%d orders; want 12", n)
		}
		if n := count(Verify); n != 18 {
			t.Errorf("%d verifications; want 18", n)
		}
	})
}

// A verification that borrows from the rest, and was not sent, gives it back there.
func TestBorrowedIsGivenBack(t *testing.T) {
	b := shareBook{draws: [shares]bool{true, true, true, true}}
	b.roll(1)
	before := b
	parts := b.take(shareVerify, false, 30, 100)
	if parts != [shares]float64{shareVerify: 20, shareRest: 10} || b.left(shareRest, 100) != 10 || b.lent[shareRest] != 10 {
		t.Errorf("took %v, rest has %v left; want 20 of its own, 10 of the rest", parts, b.left(shareRest, 100))
	}
	b.giveBack(2, shareVerify, 30, parts) // of another window: nothing
	b.giveBack(1, shareVerify, 30, parts)
	if b != before {
		t.Errorf("%+v; want %+v", b, before)
	}
}

// Reads count apart by symbol where the limit says so.
func TestReadsBySymbol(t *testing.T) {
	p := oneLimit(t, Limit{Scope: "ip_market", Model: modelCount, Limit: number(50), WindowMS: new(int64(10_000))})
	p.Wire.Symbol = []string{"form:symbol", "query:symbol", "query:instrument"}
	tr := &Transport{Profile: p, Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, 200, "{}"), nil })}
	for _, query := range []string{"symbol=A", "symbol=B", "instrument=A", "x=y"} {
		get(t.Context(), tr, host+"/x?"+query)
	}
	if s := tr.Stats().Limits.Ledgers; len(s) != 3 || s[1].Apart != "A" || s[1].Used != 2 {
		t.Errorf("%+v; want three, A used twice", s)
	}
}
