package inference_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

type (
	ladder = inference.Ladder[int, float64]
	model  = inference.Model[int, float64]
	answer = inference.Answer[float64]
)

var (
	errLoading = retry.Mark(errors.New("model is loading"), retry.Transient)
	errInput   = retry.Mark(errors.New("bad input"), retry.Permanent)
	once       = &retry.Policy{MaxAttempts: 1}
)

// A scripted model answers with the errors in turn, and then with its value.
type scripted struct {
	value float64
	errs  []error
	calls int
}

func (s *scripted) predict(context.Context, int) (float64, error) {
	s.calls++
	if len(s.errs) >= s.calls {
		return 0, s.errs[s.calls-1]
	}
	return s.value, nil
}

// A toggle is a model that is up or down.
type toggle struct {
	down  atomic.Bool
	calls atomic.Int32
}

func (m *toggle) predict(context.Context, int) (float64, error) {
	m.calls.Add(1)
	if m.down.Load() {
		return 0, errLoading
	}
	return 1, nil
}

func simple(context.Context, int) (float64, error) { return 2, nil }

func hang(ctx context.Context, _ int) (float64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func half() float64 { return 0.5 }

// two is a ladder of a model and a simpler one that always answers.
func two(best func(context.Context, int) (float64, error)) *ladder {
	return &ladder{
		Name:   "prices",
		Models: []model{{Name: "net", Version: "1", Quality: "full", Predict: best, Policy: once}, {Name: "mean", Quality: "rough", Predict: simple, Policy: once}},
		Key:    strconv.Itoa, Cache: &inference.Cache[float64]{}, Rand: half,
	}
}

// check compares an answer but for its Why, which is there if it is degraded.
func check(t *testing.T, name string, got, want answer) {
	t.Helper()
	if (got.Why != nil) != got.Degraded {
		t.Errorf("%s: Degraded %v, Why %v", name, got.Degraded, got.Why)
	}
	missing, wanted := strings.Join(got.Missing, " "), strings.Join(want.Missing, " ")
	if got.Value != want.Value || got.Model != want.Model || got.Version != want.Version || got.Quality != want.Quality || got.Source != want.Source ||
		got.Age != want.Age || got.Degraded != want.Degraded || got.Attempts != want.Attempts || missing != wanted {
		t.Errorf("%s: %+v; want %+v", name, got, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return v
	}
}

func TestIN1RetriesWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &scripted{value: 1, errs: []error{errLoading, errLoading}}
		l := two(m.predict)
		defer l.Close()
		l.Models[0].Policy = &retry.Policy{}
		check(t, "IN1", must[answer](t)(l.Predict(t.Context(), 7)), answer{Value: 1, Model: "net", Version: "1", Quality: "full", Attempts: 3})
	})
}

func TestIN2BadInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &scripted{errs: []error{errInput}}
		l := two(m.predict)
		defer l.Close()
		l.Models[0].Policy = &retry.Policy{}
		_, err := l.Predict(t.Context(), 7)
		var e *retry.Error
		if !errors.Is(err, retry.ErrPermanent) || !errors.As(err, &e) || e.Attempts != 1 || m.calls != 1 {
			t.Errorf("%d calls, %v; want 1 call, not retryable", m.calls, err)
		}
		if s := l.Status()[0]; s.Failures != 0 {
			t.Errorf("bad input counts against the model: %+v", s)
		}
	})
}

func TestIN3StaleThenSimpler(t *testing.T) {
	for _, freshFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := &toggle{}
			l := two(m.predict)
			defer l.Close()
			l.TTL, l.StaleFor, l.FreshFirst = time.Second, 10*time.Second, freshFirst
			ask := func() answer { return must[answer](t)(l.Predict(t.Context(), 7)) }
			full := answer{Value: 1, Model: "net", Version: "1", Quality: "full", Attempts: 1}
			rough := answer{Value: 2, Model: "mean", Quality: "rough", Degraded: true, Attempts: 2}
			check(t, "at 0", ask(), full)
			m.down.Store(true)
			time.Sleep(time.Second / 2)
			full.Source, full.Age, full.Attempts = inference.Cached, time.Second/2, 0
			check(t, "at .5 s", ask(), full)
			time.Sleep(4500 * time.Millisecond)
			if freshFirst {
				check(t, "at 5 s", ask(), rough)
				l.Models[1].Predict = m.predict
				time.Sleep(3 * time.Second)
				full.Source, full.Age, full.Degraded, full.Attempts = inference.Stale, 8*time.Second, true, 2
				check(t, "at 8 s, without the simpler one", ask(), full)
				return
			}
			full.Source, full.Age, full.Degraded, full.Attempts = inference.Stale, 5*time.Second, true, 1
			check(t, "at 5 s", ask(), full)
			time.Sleep(6 * time.Second)
			check(t, "at 11 s", ask(), rough)
			time.Sleep(time.Second / 2)
			rough.Source, rough.Age, rough.Attempts = inference.Cached, time.Second/2, 1
			check(t, "at 11.5 s", ask(), rough) // net was asked, failed a third time, and is out
			time.Sleep(time.Second / 4)
			rough.Age, rough.Attempts = 3*time.Second/4, 0
			check(t, "at 11.75 s", ask(), rough)
			if n := m.calls.Load(); n != 4 {
				t.Errorf("net was called %d times; want 4", n)
			}
		})
	}
}

func TestIN4NothingLeft(t *testing.T) {
	errHeavy := retry.Mark(errors.New("out of memory"), retry.Transient)
	l := two(func(context.Context, int) (float64, error) { return 0, errLoading })
	defer l.Close()
	l.Models[1].Predict = func(context.Context, int) (float64, error) { return 0, errHeavy }
	a, err := l.Predict(t.Context(), 7)
	var e *inference.Error
	if !errors.As(err, &e) || len(e.Models) != 2 || !errors.Is(err, errLoading) || !errors.Is(err, errHeavy) || a.Attempts != 2 || a.Model != "" {
		t.Fatalf("%+v, %v; want the last error of each model", a, err)
	}
	want := "prices: not answered by net: retry: gave up after 1 attempt: attempts exhausted: model is loading; mean: retry: gave up after 1 attempt: attempts exhausted: out of memory"
	if err.Error() != want {
		t.Errorf("error %q; want %q", err, want)
	}
	if c := retry.DefaultClassify(err); c != retry.Transient {
		t.Errorf("class %v; want transient", c)
	}
	if s := (&inference.Error{}).Error(); s != "inference: not answered by " {
		t.Errorf("error of no ladder: %q", s)
	}

	l.Default = func(int) (float64, bool) { return 9, true }
	check(t, "default", must[answer](t)(l.Predict(t.Context(), 7)), answer{Value: 9, Quality: "default", Source: inference.Default, Degraded: true, Attempts: 2})
	l.Default = func(int) (float64, bool) { return 9, false }
	if _, err := l.Predict(t.Context(), 7); !errors.As(err, &e) {
		t.Errorf("default without an answer: %v; want an *Error", err)
	}
	if s := l.Cache.Stats(); s != (inference.CacheStats{}) {
		t.Errorf("errors or defaults were kept: %+v", s)
	}
}

func TestIN5OneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := two(func(ctx context.Context, _ int) (float64, error) {
			calls.Add(1)
			select {
			case <-time.After(time.Second):
				return 1, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		})
		defer l.Close()
		leader, cancel := context.WithCancel(t.Context())
		var answers, canceled atomic.Int32
		var group sync.WaitGroup
		for i := range 100 {
			ctx := t.Context()
			if i == 0 {
				ctx = leader
			}
			group.Go(func() {
				switch a, err := l.Predict(ctx, 7); {
				case err == nil && a.Value == 1:
					answers.Add(1)
				case errors.Is(err, context.Canceled):
					canceled.Add(1)
				}
			})
			synctest.Wait()
		}
		cancel()
		group.Wait()
		if calls.Load() != 1 || answers.Load() != 99 || canceled.Load() != 1 {
			t.Errorf("%d calls, %d answers, %d cancelled; want 1, 99, 1", calls.Load(), answers.Load(), canceled.Load())
		}
	})
}

func TestIN6NewVersion(t *testing.T) {
	m := &scripted{value: 1}
	old := two(m.predict)
	defer old.Close()
	old.TTL = time.Hour
	must[answer](t)(old.Predict(t.Context(), 7))
	next := two(m.predict)
	defer next.Close()
	next.TTL, next.Cache, next.Models[0].Version = time.Hour, old.Cache, "2"
	if a := must[answer](t)(next.Predict(t.Context(), 7)); a.Source != inference.Live || a.Version != "2" {
		t.Errorf("after a new version: %+v; want a live answer", a)
	}
	schema := two(m.predict)
	defer schema.Close()
	schema.TTL, schema.Cache, schema.Schema = time.Hour, old.Cache, "b"
	if a := must[answer](t)(schema.Predict(t.Context(), 7)); a.Source != inference.Live {
		t.Errorf("after a new schema: %+v; want a live answer", a)
	}
	if a := must[answer](t)(old.Predict(t.Context(), 7)); a.Source != inference.Cached || m.calls != 3 {
		t.Errorf("the old version: %+v after %d calls; want a cached answer after 3", a, m.calls)
	}
	old.Cache.Clear()
	if s := old.Cache.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("cleared: %+v", s)
	}
}

func TestIN11TimeIsShared(t *testing.T) {
	for _, key := range []string{"", "k"} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			l := two(hang)
			defer l.Close()
			l.Key = func(int) string { return key }
			l.Models[1].P95 = 50 * time.Millisecond
			l.Models[1].Predict = func(context.Context, int) (float64, error) {
				time.Sleep(49 * time.Millisecond)
				return 2, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			a := must[answer](t)(l.Predict(ctx, 7))
			check(t, "IN11", a, answer{Value: 2, Model: "mean", Quality: "rough", Degraded: true, Attempts: 2})
			if took := time.Since(began); took != 299*time.Millisecond || !errors.Is(a.Why, inference.ErrShare) {
				t.Errorf("took %v, why %v", took, a.Why)
			}
		})
	}
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		name           string
		left           time.Duration
		p50, p95, last time.Duration // of net; of mean
		model          string
		share          time.Duration // of net, which hangs
	}{
		{"default P95", time.Second, 0, 0, 0, "mean", 950 * time.Millisecond},
		{"default P95 of a short time", 100 * time.Millisecond, 0, 0, 0, "mean", 75 * time.Millisecond},
		{"P50 does not fit", time.Second, 951 * time.Millisecond, 0, 0, "mean", 0},
		{"nothing left", time.Second, 0, time.Second, 0, "mean", 0},
		{"last one does not fit either", time.Second, time.Second, 0, 2 * time.Second, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := two(hang)
				l.Key = nil
				l.Models[0].P50, l.Models[1].P95, l.Models[1].P50 = test.p50, test.p95, test.last
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				began := time.Now()
				a, err := l.Predict(ctx, 7)
				if took := time.Since(began); a.Model != test.model || took != test.share || (err == nil) != (test.model != "") {
					t.Errorf("%q, %v after %v; want %q after %v", a.Model, err, took, test.model, test.share)
				}
				if err != nil && !errors.Is(err, inference.ErrNoTime) {
					t.Errorf("%v; want %v", err, inference.ErrNoTime)
				}
			})
		})
	}
}

func TestDeadlineIsHelpedByWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		predict := m.predict
		l := two(func(ctx context.Context, i int) (float64, error) { return predict(ctx, i) })
		defer l.Close()
		l.Models, l.StaleFor = l.Models[:1], time.Minute
		must[answer](t)(l.Predict(t.Context(), 7))
		predict = hang
		for _, key := range []func(int) string{strconv.Itoa, nil} {
			l := &ladder{Models: l.Models, Key: key, Cache: l.Cache, StaleFor: time.Minute, Default: func(int) (float64, bool) { return 9, true }}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			a := must[answer](t)(l.Predict(ctx, 7))
			cancel()
			if want := map[bool]inference.Source{true: inference.Stale, false: inference.Default}[key != nil]; a.Source != want || a.Why == nil {
				t.Errorf("at the deadline: %+v; want %v", a, want)
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := l.Predict(ctx, 7); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v; want %v", err, context.Canceled)
			}
			l.Close()
		}
	})
}

func TestNotFinite(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := &scripted{value: v}
		l := two(m.predict)
		l.Models[0].Policy = &retry.Policy{Idempotent: true}
		a := must[answer](t)(l.Predict(t.Context(), 7))
		if a.Model != "mean" || m.calls != 1 || !errors.Is(a.Why, inference.ErrNotFinite) || retry.DefaultClassify(a.Why) != retry.Permanent || l.Status()[0].Failures != 1 {
			t.Errorf("%v: %+v after %d calls; want mean after 1", v, a, m.calls)
		}
		l.Close()
		l = two(m.predict)
		l.Models[0].AllowNotFinite = true
		if a := must[answer](t)(l.Predict(t.Context(), 7)); a.Model != "net" {
			t.Errorf("%v, allowed: %+v; want net", v, a)
		}
		l.Close()
	}
}

// What says nothing about a model does not count against it; an open breaker counts at once.
func TestWhatCounts(t *testing.T) {
	refusal := errors.New("no budget")
	open := &breaker.Breaker{Name: "net"}
	if err := open.Isolate(breaker.Order{Who: "ann", Why: "upgrade", At: time.Now(), For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	shed, tests := &breaker.Error{State: breaker.Throttling}, &breaker.Error{State: breaker.HalfOpen}
	for _, test := range []struct {
		name     string
		gate     retry.Gate
		err      error
		failures int
		state    inference.State
	}{
		{"a gate refuses", refuses{refusal}, nil, 0, inference.Normal},
		{"a breaker sheds", refuses{shed}, nil, 0, inference.Normal},
		{"a breaker tests", refuses{tests}, nil, 0, inference.Normal},
		{"a breaker is open", open, nil, 0, inference.Degraded},
		{"another breaker is open", refuses{breaker.ErrOpen}, nil, 0, inference.Degraded},
		{"a failure", nil, errLoading, 1, inference.Normal},
		{"an unclassified failure", nil, errors.New("odd"), 1, inference.Normal},
		{"bad input", nil, errInput, 0, inference.Normal},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := two(func(context.Context, int) (float64, error) { return 1, test.err })
			defer l.Close()
			l.Models[0].Policy = &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{test.gate}}
			if test.gate == nil {
				l.Models[0].Policy = once
			}
			a, err := l.Predict(t.Context(), 7)
			if err == nil && a.Model != "mean" {
				t.Errorf("%+v; want mean", a)
			}
			if s := l.Status()[0]; s.State != test.state || s.Failures != test.failures {
				t.Errorf("%v after %d failures; want %v after %d", s.State, s.Failures, test.state, test.failures)
			}
		})
	}
}

type refuses struct{ err error }

func (r refuses) Admit(context.Context, *retry.Attempt) error { return r.err }
func (refuses) Settle(*retry.Attempt, *retry.Outcome)         {}

func TestOddLadders(t *testing.T) {
	var zero ladder
	if _, err := zero.Predict(t.Context(), 1); !errors.Is(err, inference.ErrNoModel) {
		t.Errorf("zero ladder: %v; want %v", err, inference.ErrNoModel)
	}
	if zero.Close(); len(zero.Status()) != 0 {
		t.Error("zero ladder has a status")
	}
	l := two(nil)
	a := must[answer](t)(l.Predict(t.Context(), 1))
	if a.Model != "mean" || !errors.Is(a.Why, retry.ErrNilFunc) {
		t.Errorf("no function: %+v", a)
	}
	if _, err := l.Predict(nil, 1); !errors.Is(err, retry.ErrNilContext) { //nolint // on purpose
		t.Errorf("nil context: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := l.Predict(ctx, 1); err != gone {
		t.Errorf("ended context: %v; want %v", err, gone)
	}
	if err := l.Hold("x", ""); !errors.Is(err, inference.ErrNoName) {
		t.Errorf("Hold of nothing: %v", err)
	}
	l.Close()
	if _, err := l.Predict(t.Context(), 1); !errors.Is(err, inference.ErrClosed) {
		t.Errorf("after Close: %v; want %v", err, inference.ErrClosed)
	}
}

func TestLadderCheck(t *testing.T) {
	ok := two(simple)
	ok.TTL = time.Second
	if err := ok.Check(); err != nil {
		t.Error(err)
	}
	bad := &ladder{
		Models: []model{{P50: 2, P95: 1}, {Name: "a", Quality: "q", Predict: simple}, {Name: "a", Quality: "q", Predict: simple, P50: -1}},
		TTL:    2, StaleFor: 1, Rules: inference.Rules{Failures: -1, ProbeMax: 1, MaxSpan: 1}, Cache: &inference.Cache[float64]{Entries: -1, Bytes: -1},
	}
	want := `Models[0].Name: "" is empty or taken
Models[0].Quality: missing, so that answers do not say what they are worth
Models[0].Predict: nil, so that the model never answers
Models[0].P50: want 0 <= P50 <= P95, have 2ns and 1ns
Models[2].Name: "a" is empty or taken
Models[2].P50: want 0 <= P50 <= P95, have -1ns and 0s
TTL: 2ns without Cache and Key, so that no answer is kept
StaleFor: 1ns without Cache and Key, so that no answer is kept
StaleFor: 1ns is shorter than TTL, 2ns: both count from the attempt that answered
Rules: Failures: -1 is negative and means the default
ProbeMax: 1ns is shorter than ProbeAfter, 5s
MaxSpan: 1ns is shorter than Span, 10s
Cache: Entries: -1 is negative and means that nothing is kept
Bytes: -1 is negative and means that nothing is kept`
	if got := bad.Check().Error(); got != want {
		t.Errorf("Check() =\n%s\nwant\n%s", got, want)
	}
	none := &ladder{TTL: -1, StaleFor: -1}
	want = "Models: empty, so that each call fails\nTTL: -1ns is negative and means 0\nStaleFor: -1ns is negative and means 0"
	if got := none.Check().Error(); got != want {
		t.Errorf("Check() =\n%s\nwant\n%s", got, want)
	}
}

func TestNames(t *testing.T) {
	texts := []string{}
	for _, v := range []interface{ MarshalText() ([]byte, error) }{
		inference.Live, inference.Default, inference.Source(9), inference.Held, inference.State(9), inference.Fresh, inference.Freshness(9),
	} {
		text, _ := v.MarshalText()
		texts = append(texts, string(text))
	}
	if got, want := strings.Join(texts, " "), "live default source(9) held state(9) fresh freshness(9)"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}
