package venue

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const crossingBuy = "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.1 price=70000 newClientOrderId="

func TestPartialFills(t *testing.T) {
	for _, test := range []struct {
		name   string
		order  string
		delay  time.Duration
		first  string // executed at once
		last   string // executed in the end
		status string
	}{
		{"a resting order keeps what is left", restingBid, time.Second, "0.00300000", "0.00600000", statusPartial},
		{"all at once", restingBid, 0, "0.00600000", "0.00600000", statusPartial},
		{"what would trade on expires", crossingBuy, time.Second, "0.03000000", "0.06000000", statusExpired},
		{"a market order expires", marketBuy, 0, "0.00600000", "0.00600000", statusExpired},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := New(Config{})
			defer v.Close()
			add(t, v, Fault{Kind: PartialFills, Steps: []float64{0.3, 0.3}, Delay: test.delay})
			placed := decode[resultView](t, ask(v, "POST", "order", test.order+"a"))
			time.Sleep(3 * time.Second)
			o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a"))
			if placed.ExecutedQty != test.first || o.ExecutedQty != test.last || o.Status != test.status {
				t.Errorf("%s: %s at once, then %s %s; want %s, %s %s", test.name, placed.ExecutedQty, o.ExecutedQty, o.Status, test.first, test.last, test.status)
			}
			sound(t, v)
		})
	}
	// An order by value has no quantity to take shares of: it goes its usual way.
	v := New(Config{})
	add(t, v, Fault{Kind: PartialFills, Steps: []float64{0.5}})
	if r := ask(v, "POST", "order", "symbol=BTCUSDT side=BUY type=MARKET quoteOrderQty=100"); !strings.Contains(r.body, statusFilled) {
		t.Errorf("by value: %+v", r)
	}
}

func TestFillFirst(t *testing.T) {
	for _, test := range []struct {
		steps    []float64
		path     string
		words    string
		code     int
		executed string
	}{
		{nil, "order", "symbol=BTCUSDT origClientOrderId=a", -2011, "0.01000000"},
		{[]float64{0.5}, "order", "symbol=BTCUSDT origClientOrderId=a", 0, "0.00500000"},
		{nil, "openOrders", "symbol=BTCUSDT", -2011, "0.01000000"},
		{nil, "order", "symbol=BTCUSDT origClientOrderId=other", -2011, "0.00000000"},
	} {
		v := New(Config{})
		add(t, v, Fault{Kind: FillFirst, Steps: test.steps})
		ask(v, "POST", "order", restingBid+"a")
		r := ask(v, "DELETE", test.path, test.words)
		o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a"))
		if r.code() != test.code || o.ExecutedQty != test.executed {
			t.Errorf("%v %s: %+v, executed %s; want %+v", test.steps, test.words, r, o.ExecutedQty, test)
		}
		sound(t, v)
	}
	// The leg of cancelReplace that cancels meets it as well.
	v := New(Config{})
	add(t, v, Fault{Kind: FillFirst})
	ask(v, "POST", "order", restingBid+"a")
	r := ask(v, "POST", "order/cancelReplace", restingBid+"b cancelOrigClientOrderId=a cancelReplaceMode=STOP_ON_FAILURE")
	if r.code() != -2022 || v.Oracle().Orders["b"].VenueOrders != 0 {
		t.Errorf("cancelReplace of a filled order: %+v", r)
	}
}

func TestTakeBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		defer v.Close()
		add(t, v, Fault{Kind: TakeBalance, Delay: time.Second, Count: 1}, Fault{Kind: TakeBalance, Count: 1, Match: Match{Nth: 3}})
		for i, want := range []int{-2010, -2010, 0, -2010, 0} {
			if r := ask(v, "POST", "order", fmt.Sprint(restingBid, "a", i)); r.code() != want {
				t.Errorf("order %d: %+v; want %d", i, r, want)
			}
			if i == 1 {
				time.Sleep(2 * time.Second)
			}
		}
		sound(t, v)
	})
}

func TestMaintenanceCancels(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", restingBid+"a")
	add(t, v, Fault{Kind: Maintenance, Count: 1})
	if r := ask(v, "POST", "order", restingBid+"b"); r.status != 503 || r.code() != -1016 {
		t.Errorf("%+v; want 503 with -1016", r)
	}
	if o := v.Oracle().Orders; o["a"].Status != statusCanceled || o["b"].VenueOrders != 0 {
		t.Errorf("orders = %+v", o)
	}
}

// TestBanGrows: the ban is real, and requests inside it make it longer.
func TestBanGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		add(t, v, Fault{Kind: Ban, RetryAfter: 30 * time.Second, Count: 1})
		if r := get(v, "ping"); r.status != 418 || r.header.Get("Retry-After") != "30" {
			t.Errorf("%+v; want 418 for 30 s", r)
		}
		for range 10 {
			get(v, "ping")
		}
		time.Sleep(31 * time.Second)
		if r := get(v, "ping"); r.status != 418 {
			t.Errorf("%+v after 31 s and ten requests inside; want a longer ban", r)
		}
		time.Sleep(30 * time.Second)
		if r := get(v, "ping"); r.status != 200 {
			t.Errorf("%+v after the ban", r)
		}
		if n := v.Oracle().Totals.InsideBans; n != 11 {
			t.Errorf("%d requests inside bans; want 11", n)
		}
	})
	v := New(Config{})
	add(t, v, Fault{Kind: Ban})
	if r := get(v, "ping"); r.header.Get("Retry-After") != "120" {
		t.Errorf("%+v; want the first ban of the limits", r)
	}
}

func TestHideOrder(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", restingBid+"a")
	add(t, v, Fault{Kind: HideOrder, Count: 2, Match: Match{Path: "/api/v3/order"}})
	for i, want := range []int{-2013, -2013, 0} {
		if r := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a"); r.code() != want {
			t.Errorf("read %d: %+v; want %d", i, r, want)
		}
	}
}

func TestCodeOfAnUnknownOutcome(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: AcceptUnavailable, Code: -1006})
	if r := ask(v, "POST", "order", marketBuy+"a"); r.code() != -1006 || v.Oracle().Totals.Orders != 1 {
		t.Errorf("%+v; want -1006 and an order", r)
	}
}

// TestClockShift: the venue's clock is off, its own time says so, and other faults hit as well.
func TestClockShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Clock: time.Second})
		add(t, v,
			Fault{Kind: ClockShift, Shift: 7 * time.Second, Match: Match{Until: time.Minute}},
			Fault{Kind: ClockShift, Shift: -4 * time.Second, Match: Match{After: time.Minute}},
			Fault{Kind: Overloaded, Match: Match{Path: "/api/v3/ping"}})
		ahead := func() int64 {
			return decode[struct{ ServerTime int64 }](t, get(v, "time")).ServerTime - time.Now().UnixMilli()
		}
		if a, r := ahead(), ask(v, "GET", "account", ""); a != 8000 || r.code() != -1021 {
			t.Errorf("%d ms ahead, %+v; want 8000 and -1021", a, r)
		}
		if r := get(v, "ping"); r.code() != -1008 {
			t.Errorf("%+v; want the other rule as well", r)
		}
		time.Sleep(time.Minute)
		if a, r := ahead(), ask(v, "GET", "account", ""); a != -3000 || r.code() != -1021 {
			t.Errorf("%d ms ahead, %+v; want -3000 and -1021", a, r)
		}
	})
}

// TestFuncReachesTheEngine: a fault that has no name can be built in Go.
func TestFuncReachesTheEngine(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Match: Match{Method: "DELETE"}, Func: func(c Call, forward func() *Answer) *Answer {
		if !c.Engine.Fill(c.ClientID, 0.5) || c.Engine.Fill("nobodys", 1) {
			t.Error("Fill: wrong about what is open")
		}
		if !c.Engine.Cancel("b") || c.Engine.Cancel("b") {
			t.Error("Cancel: wrong about what is open")
		}
		a := forward()
		c.Engine.CancelAll()
		return a
	}})
	for _, id := range []string{"a", "b", "c"} {
		ask(v, "POST", "order", restingBid+id)
	}
	r := decode[canceledView](t, ask(v, "DELETE", "order", "symbol=BTCUSDT origClientOrderId=a"))
	if r.ExecutedQty != "0.00500000" || r.Status != statusCanceled {
		t.Errorf("cancel = %+v", r)
	}
	for id, f := range v.Oracle().Orders {
		if f.Status != statusCanceled {
			t.Errorf("%s is %s", id, f.Status)
		}
	}
	sound(t, v)
}

func TestNewKindsInJSON(t *testing.T) {
	const text = `[{"name":"f","match":{"path":"btcusdt@depth"},"kind":"server_shutdown","delay":"1s","shift":"-2s","grace":"3s","steps":[0.25,0.5],"code":-1006,"reset":true}]`
	faults, err := DecodeFaults(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := faults[0].MarshalJSON() // plain data
	if "["+string(b)+"]" != text {
		t.Errorf("written back: %s", b)
	}
	for _, bad := range []string{
		`[{"kind":"partial_fills"}]`, `[{"kind":"partial_fills","steps":[0.5,0.6]}]`, `[{"kind":"partial_fills","steps":[0]}]`,
		`[{"kind":"clock_shift","shift":"2h"}]`, `[{"kind":"server_shutdown","grace":"-1s"}]`, `[{"kind":"drop","code":5}]`,
	} {
		if _, err := DecodeFaults(strings.NewReader(bad)); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
