package venue

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProfiles(t *testing.T) {
	want := []string{"alpaca", "binance", "bitfinex", "bybit", "coinbase", "deribit", "gate", "kraken", "okx", "strict"}
	if got := Profiles(); !slices.Equal(got, want) {
		t.Errorf("Profiles() = %v; want %v", got, want)
	}
	for _, name := range want {
		p, err := NamedProfile(name)
		if err != nil || p.Check() != nil || p.Name != name {
			t.Errorf("%s: %+v, %v, %v", name, p, err, p.Check())
		}
		if err := (Config{Profile: name}).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NamedProfile("nyse"); err == nil || !strings.Contains(err.Error(), "there are alpaca") {
		t.Errorf("unknown profile: %v", err)
	}
	if err := (Config{Profile: "nyse"}).Validate(); err == nil {
		t.Error("an unknown profile passes")
	}
	if v := New(Config{Profile: "nyse"}); v.profile.Name != "strict" {
		t.Errorf("an unknown profile means %s; want the one that promises least", v.profile.Name)
	}
}

func TestProfileCheck(t *testing.T) {
	for _, test := range []struct {
		p    Profile
		want string
	}{
		{Profile{}, ""},
		{Profile{Dedupe: "maybe"}, "Dedupe"},
		{Profile{Visibility: "dim"}, "Visibility"},
		{Profile{Fence: "hedge"}, "Fence"},
		{Profile{Ack: "nod"}, "Ack"},
		{Profile{ErrorStyle: "poem"}, "ErrorStyle"},
		{Profile{Fence: FenceDeadline}, "Deadline"},
		{Profile{Deadline: "expTime"}, "Deadline"},
		{Profile{Residual: time.Hour}, "Residual"},
		{Profile{Residual: -1}, "Residual"},
		{Profile{Limits: []Ledger{{Limit: 1}}}, "Limits[0]"},
		{Profile{Limits: []Ledger{{Limit: 1, Window: 1, RefillPerSecond: 1}}}, "Limits[0]"},
		{Profile{Limits: []Ledger{{Window: 1}}}, "Limits[0]"},
	} {
		err := test.p.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("Check(%+v) = %v; want %q", test.p, err, test.want)
		}
	}
	bad := Config{Custom: &Profile{Dedupe: "maybe"}}
	if err := bad.Validate(); err == nil || New(bad).profile.Name != "binance" {
		t.Errorf("a wrong profile: %v, taken as %s", err, New(bad).profile.Name)
	}
}

// custom is a venue of one's own ways.
func custom(p Profile) *Venue { return New(Config{Custom: &p}) }

// TestDedupe: what a second order with the same client id meets while the first is open and when it is done.
func TestDedupe(t *testing.T) {
	for _, test := range []struct {
		dedupe              Dedupe
		whileOpen, whenDone int // code, 0 if the answer is 200
		orders              int
	}{
		{DedupeNone, 0, 0, 4},
		{DedupeOpenOnly, -2010, 0, 3},
		{DedupeAlways, -2010, -2010, 2},
		{DedupeReturnsOriginal, 0, 0, 2},
	} {
		v := custom(Profile{Dedupe: test.dedupe})
		ask(v, "POST", "order", restingBid+"open")
		open := ask(v, "POST", "order", restingBid+"open")
		ask(v, "POST", "order", marketBuy+"done")
		done := ask(v, "POST", "order", marketBuy+"done")
		if open.code() != test.whileOpen || done.code() != test.whenDone || v.Oracle().Totals.Orders != test.orders {
			t.Errorf("%s: %d while open, %d when done, %d orders; want %+v", test.dedupe, open.code(), done.code(), v.Oracle().Totals.Orders, test)
		}
		sound(t, v)
		if test.dedupe == DedupeReturnsOriginal && !strings.Contains(done.body, `"orderId":2,`) {
			t.Errorf("%s: %s; want the original", test.dedupe, done.body)
		}
	}
}

func TestVisibility(t *testing.T) {
	for _, test := range []struct {
		see        Visibility
		open, done int
		listed     bool
	}{
		{VisibleAll, 0, 0, true},
		{VisiblePendingOnly, 0, -2013, true},
		{VisibleListsOnly, -1106, -1106, true},
		{VisibleNone, -1106, -1106, false},
	} {
		v := custom(Profile{Visibility: test.see})
		ask(v, "POST", "order", restingBid+"open")
		ask(v, "POST", "order", marketBuy+"done")
		open := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=open")
		done := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=done")
		list := ask(v, "GET", "allOrders", "symbol=BTCUSDT")
		if open.code() != test.open || done.code() != test.done || strings.Contains(list.body, `"done"`) != test.listed {
			t.Errorf("%s: open %d, done %d, list %s; want %+v", test.see, open.code(), done.code(), list.body, test)
		}
		if r := ask(v, "GET", "order", "symbol=BTCUSDT orderId=2"); r.status != 200 {
			t.Errorf("%s: by the venue's id %+v", test.see, r)
		}
	}
}

// TestFence: which requests are refused when they are held for 3 s.
func TestFence(t *testing.T) {
	for _, test := range []struct {
		name    string
		profile Profile
		params  func() string
		placed  bool
	}{
		{"within the window", Profile{Fence: FenceWindow}, func() string { return "recvWindow=5000 " }, true},
		{"after the window", Profile{Fence: FenceWindow}, func() string { return "recvWindow=1000 " }, false},
		{"after the window, but honoured", Profile{Fence: FenceWindow, HonourLate: true}, func() string { return "recvWindow=1000 " }, true},
		{"no fence", Profile{Fence: FenceNone}, func() string { return "recvWindow=1000 " }, true},
		{"within the deadline", Profile{Fence: FenceDeadline, Deadline: "expTime"}, func() string { return deadlineIn(5 * time.Second) }, true},
		{"after the deadline", Profile{Fence: FenceDeadline, Deadline: "expTime"}, func() string { return deadlineIn(time.Second) }, false},
		{"after the deadline, but honoured", Profile{Fence: FenceDeadline, Deadline: "expTime", HonourLate: true}, func() string { return deadlineIn(time.Second) }, true},
		{"no deadline named", Profile{Fence: FenceDeadline, Deadline: "expTime"}, func() string { return "recvWindow=1000 " }, true},
		{"a deadline that is none", Profile{Fence: FenceDeadline, Deadline: "expTime"}, func() string { return "expTime=soon " }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := custom(test.profile)
			add(t, v, Fault{Kind: Hold, Delay: 3 * time.Second})
			r := ask(v, "POST", "order", test.params()+marketBuy+"a")
			if placed := v.Oracle().Totals.Orders == 1; placed != test.placed || (r.status == 200) != test.placed {
				t.Errorf("%s: %+v; want placed %v", test.name, r, test.placed)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		v := custom(Profile{Fence: FenceDeadline, Deadline: "x-gate-exptime"})
		r := signed("POST", "/api/v3/order", marketBuy+"a", DefaultKey, DefaultSecret)
		r.Header.Set("x-gate-exptime", fmt.Sprint(time.Now().Add(-time.Second).UnixMilli()))
		if got := send(v, r); got.code() != -1021 {
			t.Errorf("a deadline in a header: %+v; want -1021", got)
		}
	})
}

func deadlineIn(d time.Duration) string {
	return fmt.Sprint("expTime=", time.Now().Add(d).UnixMilli(), " ")
}

// TestResidual: a request that passed its fence can still wait, but not for longer than the profile says.
func TestResidual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := custom(Profile{Residual: 2 * time.Second})
		add(t, v, Fault{Kind: SlowEngine, Delay: time.Minute})
		start := time.Now()
		r := ask(v, "POST", "order", "recvWindow=1000 "+marketBuy+"a")
		if r.status != 200 || time.Since(start) != 2*time.Second {
			t.Errorf("%d after %v; want 200 after 2s", r.status, time.Since(start))
		}
	})
}

// TestAcceptedOnly: the answer says that the request was accepted, and the order is rejected all the same.
func TestAcceptedOnly(t *testing.T) {
	v := custom(Profile{Ack: AckAcceptedOnly})
	r := ask(v, "POST", "order", "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=100 price=59000 newClientOrderId=dear")
	if r.status != 200 || strings.Contains(r.body, "status") {
		t.Errorf("answer = %+v; want no more than an acknowledgement", r)
	}
	o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=dear"))
	if o.Status != statusRejected || v.Oracle().Totals.Orders != 0 {
		t.Errorf("order = %+v; want it rejected", o)
	}
	if r := ask(v, "POST", "order", marketBuy+"a"); r.status != 200 || strings.Contains(r.body, "fills") {
		t.Errorf("answer to a market order = %+v", r)
	}
	sound(t, v)
}

func TestErrorStyle(t *testing.T) {
	v := custom(Profile{ErrorStyle: CodeInBody})
	if r := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=none"); r.status != 200 || r.code() != -2013 {
		t.Errorf("no such order: %+v; want 200 with -2013", r)
	}
	if r := send(v, signed("GET", "/api/v3/account", "", "stranger", "x")); r.status != http.StatusUnauthorized {
		t.Errorf("stranger: %+v; want 401", r)
	}
}

func TestLedgers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := custom(Profile{Limits: []Ledger{
			{Name: "orders", PerAccount: true, OrdersOnly: true, Limit: 2, Window: time.Second},
			{Name: "all", Limit: 5, RefillPerSecond: 1},
		}})
		try := func(method string) int { return ask(v, method, "order", marketBuy).status }
		for i, want := range []int{200, 200, 429} {
			if got := try("POST"); got != want {
				t.Errorf("order %d: %d; want %d", i, got, want)
			}
		}
		for i, want := range []int{200, 200, 200, 429} {
			if got := get(v, "ping"); got.status != want || want == 429 && got.header.Get("Retry-After") != "1" {
				t.Errorf("request %d: %+v; want %d", i, got, want)
			}
		}
		time.Sleep(time.Second)
		if a, b := get(v, "ping").status, get(v, "ping").status; a != 200 || b != 429 {
			t.Errorf("after a second: %d, %d; want one more", a, b)
		}
	})
}

// TestAlpacaLimit: the headers say what is left, and a refusal looks as Alpaca's does.
func TestAlpacaLimit(t *testing.T) {
	v := New(Config{Profile: "alpaca", Symbols: []string{"AAPLUSD"}})
	defer v.Close()
	var resp *http.Response
	for range 201 {
		r, _ := http.NewRequest("GET", "http://venue/alpaca/v2/clock", nil)
		r.Header.Set("APCA-API-KEY-ID", DefaultKey)
		r.Header.Set("APCA-API-SECRET-KEY", DefaultSecret)
		var err error
		if resp, err = v.Client().Do(r); err != nil {
			t.Fatal(err)
		}
	}
	if h := resp.Header; resp.StatusCode != 429 || h.Get("X-RateLimit-Limit") != "200" || h.Get("X-RateLimit-Remaining") != "0" || h.Get("X-RateLimit-Reset") == "" {
		t.Errorf("request 201: %d, %v", resp.StatusCode, h)
	}
}
