package dashboard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// A fake is a Source, a Commander and an Audit that remembers what it was asked.
type fake struct {
	mu      sync.Mutex
	view    control.View
	stop    control.Stop
	resume  control.Resume
	tune    control.Tune
	err     error // of commands
	records []audit.Record
}

func (f *fake) View() control.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

func (f *fake) set(v control.View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view = v
}

func (f *fake) Stop(_ context.Context, s control.Stop) (control.StopView, error) {
	f.stop = s
	return control.StopView{Scope: s.Scope, State: s.State, Epoch: 1}, f.err
}

func (f *fake) Resume(_ context.Context, r control.Resume) (control.StopView, error) {
	f.resume = r
	return control.StopView{Scope: r.Scope, State: "running", Epoch: r.Epoch + 1}, f.err
}

func (f *fake) Tune(_ context.Context, t control.Tune) (control.PolicyView, error) {
	f.tune = t
	return control.PolicyView{Name: t.Operation}, f.err
}

func (f *fake) Records(context.Context, string, int) ([]audit.Record, error) { return f.records, f.err }
func (f *fake) Verify(context.Context) error                                 { return f.err }

// telling is a fake that tells events, too.
type telling struct {
	fake
	registry control.Registry
}

func (f *telling) Subscribe(c control.Filter, size int) *control.Subscription {
	return f.registry.Subscribe(c, size)
}

var errRefused = errors.New("refused by the fake")

// some is a view with one of everything.
func some() control.View {
	return control.View{
		Instance: "a", Epoch: 1,
		Policies: []control.PolicyView{
			{Name: "venue.place_order", Component: "desk/venue", InFlight: 2, Waiting: 1, Outcomes: map[string]uint64{}, Call: control.Histogram{Bounds: []float64{1}, Counts: []uint64{0, 0}}},
			{Name: "loose", InFlight: 4},
		},
		Circuits:   []control.CircuitView{{Policy: "venue.place_order", Target: "host", State: "open"}, {Policy: "loose", Target: "host", State: "half_open"}},
		Budgets:    []control.BudgetView{{Name: "b", Level: 5, Max: 10}},
		Stops:      []control.StopView{{Scope: "desk/venue", State: "no-retries", Epoch: 3}, {Scope: "old", State: "running", Epoch: 2}},
		Venues:     []control.VenueView{{Name: "venue", Unknown: 2}, {Name: "other", Unknown: 5}},
		Components: []control.ComponentView{{Name: "venue", State: "up"}},
		Findings:   []control.FindingView{{Kind: "retry_storm", Subject: "loose", Severity: "page"}},
		Instances:  []control.InstanceView{{Name: "a", Connected: true}},
	}
}

var (
	viewer, viewerToken     = NewToken("vera", Viewer)
	operator, operatorToken = NewToken("otto", Operator)
	second, secondToken     = NewToken("olga", Operator)
	admin, adminToken       = NewToken("ada", Admin)
	everyone                = Tokens(TokenList{viewerToken, operatorToken, secondToken, adminToken})
)

func newHandler(t testing.TB, c Config) *Handler {
	t.Helper()
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// ask sends a request as a page of the same origin would, unless a change of it says otherwise.
func ask(h http.Handler, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4000"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func as(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
}

func text(w *httptest.ResponseRecorder) string {
	b, _ := io.ReadAll(w.Result().Body)
	return string(b)
}
