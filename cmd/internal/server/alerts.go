package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// An Alert says where findings of the fleet are told: one of Webhook, Log and Audit. A finding is told when it opens or opens
// again, when it gets worse, and when it is over.
type Alert struct {
	Name    string
	Webhook string             // the URL that they are posted to, see analytics.Webhook
	Secret  string             // a file that holds the key that posts are signed with; empty: they are not signed
	Log     bool               // the server's log
	Audit   bool               // the audit log
	Least   analytics.Severity // milder ones are not told
	Kinds   []analytics.Kind   // others are not told; none: all are
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (a Alert) Check() error {
	var errs []error
	given := 0
	for _, is := range []bool{a.Webhook != "", a.Log, a.Audit} {
		if is {
			given++
		}
	}
	if given != 1 {
		errs = append(errs, fmt.Errorf("Webhook: an alert goes to one of Webhook, Log and Audit, not to %d", given))
	}
	if a.Webhook != "" {
		if u, err := url.Parse(a.Webhook); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, errors.New("Webhook: it is not an http or https URL with a host")) // which may be secret
		}
	}
	if a.Secret != "" {
		if a.Webhook == "" {
			errs = append(errs, errors.New("Secret: it signs posts, and there is no Webhook"))
		} else if _, err := a.key(); err != nil {
			errs = append(errs, fmt.Errorf("Secret: %w", err))
		}
	}
	for _, k := range a.Kinds {
		if !slices.Contains(analytics.Kinds(), k) {
			errs = append(errs, fmt.Errorf("Kinds: there is no kind %q", k))
		}
	}
	return errors.Join(errs...)
}

// checkAlerts returns all mistakes in a list, each beginning with Alerts.
func checkAlerts(list []Alert) error {
	var errs []error
	for i, a := range list {
		if slices.ContainsFunc(list[:i], func(other Alert) bool { return other.Name == a.Name }) {
			errs = append(errs, fmt.Errorf("Alerts: two have the name %q", a.Name))
		}
		if err := a.Check(); err != nil {
			errs = append(errs, fmt.Errorf("Alerts: %s: %w", a.Name, err))
		}
	}
	return errors.Join(errs...)
}

// leastKey is how long a key has to be: shorter ones can be guessed.
const leastKey = 16

// key reads the key: each time, so that it can be changed.
func (a Alert) key() ([]byte, error) {
	if a.Secret == "" {
		return nil, nil
	}
	text, err := os.ReadFile(a.Secret)
	if err != nil {
		return nil, err
	}
	if text = bytes.TrimSpace(text); len(text) < leastKey {
		return nil, fmt.Errorf("%s: the key has %d bytes: it needs %d or more", a.Secret, len(text), leastKey)
	}
	return text, nil
}

func (a Alert) wants(f *analytics.Finding) bool {
	return f.Severity >= a.Least && (len(a.Kinds) == 0 || slices.Contains(a.Kinds, f.Kind))
}

// alertPolicy outlasts a restart of the receiver, and an outage of some minutes.
var alertPolicy = retry.Policy{
	Name: "relent.alert", MaxAttempts: 20, MaxElapsed: 10 * time.Minute, AttemptTimeout: 10 * time.Second, Idempotent: true,
	Backoff: backoff.Exponential{Base: 500 * time.Millisecond, Max: time.Minute},
}

// A redirect would hand the finding, and what the path of the URL stands for, to somebody else.
var alertClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (a Alert) sink(log *slog.Logger, to control.Recorder) analytics.Sink {
	switch {
	case a.Log:
		return analytics.Log{Logger: log}
	case a.Audit:
		return control.AuditFindings(to)
	}
	return analytics.SinkFunc(func(ctx context.Context, f analytics.Finding) error {
		key, err := a.key()
		if err != nil {
			return err
		}
		return analytics.Webhook{URL: a.Webhook, Client: alertClient, Secret: key, Policy: &alertPolicy}.Tell(ctx, f)
	})
}

// alerts tells sinks of findings, each in its own time: one that is slow does not hold up another. It is safe for concurrent use.
type alerts struct {
	log   *slog.Logger
	audit control.Recorder

	mu     sync.Mutex
	outlet map[string]*outlet // guarded by mu, as is closed
	closed bool
}

// change has other alerts from now on. One that stays keeps what it has not told yet, also when it goes elsewhere now.
func (a *alerts) change(list []Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	next := map[string]*outlet{}
	for _, one := range list {
		old := a.outlet[one.Name]
		if old != nil && reflect.DeepEqual(old.alert, one) {
			next[one.Name] = old
			continue
		}
		made := &outlet{alert: one, log: a.log, wake: make(chan struct{}, 1)}
		if old != nil {
			made.queue = old.end()
		}
		made.begin(one.sink(a.log, a.audit))
		next[one.Name] = made
	}
	for name, old := range a.outlet {
		if next[name] == nil {
			old.end()
		}
	}
	a.outlet = next
}

// tell has all sinks told that want to be.
func (a *alerts) tell(f analytics.Finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.outlet {
		if o.alert.wants(&f) {
			o.add(f)
		}
	}
}

// close ends all deliveries and waits for that.
func (a *alerts) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, o := range a.outlet {
		o.end()
	}
}

// check says which sinks are not told as they should be, for health.
func (a *alerts) check(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []string
	for name, o := range a.outlet {
		if err := o.trouble(); err != nil {
			errs = append(errs, name+": "+err.Error())
		}
	}
	if len(errs) == 0 {
		return nil
	}
	slices.Sort(errs)
	return errors.New(strings.Join(errs, "; "))
}

// mostWaiting are the findings that wait for one sink. The oldest give way.
const mostWaiting = 256

// An outlet delivers to one sink, in a goroutine of its own.
type outlet struct {
	alert  Alert
	log    *slog.Logger
	wake   chan struct{} // holds a token while there is something to tell
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	queue  []analytics.Finding // guarded by mu, as is failed
	failed error               // of the last delivery
}

// add has f wait. Of one finding the latest state waits.
func (o *outlet) add(f analytics.Finding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = slices.DeleteFunc(o.queue, func(other analytics.Finding) bool { return other.ID == f.ID })
	o.queue = append(o.queue, f)
	if len(o.queue) > mostWaiting {
		o.queue = slices.Delete(o.queue, 0, 1)
		o.failed = fmt.Errorf("more than %d findings wait: the oldest are not told", mostWaiting)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// next takes what has waited longest.
func (o *outlet) next() (f analytics.Finding, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return f, false
	}
	f = o.queue[0]
	o.queue = slices.Delete(o.queue, 0, 1)
	return f, true
}

func (o *outlet) trouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

func (o *outlet) begin(to analytics.Sink) {
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.done = cancel, make(chan struct{})
	o.wake <- struct{}{} // for what waits already
	go func() {
		defer close(o.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-o.wake:
			}
			for ctx.Err() == nil {
				f, ok := o.next()
				if !ok {
					break
				}
				o.deliver(ctx, to, f)
			}
		}
	}()
}

// deliver tells of one finding. What was interrupted waits on, for a successor.
func (o *outlet) deliver(ctx context.Context, to analytics.Sink, f analytics.Finding) {
	err := to.Tell(ctx, f)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		o.queue = slices.Insert(o.queue, 0, f)
		return
	}
	if o.failed = err; err != nil {
		o.log.Error("a finding was not told: look whether the receiver of the alert can be reached", "alert", o.alert.Name, "finding", f.ID, "kind", string(f.Kind),
			"subject", f.Subject.String(), "error", err)
	}
}

// end stops delivering, and returns what was not told.
func (o *outlet) end() []analytics.Finding {
	o.cancel()
	<-o.done
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.queue)
}
