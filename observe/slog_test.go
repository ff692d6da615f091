package observe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

// logged returns what a Slog writes of the calls that use makes, without times and call ids.
func logged(t *testing.T, s *observe.Slog, level slog.Level, use func(p *retry.Policy)) string {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "call_id" && len(a.Value.String()) == 16 {
				return slog.Attr{}
			}
			return a
		}}))
		use(&retry.Policy{
			Name:        "a.b",
			Observer:    s,
			MaxAttempts: 4,
			Idempotent:  true,
			Backoff:     backoff.Constant{Wait: time.Second, Jitter: backoff.None},
		})
	})
	return out.String()
}

var (
	transient = retry.Mark(errors.New("busy"), retry.Transient)
	signed    = fmt.Errorf(`Get "https://venue/api/order?key=k&signature=s": %w`, errors.New("EOF"))
)

func fail(p *retry.Policy, ctx context.Context, errs ...error) {
	n := 0
	retry.Run(ctx, p, func(context.Context) error {
		if n++; n <= len(errs) {
			return errs[n-1]
		}
		return nil
	})
}

func TestSlog(t *testing.T) {
	for _, test := range []struct {
		name  string
		level slog.Level
		use   func(*retry.Policy)
		want  string
	}{
		{"nothing for a success", slog.LevelDebug, func(p *retry.Policy) { fail(p, context.Background()) }, ``},
		{"recovered", slog.LevelDebug, func(p *retry.Policy) { fail(p, context.Background(), transient) }, `
level=DEBUG msg="attempt failed" policy=a.b attempt=1 elapsed=0s next_delay=1s class=transient error=busy
level=DEBUG msg="call recovered" policy=a.b attempts=2 elapsed=1s
`},
		{"failed", slog.LevelInfo, func(p *retry.Policy) { fail(p, context.Background(), transient, transient, transient, transient) }, `
level=INFO msg="attempt failed" policy=a.b attempt=3 elapsed=0s next_delay=1s class=transient error=busy
level=WARN msg="call failed" policy=a.b attempts=4 elapsed=3s reason="attempts exhausted" class=transient error=busy
`},
		{"unknown, and never a signature", slog.LevelInfo, func(p *retry.Policy) { p.Idempotent = false; fail(p, context.Background(), signed) }, `
level=INFO msg="unclassified error" policy=a.b type=*errors.errorString error="Get \"https://venue/api/order?...\": EOF" advice="counts as ambiguous: mark it with retry.Mark, or classify it in the policy"
level=ERROR msg="outcome unknown" policy=a.b attempts=1 elapsed=0s reason="outcome unknown, and not repeated because the policy does not say Idempotent: true" class=ambiguous error="Get \"https://venue/api/order?...\": EOF"
`},
		{"the caller gave up", slog.LevelInfo, func(p *retry.Policy) {
			ctx, cancel := context.WithCancel(context.Background())
			retry.Run(ctx, p, func(context.Context) error { cancel(); return transient })
		}, `
level=INFO msg="call failed" policy=a.b attempts=1 elapsed=0s reason="context canceled" class=transient error=busy
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := logged(t, &observe.Slog{}, test.level, test.use), strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("logged\n%s; want\n%s", got, want)
			}
		})
	}
}

func TestSlogOwnLevelAndRedaction(t *testing.T) {
	s := &observe.Slog{
		Level:  func(retry.Event) slog.Level { return slog.LevelError },
		Redact: func(error) string { return "hidden" },
	}
	got := logged(t, s, slog.LevelError, func(p *retry.Policy) { p.MaxAttempts = 1; fail(p, context.Background(), transient) })
	if want := "level=ERROR msg=\"call failed\" policy=a.b attempts=1 elapsed=0s reason=hidden class=transient error=hidden\n"; got != want {
		t.Errorf("logged\n%s; want\n%s", got, want)
	}
}

// With words for the ends of calls, lines have the outcome, and a part that refused a retry has a line of its own.
func TestSlogExplains(t *testing.T) {
	words := func(reason string) func(context.Context, retry.Event) (string, string) {
		return func(_ context.Context, e retry.Event) (string, string) {
			if e.Succeeded() {
				return "success_after_retry", ""
			}
			return "denied", reason
		}
	}
	venue := func(context.Context, retry.Event) []slog.Attr { return []slog.Attr{slog.String("venue", "v")} }
	deny := func(p *retry.Policy) { p.Gates = []retry.Gate{broke{}}; fail(p, context.Background(), transient) }
	own := func(retry.Event) slog.Level { return slog.LevelError }
	for _, test := range []struct {
		name  string
		s     *observe.Slog
		level slog.Level
		use   func(*retry.Policy)
		want  string
	}{
		{"recovered", &observe.Slog{Explain: words("budget"), Attrs: venue}, slog.LevelDebug, func(p *retry.Policy) { fail(p, context.Background(), transient) }, `
level=DEBUG msg="attempt failed" policy=a.b attempt=1 elapsed=0s next_delay=1s class=transient error=busy venue=v
level=DEBUG msg="call recovered" policy=a.b attempts=2 elapsed=1s outcome=success_after_retry venue=v
`},
		{"refused", &observe.Slog{Explain: words("budget"), Attrs: venue}, slog.LevelInfo, deny, `
level=INFO msg="retry refused" policy=a.b attempt=2 reason=budget class=transient venue=v
level=WARN msg="call failed" policy=a.b attempts=1 elapsed=0s reason=broke class=transient error=busy outcome=denied venue=v
`},
		{"refused, at another level", &observe.Slog{Explain: words("budget"), Level: own}, slog.LevelError, deny, `
level=ERROR msg="retry refused" policy=a.b attempt=2 reason=budget class=transient
level=ERROR msg="call failed" policy=a.b attempts=1 elapsed=0s reason=broke class=transient error=busy outcome=denied
`},
		{"refused, below the level", &observe.Slog{Explain: words("budget")}, slog.LevelWarn, deny, `
level=WARN msg="call failed" policy=a.b attempts=1 elapsed=0s reason=broke class=transient error=busy outcome=denied
`},
		{"for no part's sake", &observe.Slog{Explain: words("deadline")}, slog.LevelInfo, deny, `
level=WARN msg="call failed" policy=a.b attempts=1 elapsed=0s reason=broke class=transient error=busy outcome=denied
`},
		{"a first attempt", &observe.Slog{Explain: words("budget")}, slog.LevelInfo, func(p *retry.Policy) {
			p.Gates = []retry.Gate{bankrupt{}}
			fail(p, context.Background())
		}, `
level=WARN msg="call failed" policy=a.b attempts=0 elapsed=0s reason=broke outcome=denied
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := logged(t, test.s, test.level, test.use), strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("logged\n%s; want\n%s", got, want)
			}
		})
	}
	got := logged(t, &observe.Slog{Explain: words("budget")}, slog.LevelInfo, func(p *retry.Policy) {
		p.Gates = []retry.Gate{broke{}}
		for range 25 {
			fail(p, context.Background(), transient)
		}
		time.Sleep(time.Second)
		fail(p, context.Background(), transient)
	})
	if n := strings.Count(got, "retry refused"); n != 11 || !strings.Contains(got, "suppressed=15") {
		t.Errorf("%d lines; want 11, the last with what was left out:\n%s", n, got)
	}
	if !(&observe.Slog{}).SkipsFirstTry() {
		t.Error("a log wants calls that succeed at once")
	}
}

// broke refuses retries, bankrupt all attempts.
type (
	broke    struct{}
	bankrupt struct{}
)

var errBroke = errors.New("broke")

func (broke) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 {
		return errBroke
	}
	return nil
}
func (broke) Settle(*retry.Attempt, *retry.Outcome)          {}
func (bankrupt) Admit(context.Context, *retry.Attempt) error { return errBroke }
func (bankrupt) Settle(*retry.Attempt, *retry.Outcome)       {}

func TestSlogSuppressesRepeats(t *testing.T) {
	got := logged(t, &observe.Slog{}, slog.LevelWarn, func(p *retry.Policy) {
		p.MaxAttempts = 1
		for range 35 {
			fail(p, context.Background(), transient)
		}
		time.Sleep(time.Second)
		fail(p, context.Background(), transient)
	})
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 11 || !strings.HasSuffix(lines[10], "suppressed=25") || strings.Contains(lines[9], "suppressed") {
		t.Errorf("logged %d lines:\n%s; want 10, then one with suppressed=25", len(lines), got)
	}
}

type empty struct{}

func (empty) Error() string { return "empty" }
func (empty) Unwrap() error { return nil }

func TestSlogMemoryIsBounded(t *testing.T) {
	s := &observe.Slog{}
	got := logged(t, s, slog.LevelInfo, func(p *retry.Policy) {
		p.MaxAttempts = 1
		for i := range 3000 {
			p := *p
			p.Name = fmt.Sprint(i)
			fail(&p, context.Background(), empty{})
		}
	})
	if n := strings.Count(got, "outcome unknown"); n != 3000 {
		t.Errorf("%d lines; want each of 3000 policies' own", n)
	}
	if n := strings.Count(got, "unclassified error"); n != 1 {
		t.Errorf("%d types reported; want 1", n)
	}
}

type pointed struct{ err error }

func (p *pointed) Error() string { return p.err.Error() }
func (p *pointed) Unwrap() error { return p.err }

// A nil pointer in an error must not take the caller's program down.
func TestSlogBearsNilPointers(t *testing.T) {
	got := logged(t, &observe.Slog{}, slog.LevelError, func(p *retry.Policy) { p.MaxAttempts = 1; fail(p, context.Background(), (*pointed)(nil)) })
	if !strings.Contains(got, `msg="outcome unknown"`) || !strings.Contains(got, "error=<nil>") {
		t.Errorf("logged\n%s", got)
	}
}

func TestSlogToTheDefaultLogger(t *testing.T) {
	var out bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	fail(&retry.Policy{Observer: &observe.Slog{}, MaxAttempts: 1}, context.Background(), transient)
	if !strings.Contains(out.String(), "call failed") {
		t.Errorf("logged %q", out.String())
	}
}

func ExampleSlog() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "call_id" || a.Key == "elapsed" {
			return slog.Attr{}
		}
		return a
	}}))
	p := &retry.Policy{Name: "venue.place_order", Observer: &observe.Slog{Logger: log}}
	retry.Run(context.Background(), p, func(context.Context) error {
		return retry.Mark(errors.New("insufficient balance"), retry.Permanent)
	})
	// Output: level=WARN msg="call failed" policy=venue.place_order attempts=1 reason="not retryable" class=permanent error="insufficient balance"
}
