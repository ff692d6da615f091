package analytics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

var example = analytics.Finding{ID: "1f", Kind: analytics.ErrorShift, Subject: analytics.Subject{Kind: analytics.OfPolicy, Name: "a"}, Severity: analytics.Page, Text: "a fails."}

type script struct{ answers []int }

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	code := s.answers[0]
	s.answers = s.answers[1:]
	if code == 0 {
		return nil, errors.New("connection refused")
	}
	body, _ := io.ReadAll(r.Body)
	if err := analytics.Verify([]byte("key"), r.Header.Get(analytics.SignatureHeader), time.Now(), body); err != nil {
		return nil, err
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil || got["severity"] != "page" {
		return nil, errors.New("not a finding: " + string(body))
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestWebhook(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []int
		left    int
		ok      bool
	}{
		{"taken", []int{204}, 0, true},
		{"taken in the end", []int{0, 503, 429, 408, 200}, 0, true},
		{"refused for good", []int{400, 200}, 1, false},
		{"never taken", []int{500, 500, 500, 500, 500, 200}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{test.answers}
				f := example
				f.Evidence.Value = math.NaN()
				err := analytics.Webhook{URL: "http://hook.test/", Client: &http.Client{Transport: s}, Secret: []byte("key")}.Tell(t.Context(), f)
				if (err == nil) != test.ok || len(s.answers) != test.left || err != nil && !errors.Is(err, analytics.ErrStatus) {
					t.Errorf("Tell = %v, %d answers left; want ok %v, %d left", err, len(s.answers), test.ok, test.left)
				}
			})
		})
	}
}

func TestWebhookOfItsOwnPolicyAndClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(analytics.SignatureHeader) != "" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	if err := (analytics.Webhook{URL: server.URL, Policy: &retry.Policy{MaxAttempts: 1}}).Tell(t.Context(), example); err != nil {
		t.Error(err)
	}
	if err := (analytics.Webhook{URL: ":"}).Tell(t.Context(), example); !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("a bad URL: %v; want %v", err, retry.ErrPermanent)
	}
}

// The path of a webhook's URL is often its only secret: no error has it.
func TestWebhookKeepsItsURL(t *testing.T) {
	for _, to := range []string{"http://hook.test/hunter2", "http://hook.test/hunter2%zz", "http://hook.test:hunter2/"} {
		client := &http.Client{Transport: &script{[]int{0}}}
		err := analytics.Webhook{URL: to, Client: client, Policy: &retry.Policy{MaxAttempts: 1}}.Tell(t.Context(), example)
		if err == nil || to[len(to)-1] == '2' && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want an error without the path", to, err)
		}
	}
}

func TestVerify(t *testing.T) {
	now, key, body := time.Unix(1000, 0), []byte("key"), []byte("{}")
	good := analytics.Signature(key, now, body)
	for _, test := range []struct {
		name, header string
		key          []byte
		now          time.Time
		ok           bool
	}{
		{"right", good, key, now, true},
		{"five minutes old", good, key, now.Add(5 * time.Minute), true},
		{"older", good, key, now.Add(301 * time.Second), false},
		{"from the future", good, key, now.Add(-301 * time.Second), false},
		{"another key", good, []byte("no"), now, false},
		{"no key", analytics.Signature(nil, now, body), nil, now, false},
		{"none", "", key, now, false},
		{"no time", "t=x,v1=00", key, now, false},
		{"no number", "t=1000,v1=zz", key, now, false},
	} {
		if err := analytics.Verify(test.key, test.header, test.now, body); (err == nil) != test.ok || err != nil && !errors.Is(err, analytics.ErrSignature) {
			t.Errorf("%s: Verify = %v; want ok %v", test.name, err, test.ok)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("t=1,v1=00", "body")
	f.Fuzz(func(t *testing.T, header, body string) {
		if analytics.Verify([]byte("a key that nobody guesses"), header, time.Unix(1, 0), []byte(body)) == nil {
			t.Errorf("Verify(%q) passes", header)
		}
	})
}

func TestLog(t *testing.T) {
	var b bytes.Buffer
	l := analytics.Log{Logger: slog.New(slog.NewTextHandler(&b, nil))}
	ticket, info, ended := example, example, example
	ticket.Severity, info.Severity, ended.Ended = analytics.Ticket, analytics.Info, time.Unix(1, 0)
	for _, f := range []analytics.Finding{example, ticket, info, ended} {
		if err := l.Tell(t.Context(), f); err != nil {
			t.Error(err)
		}
	}
	for i, want := range []string{"level=ERROR msg=finding ", "level=WARN msg=finding ", "level=INFO msg=finding ", `level=INFO msg="finding ended"`} {
		if line := strings.Split(b.String(), "\n")[i]; !strings.Contains(line, want) {
			t.Errorf("line %d is %s; want %s", i, line, want)
		}
	}
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if err := (analytics.Log{}).Tell(context.Background(), example); err != nil {
		t.Error(err)
	}
}
