package venue

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

// quiet is a venue of two accounts without a background flow and without limits.
func quiet() *Venue {
	rich := map[string]decimal.Decimal{"BTC": dec("10"), "USDT": dec("100000")}
	return New(Config{
		NoFlow: true, Symbols: []string{"BTCUSDT"},
		Accounts: []Account{{Balances: rich}, {Key: "maker", Secret: "maker", Balances: rich}},
		Limits:   Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited},
	})
}

func place(v *Venue, account, words string) response {
	key, secret := DefaultKey, DefaultSecret
	if account == "maker" {
		key, secret = "maker", "maker"
	}
	return send(v, signed("POST", "/api/v3/order", "symbol=BTCUSDT "+words, key, secret))
}

func TestMatching(t *testing.T) {
	const sell1, sell2 = "side=SELL type=LIMIT timeInForce=GTC quantity=1 price=100", "side=SELL type=LIMIT timeInForce=GTC quantity=2 price=101"
	const bid = "side=BUY type=LIMIT timeInForce=GTC quantity=2 price=99"
	for _, test := range []struct {
		name                   string
		book                   []string // orders of the maker
		order                  string
		status, executed, cost string
		code                   int
	}{
		{"limit below the best ask rests", []string{sell1}, "side=BUY type=LIMIT timeInForce=GTC quantity=1 price=99", "NEW", "0", "0", 0},
		{"limit at the ask takes at the maker's price", []string{sell1}, "side=BUY type=LIMIT timeInForce=GTC quantity=1 price=105", "FILLED", "1", "100", 0},
		{"limit takes the best price first", []string{sell2, sell1}, "side=BUY type=LIMIT timeInForce=GTC quantity=2 price=101", "FILLED", "2", "201", 0},
		{"limit rests with what is left", []string{sell1}, "side=BUY type=LIMIT timeInForce=GTC quantity=3 price=100", "PARTIALLY_FILLED", "1", "100", 0},
		{"sell takes the bids", []string{bid}, "side=SELL type=LIMIT timeInForce=GTC quantity=1 price=98", "FILLED", "1", "99", 0},
		{"ioc expires with what is left", []string{sell1}, "side=BUY type=LIMIT timeInForce=IOC quantity=3 price=100", "EXPIRED", "1", "100", 0},
		{"fok takes all", []string{sell1, sell2}, "side=BUY type=LIMIT timeInForce=FOK quantity=3 price=101", "FILLED", "3", "302", 0},
		{"fok takes nothing if all is not there", []string{sell1, sell2}, "side=BUY type=LIMIT timeInForce=FOK quantity=3 price=100", "EXPIRED", "0", "0", 0},
		{"market buy walks the book", []string{sell1, sell2}, "side=BUY type=MARKET quantity=2", "FILLED", "2", "201", 0},
		{"market buy beyond the book expires", []string{sell1}, "side=BUY type=MARKET quantity=2", "EXPIRED", "1", "100", 0},
		{"market order on an empty book expires", nil, "side=BUY type=MARKET quantity=2", "EXPIRED", "0", "0", 0},
		{"market sell", []string{bid}, "side=SELL type=MARKET quantity=2", "FILLED", "2", "198", 0},
		{"market buy by quote quantity", []string{sell1, sell2}, "side=BUY type=MARKET quoteOrderQty=150.5", "FILLED", "1.5", "150.5", 0},
		{"market buy by quote quantity stops at a step", []string{sell1}, "side=BUY type=MARKET quoteOrderQty=33.33333333", "FILLED", "0.33333", "33.333", 0},
		{"market buy by quote quantity of the whole book", []string{sell1}, "side=BUY type=MARKET quoteOrderQty=100", "FILLED", "1", "100", 0},
		{"market buy by quote quantity beyond the book expires", []string{sell1}, "side=BUY type=MARKET quoteOrderQty=101", "EXPIRED", "1", "100", 0},
		{"market sell by quote quantity", []string{bid, "side=BUY type=LIMIT timeInForce=GTC quantity=2 price=98"}, "side=SELL type=MARKET quoteOrderQty=247", "FILLED", "2.5", "247", 0},
		{"limit maker rests", []string{sell1}, "side=BUY type=LIMIT_MAKER quantity=1 price=99 newOrderRespType=RESULT", "NEW", "0", "0", 0},
		{"limit maker does not take", []string{sell1}, "side=BUY type=LIMIT_MAKER quantity=1 price=100", "", "", "", -2010},
		{"buy beyond the balance", nil, "side=BUY type=LIMIT timeInForce=GTC quantity=10.1 price=10000", "", "", "", -2010},
		{"sell beyond the balance", nil, "side=SELL type=LIMIT timeInForce=GTC quantity=10.1 price=10000", "", "", "", -2010},
		{"price off the tick", nil, "side=BUY type=LIMIT timeInForce=GTC quantity=1 price=10.001", "", "", "", -1013},
		{"quantity off the step", nil, "side=BUY type=LIMIT timeInForce=GTC quantity=1.000001 price=10", "", "", "", -1013},
		{"quantity above the most", nil, "side=SELL type=LIMIT timeInForce=GTC quantity=9001 price=10", "", "", "", -1013},
		{"worth too little", nil, "side=BUY type=LIMIT timeInForce=GTC quantity=0.4 price=10", "", "", "", -1013},
		{"market order worth too little", nil, "side=BUY type=MARKET quantity=0.00001", "", "", "", -1013},
		{"nothing", nil, "side=BUY type=LIMIT timeInForce=GTC quantity=0 price=10", "", "", "", -1013},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := quiet()
			for _, words := range test.book {
				if r := place(v, "maker", words); r.status != 200 {
					t.Fatal(r.body)
				}
			}
			r := place(v, "", test.order)
			if r.code() != test.code {
				t.Fatalf("code = %d, %s; want %d", r.code(), r.body, test.code)
			}
			if test.code == 0 {
				got := decode[fullView](t, r)
				if got.Status != test.status || !dec(got.ExecutedQty).Equal(dec(test.executed)) || !dec(got.CumQuote).Equal(dec(test.cost)) {
					t.Errorf("%s executed %s for %s; want %s executed %s for %s", got.Status, got.ExecutedQty, got.CumQuote, test.status, test.executed, test.cost)
				}
			}
			sound(t, v)
		})
	}
}

func TestTimePriority(t *testing.T) {
	v := quiet()
	place(v, "maker", "side=SELL type=LIMIT timeInForce=GTC quantity=1 price=100 newClientOrderId=first")
	place(v, "maker", "side=SELL type=LIMIT timeInForce=GTC quantity=1 price=100 newClientOrderId=second")
	place(v, "", "side=BUY type=MARKET quantity=1.5")
	o := v.Oracle().Orders
	if a, b := o["2/first"], o["2/second"]; !a.Executed.Equal(dec("1")) || !b.Executed.Equal(dec("0.5")) {
		t.Errorf("first executed %s, second %s; want 1 and 0.5", a.Executed, b.Executed)
	}
}

// sound checks that nothing was made or lost and that every account can pay what it promised.
func sound(t *testing.T, v *Venue) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.world.engine
	total, began := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	for asset, b := range e.house.balances {
		total[asset] = total[asset].Add(b.free)
	}
	for i, a := range e.accounts {
		promised := map[string]decimal.Decimal{}
		for _, list := range a.orders {
			for _, o := range list {
				if o.executed.Cmp(o.qty) > 0 && o.quoteQty.IsZero() || o.locked.IsNegative() || !o.isOpen() && !o.locked.IsZero() {
					t.Errorf("order %d: executed %s of %s, locked %s, %s", o.id, o.executed, o.qty, o.locked, o.status)
				}
				if o.quoteQty.IsPositive() && o.spent.Cmp(o.quoteQty) > 0 {
					t.Errorf("order %d: spent %s of %s", o.id, o.spent, o.quoteQty)
				}
				if o.isOpen() != (a.open[o.id] == o) {
					t.Errorf("order %d: %s, but is filed otherwise", o.id, o.status)
				}
				promised[o.paid()] = promised[o.paid()].Add(o.locked)
			}
		}
		for asset, b := range a.balances {
			total[asset] = total[asset].Add(b.free).Add(b.locked)
			if b.free.IsNegative() || !b.locked.Equal(promised[asset]) {
				t.Errorf("account %d has %s %s free and %s locked for orders that promised %s", a.number, b.free, asset, b.locked, promised[asset])
			}
		}
		for asset, amount := range v.cfg.Accounts[i].Balances {
			began[asset] = began[asset].Add(amount)
		}
	}
	for asset, sum := range total {
		if !sum.Equal(began[asset]) {
			t.Errorf("%s of %s; want %s", sum, asset, began[asset])
		}
	}
	for _, m := range e.markets {
		if b, a := m.bids.best(), m.asks.best(); b != nil && a != nil && b.price.Cmp(a.price) >= 0 {
			t.Errorf("%s is crossed: %s, %s", m.symbol, b.price, a.price)
		}
		for _, l := range []*ladder{&m.bids, &m.asks} {
			for _, lv := range l.levels {
				var sum decimal.Decimal
				for _, o := range lv.orders {
					sum = sum.Add(o.remaining())
				}
				if !sum.Equal(lv.amount) || !sum.IsPositive() {
					t.Errorf("%s %s: %s in orders, %s in the level", m.symbol, lv.price, sum, lv.amount)
				}
			}
		}
	}
}

// TestEngineConserves throws random orders and cancels of two accounts at a moving market.
func TestEngineConserves(t *testing.T) {
	for seed := range uint64(5) {
		cfg := quiet().cfg
		cfg.Seed, cfg.NoFlow = seed, seed%2 == 0
		cfg.Markets = map[string]Market{"BTCUSDT": {Price: dec("100"), Step: dec("0.001")}}
		v, g := New(cfg), rand.New(rand.NewPCG(seed, 7))
		pick := func(words ...string) string { return words[g.IntN(len(words))] }
		for i := range 600 {
			words := fmt.Sprintf("side=%s newClientOrderId=%d ", pick("BUY", "SELL"), i)
			price := fmt.Sprintf(" price=%d.%d", 98+g.IntN(5), g.IntN(10))
			quantity := fmt.Sprintf(" quantity=%d.%03d", g.IntN(3), g.IntN(1000))
			switch g.IntN(6) {
			case 0, 1:
				words += "type=LIMIT timeInForce=" + pick("GTC", "GTC", "IOC", "FOK") + price + quantity
			case 2:
				words += "type=LIMIT_MAKER" + price + quantity
			case 3:
				words += "type=MARKET" + quantity
			case 4:
				words += fmt.Sprintf("type=MARKET quoteOrderQty=%d.%d", g.IntN(500), g.IntN(1e8))
			case 5:
				ask(v, "DELETE", "order", fmt.Sprintf("symbol=BTCUSDT orderId=%d", g.IntN(i+1)))
				continue
			}
			if r := place(v, pick("", "maker"), words); r.status != 200 && r.status != 400 {
				t.Fatalf("%s: %d %s", words, r.status, r.body)
			}
		}
		sound(t, v)
		if o := v.Oracle(); o.Totals.Orders < 100 || o.Totals.Fills < 50 || !o.Check().Pass {
			t.Errorf("seed %d: %+v, %+v", seed, o.Totals, o.Check())
		}
	}
}

func TestClientIDsAreUniqueAmongOpenOrdersOnly(t *testing.T) {
	v := New(Config{})
	if r := ask(v, "POST", "order", restingBid+"a"); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := ask(v, "POST", "order", restingBid+"a"); r.code() != -2010 || !strings.Contains(r.body, "Duplicate order sent.") {
		t.Errorf("second order with the id of an open one: %s; want -2010", r.body)
	}
	if r := ask(v, "DELETE", "order", "symbol=BTCUSDT origClientOrderId=a"); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := ask(v, "POST", "order", restingBid+"a"); r.status != 200 {
		t.Errorf("order with the id of a canceled one: %s; want it accepted", r.body)
	}
	if o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a")); o.OrderID != 2 {
		t.Errorf("query by the id = order %d; want the latest, 2", o.OrderID)
	}
}

func TestMostOrders(t *testing.T) {
	v := New(Config{MaxOrders: 1, Markets: map[string]Market{"ETHUSDT": {MaxOpenOrders: 1}}})
	ask(v, "POST", "order", restingBid+"a")
	if r := ask(v, "POST", "order", restingBid+"b"); r.code() != -2010 || v.Oracle().Totals.RefusedFull != 1 {
		t.Errorf("order beyond MaxOrders: %s, %+v; want it refused and counted", r.body, v.Oracle().Totals)
	}
	v = New(Config{Markets: map[string]Market{"BTCUSDT": {MaxOpenOrders: 1}}})
	ask(v, "POST", "order", restingBid+"a")
	if r := ask(v, "POST", "order", restingBid+"b"); !strings.Contains(r.body, "MAX_NUM_ORDERS") {
		t.Errorf("order beyond MaxOpenOrders: %s", r.body)
	}
}

// TestFlowFillsRestingOrders: a market that only rested clients' orders would never show a late fill.
func TestFlowFillsRestingOrders(t *testing.T) {
	v := New(Config{FlowPerRequest: 20})
	best := decode[struct{ Bids [][2]string }](t, get(v, "depth?symbol=BTCUSDT&limit=5")).Bids[0][0]
	ask(v, "POST", "order", "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.01 newClientOrderId=a price="+best)
	for range 100 {
		get(v, "depth?symbol=BTCUSDT&limit=5")
		if v.Oracle().Orders["a"].Status == statusFilled {
			sound(t, v)
			return
		}
	}
	t.Errorf("after 2000 steps: %+v", v.Oracle().Orders["a"])
}

func TestFlowKeepsBooksAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{FlowEvery: 100 * time.Millisecond, FlowPerRequest: -1, Limits: Limits{WeightPerMinute: Unlimited}})
		before := decode[struct{ LastUpdateID int64 }](t, get(v, "depth?symbol=ETHUSDT")).LastUpdateID
		if again := decode[struct{ LastUpdateID int64 }](t, get(v, "depth?symbol=ETHUSDT")).LastUpdateID; again != before {
			t.Errorf("the book moved from %d to %d while no time passed", before, again)
		}
		for range 20 {
			time.Sleep(time.Minute)
			d := decode[struct{ Bids, Asks [][2]string }](t, get(v, "depth?symbol=ETHUSDT"))
			if len(d.Bids) == 0 || len(d.Asks) == 0 || len(d.Bids)+len(d.Asks) > 2*flowKeep {
				t.Fatalf("%d bids and %d asks", len(d.Bids), len(d.Asks))
			}
		}
		sound(t, v)
	})
}

func TestFlowRefillsASweptBook(t *testing.T) {
	v := New(Config{})
	if o := decode[fullView](t, ask(v, "POST", "order", "symbol=BTCUSDT side=SELL type=MARKET quantity=100")); o.Status != statusExpired || len(o.Fills) < flowLevels/2 {
		t.Fatalf("sweep = %+v", o)
	}
	d := decode[struct{ Bids, Asks [][2]string }](t, get(v, "depth?symbol=BTCUSDT"))
	if len(d.Bids) < flowLevels/5 || len(d.Asks) < flowLevels/5 {
		t.Errorf("%d bids and %d asks after a sweep", len(d.Bids), len(d.Asks))
	}
	sound(t, v)
}

func TestReplicaLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		add(t, v, Fault{Kind: StaleRead, Delay: 2 * time.Second})
		ask(v, "POST", "order", restingBid+"a")
		time.Sleep(time.Second)
		if r := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a"); r.code() != -2013 {
			t.Errorf("read 1 s after the acceptance: %s; want -2013", r.body)
		}
		for _, path := range []string{"openOrders", "allOrders", "myTrades"} {
			if r := ask(v, "GET", path, "symbol=BTCUSDT"); r.body != "[]" {
				t.Errorf("%s = %s; want []", path, r.body)
			}
		}
		time.Sleep(time.Second)
		ask(v, "DELETE", "order", "symbol=BTCUSDT origClientOrderId=a")
		if o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT orderId=1")); o.Status != statusNew {
			t.Errorf("status right after the cancel = %s; want NEW still", o.Status)
		}
		if o := decode[[]orderView](t, ask(v, "GET", "openOrders", "")); len(o) != 1 || o[0].Status != statusNew {
			t.Errorf("open orders right after the cancel = %+v", o)
		}
		time.Sleep(2 * time.Second)
		if o := decode[orderView](t, ask(v, "GET", "order", "symbol=BTCUSDT orderId=1")); o.Status != statusCanceled {
			t.Errorf("status 2 s later = %s", o.Status)
		}
	})
}

func TestReplicaLagIsDrawnPerRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{ReplicaLag: 4 * time.Second})
		ask(v, "POST", "order", restingBid+"a")
		time.Sleep(2 * time.Second)
		missing := 0
		for range 200 {
			if ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId=a").code() == -2013 {
				missing++
			}
		}
		if missing < 70 || missing > 130 {
			t.Errorf("%d of 200 reads missed the order; want about half", missing)
		}
	})
}
