package order_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

func TestNewID(t *testing.T) {
	seen := make(map[string]bool)
	for n := range uint64(2000) {
		for _, strategy := range []string{"a", "b", ""} {
			id := order.NewID("P9", strategy, n)
			if len(id) != order.IDLen || !strings.HasPrefix(id, "P9") || seen[id] || strings.ContainsFunc(id, func(r rune) bool {
				return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) {
				t.Fatalf("NewID(%q, %d) = %q", strategy, n, id)
			}
			seen[id] = true
		}
	}
	if order.NewID("", "a", 1) != order.NewID("", "a", 1) {
		t.Error("the same input gives two ids")
	}
}

func TestWire(t *testing.T) {
	id := order.NewID("", "a", 1)
	for name, test := range map[string]struct {
		r    order.Rules
		want func(string) bool
	}{
		"as it is": {order.Rules{}, func(s string) bool { return s == id }},
		"prefixed": {order.Rules{IDPrefix: "t-"}, func(s string) bool { return s == "t-"+id }},
		"integer": {order.Rules{IDInteger: true}, func(s string) bool {
			return len(s) <= 14 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
		}},
	} {
		if got := test.r.Wire(id); !test.want(got) || got != test.r.Wire(id) {
			t.Errorf("%s: Wire(%s) = %s", name, id, got)
		}
	}
}

// The shipped defaults of exchanges/README.md.
func TestRulesOf(t *testing.T) {
	type want struct {
		resend          order.Resend
		taking, fence   bool
		prefix, integer string
	}
	for name, w := range map[string]want{
		"binance":      {resend: order.ResendAfterProof, taking: true, fence: true},
		"coinbase":     {resend: order.ResendIsQuery, taking: true},
		"alpaca":       {resend: order.ResendIsQuery, taking: true},
		"bybit":        {resend: order.ResendAfterProof, taking: true, fence: true},
		"okx":          {resend: order.ResendAfterProof, fence: true},
		"deribit":      {resend: order.ResendAfterProof, fence: true},
		"binance-usdm": {},
		"kraken":       {},
		"bitget":       {fence: true},
		"kucoin":       {},
		"gate":         {prefix: "t-"},
		"bitfinex":     {integer: "yes"},
	} {
		p, err := exchange.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		r := order.RulesOf(p)
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Resend != w.resend || w.resend != order.ResendNever && (r.ResendTaking != w.taking || r.Fence != w.fence) || r.IDPrefix != w.prefix || r.IDInteger != (w.integer != "") {
			t.Errorf("%s: %+v; want %+v", name, r, w)
		}
		if r.Venue != name || r.FirstWait <= 0 || r.Spacing <= 0 || r.Reads <= 0 {
			t.Errorf("%s: %+v; want its timings", name, r)
		}
		if err := p.IDRule().Fits(r.Wire(order.NewID("A1", "s", 1))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRulesCheck(t *testing.T) {
	good := fenced
	if err := good.Check(); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	bad := order.Rules{Residual: -1, Resend: 9, IDPrefix: "123456789", IDInteger: true}
	err := bad.Check()
	for _, want := range []string{"Residual: ", "Resend: 9", "IDPrefix: \"123456789\"", "IDPrefix: an integer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v; want %q in it", err, want)
		}
	}
	unfenced := order.Rules{Resend: order.ResendAfterProof}
	if err := unfenced.Check(); err == nil || !strings.HasPrefix(err.Error(), "Resend: ") {
		t.Errorf("Check = %v; want a complaint about Resend", err)
	}
}

func TestMaxAges(t *testing.T) {
	terms := func(ty order.Type, tif order.TIF, reduce bool) order.Terms {
		return order.Terms{Type: ty, TIF: tif, ReduceOnly: reduce}
	}
	for name, test := range map[string]struct {
		i    order.Intent
		want time.Duration
	}{
		"market":                {order.Intent{Terms: terms(order.Market, order.GTC, false)}, time.Second},
		"ioc":                   {order.Intent{Terms: terms(order.Limit, order.IOC, false)}, time.Second},
		"fok":                   {order.Intent{Terms: terms(order.Limit, order.FOK, false)}, time.Second},
		"marketable":            {order.Intent{Taking: true, Terms: terms(order.Limit, order.GTC, false)}, 3 * time.Second},
		"resting":               {order.Intent{Terms: terms(order.Limit, order.GTC, false)}, 30 * time.Second},
		"stop":                  {order.Intent{Terms: terms(order.Stop, order.GTC, false)}, 0},
		"close":                 {order.Intent{Terms: terms(order.Market, order.GTC, true)}, 0},
		"close, with its own":   {order.Intent{MaxAge: time.Minute, Terms: terms(order.Market, order.GTC, true)}, time.Minute},
		"negative is the usual": {order.Intent{MaxAge: -1, Terms: terms(order.Limit, order.GTC, false)}, 30 * time.Second},
	} {
		if got := (order.MaxAges{}).Of(&test.i); got != test.want {
			t.Errorf("%s: %v; want %v", name, got, test.want)
		}
	}
	own := order.MaxAges{Immediate: 2 * time.Second}
	if got := own.Of(&order.Intent{Terms: terms(order.Market, "", false)}); got != 2*time.Second {
		t.Errorf("own: %v; want 2 s", got)
	}
}

// What people type wrong is refused, each mistake by its field, and nothing is sent.
func TestSubmitRefusesBadIntents(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		for name, test := range map[string]struct {
			change func(*order.Intent)
			want   string
		}{
			"no symbol":         {func(i *order.Intent) { i.Symbol = "" }, "Symbol: "},
			"long symbol":       {func(i *order.Intent) { i.Symbol = strings.Repeat("x", 65) }, "Symbol: "},
			"no side":           {func(i *order.Intent) { i.Side = "BUY" }, "Side: "},
			"type":              {func(i *order.Intent) { i.Type = "iceberg" }, "Type: "},
			"tif":               {func(i *order.Intent) { i.TIF = "gtd" }, "TIF: "},
			"no quantity":       {func(i *order.Intent) { i.Quantity = "" }, "Quantity: is missing"},
			"zero quantity":     {func(i *order.Intent) { i.Quantity = "0" }, "Quantity: 0 is not positive"},
			"negative":          {func(i *order.Intent) { i.Quantity = "-1" }, "Quantity: -1 is not positive"},
			"number":            {func(i *order.Intent) { i.Quantity = "1e3" }, "Quantity: \"1e3\""},
			"price of a market": {func(i *order.Intent) { i.Type = order.Market }, "Price: 90 has no meaning"},
			"no price":          {func(i *order.Intent) { i.Price = "" }, "Price: is missing"},
			"no stop price":     {func(i *order.Intent) { i.Type = order.StopLimit }, "StopPrice: is missing"},
			"post only ioc":     {func(i *order.Intent) { i.PostOnly = true; i.TIF = order.IOC }, "PostOnly: "},
			"no id":             {func(i *order.Intent) { i.Strategy = "" }, "ID: is missing"},
			"long id":           {func(i *order.Intent) { i.ID = strings.Repeat("A", 19) }, "19 characters"},
			"odd id":            {func(i *order.Intent) { i.ID = "A1_345678901234567" }, "other than"},
			"foreign id":        {func(i *order.Intent) { i.ID = "B23456789012345678" }, "does not begin"},
			"guard, no price":   {func(i *order.Intent) { i.GuardBPS = 10 }, "GuardBPS: "},
			"guard too wide":    {func(i *order.Intent) { i.GuardBPS, i.Decision = 10_001, "1" }, "GuardBPS: "},
			"guard negative":    {func(i *order.Intent) { i.GuardBPS, i.Decision = -1, "1" }, "GuardBPS: "},
			"guard of nothing":  {func(i *order.Intent) { i.Decision = "1" }, "GuardBPS: "},
		} {
			i := limit(1)
			test.change(&i)
			_, err := r.Submit(r.t.Context(), i)
			if !errors.Is(err, order.ErrTerms) || !strings.Contains(err.Error(), test.want) {
				r.t.Errorf("%s: Submit = %v; want %q", name, err, test.want)
			}
		}
		if len(r.venue.sends) != 0 || len(r.Orders(true)) != 0 {
			r.t.Error("something was sent, or recorded")
		}
		own := limit(1)
		own.ID, own.Type, own.StopPrice = "A1abcdefghijklmnop", order.StopLimit, "0089.50"
		if o := r.submit(own); o.State != order.Acked || o.Terms.StopPrice != "89.5" || o.Intent.Taking {
			r.t.Errorf("the order is %+v; want it acked, in shape", o)
		}
	})
}

// Texts of states and events are stable, for they are in logs; others are refused.
func TestTexts(t *testing.T) {
	for s := range order.Breach + 1 {
		var again order.State
		data, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(data, &again)
		}
		if err != nil || again != s {
			t.Errorf("%v becomes %s, and that %v, %v", s, data, again, err)
		}
	}
	var s order.State
	var e order.Event
	if json.Unmarshal([]byte(`"done"`), &s) == nil || json.Unmarshal([]byte(`"done"`), &e) == nil {
		t.Error("an unknown text is taken")
	}
}

func TestReplayRefuses(t *testing.T) {
	if _, err := order.Replay([]order.Entry{{ID: "x", Kind: order.KindIntent, Data: []byte("{")}}); err == nil {
		t.Error("Replay of what cannot be read = nil; want an error")
	}
}
