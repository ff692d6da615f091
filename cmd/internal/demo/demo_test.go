package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// simulated starts a simulated venue, whose weather begins when trading does, and returns a busy demo on it.
func simulated(t *testing.T, faults ...venue.Fault) (Config, *venue.Venue) {
	t.Helper()
	v := venue.New(venue.Config{Seed: 1, FlowEvery: 50 * time.Millisecond, Fee: decimal.New(-1, 0), Limits: venue.Limits{RefusalsUntilBan: venue.Unlimited}})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil // the venue has a clock of its own
		v.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(func() { v.Close(); server.Close() })
	return Config{
		URL: server.URL, Key: venue.DefaultKey, Secret: venue.DefaultSecret, Dir: t.TempDir(), Venue: v,
		For: 3 * time.Second, Seed: 1, Residual: time.Second, Pause: 400 * time.Millisecond,
		Ready: func() {
			if err := v.Faults.Add(faults...); err != nil {
				t.Error(err)
			}
		},
	}, v
}

func preset(t *testing.T, name string) []venue.Fault {
	t.Helper()
	faults, err := venue.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func show(r Report) string {
	text, _ := json.Marshal(r)
	return string(text)
}

// Under every weather, some of them for longer than a moment: no order twice, none lost, and the venue's oracle agrees.
func TestNoDuplicatesNothingLost(t *testing.T) {
	for _, weather := range []string{"calm", "lossy", "ws", "clock"} {
		t.Run(weather, func(t *testing.T) {
			t.Parallel()
			cfg, _ := simulated(t, preset(t, weather)...)
			shown := 0
			cfg.Show = func(s Snapshot) { shown += len(s.Lines(80)) }
			report, err := Run(t.Context(), nil, cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(show(report))
			if !report.Safe() || len(report.Wrong) != 0 || len(report.Checks) < 10 {
				t.Errorf("%d duplicates, %d lost: %+v; %+v", report.Duplicates, report.Lost, report.Wrong, report.Checks)
			}
			if sum := report.FirstTry + report.Recovered + report.Settled + report.Rejected + report.Failed; sum != report.Calls {
				t.Errorf("the ends add up to %d of %d calls", sum, report.Calls)
			}
			if report.OrdersIntended < 10 || report.OrdersExecuted == 0 || shown == 0 {
				t.Error("too little happened")
			}
			if len(report.UnknownOrders) != report.Unknown {
				t.Errorf("%d unknown orders, %d explained", report.Unknown, len(report.UnknownOrders))
			}
		})
	}
}

// The same load with a retry written by hand makes duplicates, so that the promise means something.
func TestNaiveRetryDuplicates(t *testing.T) {
	t.Parallel()
	lost := venue.Fault{Name: "lost", Kind: venue.AcceptDropAnswer, Match: venue.Match{Method: "POST", Every: 3}}
	cfg, _ := simulated(t, lost)
	cfg.For = time.Second
	n, err := RunNaive(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n.Duplicates == 0 || n.OrdersIntended < 3 || n.OrdersExecuted < n.OrdersIntended || n.Amplification <= 1 {
		t.Errorf("%+v; want duplicates", n)
	}
	if _, err := RunNaive(t.Context(), nil, Config{}); err == nil {
		t.Error("RunNaive accepts an empty configuration")
	}
	cfg.For = time.Minute
	if _, err := RunNaive(t.Context(), closed(), cfg); err != nil {
		t.Error(err)
	}
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Lost answers are reconciled, not sent again; the circuit of the candles opens and closes; the budget refuses; the analysis
// finds it. This is what the demo promises to show.
func TestSights(t *testing.T) {
	t.Parallel()
	cfg, _ := simulated(t,
		venue.Fault{Name: "twice", Kind: venue.Unavailable, Count: 2, Match: venue.Match{Path: "/api/v3/klines"}},
		venue.Fault{Name: "away", Kind: venue.Unavailable, Match: venue.Match{Path: "/api/v3/klines", After: time.Second, Until: 6 * time.Second}},
		venue.Fault{Name: "lost", Kind: venue.AcceptDropAnswer, Count: 2, Match: venue.Match{Method: "POST", Path: "/api/v3/order"}})
	cfg.For = 8 * time.Second
	cfg.Control = &Control{Registry: &control.Registry{Instance: "demo", Logger: slog.New(slog.DiscardHandler)}, Stops: &halt.Tree{}}
	report, err := Run(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Seen.All() || !report.Safe() || report.Settled < 2 {
		t.Errorf("%s; want all sights", show(report))
	}
	view := cfg.Control.Registry.View()
	if len(view.Policies) != 5 || len(view.Circuits) != 2 || len(view.Budgets) != 2 || len(view.Venues) != 1 || len(view.Components) != 4 {
		t.Errorf("the view has %d policies, %d circuits, %d budgets, %d venues, %d components",
			len(view.Policies), len(view.Circuits), len(view.Budgets), len(view.Venues), len(view.Components))
	}
	if len(view.Venues[0].Headroom) == 0 || len(view.Venues[0].Reconnects) == 0 {
		t.Errorf("the venue is shown as %+v", view.Venues[0])
	}
	cfg.Dir = t.TempDir()
	if _, err := Run(t.Context(), nil, cfg); err == nil {
		t.Error("the same registry was used twice")
	}
}

// Orders that a stop refuses are counted, and none reaches the venue.
func TestStopIsShown(t *testing.T) {
	t.Parallel()
	cfg, v := simulated(t)
	cfg.For = time.Second
	cfg.Control = &Control{Registry: &control.Registry{Instance: "demo", Logger: slog.New(slog.DiscardHandler)}, Stops: &halt.Tree{}}
	if _, err := cfg.Control.Stops.Stop(halt.Command{Scope: "binance/place_order", State: halt.RiskReducingOnly, Who: "ann", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.Oracle().Orders); n != 0 || report.RefusedBy["a stop"] == 0 || report.OrdersRefused != report.OrdersIntended || !report.Safe() {
		t.Errorf("%d orders at the venue while it is stopped; %s", n, show(report))
	}
}

// Without an oracle, the venue is asked through its API.
func TestLedgerThroughTheAPI(t *testing.T) {
	t.Parallel()
	cfg, v := simulated(t)
	cfg.Venue, cfg.For = nil, time.Second
	report, err := Run(t.Context(), nil, cfg)
	if err != nil || !report.Safe() || len(report.Checks) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := v.Oracle().Totals.Orders; report.OrdersExecuted != got || got == 0 {
		t.Errorf("%d orders executed by the API's account, %d by the venue's", report.OrdersExecuted, got)
	}
	// The next one in the same folder finds the log of this one.
	if report, err := Run(t.Context(), nil, cfg); err != nil || !report.Safe() {
		t.Errorf("a second run: %+v, %v", report, err)
	}
}

func TestStopEndsTrading(t *testing.T) {
	t.Parallel()
	cfg, _ := simulated(t)
	cfg.For, cfg.Traders, cfg.Pause, cfg.Ready = time.Hour, 0, 0, nil // defaults
	start := time.Now()
	if _, err := Run(t.Context(), closed(), cfg); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
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
	cfg := Config{URL: gone.URL, Key: "k", Secret: "s", For: time.Second, Dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := Run(ctx, nil, cfg)
	if err == nil || !strings.Contains(err.Error(), "for its time") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v; want the venue that was asked, and why it did not answer", err)
	}
	cfg.Dir += "/none"
	if _, err := Run(ctx, nil, cfg); err == nil || !strings.Contains(err.Error(), "order log") {
		t.Errorf("without a folder: %v", err)
	}
	cfg, _ = simulated(t)
	cfg.Key = "another"
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Run(ctx, nil, cfg); err == nil || !strings.Contains(err.Error(), "did not come up") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// A process that was killed leaves its lease: the next one says so.
func TestLeaseIsHeld(t *testing.T) {
	t.Parallel()
	cfg, _ := simulated(t)
	cfg.Venue = nil
	ready := make(chan struct{})
	cfg.Ready = func() { close(ready) }
	stop := make(chan struct{})
	first := make(chan error, 1)
	go func() { _, err := Run(t.Context(), stop, cfg); first <- err }()
	<-ready
	second := cfg
	second.Ready = nil
	if _, err := Run(t.Context(), nil, second); err == nil || !strings.Contains(err.Error(), "try again in 15 s") {
		t.Errorf("two processes with one log: %v", err)
	}
	close(stop)
	if err := <-first; err != nil {
		t.Error(err)
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

func TestStreams(t *testing.T) {
	for rest, want := range map[string][2]string{
		"https://api.binance.com":         {"wss://stream.binance.com:9443/ws", "wss://ws-api.binance.com:443/ws-api/v3"},
		"https://testnet.binance.vision/": {"wss://stream.testnet.binance.vision/ws", "wss://ws-api.testnet.binance.vision/ws-api/v3"},
		"http://127.0.0.1:1234":           {"ws://127.0.0.1:1234/ws", "ws://127.0.0.1:1234/ws-api/v3"},
		":":                               {"", ""},
	} {
		if data, user := streams(rest); data != want[0] || user != want[1] {
			t.Errorf("streams(%s) = %s, %s; want %v", rest, data, user, want)
		}
	}
}

func TestCause(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "no reason given"},
		{errors.New(`Get "http://h/api?signature=secret": EOF`), "EOF"},
		{fmt.Errorf("query: %w", errors.New(`Post "http://h/api?signature=secret": EOF`)), "query: EOF"},
		{errors.New(strings.Repeat("é ", 200)), strings.Repeat("é ", 79) + "é…"},
	} {
		if got := cause(test.err); got != test.want {
			t.Errorf("cause(%v) = %q; want %q", test.err, got, test.want)
		}
	}
}
