package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/analytics"
)

const hookKey = "a key of more than sixteen bytes"

// A receiver takes findings as a service for alerts does.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	fails int // answers 503 so often; guarded by mu
	bad   []string
	got   []analytics.Finding
}

func newReceiver(t *testing.T, fails int) *receiver {
	r := &receiver{fails: fails}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fails > 0 {
			r.fails--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err := analytics.Verify([]byte(hookKey), req.Header.Get(analytics.SignatureHeader), time.Now(), body); err != nil {
			r.bad = append(r.bad, err.Error())
		}
		var one struct { // as somebody writes it who does not know the package
			ID       string    `json:"id"`
			Kind     string    `json:"kind"`
			Severity string    `json:"severity"`
			Ended    time.Time `json:"ended"`
			Text     string    `json:"text"`
			Subject  struct{ Name string }
			Action   struct{ Text string }
		}
		if err := json.Unmarshal(body, &one); err != nil {
			r.bad = append(r.bad, err.Error())
		}
		r.got = append(r.got, analytics.Finding{ID: one.ID, Kind: analytics.Kind(one.Kind), Severity: analytics.ParseSeverity(one.Severity), Ended: one.Ended,
			Text: one.Text, Subject: analytics.Subject{Name: one.Subject.Name}, Action: analytics.Action{Text: one.Action.Text}})
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) taken(t *testing.T) []analytics.Finding {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) > 0 {
		t.Fatalf("the receiver says: %q", r.bad)
	}
	return slices.Clone(r.got)
}

func keyFile(t *testing.T, key string) string {
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAlertCheck(t *testing.T) {
	for _, test := range []struct {
		name string
		a    Alert
		want string // all of these, by line
	}{
		{"log", Alert{Log: true}, ""},
		{"audit of some kinds", Alert{Audit: true, Kinds: []analytics.Kind{analytics.Periodic}}, ""},
		{"signed webhook", Alert{Webhook: "https://hook.test/x", Secret: keyFile(t, hookKey)}, ""},
		{"nowhere", Alert{}, "Webhook: an alert goes to one of"},
		{"two places", Alert{Log: true, Audit: true}, "Webhook: an alert goes to one of"},
		{"no URL", Alert{Webhook: "hook.test/hunter2"}, "Webhook: it is not an http or https URL"},
		{"no host", Alert{Webhook: "http:///hunter2"}, "Webhook: it is not an http or https URL"},
		{"key of a log", Alert{Log: true, Secret: "x"}, "Secret: it signs posts"},
		{"key that is not there", Alert{Webhook: "http://hook.test", Secret: "nowhere"}, "Secret: open nowhere"},
		{"short key", Alert{Webhook: "http://hook.test", Secret: keyFile(t, "short")}, "the key has 5 bytes: it needs 16 or more"},
		{"no kind", Alert{Log: true, Kinds: []analytics.Kind{"odd"}}, `Kinds: there is no kind "odd"`},
	} {
		err := test.a.Check()
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}

// An alert chooses by severity and kind.
func TestAlertWants(t *testing.T) {
	a := Alert{Least: analytics.Ticket, Kinds: []analytics.Kind{analytics.ErrorShift}}
	for _, test := range []struct {
		kind     analytics.Kind
		severity analytics.Severity
		want     bool
	}{{analytics.ErrorShift, analytics.Ticket, true}, {analytics.ErrorShift, analytics.Info, false}, {analytics.Periodic, analytics.Page, false}} {
		if got := a.wants(&analytics.Finding{Kind: test.kind, Severity: test.severity}); got != test.want {
			t.Errorf("wants %s %v: %v; want %v", test.kind, test.severity, got, test.want)
		}
	}
	if a := (Alert{}); !a.wants(&analytics.Finding{}) {
		t.Error("an alert without wishes does not want everything")
	}
}

// A webhook is posted to again until its receiver is there, signed anew each time.
func TestAlertIsRetried(t *testing.T) {
	r := newReceiver(t, 2)
	a := &alerts{log: quiet}
	defer a.close()
	a.change([]Alert{{Name: "ops", Webhook: r.URL, Secret: keyFile(t, hookKey)}})
	a.tell(shift("page").Finding())
	until(t, "the receiver took it", func() bool { return len(r.taken(t)) == 1 })
	if one := r.taken(t)[0]; one.ID != shift("").Finding().ID || one.Severity != analytics.Page || one.Subject.Name != "v.a" {
		t.Errorf("it took %+v", one)
	}
	if err := a.check(t.Context()); err != nil {
		t.Errorf("health says %v", err)
	}
}

// What cannot be told is in the health, until something can.
func TestAlertFails(t *testing.T) {
	gone := http.StatusGone
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(gone)
	}))
	defer server.Close()
	a := &alerts{log: quiet}
	defer a.close()
	key := keyFile(t, hookKey)
	a.change([]Alert{{Name: "ops", Webhook: server.URL + "/hunter2"}, {Name: "signed", Webhook: server.URL, Secret: key}})
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{http.StatusGone, http.StatusFound} {
		mu.Lock()
		gone = code
		mu.Unlock()
		a.tell(shift("page").Finding())
		until(t, "health knows", func() bool {
			err := a.check(t.Context())
			return err != nil && strings.Contains(err.Error(), fmt.Sprint("ops: ")) && strings.Contains(err.Error(), fmt.Sprint("http ", code)) &&
				strings.Contains(err.Error(), "; signed: ") && !strings.Contains(err.Error(), "hunter2")
		})
	}
	mu.Lock()
	gone = http.StatusOK
	mu.Unlock()
	if err := os.WriteFile(key, []byte(hookKey), 0o600); err != nil {
		t.Fatal(err)
	}
	a.tell(shift("page").Finding())
	until(t, "it is well again", func() bool { return a.check(t.Context()) == nil })
}

// bare makes an outlet to a sink of a test.
func (a *alerts) bare(alert Alert, to analytics.Sink) {
	o := &outlet{alert: alert, log: quiet, wake: make(chan struct{}, 1)}
	o.begin(to)
	a.outlet = map[string]*outlet{alert.Name: o}
}

// While one sink is slow, of each finding the latest state waits, and no more than 256 of them.
func TestSlowAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		slow := analytics.SinkFunc(func(ctx context.Context, f analytics.Finding) error {
			got = append(got, f.ID+f.Text)
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		a := &alerts{log: quiet}
		a.bare(Alert{Name: "slow"}, slow)
		a.tell(analytics.Finding{ID: "first"})
		synctest.Wait()
		a.tell(analytics.Finding{ID: "a", Text: " opened"})
		a.tell(analytics.Finding{ID: "a", Text: " over"})
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if want := []string{"first", "a over"}; !slices.Equal(got, want) {
			t.Errorf("told %q; want %q", got, want)
		}
		for i := range mostWaiting + 1 {
			a.tell(analytics.Finding{ID: fmt.Sprint(i)})
		}
		if err := a.check(t.Context()); err == nil || !strings.Contains(err.Error(), "slow: more than 256 findings wait") {
			t.Errorf("health says %v", err)
		}
		a.close()
		if left := a.outlet["slow"].end(); len(left) != mostWaiting+1 || left[0].ID != "a" || left[1].ID != "1" {
			t.Errorf("%d wait in the end; want 256, and the one that was interrupted first", len(left))
		}
		a.tell(analytics.Finding{ID: "late"})
		a.change([]Alert{{Name: "new", Log: true}})
		if a.outlet["new"] != nil {
			t.Error("after the end there are new alerts")
		}
	})
}

// A change keeps what waits, and leaves alone what stays as it was.
func TestAlertsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		a := &alerts{log: quiet, audit: b}
		defer a.close()
		a.bare(Alert{Name: "ops"}, analytics.SinkFunc(func(ctx context.Context, _ analytics.Finding) error { <-ctx.Done(); return ctx.Err() }))
		a.tell(shift("ticket").Finding())
		synctest.Wait()
		a.change([]Alert{{Name: "ops", Audit: true}, {Name: "log", Log: true}})
		synctest.Wait()
		if len(b.records) != 1 || b.records[0].Rule != "error_shift" || b.records[0].State != "ticket" {
			t.Errorf("the audit log has %+v; want what waited", b.records)
		}
		same := a.outlet["log"]
		a.change([]Alert{{Name: "log", Log: true}})
		if a.outlet["log"] != same || len(a.outlet) != 1 {
			t.Errorf("%d outlets; want the one that stayed as it was", len(a.outlet))
		}
		b.err = errors.New("full")
		a.change([]Alert{{Name: "audit", Audit: true}})
		a.tell(shift("ticket").Finding())
		synctest.Wait()
		if err := a.check(t.Context()); err == nil || err.Error() != "audit: full" {
			t.Errorf("health says %v", err)
		}
	})
}

// What a process finds is shown, told to a receiver once however many processes find it, and told again when it is over.
func TestAlertsOfTheFleet(t *testing.T) {
	r := newReceiver(t, 1)
	s, _ := serve(t, Config{Store: file(t), Alerts: []Alert{{Name: "ops", Webhook: r.URL, Secret: keyFile(t, hookKey), Least: analytics.Ticket}}})
	a, b := join(t, s, "a", ""), join(t, s, "b", "")
	find := func(p *process, list ...control.FindingView) {
		p.registry.SetFindings(func() []control.FindingView { return list })
	}
	trivia := shift("info")
	trivia.Subject = "v.trivia"
	find(a, shift("ticket"), trivia)
	find(b, shift("page"))
	var v control.View
	until(t, "both are shown, as the worst of each", func() bool {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Findings) == 2 && v.Findings[0].Severity == "page"
	})
	until(t, "the receiver was told of the worst", func() bool {
		list := r.taken(t)
		return len(list) > 0 && list[len(list)-1].Severity == analytics.Page
	})
	for _, one := range r.taken(t) {
		if one.Subject.Name != "v.a" || one.ID != shift("").Finding().ID {
			t.Errorf("it was told of %+v; want v.a alone, under one ID", one)
		}
	}
	find(a)
	find(b)
	until(t, "it was told of the end", func() bool { // half a minute is over at once
		s.views.found.mu.Lock()
		for _, one := range s.views.found.known {
			one.seen = one.seen.Add(-absent)
		}
		s.views.found.mu.Unlock()
		list := r.taken(t)
		return !list[len(list)-1].Ended.IsZero()
	})
}

func TestAlertsAreChecked(t *testing.T) {
	twice := []Alert{{Name: "a", Log: true}, {Name: "a"}}
	err := Config{Alerts: twice}.Check()
	if err == nil || !strings.Contains(err.Error(), `Alerts: two have the name "a"`) || !strings.Contains(err.Error(), "Alerts: a: Webhook: ") {
		t.Errorf("Check() = %v", err)
	}
	s, _ := serve(t, Config{Store: file(t)})
	if err := s.Configure(t.Context(), Settings{Alerts: twice}); err == nil {
		t.Error("a configuration with mistaken alerts is in force")
	}
	if err := s.Configure(t.Context(), Settings{Hash: "h", Alerts: []Alert{{Name: "log", Log: true}}}); err != nil || s.alerts.outlet["log"] == nil {
		t.Errorf("Configure = %v; want the alert", err)
	}
}
