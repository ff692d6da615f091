package exchange

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeVenue counts like Binance: weight in windows of a minute on its own clock, which is ahead of ours by skew.
type fakeVenue struct {
	skew    time.Duration
	limit   float64
	latency func() time.Duration

	mu      sync.Mutex
	used    map[int64]float64
	kinds   map[string]int // answered with 200, by method and path
	refused int
	total   float64
}

func newFakeVenue(limit float64) *fakeVenue {
	return &fakeVenue{limit: limit, used: map[int64]float64{}, kinds: map[string]int{}, latency: func() time.Duration {
		return time.Duration(5+rand.IntN(40)) * time.Millisecond
	}}
}

var binanceCosts = map[string]float64{
	"POST /api/v3/order": 1, "DELETE /api/v3/order": 1, "GET /api/v3/order": 4, "GET /api/v3/klines": 2, "GET /api/v3/myPreventedMatches": 250,
	"GET /api/v3/aggTrades": 4,
}

func (v *fakeVenue) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := sleep(r.Context(), v.latency()); err != nil {
		return nil, err
	}
	now := time.Now().Add(v.skew)
	window := floor(now, time.Minute)
	v.mu.Lock()
	name := r.Method + " " + r.URL.Path
	v.used[window] += binanceCosts[name]
	used := v.used[window]
	status, body := 200, `{"orderId":1,"serverTime":`+fmt.Sprint(now.UnixMilli())+`}`
	if used > v.limit {
		v.refused++
		status, body = 429, `{"code":-1003,"msg":"Too much request weight used"}`
	} else {
		v.kinds[name]++
		v.total += binanceCosts[name]
	}
	v.mu.Unlock()
	date := now.UTC().Format(http.TimeFormat)
	if err := sleep(r.Context(), v.latency()); err != nil {
		return nil, err
	}
	return reply(r, status, body, "X-MBX-USED-WEIGHT-1M: "+fmt.Sprint(int(used)), "Date: "+date), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// flood sends one kind of request again and again until the context ends.
func flood(ctx context.Context, wg *sync.WaitGroup, tr *Transport, n int, method, path, form string, pause time.Duration) {
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				resp, err := send(ctx, tr, method, host+path, form)
				if err == nil {
					resp.Body.Close()
				}
				if err != nil || pause > 0 {
					sleep(ctx, max(pause, 100*time.Millisecond))
				}
			}
		})
	}
}

func (v *fakeVenue) check(t *testing.T, limit float64) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for window, used := range v.used {
		if used > limit {
			t.Errorf("window %d: %v used at the venue; want at most %v", window, used, limit)
		}
	}
	if v.refused > 0 {
		t.Errorf("%d refused by the venue; want none", v.refused)
	}
}

// floodAll sends requests of every share, as fast as they are answered, until ctx ends.
func floodAll(ctx context.Context, tr *Transport) {
	var wg sync.WaitGroup
	flood(ctx, &wg, tr, 5, "POST", "/api/v3/order", orderForm, 0)
	flood(ctx, &wg, tr, 5, "DELETE", "/api/v3/order", "", 200*time.Millisecond)
	flood(ctx, &wg, tr, 15, "GET", "/api/v3/order", "", 0)
	flood(ctx, &wg, tr, 15, "GET", "/api/v3/klines", "", 0)
	flood(ctx, &wg, tr, 10, "GET", "/api/v3/myPreventedMatches", "", 0)
	wg.Wait()
}

// 1: many times more than the limit for five minutes.
func TestFloodStaysWithinLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustLoad(t, "binance")
		venue := newFakeVenue(6000)
		tr := &Transport{Profile: p, PassOrders: true, Base: venue, Limits: &Limits{Profile: p, Clock: &Clock{}}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		floodAll(ctx, tr)
		venue.check(t, 6000)
		if share := venue.total / (5 * 6000); share < 0.85 {
			t.Errorf("%.3f of the limit used; want at least 0.85: %v %v", share, venue.kinds, venue.used)
		} else {
			t.Logf("%.3f of the limit used", share)
		}
	})
}

// 2: two processes on one IP.
func TestTwoProcessesShareAnIP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustLoad(t, "binance")
		venue := newFakeVenue(6000)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 2 {
			tr := &Transport{Profile: p, Base: venue, Limits: &Limits{Profile: p, Clock: &Clock{}}}
			flood(ctx, &wg, tr, 10, "GET", "/api/v3/order", "", 20*time.Millisecond)
			flood(ctx, &wg, tr, 10, "GET", "/api/v3/klines", "", 20*time.Millisecond)
		}
		wg.Wait()
		venue.check(t, 6000)
		t.Logf("%.3f of the limit used", venue.total/(5*6000))
	})
}

// 3: a restart inside a 418.
func TestRestartInsideABan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bans.json")
	p := mustLoad(t, "binance")
	sent := 0
	base := baseFunc(func(r *http.Request) (*http.Response, error) {
		sent++
		if sent == 1 {
			return reply(r, 418, `{"code":-1003,"msg":"Way too much request weight used; IP banned."}`, "Retry-After: 600"), nil
		}
		return reply(r, 200, `{}`), nil
	})
	first := &Transport{Profile: p, Base: base, Bans: &Bans{Store: &FileBans{Path: file}}}
	ctx, v := WithVerdict(t.Context())
	if _, err := get(ctx, first, host+"/api/v3/depth"); err != nil {
		t.Fatal(err)
	}
	if v.Meaning != Banned || v.After < 600*time.Second || v.After > 606*time.Second {
		t.Errorf("verdict %+v; want a ban for 601 to 605 s", v)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("not durable when the answer was returned: %v", err)
	}
	for range 3 {
		again := &Transport{Profile: p, Base: base, Desk: &fakeDesk{}, Bans: &Bans{Store: &FileBans{Path: file}}}
		for _, method := range []string{"GET", "POST", "DELETE"} {
			_, err := send(t.Context(), again, method, host+"/api/v3/order", "")
			if e, ok := errors.AsType[*BanError](err); !ok || e.After < 590*time.Second || e.Returning {
				t.Errorf("%s: %v; want a ban of 600 s", method, err)
			}
		}
		if err := again.Bans.Check(t.Context(), "binance", ""); !errors.Is(err, ErrBanned) {
			t.Errorf("Check() = %v; want a ban", err)
		}
		if s := again.Stats(); len(s.Bans) != 1 || s.BannedUntil.IsZero() {
			t.Errorf("Stats() = %+v; want the ban", s)
		}
	}
	if sent != 1 {
		t.Errorf("%d requests; want none after the 418", sent)
	}
}

// 4: a Retry-After of three days.
func TestLongRetryAfterLetsNobodySleep(t *testing.T) {
	p := mustLoad(t, "binance")
	tr := &Transport{Profile: p, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		return reply(r, 429, `{"code":-1003,"msg":"x"}`, "Retry-After: 259200"), nil
	})}
	if _, err := get(t.Context(), tr, host+"/api/v3/klines"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 20 {
		_, err := get(t.Context(), tr, host+"/api/v3/klines")
		if e, ok := errors.AsType[*LimitError](err); !ok || e.After < 259000*time.Second {
			t.Fatalf("%v; want a refusal for three days", err)
		}
	}
	if took := time.Since(began); took > 200*time.Millisecond {
		t.Errorf("20 calls took %v; want less than 10 ms each", took)
	}
}

// 5: the venue is busy; our quota has nothing to do with it.
func TestOverloadLeavesQuota(t *testing.T) {
	p := mustLoad(t, "binance")
	busy := true
	tr := &Transport{Profile: p, PassOrders: true, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		if busy {
			return reply(r, 503, `{"code":-1008,"msg":"Server is currently overloaded"}`), nil
		}
		return reply(r, 200, `{"orderId":1}`), nil
	})}
	for range 5 {
		ctx, v := WithVerdict(t.Context())
		send(ctx, tr, "POST", orderURL, orderForm)
		if v.Meaning != Overloaded || v.Outcome != NotPlaced {
			t.Errorf("verdict %+v; want overloaded, not placed", v)
		}
	}
	for _, l := range tr.Stats().Limits.Ledgers {
		if l.Throttled != 0 || !l.Blocked.IsZero() || l.Target < 0.9*l.Max-1e-9 {
			t.Errorf("%+v; want an untouched quota", l)
		}
	}
	busy = false
	if _, err := send(t.Context(), tr, "POST", orderURL, orderForm); err != nil {
		t.Errorf("after the storm: %v", err)
	}
}

// 6: bursts on both sides of the venue's minute, with a local clock that is off.
func TestWindowEdge(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Second, 0, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := mustLoad(t, "binance")
			venue := newFakeVenue(6000)
			venue.skew = skew
			tr := &Transport{Profile: p, Base: venue, Limits: &Limits{Profile: p, Clock: &Clock{}}}
			var wg sync.WaitGroup
			// Nothing was heard yet: two bursts around the edge as our clock has it, before the first answer.
			burst := func() {
				for range 1500 {
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
						defer cancel()
						get(ctx, tr, host+"/api/v3/aggTrades")
					})
				}
			}
			time.Sleep(time.Minute - 2*time.Millisecond)
			burst()
			time.Sleep(4 * time.Millisecond)
			burst()
			wg.Wait()
			// Then around the edge of the venue's minutes.
			for range 4 {
				edge := time.Unix(60*(floor(time.Now().Add(skew+5*time.Second), time.Minute)+1), 0).Add(-skew)
				for _, at := range []time.Duration{-300 * time.Millisecond, -5 * time.Millisecond, 5 * time.Millisecond, 2 * time.Second} {
					time.Sleep(time.Until(edge.Add(at)))
					burst()
				}
				wg.Wait()
			}
			venue.check(t, 6000)
		})
	}
}

// 7: new orders flood.
func TestVerificationKeepsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 600)
		venue := newFakeVenue(600)
		tr := &Transport{Profile: p, PassOrders: true, Base: venue, Limits: &Limits{Profile: p, Clock: &Clock{}}}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		flood(ctx, &wg, tr, 30, "POST", "/api/v3/order", orderForm, 0)
		time.Sleep(90 * time.Second) // they have all that they can get
		flood(ctx, &wg, tr, 10, "GET", "/api/v3/order", "", 0)
		wg.Wait()
		venue.check(t, 600)
		// 20 % of 540 a minute at a weight of 4, for two whole minutes at least.
		if n := venue.kinds["GET /api/v3/order"]; n < 2*27 {
			t.Errorf("%d verifications; want at least %d", n, 2*27)
		}
	})
}

func TestCancelPassesBeforeReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 2)
		var order []string
		var mu sync.Mutex
		tr := &Transport{Profile: p, PassOrders: true, Limits: &Limits{Profile: p, MaxWait: 5 * time.Minute}, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, r.Method)
			return reply(r, 200, `{"orderId":1}`), nil
		})}
		if _, err := send(t.Context(), tr, "DELETE", host+"/api/v3/order", ""); err != nil { // takes all
			t.Fatal(err)
		}
		order = nil
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { get(t.Context(), tr, host+"/api/v3/klines") })
			time.Sleep(time.Millisecond)
		}
		wg.Go(func() { send(t.Context(), tr, "DELETE", host+"/api/v3/order", "") })
		time.Sleep(time.Millisecond)
		if n := tr.Stats().Limits.Waiting; n != 4 {
			t.Fatalf("%d wait; want 4", n)
		}
		wg.Wait()
		if order[0] != "DELETE" {
			t.Errorf("sent %v; want the cancel first", order)
		}
	})
}

// testProfile is Binance with one limit of its own size.
func testProfile(t testing.TB, limit float64) *Profile {
	t.Helper()
	p := mustLoad(t, "binance")
	p.Rest.Limits[0].Limit = &limit
	p.Wire.Draws = []Draw{{Limit: "request_weight"}}
	p.compile()
	return p
}

// 8: the context ends while it waits.
func TestContextEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 100)
		l := &Limits{Profile: p, MaxWait: time.Hour}
		tr := &Transport{Profile: p, Limits: l, Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, 200, "{}"), nil })}
		for l.lines.n == 0 {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { _, err := get(ctx, tr, host+"/api/v3/klines"); done <- err }()
			synctest.Wait()
			if len(done) == 1 {
				<-done
				cancel()
				continue
			}
			used := tr.Stats().Limits.Ledgers[0].Used
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%v; want the end of the context", err)
			}
			if s := tr.Stats().Limits; s.Waiting != 0 || s.Ledgers[0].Used != used {
				t.Errorf("%d wait, %v used; want 0, %v", s.Waiting, s.Ledgers[0].Used, used)
			}
			break
		}
		// Who would have to wait longer than the deadline allows is refused at once.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := get(ctx, tr, host+"/api/v3/klines"); !errors.Is(err, ErrLimited) || time.Since(began) != 0 {
			t.Errorf("%v after %v; want ErrLimited at once", err, time.Since(began))
		}
	})
}

// 10: cancels are priced by the order's age.
func TestKrakenCancelAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustLoad(t, "kraken")
		for age, want := range map[time.Duration]float64{
			0: 8, 5*time.Second - 1: 8, 5 * time.Second: 6, 10 * time.Second: 5, 15 * time.Second: 4, 45 * time.Second: 2,
			90 * time.Second: 1, 299 * time.Second: 1, 300 * time.Second: 0, time.Hour: 0, -1: 8,
		} {
			r := &request{kind: Cancel, method: "POST", path: "/0/private/CancelOrder", age: age}
			for i := range p.draws {
				if d := &p.draws[i]; d.limit.ID == "trading_starter" {
					e := endpointDraw{}
					e.prices, e.other = d.pricesOf(r.method, r.path)
					if got := e.cost(r); got != want {
						t.Errorf("cancel at %v costs %v; want %v", age, got, want)
					}
				}
			}
		}
		tr := &Transport{Profile: p, PassOrders: true, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			return reply(r, 200, `{"error":[],"result":{"txid":["O1"],"count":1}}`), nil
		})}
		used := func() float64 {
			for _, l := range tr.Stats().Limits.Ledgers {
				if l.Limit == "trading_starter" {
					return l.Used
				}
			}
			return -1
		}
		cancel := func() float64 {
			before := used()
			if _, err := send(t.Context(), tr, "POST", host+"/0/private/CancelOrder", "pair=XBTUSD&cl_ord_id=abc"); err != nil {
				t.Fatal(err)
			}
			return used() - before
		}
		if _, err := send(t.Context(), tr, "POST", host+"/0/private/AddOrder", "pair=XBTUSD&cl_ord_id=abc"); err != nil {
			t.Fatal(err)
		}
		if got := cancel(); got != 8 {
			t.Errorf("a cancel at once cost %v; want 8", got)
		}
		time.Sleep(300 * time.Second)
		if got := cancel(); got != 0 {
			t.Errorf("a cancel after 300 s cost %v; want 0", got)
		}
	})
}
