package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// market starts a simulated venue, and returns a busy demo on it.
func market(t *testing.T, preset string) (Config, *venue.Venue) {
	t.Helper()
	v := venue.New(venue.Config{Seed: 1, Limits: venue.Limits{
		WeightPerMinute: venue.Unlimited, RequestsPer5Min: venue.Unlimited, OrdersPer10s: venue.Unlimited, OrdersPerDay: venue.Unlimited}})
	faults, err := venue.Preset(preset)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Faults.Add(faults...); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(v)
	server.Config.ErrorLog = nil
	server.Start()
	t.Cleanup(func() { v.Close(); server.Close() })
	return Config{
		URL: server.URL, Key: venue.DefaultKey, Secret: venue.DefaultSecret,
		For: 4 * time.Second, Seed: 1, Residual: 3 * time.Second, Traders: 16, Pause: 20 * time.Millisecond,
		Ledger: func(context.Context) (Ledger, error) {
			l := Ledger{}
			for id, o := range v.Oracle().Orders {
				l[id] = Holding{Orders: o.VenueOrders, OverFilled: o.Intended.IsPositive() && o.Executed.Cmp(o.Intended) > 0}
			}
			return l, nil
		},
	}, v
}

// What the demo promises under lossy, on hundreds of orders; and that the same weather makes a naive retry
// send duplicates, so that the promise means something.
func TestNoDuplicatesNothingLost(t *testing.T) {
	t.Parallel()
	cfg, v := market(t, "lossy")
	shown := 0
	cfg.Show = func(Snapshot) { shown++ }
	report, err := Run(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(report)
	t.Logf("%s", text)
	if report.Duplicates != 0 || report.Lost != 0 || !report.Safe() || len(report.Wrong) != 0 {
		t.Errorf("%d duplicates, %d lost: %+v", report.Duplicates, report.Lost, report.Wrong)
	}
	if report.Reads.RecoveredShare <= 0.99 || report.Reads.Recovered == 0 || report.Amplification >= 1.5 {
		t.Errorf("recovered share %v of %d, amplification %v; want over 0.99 of some and under 1.5", report.Reads.RecoveredShare, report.Reads.Recovered, report.Amplification)
	}
	if sum := report.FirstTry + report.Recovered + report.Settled + report.Rejected + report.Failed; sum != report.Calls {
		t.Errorf("the ends add up to %d of %d calls", sum, report.Calls)
	}
	if report.OrdersIntended < 100 || report.Settled == 0 || report.OrdersExecuted == 0 || shown == 0 {
		t.Errorf("too little happened: %s, shown %d times", text, shown)
	}
	if len(report.UnknownOrders) != report.Unknown {
		t.Errorf("%d unknown orders, %d explained", report.Unknown, len(report.UnknownOrders))
	}
	for _, i := range v.Oracle().Check().Invariants {
		if !i.Pass {
			t.Errorf("%s: %s: %v", i.ID, i.Text, i.Events)
		}
	}
}

func TestNaiveRetryDuplicates(t *testing.T) {
	t.Parallel()
	cfg, _ := market(t, "lossy")
	n, err := RunNaive(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n.Duplicates == 0 || n.OrdersIntended < 100 || n.OrdersExecuted < n.OrdersIntended/2 || n.Amplification <= 1 {
		t.Errorf("%+v; want duplicates", n)
	}
	if _, err := RunNaive(t.Context(), nil, Config{}); err == nil {
		t.Error("RunNaive accepts an empty configuration")
	}
	cfg.For, cfg.Traders, cfg.Pause = time.Minute, 0, 0
	cfg.Ledger = func(context.Context) (Ledger, error) { return nil, errors.New("gone") }
	if _, err := RunNaive(t.Context(), closed(), cfg); err == nil {
		t.Error("RunNaive without a ledger reports success")
	}
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Without the venue's own ledger, its API is asked.
func TestLedgerThroughTheAPI(t *testing.T) {
	t.Parallel()
	cfg, v := market(t, "calm")
	cfg.Ledger, cfg.For = nil, time.Second
	report, err := Run(t.Context(), nil, cfg)
	if err != nil || !report.Safe() {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := v.Oracle().Totals.Orders; report.OrdersExecuted != got || got == 0 {
		t.Errorf("%d orders executed by the API's account, %d by the venue's", report.OrdersExecuted, got)
	}
	if report.FirstTry != report.Calls || report.Amplification != 1 {
		t.Errorf("calm weather: %+v", report)
	}
}

func TestStopEndsTrading(t *testing.T) {
	t.Parallel()
	cfg, _ := market(t, "calm")
	cfg.For, cfg.Traders, cfg.Pause = time.Hour, 0, 0 // defaults
	start := time.Now()
	if _, err := Run(t.Context(), closed(), cfg); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("stopped after %v", took)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), nil, Config{URL: "ftp://x/y?z"}); err == nil {
		t.Error("an empty configuration runs")
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := Run(ctx, nil, Config{URL: gone.URL, Key: "k", Secret: "s", For: time.Second})
	if err == nil || !strings.Contains(err.Error(), "for its time") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v; want the venue that was asked, and why it did not answer", err)
	}
}

func TestValidate(t *testing.T) {
	good := Config{URL: "https://testnet.binance.vision/", Key: "k", Secret: "s", For: 1}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		change func(*Config)
		says   string
	}{
		{func(c *Config) { c.URL = "testnet" }, "--venue: \"testnet\" is not a URL"},
		{func(c *Config) { c.URL = ":" }, "--venue:"},
		{func(c *Config) { c.URL = "http://h/api" }, "has a path or a query"},
		{func(c *Config) { c.Key = "" }, "--api-key"},
		{func(c *Config) { c.For = -1 }, "--for: -1ns"},
	} {
		c := good
		test.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v; want %q", c, err, test.says)
		}
	}
}

// What an answer proves about an order.
func TestJudged(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		header string // Retry-After
		want   retry.Class
	}{
		{200, `{}`, "", retry.Ambiguous}, // the SDK could not read it
		{400, `{"code":-1013,"msg":"Filter failure: LOT_SIZE"}`, "", retry.Permanent},
		{400, `{"code":-1021,"msg":"Timestamp outside of recvWindow"}`, "", retry.Transient},
		{400, `{"code":-1000,"msg":"?"}`, "", retry.Ambiguous},
		{400, `{"code":-1001,"msg":"?"}`, "", retry.Ambiguous},
		{400, `{"code":-1006,"msg":"?"}`, "", retry.Ambiguous},
		{400, `{"code":-1007,"msg":"?"}`, "", retry.Ambiguous},
		{400, `{"code":-1008,"msg":"?"}`, "", retry.Throttled},
		{503, `{"code":-1008,"msg":"?"}`, "", retry.Ambiguous},
		{400, `<html>`, "", retry.Ambiguous},
		{403, `<html>`, "", retry.Ambiguous},
		{418, `{"code":-1003,"msg":"IP banned until"}`, "120", retry.Permanent},
		{429, `{"code":-1003,"msg":"Too many requests"}`, "3", retry.Throttled},
		{500, ``, "", retry.Ambiguous},
		{502, `<html>`, "", retry.Ambiguous},
		{503, `{"code":-1007,"msg":"?"}`, "", retry.Ambiguous},
	} {
		resp := &http.Response{StatusCode: test.status, Header: http.Header{}}
		if test.header != "" {
			resp.Header.Set("Retry-After", test.header)
		}
		v := judged(resp, []byte(test.body))
		if v.class != test.want || v.hint.Seconds() != seconds(test.header) {
			t.Errorf("%d %s: %v after %v; want %v", test.status, test.body, v.class, v.hint, test.want)
		}
	}
}

func seconds(s string) (f float64) { fmt.Sscan(s, &f); return f }

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWholeAnswers(t *testing.T) {
	answer := func(body string, announced int) http.RoundTripper {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(announced))
			w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return tripper(func(r *http.Request) (*http.Response, error) {
			r2, _ := http.NewRequest(r.Method, s.URL, nil)
			return http.DefaultTransport.RoundTrip(r2)
		})
	}
	r := httptest.NewRequest("GET", "http://venue/api", nil)
	if _, err := (whole{answer("abc", 3)}).RoundTrip(r); err != nil {
		t.Error(err)
	}
	if _, err := (whole{answer("abc", 5)}).RoundTrip(r); err == nil || !strings.Contains(err.Error(), "GET /api: status 200, then the answer was cut") {
		t.Errorf("cut answer: %v", err)
	}
	if _, err := (whole{answer(strings.Repeat("x", mostBody+1), mostBody+1)}).RoundTrip(r); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("endless answer: %v", err)
	}
}

// An order that the venue does not answer for is reported as unknown, with the reason.
func TestUnknownIsExplained(t *testing.T) {
	t.Parallel()
	cfg, v := market(t, "calm")
	if err := v.Faults.Add(venue.Fault{Name: "dark", Kind: venue.Drop, Match: venue.Match{Path: "/api/v3/order"}}); err != nil {
		t.Fatal(err)
	}
	cfg.For, cfg.Traders = 300*time.Millisecond, 2
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // the second ^C
	defer cancel()
	report, err := Run(ctx, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if report.Unknown == 0 || len(report.UnknownOrders) != report.Unknown {
		t.Fatalf("%+v; want unknown orders, each explained", report)
	}
	for _, u := range report.UnknownOrders {
		if u.ClientID == "" || !strings.Contains(u.Order, "USDT") || !strings.Contains(u.Why, "interrupted before it was settled") || !strings.Contains(u.Why, "EOF") {
			t.Errorf("explained as %+v", u)
		}
	}
	var text bytes.Buffer
	report.WriteText(&text)
	if !strings.Contains(text.String(), "unknown "+report.UnknownOrders[0].ClientID) {
		t.Errorf("text\n%s\nwithout the unknown orders", text.String())
	}
}

// The verdict can say no.
func TestJudgeFindsDuplicatesAndLosses(t *testing.T) {
	r := &run{counter: &counter{}, began: time.Now()}
	add := func(id string, f Fate) {
		o := &order{id: id, symbol: "BTCUSDT", side: binance.SideTypeBuy, kind: binance.OrderTypeMarket, quantity: "1"}
		o.become(f, "", "because")
		r.orders = append(r.orders, o)
	}
	add("good", Exists)
	add("twice", Exists)
	add("over", Exists)
	add("gone", Exists)
	add("ghost", Absent)
	add("denied", Refused)
	add("absent", Absent)
	add("refused", Refused)
	add("open", Unknown)
	report := r.judge(Ledger{"good": {Orders: 1}, "twice": {Orders: 2}, "over": {Orders: 1, OverFilled: true}, "ghost": {Orders: 1}, "denied": {Orders: 1}})
	if report.Duplicates != 2 || report.Lost != 3 || report.Unknown != 1 || report.OrdersExecuted != 5 || report.OrdersAbsent != 2 || report.OrdersRefused != 2 || len(report.Wrong) != 5 || report.Safe() {
		t.Errorf("%+v", report)
	}
	report.Checks = []Check{{"I1", "text", false}, {"I2", "text", true}}
	report.Naive = &Naive{Duplicates: 3, OrdersIntended: 10, Amplification: 1.5}
	report.LedgerError = "away"
	var b bytes.Buffer
	if err := report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WRONG twice", "I1 BROKEN", "I2 holds", "3 duplicates in 10 orders", "nothing is proven: away"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("text\n%s\nwithout %q", b.String(), want)
		}
	}
	if (Report{LedgerError: "away"}).Safe() {
		t.Error("a demo whose orders could not be looked up counts as safe")
	}
}

func TestSnapshotLines(t *testing.T) {
	s := Snapshot{Elapsed: 3 * time.Second, For: 20 * time.Second, Intended: 2, Fates: map[Fate]int{Exists: 1, Open: 1},
		All: Tally{Calls: 10, Attempts: 12, FirstTry: 7, Recovered: 1, Settled: 1, Failed: 1}, Story: []Line{{time.Second, strings.Repeat("é", 100)}}}
	list := s.Lines(60)
	want := []string{
		"relent demo: trading, 3 of 20 s",
		"",
		"  calls     10   [==========================++++++++xxxx]",
		"  first try 7 (70.0 %), recovered 1, settled 1, rejected 0…",
		"  retries 2, amplification 1.20",
		"  orders 2: 1 at the venue, 1 open, 0 refused, 0 proven ab…",
		"",
	}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("line %d: %q; want %q", i, list[i], want[i])
		}
	}
	if len(list) != len(want)+lines || len([]rune(list[7])) != 59 {
		t.Errorf("%d lines, the story %d wide", len(list), len([]rune(list[7])))
	}
	s.Settling = true
	if got := s.Lines(1)[0]; !strings.Contains(got, "settling") {
		t.Errorf("after the end: %q", got)
	}
	if (Tally{}).Amplification() != 1 || len((Snapshot{}).Lines(80)) != len(list) {
		t.Error("a demo that has not begun")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	if noRedirect(nil, nil) != http.ErrUseLastResponse {
		t.Error("an order would follow a redirect")
	}
}

// A venue whose reads lag does not find an order that it has. That is no proof of absence.
func TestStaleReadsProveNothing(t *testing.T) {
	t.Parallel()
	cfg, v := market(t, "calm")
	err := v.Faults.Add(
		venue.Fault{Name: "lost", Kind: venue.AcceptDropAnswer, Match: venue.Match{Method: "POST"}},
		venue.Fault{Name: "stale", Kind: venue.StaleRead, Delay: 2 * time.Second, Match: venue.Match{Method: "GET", Path: "/api/v3/order"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.For, cfg.Traders = 300*time.Millisecond, 2
	report, err := Run(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if report.OrdersIntended == 0 || report.OrdersExecuted != report.OrdersIntended || report.Settled != report.OrdersIntended || !report.Safe() {
		t.Errorf("%+v; want each order executed, and found in the end", report)
	}
}

// Under control the demo's operations are seen, and a stop keeps its orders back.
func TestControl(t *testing.T) {
	c := &Control{Registry: &control.Registry{Instance: "demo", Logger: slog.New(slog.DiscardHandler)}, Stops: &halt.Tree{}}
	if _, err := c.Stops.Stop(halt.Command{Scope: "binance/place_order", State: halt.RiskReducingOnly, Who: "ann", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	v := venue.New(venue.Config{Seed: 1})
	defer v.Close()
	server := httptest.NewServer(v)
	defer server.Close()
	cfg := Config{URL: server.URL, Key: venue.DefaultKey, Secret: venue.DefaultSecret, For: time.Second, Residual: time.Second, Control: c}
	if _, err := Run(t.Context(), nil, cfg); err != nil {
		t.Fatal(err)
	}
	if n := len(v.Oracle().Orders); n != 0 {
		t.Errorf("%d orders at the venue while it is stopped", n)
	}
	view := c.Registry.View()
	if len(view.Policies) != 4 || len(view.Circuits) != 1 || len(view.Budgets) != 1 || len(view.Venues) != 1 || len(view.Components) != 1 {
		t.Errorf("the view has %d policies, %d circuits, %d budgets, %d venues, %d components",
			len(view.Policies), len(view.Circuits), len(view.Budgets), len(view.Venues), len(view.Components))
	}
	if _, err := Run(t.Context(), nil, cfg); err == nil {
		t.Error("the same registry was used twice")
	}
}

// What a venue's view says of orders.
func TestVenueView(t *testing.T) {
	r := &run{began: time.Now()}
	fates := []struct {
		fate Fate
		lost bool
		why  string
	}{{Open, false, ""}, {Open, true, "eof"}, {Exists, true, ""}, {Unknown, true, "eof"}, {Absent, true, "eof"}}
	for _, f := range fates {
		o := &order{}
		if f.lost {
			o.doubted(time.Second)
		}
		o.become(f.fate, "", f.why)
		r.orders = append(r.orders, o)
	}
	v := r.venue()
	if v.Unknown != 1 || v.Parked != 1 || v.GuardTrips != 4 || !v.OldestUnknown.Equal(r.began.Add(time.Second)) {
		t.Errorf("%+v", v)
	}
}
