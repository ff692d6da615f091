package exchange

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func readFacts(t testing.TB, name string) map[string]any {
	t.Helper()
	data, err := embedded.ReadFile("facts/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestLoad(t *testing.T) {
	want := []string{
		"alpaca", "binance", "binance-usdm", "bitfinex", "bitget", "bybit", "coinbase", "deribit", "gate", "kraken", "kucoin", "okx",
	}
	got := Names()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Names() = %v; want %v", got, want)
	}
	for _, name := range got {
		p := mustLoad(t, name)
		if p.Exchange != name || len(p.Claims()) < 30 {
			t.Errorf("%s: named %q, %d claims", name, p.Exchange, len(p.Claims()))
		}
		if len(p.Wire.Routes) == 0 || len(p.Wire.ClientID) == 0 || len(p.Wire.Code) == 0 || len(p.Wire.Draws) == 0 {
			t.Errorf("%s: wire says too little", name)
		}
	}
	if _, err := Load("mtgox"); err == nil || !strings.Contains(err.Error(), "kraken") {
		t.Errorf("Load(mtgox) = %v; want the names that there are", err)
	}
}

// The rules of the tables' own checker, beyond what Validate says: the order of the sections, and probe ids.
func TestFactFiles(t *testing.T) {
	top := regexp.MustCompile(`(?m)^ "([a-z_]+)":`)
	for _, name := range Names() {
		data, _ := embedded.ReadFile("facts/" + name + ".json")
		var keys []string
		for _, m := range top.FindAllSubmatch(data, -1) {
			keys = append(keys, string(m[1]))
		}
		want := "schema_version exchange as_of name asset_class sources rest errors orders websocket orderbook gap_fill sdk_notes unknowns wire"
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: sections %s; want %s", name, got, want)
		}
		r := mustLoad(t, name).IDRule()
		for _, id := range []string{"a1b2c3d4e5f6g7h8i9", "123456789012"} {
			if err := r.Fits(r.Prefix + id); (err != nil) != (r.Integer && id[0] == 'a') {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestParseReportsAllMistakes(t *testing.T) {
	mutate := func(change func(tree map[string]any)) error {
		tree := readFacts(t, "binance")
		change(tree)
		data, _ := json.Marshal(tree)
		_, err := Parse(data)
		return err
	}
	at := func(tree any, path ...string) map[string]any {
		for _, p := range path {
			if m, ok := tree.(map[string]any); ok {
				tree = m[p]
			}
			if l, ok := tree.([]any); ok {
				tree = l[0]
			}
		}
		return tree.(map[string]any)
	}
	for _, test := range []struct {
		name   string
		change func(m map[string]any)
		want   []string
	}{
		{"nothing", func(map[string]any) {}, nil},
		{"unknown fields", func(m map[string]any) { m["zz"] = 1; at(m, "rest")["yy"] = 1; at(m, "errors")["xx"] = 1 },
			[]string{"zz: is unknown", "rest.yy: is unknown", "errors[0].xx: is unknown"}},
		{"missing fields", func(m map[string]any) { delete(m, "orders"); delete(at(m, "rest", "limits"), "src") },
			[]string{"orders: is missing", "rest.limits[0].src: is missing"}},
		{"wrong kinds", func(m map[string]any) { m["rest"] = 1; m["errors"] = map[string]any{} },
			[]string{"rest: is no object", "errors: is no list"}},
		{"wrong scalar", func(m map[string]any) { m["name"] = 1 }, []string{"cannot unmarshal number"}},
		{"version and name", func(m map[string]any) { m["schema_version"] = 2; m["exchange"] = "A B" }, []string{"schema_version: is 2", "exchange: is \"A B\""}},
		{"facts", func(m map[string]any) {
			at(m, "orders", "fence")["src"] = []string{}
			at(m, "orders", "fills")["src"] = []string{"NOWHERE"}
			at(m, "orders", "cancel")["confidence"] = "sure"
		}, []string{"orders.fence: names no source", "NOWHERE", "orders.cancel.confidence"}},
		{"limits", func(m map[string]any) {
			list := m["rest"].(map[string]any)["limits"].([]any)
			l := func(i int) map[string]any { return list[i].(map[string]any) }
			l(0)["model"], l(1)["limit"], l(2)["window_ms"], l(3)["window_ms"] = "magic", -1, -1, nil
			l(3)["id"] = l(2)["id"]
		}, []string{"model: is \"magic\"", "raw_requests].limit: is -1", "window_ms: is -1", "is there twice", "neither a window nor a refill"}},
		{"refill", func(m map[string]any) { at(m, "rest", "limits")["refill_per_s"] = 0 }, []string{"refill_per_s: is 0"}},
		{"costs", func(m map[string]any) {
			c := at(m, "rest", "endpoint_costs")
			c["GET /a"], c["GET /b("], c["GET /c(5-1)"], c["X(<5q)"], c["Y(<5s)"], c["Z"], c["V"] = "x", 1, 1, "1", "1/2", -1, "x+1"
		}, []string{"GET /a]", "GET /b(]: has an unfinished", "is no range", "X(<5q)", "Z]: \"-1\": is no cost", "V]"}},
		{"statuses", func(m map[string]any) {
			s := at(m, "rest", "http_status")
			s["status"], s["class"], s["order_outcome"] = "abc", "odd", "odd"
		}, []string{"status \"abc\"", "class: is \"odd\"", "order_outcome: is \"odd\""}},
		{"hidden status", func(m map[string]any) { at(m, "rest", "http_status")["status"] = "5xx" }, []string{"can never match"}},
		{"errors", func(m map[string]any) {
			list := m["errors"].([]any)
			list[0].(map[string]any)["retry"] = "never"
			list[1].(map[string]any)["retry"] = "odd"
			list[2].(map[string]any)["match"] = "("
			list[2].(map[string]any)["code"] = "-1000"
		}, []string{"must be verified", "retry: is \"odd\"", "missing closing )", "can never match"}},
		{"no codes", func(m map[string]any) { m["errors"] = []any{} }, []string{"no code means rate_limited", "insufficient_funds"}},
		{"orders", func(m map[string]any) {
			c := at(m, "orders", "client_id")
			c["dedupe"], c["max_len"] = "odd", 0
			at(m, "orders", "query_by_client_id")["not_found_is_proof"] = true
			at(m, "orders", "fence")["residual_ms"] = nil
			at(m, "orders", "resubmit")["same_id"] = "odd"
			at(m, "orderbook", "sequence")["type"] = "odd"
			at(m, "orders", "verify")["reads"] = 0
			at(m, "orders", "verify")["spacing_ms"] = -1
		}, []string{"dedupe", "max_len", "no proof", "residual_ms: is null", "same_id", "sequence.type", "verify.reads", "spacing_ms: is -1"}},
		{"ids", func(m map[string]any) { at(m, "orders", "client_id")["regex"] = "^x{2}$" }, []string{"regex: refuses"}},
		{"id pattern", func(m map[string]any) { at(m, "orders", "client_id")["regex"] = "(" }, []string{"regex: error parsing"}},
		{"wire", func(m map[string]any) {
			w := at(m, "wire")
			w["client_id"], w["signed_unit"] = []string{"cookie:x"}, "fortnights"
			at(m, "wire", "routes")["path"] = "x"
			at(m, "wire", "routes")["learn"] = "poems"
			at(m, "wire", "draws")["limit"] = "none"
			at(m, "wire", "draws")["costs"] = map[string]any{"x": "y"}
			at(m, "wire", "usage")["says"], at(m, "wire", "usage")["limits"] = "maybe", []string{"none"}
		}, []string{"wire.client_id", "signed_unit", "begins with /", "poems", "draws[0]: is about limit", "draws[0].costs", "usage[0].says", "usage[0]: is about limit"}},
		{"kind", func(m map[string]any) { at(m, "wire", "routes")["kind"] = "gift" }, []string{"no kind of request: gift"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := mutate(test.change)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("Parse = %v; want mistakes: %v", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse = %v; want %q in it", err, want)
				}
			}
		})
	}
	if _, err := Parse([]byte("{")); err == nil {
		t.Error("Parse accepted half an object")
	}
}

// What the tables' own summary calls the shipped defaults.
func TestShippedResends(t *testing.T) {
	for name, want := range map[string]Resend{
		"coinbase": {When: ResendAtOnce, Within: 15 * time.Minute}, "alpaca": {When: ResendAtOnce},
		"bybit": {When: ResendAfterProof}, "binance": {When: ResendAfterProof},
		"okx": {When: ResendAfterProof, RestOnly: true}, "deribit": {When: ResendAfterProof, RestOnly: true},
		"binance-usdm": {}, "kraken": {}, "bitget": {}, "kucoin": {}, "gate": {}, "bitfinex": {},
	} {
		got := mustLoad(t, name).Resend()
		if (got.Why == "") == (want.When == ResendNever || want.RestOnly) {
			t.Errorf("%s: why is %q", name, got.Why)
		}
		if got.Why = ""; got != want {
			t.Errorf("%s: %+v; want %+v", name, got, want)
		}
	}
}

func TestRaise(t *testing.T) {
	p := mustLoad(t, "binance-usdm")
	raised, err := p.Raise(map[string]string{"orders.fence": "held a request in the sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	if got := raised.Resend(); got.When != ResendAfterProof || !got.RestOnly {
		t.Errorf("with a tested fence: %+v; want after_proof, for orders that rest", got)
	}
	raised, err = raised.Raise(map[string]string{"orders.fills": "read them", "orders.query_by_client_id": "read it"})
	if err != nil {
		t.Fatal(err)
	}
	if got := raised.Resend(); got.When != ResendAfterProof || got.RestOnly {
		t.Errorf("with all tested: %+v; want after_proof", got)
	}
	if p.Resend().When != ResendNever || p.Orders.Fence.Confidence != Recalled {
		t.Error("Raise changed the profile that it copies")
	}
	reasons := 0
	for _, c := range raised.Claims() {
		if c.Reason != "" {
			reasons++
		}
	}
	if reasons != 3 {
		t.Errorf("%d claims have a reason; want 3", reasons)
	}
	if _, err := p.Raise(map[string]string{"orders.fence": " ", "orders.magic": "x"}); err == nil ||
		!strings.Contains(err.Error(), "says no reason") || !strings.Contains(err.Error(), "is no fact") {
		t.Errorf("Raise = %v; want two mistakes", err)
	}
	for name, path := range map[string]string{"gate": "orders.resubmit", "kucoin": "orders.resubmit"} {
		r, err := mustLoad(t, name).Raise(map[string]string{path: "tested", "orders.fence": "tested"})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Resend(); got.When != ResendAfterProof {
			t.Errorf("%s, tested: %+v; want after_proof", name, got)
		}
	}
	weak, _ := mustLoad(t, "okx").regrade(map[string]string{"orders.fills": "x"}, Tested)
	if got := weak.Resend(); !got.RestOnly || !strings.Contains(got.Why, "query_by_client_id") {
		t.Errorf("okx with tested fills: %+v; want orders that rest, because of the query", got)
	}
	recalled, _ := mustLoad(t, "binance").regrade(map[string]string{"orders.resubmit": "x"}, Recalled)
	if got := recalled.Resend(); got.When != ResendNever {
		t.Errorf("with a recalled rule: %+v; want never", got)
	}
}

func TestOrderRules(t *testing.T) {
	b := mustLoad(t, "binance")
	if f := b.Fence(); f != (Fence{Usable: true, Residual: 10 * time.Second, Window: 5 * time.Second, Max: time.Minute, Param: "recvWindow"}) {
		t.Errorf("Fence() = %+v", f)
	}
	if f := mustLoad(t, "okx").Fence(); !f.MustSet || f.Residual != 3*time.Second || f.Window != 0 {
		t.Errorf("OKX: Fence() = %+v; want one that we set", f)
	}
	tf := time.Unix(1000, 0)
	if at, ok := b.Fence().Proven(tf, time.Second); !ok || !at.Equal(tf.Add(11*time.Second)) {
		t.Errorf("Proven = %v, %v; want deadline, residual and clock error", at, ok)
	}
	if _, ok := mustLoad(t, "alpaca").Fence().Proven(tf, 0); ok {
		t.Error("Proven without a fence")
	}
	if _, ok := b.Fence().Proven(time.Time{}, 0); ok {
		t.Error("Proven without a deadline")
	}
	if v := b.Visibility(); !v.ByID || !v.SeesClosed || !v.FillsTrusted || v.EmptyNotFound || !slices.Equal(v.NotFound, []string{"-2013"}) {
		t.Errorf("Visibility() = %+v", v)
	}
	if v := mustLoad(t, "gate").Visibility(); v.SeesClosed || !v.ByID {
		t.Errorf("Gate: Visibility() = %+v; want pending orders only", v)
	}
	if v := mustLoad(t, "deribit").Visibility(); !v.EmptyNotFound {
		t.Errorf("Deribit: Visibility() = %+v; want an empty list to count", v)
	}
	if p := b.VerifyPlan(); p != (VerifyPlan{500 * time.Millisecond, 3, 2 * time.Second, 15 * time.Second, true}) {
		t.Errorf("VerifyPlan() = %+v", p)
	}
	if !mustLoad(t, "deribit").AckIsEngine() || mustLoad(t, "bybit").AckIsEngine() {
		t.Error("AckIsEngine: want Deribit, not Bybit")
	}
	if !b.AmendKeepsID() || mustLoad(t, "alpaca").AmendKeepsID() {
		t.Error("AmendKeepsID: want Binance, not Alpaca")
	}
	for id, fits := range map[string]bool{"a1": true, "": false, strings.Repeat("a", 37): false, "a b": false} {
		if err := b.IDRule().Fits(id); (err == nil) != fits {
			t.Errorf("Fits(%q) = %v", id, err)
		}
	}
	if err := (IDRule{MaxLen: 9}).Fits("a"); err == nil {
		t.Error("the zero rule fits")
	}
	if r := mustLoad(t, "gate").IDRule(); r.Prefix != "t-" || r.Integer {
		t.Errorf("Gate: %+v; want t-", r)
	}
	if r := mustLoad(t, "bitfinex").IDRule(); !r.Integer {
		t.Errorf("Bitfinex: %+v; want integers", r)
	}
	for w, want := range map[ResendWhen]string{ResendNever: "never", ResendAfterProof: "after_proof", ResendAtOnce: "at_once"} {
		if w.String() != want {
			t.Errorf("%d is %q; want %q", w, w, want)
		}
	}
}

func TestTexts(t *testing.T) {
	for k := range Kind(len(kindNames)) {
		text, _ := k.MarshalText()
		var back Kind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%v became %v, %v", k, back, err)
		}
	}
	if Kind(200).String() != "order" || !Kind(200).Guarded() {
		t.Error("an odd kind is not treated as an order")
	}
	if Outcome(200).String() != "unknown" || Exists.String() != "exists" {
		t.Error("an odd outcome is not unknown")
	}
}

// The files are what Parse reads; a stray one would be shipped.
func TestNoStrayFacts(t *testing.T) {
	entries, err := os.ReadDir("facts")
	if err != nil || len(entries) != len(Names()) {
		t.Errorf("%d files, %v; want %d", len(entries), err, len(Names()))
	}
}
