package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/memory"
)

func quiet() *control.Registry {
	return &control.Registry{Instance: "test:1", Logger: slog.New(slog.DiscardHandler)}
}

func ExampleNew() {
	p, err := process.New(process.Config{
		Registry:    &control.Registry{Instance: "host:1"},
		Gates:       []process.Gate{{Name: "binance", Gate: &breaker.Breaker{}}},
		Classifiers: []process.Classifier{{Name: "binance", Classify: retry.DefaultClassify}},
		Components:  []control.Component{{Name: "binance"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	place, err := p.Registry.AddOperation("binance", &retry.Policy{Name: "binance.place_order", Gates: p.Gates("binance", "place_order")})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := p.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer p.Stop(ctx)
	fmt.Println(retry.Do(ctx, place, func(context.Context) (string, error) { return "accepted", nil }))
	// Output: accepted <nil>
}

func TestConfig(t *testing.T) {
	breaker := &breaker.Breaker{}
	for _, test := range []struct {
		name string
		c    process.Config
		want string // all of these, by line
	}{
		{"zero", process.Config{}, ""},
		{"gates and classifiers", process.Config{Gates: []process.Gate{{Name: "a"}, {Gate: breaker}}, Classifiers: []process.Classifier{{}}},
			"Gates: number 0\nGates: number 1\nClassifiers: number 0"},
		{"stops", process.Config{Stops: &halt.Tree{MaxScopes: -1}}, "Stops: "},
		{"listen", process.Config{Listen: "8484"}, "Listen: \"8484\""},
		{"listen to all without sign-in", process.Config{Listen: ":0"}, "Listen: :0 is not a loopback address"},
		{"listen to all with sign-in", process.Config{Listen: ":0", Dashboard: dashboard.Config{Auth: dashboard.Tokens(dashboard.TokenList{})}}, ""},
		{"dashboard", process.Config{Dashboard: dashboard.Config{Interval: -1}}, "Interval: "},
		{"fleet", process.Config{Fleet: &control.Fleet{URL: "nowhere"}}, "URL: "},
		{"gate twice", process.Config{Gates: []process.Gate{{"a", breaker}, {"a", breaker}}}, "\"a\""},
		{"classifier twice", process.Config{Classifiers: []process.Classifier{{"v", retry.DefaultClassify}, {"v", retry.DefaultClassify}}}, "\"v\""},
		{"component depends on nothing", process.Config{Components: []control.Component{{Name: "a", DependsOn: []string{"b"}}}}, "\"b\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := process.New(test.c)
			if (err == nil) != (test.want == "") {
				t.Fatalf("New() = %v; want %q", err, test.want)
			}
			for line := range strings.Lines(test.want) {
				if !strings.Contains(err.Error(), strings.TrimSpace(line)) {
					t.Errorf("New() = %v; want %q in it", err, line)
				}
			}
		})
	}
}

// Breakers and budgets among the gates can be seen, and health follows a breaker that has the name of a component.
func TestGatesAreSeen(t *testing.T) {
	open := &breaker.Breaker{}
	p, err := process.New(process.Config{
		Registry:   quiet(),
		Gates:      []process.Gate{{Name: "venue", Gate: open}, {Name: "other", Gate: &breaker.Breaker{}}, {Name: "retries", Gate: &budget.Budget{}}, {Name: "cap", Gate: &limit.Rate{}}},
		Components: []control.Component{{Name: "venue", Critical: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Isolate(breaker.Order{Who: "test", Why: "test", For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	v := p.Registry.View()
	if len(v.Circuits) != 2 || v.Circuits[0].State != "closed" || v.Circuits[1].State != "isolated" || len(v.Budgets) != 1 || v.Budgets[0].Name != "retries" {
		t.Errorf("circuits %+v, budgets %+v", v.Circuits, v.Budgets)
	}
	if h := p.Registry.Health(t.Context()); h.Status != control.StatusDegraded {
		t.Errorf("health %v while a circuit is isolated; want degraded", h.Status)
	}
}

func TestStopWaitsForCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, place := started(t, process.Config{})
		var end time.Duration
		began := time.Now()
		go retry.Run(t.Context(), place, func(context.Context) error {
			time.Sleep(3 * time.Second)
			end = time.Since(began)
			return nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil || end != 3*time.Second {
			t.Errorf("Stop() = %v when the call ended at %v; want nil after it", err, end)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("Stop took %v for a call of 3 s", took)
		}
	})
}

func TestStopEndsWithItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, place := started(t, process.Config{})
		go retry.Run(t.Context(), place, func(context.Context) error { time.Sleep(time.Minute); return nil })
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := p.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 calls are still in flight") {
			t.Errorf("Stop() = %v; want one call in flight, and the deadline", err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("Stop took %v; its deadline was 2 s", took)
		}
		if err := p.Stop(ctx); err != process.ErrStopped {
			t.Errorf("second Stop() = %v", err)
		}
		if err := p.Start(t.Context()); err != process.ErrStarted {
			t.Errorf("Start() after Stop = %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func started(t *testing.T, c process.Config) (*process.Process, *control.Operation) {
	t.Helper()
	c.Registry = quiet()
	p, err := process.New(c)
	if err != nil {
		t.Fatal(err)
	}
	place, err := p.Registry.AddOperation("binance", &retry.Policy{Name: "binance.place_order", Gates: p.Gates("binance", "place_order")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, place
}

// The dashboard is served, with a stream open: Stop does not wait for it. Commands are on record. No goroutine is left.
func TestServed(t *testing.T) {
	before := runtime.NumGoroutine()
	store := &memory.Audit{}
	plane := httptest.NewServer(http.NotFoundHandler())
	dir := t.TempDir()
	p, place := started(t, process.Config{
		Listen: "127.0.0.1:0", Stores: process.Stores{Audit: store}, Stops: &halt.Tree{File: filepath.Join(dir, "stops")},
		Fleet: &control.Fleet{URL: plane.URL, Dir: dir},
	})
	client := &http.Client{Transport: &http.Transport{}}
	url := "http://" + p.Addr().String()
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/healthz": 200, "/": 200} {
		resp, err := client.Get(url + path)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("GET %s = %v, %v; want %d", path, resp, err, want)
		}
		resp.Body.Close()
	}
	stream, err := client.Get(url + "/api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := p.Registry.Stop(t.Context(), control.Stop{Scope: "binance", Reason: "prices look wrong", Actor: "ann", Key: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := retry.Run(t.Context(), place, func(context.Context) error { return nil }); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("call while stopped = %v", err)
	}
	records, _, err := store.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 10)
	if err != nil || len(records) == 0 {
		t.Errorf("%d records of the command, %v", len(records), err)
	}
	if err := p.Health(t.Context()); err != nil {
		t.Errorf("Health() while stopped = %v; want nil, it is degraded", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 {
		t.Errorf("GET / after Stop = %d", w.Code)
	}
	io.Copy(io.Discard, stream.Body)
	client.CloseIdleConnections()
	plane.Close()
	for until := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "stops")
	holder := &halt.Tree{File: file}
	for name, c := range map[string]process.Config{
		"address taken": {Listen: taken.Addr().String()},
		"file taken":    {Stops: &halt.Tree{File: file}},
	} {
		if err := holder.Open(); err != nil {
			t.Fatal(err)
		}
		c.Registry = quiet()
		p, err := process.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err == nil {
			t.Errorf("%s: Start() = nil", name)
		}
		if err := p.Stop(t.Context()); err != process.ErrStopped {
			t.Errorf("%s: Stop() = %v", name, err)
		}
	}
	holder.Close()
}

func TestHealthFails(t *testing.T) {
	p, _ := started(t, process.Config{Components: []control.Component{
		{Name: "ledger", Critical: true, Check: func(context.Context) error { return errors.New("disk full") }},
	}})
	defer p.Stop(t.Context())
	if err := p.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "ledger") {
		t.Errorf("Health() = %v; want the name of what fails", err)
	}
}

// What calls do is analysed without a word: findings are shown, and written down.
func TestAnalysis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory.Audit{}
		p, place := started(t, process.Config{Stores: process.Stores{Audit: store}})
		for i := range 6700 { // eleven minutes of health, and ten seconds of an outage
			retry.Run(t.Context(), place, func(context.Context) error {
				if i > 6600 {
					return retry.Mark(errors.New("busy"), retry.Permanent)
				}
				return nil
			})
			time.Sleep(100 * time.Millisecond)
		}
		if list := p.Registry.View().Findings; len(list) != 1 || list[0].Kind != "error_shift" || list[0].Subject != "binance.place_order" {
			t.Errorf("the view has %+v; want an error shift", list)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		heads, err := store.Heads(t.Context())
		if err != nil || len(heads) != 1 {
			t.Fatalf("%v, %v", heads, err)
		}
		links, err := store.Links(t.Context(), heads[0].Chain, 1, int(heads[0].Sequence))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, link := range links {
			if strings.Contains(string(link.Body), "error_shift") {
				found++
			}
		}
		if found == 0 {
			t.Errorf("none of %d records is of the finding", len(links))
		}
	})
}

// An analyzer of one's own is run; one that the registry has already is left to who made it.
func TestOwnAnalyzer(t *testing.T) {
	own := &analytics.Analyzer{}
	p, err := process.New(process.Config{Registry: quiet(), Analyzer: own})
	if err != nil || p.Analyzer != own {
		t.Errorf("New() = %v with analyzer %p; want %p", err, p.Analyzer, own)
	}
	r := quiet()
	if err := r.AddAnalyzer(own); err != nil {
		t.Fatal(err)
	}
	if p, err = process.New(process.Config{Registry: r}); err != nil || p.Analyzer != nil {
		t.Errorf("New() with an analysed registry = %v with analyzer %p; want none", err, p.Analyzer)
	}
	if _, err = process.New(process.Config{Registry: r, Analyzer: &analytics.Analyzer{}}); !errors.Is(err, control.ErrDuplicate) {
		t.Errorf("New() with two analyzers = %v; want %v", err, control.ErrDuplicate)
	}
	if _, err = process.New(process.Config{Registry: quiet(), Analyzer: &analytics.Analyzer{Config: analytics.Config{MaxSubjects: -1}}}); err == nil {
		t.Error("a mistaken analyzer is taken")
	}
}

// A learner that asks for it can be promoted: what it learned is rehearsed in the simulator, unless the registry has its own way.
func TestRehearsal(t *testing.T) {
	p, err := process.New(process.Config{Registry: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Registry.AddOperation("binance", &retry.Policy{
		Name: "binance.fetch_book", Idempotent: true, Gates: []retry.Gate{&budget.Budget{}, &control.Learning{Promote: true}},
	}); err != nil {
		t.Fatal(err)
	}
	if list := p.Registry.View().Policies; len(list) != 1 || list[0].Learning == nil || list[0].Learning.Promotion != "waits for a proof" {
		t.Errorf("the view has %+v; want one that waits for a proof", list)
	}
	now := time.Now()
	learner := &adaptive.Learner{}
	fresh := adaptive.Learned{Operation: "binance.fetch_book", Up: .99, Gap: time.Hour, Pays: .9, Rate: 1, Snapshot: learner.Snapshot(now)}
	if gain, err := p.Registry.Rehearse(t.Context(), fresh, nil); err != nil || math.IsNaN(gain) {
		t.Errorf("Rehearse = %v, %v; want a gain", gain, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Registry.Rehearse(ctx, fresh, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Rehearse = %v; want %v", err, context.Canceled)
	}
	r := quiet()
	r.Rehearse = func(context.Context, adaptive.Learned, *retry.Policy) (float64, error) { return 7, nil }
	if _, err := process.New(process.Config{Registry: r}); err != nil {
		t.Fatal(err)
	}
	if gain, _ := r.Rehearse(t.Context(), fresh, nil); gain != 7 {
		t.Errorf("gain %v; want the registry's own rehearsal, 7", gain)
	}
}
