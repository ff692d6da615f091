package policy_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/cmd/internal/config/policy"
	"github.com/relent-go/relent/retry"
)

func TestText(t *testing.T) {
	p := &retry.Policy{MaxAttempts: 4, MaxElapsed: 600 * time.Millisecond, AttemptTimeout: time.Second}
	var b bytes.Buffer
	if err := policy.NewSchedule(p).WriteText(&b, 80); err != nil {
		t.Fatal(err)
	}
	const want = `up to 4 attempts, waiting exponential(100ms, x2, max 30s, full)

ATTEMPT  WAIT BEFORE IT  MIDDLE  BEGINS       FITS       WAIT, SHORTEST TO LONGEST
1        none                    at once      always
2        0s to 100ms     50ms    0s to 100ms  always     #o###
3        0s to 200ms     100ms   0s to 300ms  always     ####o####
4        0s to 400ms     200ms   0s to 700ms  sometimes  ########o#########

each attempt may take up to 1s, which comes on top of the waits

transient  nothing happened, may work later       retried
throttled  nothing happened, asked to slow down   retried, not before the time asked for
ambiguous  may or may not have happened           not retried, so an order is safe
permanent  will never succeed as it stands        never retried
`
	if got := b.String(); got != want {
		t.Errorf("text\n%s; want\n%s", got, want)
	}
}

func TestSchedules(t *testing.T) {
	for _, test := range []struct {
		name  string
		given retry.Policy
		rows  int
		more  bool
		last  policy.Row
	}{
		{"one attempt", retry.Policy{MaxAttempts: 1}, 1, false, policy.Row{Attempt: 1, Fits: "always"}},
		{"constant", retry.Policy{Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}}, 3, false,
			policy.Row{Attempt: 3, Shortest: 1000, Middle: 1000, Longest: 1000, Earliest: 2000, Latest: 2000, Fits: "always"}},
		{"decorrelated follows its own waits", retry.Policy{Backoff: backoff.Decorrelated{Base: time.Second}}, 3, false,
			policy.Row{Attempt: 3, Shortest: 1000, Middle: 3500, Longest: 9000, Earliest: 2000, Latest: 12000, Fits: "always"}},
		{"never fits", retry.Policy{MaxElapsed: 40 * time.Millisecond}, 3, false,
			policy.Row{Attempt: 3, Middle: 100, Longest: 200, Latest: 300, Fits: "never"}},
		{"fits because attempts are short", retry.Policy{MaxElapsed: 301 * time.Millisecond, AttemptTimeout: 1}, 3, false,
			policy.Row{Attempt: 3, Middle: 100, Longest: 200, Latest: 300, Fits: "always"}},
		{"no margin", retry.Policy{MaxElapsed: 301 * time.Millisecond, Expected: -1}, 3, false,
			policy.Row{Attempt: 3, Middle: 100, Longest: 200, Latest: 300, Fits: "always"}},
		{"many", retry.Policy{MaxAttempts: 1000, Backoff: backoff.Constant{}}, 20, true, policy.Row{Attempt: 20, Fits: "always"}},
		{"no limit, and waits that overflow", retry.Policy{MaxAttempts: retry.Unlimited, MaxElapsed: math.MaxInt64, Backoff: backoff.Constant{Wait: math.MaxInt64, Jitter: backoff.None}}, 20, true,
			policy.Row{Attempt: 20, Shortest: 9223372036854.775, Middle: 9223372036854.775, Longest: 9223372036854.775, Earliest: 9223372036854.775, Latest: 9223372036854.775, Fits: "never"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := policy.NewSchedule(&test.given)
			if last := s.Rows[len(s.Rows)-1]; len(s.Rows) != test.rows || s.More != test.more || last != test.last {
				t.Errorf("%d rows, more %v, last %+v; want %d, %v, %+v", len(s.Rows), s.More, last, test.rows, test.more, test.last)
			}
			var b bytes.Buffer
			if err := s.WriteText(&b, 0); err != nil || !strings.HasPrefix(b.String(), "up to") && !strings.HasPrefix(b.String(), "attempts without") {
				t.Errorf("text %q, %v", b.String(), err)
			}
		})
	}
}

func TestJSONNames(t *testing.T) {
	got, _ := json.Marshal(policy.NewSchedule(&retry.Policy{Name: "a.b", MaxAttempts: 2, Idempotent: true, Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}}))
	const want = `{"v":1,"policy":"a.b","backoff":"constant(1s, none)","max_attempts":2,"idempotent":true,"attempts":[` +
		`{"attempt":1,"wait_shortest_ms":0,"wait_middle_ms":0,"wait_longest_ms":0,"starts_earliest_ms":0,"starts_latest_ms":0,"fits":"always"},` +
		`{"attempt":2,"wait_shortest_ms":1000,"wait_middle_ms":1000,"wait_longest_ms":1000,"starts_earliest_ms":1000,"starts_latest_ms":1000,"fits":"always"}],"more":false}`
	if string(got) != want {
		t.Errorf("JSON\n%s; want\n%s", got, want)
	}
}
