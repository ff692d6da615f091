package inference_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

type (
	features = inference.Features[string, float64]
	feature  = inference.Feature[string, float64]
	reading  = inference.Reading[float64]
	vector   = inference.Vector[float64]
)

var errDown = retry.Mark(errors.New("feed is down"), retry.Transient)

// says is a feed that returns a value of some age.
func says(v float64, age time.Duration) func(context.Context, string) (reading, error) {
	return func(context.Context, string) (reading, error) { return reading{v, time.Now().Add(-age)}, nil }
}

func fails(context.Context, string) (reading, error) { return reading{}, errDown }

// show tells a vector in short.
func show(v *vector) string {
	var b strings.Builder
	for _, f := range v.Values {
		fmt.Fprintf(&b, "%s %v %v %v; ", f.Name, f.Value, f.Is, f.Age)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestFeatureGrades(t *testing.T) {
	minus := -1.0
	for _, test := range []struct {
		name   string
		first  func(context.Context, string) (reading, error) // a call before; nil for none
		second func(context.Context, string) (reading, error) // 10 s later
		maxAge time.Duration
		def    *float64
		want   string
		err    error
	}{
		{"fresh", nil, says(1, 0), time.Minute, nil, "x 1 fresh 0s", nil},
		{"age of the data", nil, says(1, 5*time.Second), time.Minute, nil, "x 1 fresh 5s", nil},
		{"a little ahead", nil, says(1, -time.Second), time.Minute, nil, "x 1 fresh 0s", nil},
		{"no time of its own", nil, func(context.Context, string) (reading, error) {
			time.Sleep(time.Millisecond)
			return reading{Value: 1}, nil
		}, 0, nil, "x 1 fresh 1ms", nil},
		{"any age", nil, says(1, time.Hour), 0, nil, "x 1 fresh 1h0m0s", nil},
		{"stale", says(1, 5*time.Second), fails, time.Minute, nil, "x 1 stale 15s", errDown},
		{"stale, at the bound", says(1, 0), fails, 10 * time.Second, nil, "x 1 stale 10s", errDown},
		{"stored, but too old", says(1, 0), fails, 9 * time.Second, nil, "x 0 missing 0s", errDown},
		{"no bound, so not stored", says(1, 0), fails, 0, nil, "x 0 missing 0s", errDown},
		{"too old, and nothing stored", nil, says(1, 2*time.Minute), time.Minute, nil, "x 0 missing 0s", inference.ErrOld},
		{"too old, but stored", says(1, 0), says(2, 2*time.Minute), time.Minute, nil, "x 1 stale 10s", inference.ErrOld},
		{"an older one does not replace what is stored", says(1, 0), says(2, 30*time.Second), time.Minute, nil, "x 2 fresh 30s", nil},
		{"IN8: 2 s ahead", nil, says(1, -2*time.Second), time.Minute, nil, "x 0 missing 0s", inference.ErrFuture},
		{"default", nil, fails, time.Minute, &minus, "x -1 default 0s", errDown},
		{"stale before default", says(1, 0), fails, time.Minute, &minus, "x 1 stale 10s", errDown},
		{"no function", nil, nil, time.Minute, nil, "x 0 missing 0s", retry.ErrNilFunc},
		{"not a number", says(1, 0), says(math.NaN(), 0), time.Minute, nil, "x 1 stale 10s", inference.ErrNotFinite},
		{"hangs", says(1, 0), func(ctx context.Context, _ string) (reading, error) { <-ctx.Done(); return reading{}, ctx.Err() }, time.Minute, nil, "x 1 stale 10.1s", inference.ErrLate},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fetch := test.first
				x := feature{Name: "x", MaxAge: test.maxAge, Default: test.def, Policy: once}
				x.Fetch = func(ctx context.Context, e string) (reading, error) { return fetch(ctx, e) }
				f := &features{List: []feature{x}}
				defer f.Close()
				if test.first != nil {
					must[*vector](t)(f.Fetch(t.Context(), "BTC"))
				}
				time.Sleep(10 * time.Second)
				if fetch = test.second; fetch == nil {
					f.List[0].Fetch = nil
				}
				v := must[*vector](t)(f.Fetch(t.Context(), "BTC"))
				if got := show(v); got != test.want || !errors.Is(v.Values[0].Err, test.err) {
					t.Errorf("%s, %v; want %s, %v", got, v.Values[0].Err, test.want, test.err)
				}
			})
		})
	}
}

func TestIN7AModelThatNeedsLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &features{List: []feature{
			{Name: "mid", Fetch: says(100, 0), MaxAge: time.Second}, {Name: "spread", Fetch: says(2, 0), MaxAge: time.Second},
			{Name: "depth", Fetch: says(5, time.Minute), MaxAge: time.Second}, {Name: "news", Fetch: fails, Policy: once}, {Name: "fee", Fetch: says(3, 0)},
		}}
		defer f.Close()
		v := must[*vector](t)(f.Fetch(t.Context(), "BTC"))
		price := func(_ context.Context, v *vector) (float64, error) { mid, _ := v.Get("mid"); return mid, nil }
		l := &inference.Ladder[*vector, float64]{
			Models: []inference.Model[*vector, float64]{
				{Name: "net", Quality: "full", Predict: price, Needs: []string{"mid", "depth", "odd"}},
				{Name: "mean", Quality: "rough", Predict: price, Needs: []string{"mid"}},
			},
			Key: func(*vector) string { return "BTC" }, Cache: &inference.Cache[float64]{}, TTL: time.Second, StaleFor: time.Second,
		}
		defer l.Close()
		a := must[answer](t)(l.Predict(t.Context(), v))
		check(t, "IN7", a, answer{Value: 100, Model: "mean", Quality: "rough", Degraded: true, Attempts: 1, Missing: []string{"depth", "news"}})
		var missing *inference.MissingError
		if !errors.As(a.Why, &missing) || missing.Error() != "missing features: depth, odd" {
			t.Errorf("why: %v; want depth and odd missing", a.Why)
		}
		a = must[answer](t)(l.Predict(t.Context(), v))
		check(t, "again", a, answer{Value: 100, Model: "mean", Quality: "rough", Source: inference.Cached, Degraded: true, Missing: []string{"depth", "news"}})

		// What was said without a feature is not kept for inputs that have it.
		l.Models[0].Needs = []string{"mid", "depth"}
		f.List[2].Fetch = says(5, 0)
		a = must[answer](t)(l.Predict(t.Context(), must[*vector](t)(f.Fetch(t.Context(), "BTC"))))
		check(t, "with depth", a, answer{Value: 100, Model: "net", Quality: "full", Attempts: 1, Missing: []string{"news"}})

		l.Models[1].Needs = []string{"news", "odd"}
		if _, err := l.Predict(t.Context(), v); !errors.Is(err, inference.ErrMissing) || !strings.HasSuffix(err.Error(), "net: missing features: depth; mean: missing features: news, odd") {
			t.Errorf("%v; want all missing ones", err)
		}
	})
}

// An input that knows nothing of features has none.
func TestNeedsWithoutFeatures(t *testing.T) {
	l := two(simple)
	l.Key = nil
	l.Models[0].Needs = []string{"mid"}
	if a := must[answer](t)(l.Predict(t.Context(), 1)); a.Model != "mean" {
		t.Errorf("%+v; want mean", a)
	}
	of := func(in any) string {
		l := &inference.Ladder[any, int]{Models: []inference.Model[any, int]{
			{Name: "a", Predict: func(context.Context, any) (int, error) { return 1, nil }, Needs: []string{"x"}},
			{Name: "b", Predict: func(context.Context, any) (int, error) { return 1, nil }},
		}}
		a, err := l.Predict(t.Context(), in)
		if err != nil {
			t.Error(err)
		}
		return a.Model
	}
	has := &vector{Values: []inference.Value[float64]{{Name: "x", Is: inference.Fresh}}}
	if a, b, c := of(1), of(has), of((*vector)(nil)); a != "b" || b != "a" || c != "b" {
		t.Errorf("served by %s, %s, %s; want b, a, b", a, b, c)
	}
}

func TestIN8Skew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &features{MaxSkew: 2 * time.Second, List: []feature{
			{Name: "mid", Fetch: says(1, time.Second), MaxAge: time.Minute}, {Name: "old", Fetch: says(2, 3*time.Second), MaxAge: time.Minute},
			{Name: "new", Fetch: says(3, 0), MaxAge: time.Minute}, {Name: "none", Fetch: fails, Policy: once},
		}}
		defer f.Close()
		v, err := f.Fetch(t.Context(), "BTC")
		if want := "features are too far apart in time: new is 3s newer than old, MaxSkew is 2s"; !errors.Is(err, inference.ErrSkew) || err.Error() != want || v == nil {
			t.Errorf("%v; want %s", err, want)
		}
		f.List[1].Fetch = says(2, 2*time.Second)
		if _, err := f.Fetch(t.Context(), "BTC"); err != nil {
			t.Errorf("2 s apart: %v", err)
		}
	})
}

// One deadline for all: what is late is not in the vector, but in later ones.
func TestLateFeatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowly := func(d time.Duration) func(context.Context, string) (reading, error) {
			return func(ctx context.Context, _ string) (reading, error) {
				at := time.Now()
				select {
				case <-time.After(d):
					return reading{1, at}, nil
				case <-ctx.Done():
					return reading{}, context.Cause(ctx)
				}
			}
		}
		var late []string
		var mu sync.Mutex
		f := &features{
			List: []feature{
				{Name: "quick", Fetch: slowly(99 * time.Millisecond), MaxAge: time.Minute}, {Name: "slow", Fetch: slowly(time.Second), MaxAge: time.Minute},
				{Name: "never", Fetch: slowly(time.Hour), MaxAge: time.Minute},
			},
			Late: func(name, entity string, err error) {
				mu.Lock()
				defer mu.Unlock()
				late = append(late, fmt.Sprint(name, " ", entity, " ", err != nil))
			},
		}
		began := time.Now()
		v := must[*vector](t)(f.Fetch(t.Context(), "BTC"))
		if got, want := show(v), "quick 1 fresh 100ms; slow 0 missing 0s; never 0 missing 0s"; got != want || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%s after %v; want %s after 100ms", got, time.Since(began), want)
		}
		time.Sleep(time.Second)
		v = must[*vector](t)(f.Fetch(t.Context(), "BTC"))
		if got, want := show(v), "quick 1 fresh 100ms; slow 1 stale 1.2s; never 0 missing 0s"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if got := strings.Join(v.Stale(), " ") + ", " + strings.Join(v.Missing(), " "); got != "slow, never" {
			t.Errorf("stale and missing: %s", got)
		}
		if err := v.Need("quick", "slow"); err != nil {
			t.Error(err)
		}
		if err := v.Need("quick", "never", "odd", "never"); err == nil || err.Error() != "missing features: never, odd" || retry.DefaultClassify(err) != retry.Transient {
			t.Errorf("%v", err)
		}
		f.Close()
		if got := strings.Join(late, ", "); got != "slow BTC false, never BTC true, slow BTC true, never BTC true" && got != "slow BTC false, never BTC true, never BTC true, slow BTC true" {
			t.Errorf("late: %s", got)
		}
		if _, err := f.Fetch(t.Context(), "BTC"); !errors.Is(err, inference.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestFetchObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(ctx context.Context, _ string) (reading, error) {
			<-ctx.Done()
			return reading{}, ctx.Err()
		}
		f := &features{Timeout: time.Minute, Concurrency: 1, Grace: -1, List: []feature{{Name: "a", Fetch: wait}, {Name: "b", Fetch: wait}}}
		defer f.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if v, err := f.Fetch(ctx, "BTC"); err != nil || show(v) != "a 0 missing 0s; b 0 missing 0s" || time.Since(began) != time.Second {
			t.Errorf("at the deadline: %v, %v after %v", v, err, time.Since(began))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := f.Fetch(ctx, "BTC"); err != context.Canceled {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := f.Fetch(ctx, "BTC"); err != context.Canceled {
			t.Errorf("already cancelled: %v", err)
		}
		if _, err := f.Fetch(nil, "BTC"); err != retry.ErrNilContext { //nolint // on purpose
			t.Errorf("nil context: %v", err)
		}
		none := &features{}
		if v, err := none.Fetch(t.Context(), "BTC"); err != nil || len(v.Values) != 0 {
			t.Errorf("no features: %v, %v", v, err)
		}
	})
}

// No more fetches at a time than there are slots, however many callers; and Close while callers wait for one.
func TestFetchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		f := &features{Timeout: time.Hour, Concurrency: 3}
		for i := range 5 {
			f.List = append(f.List, feature{Name: fmt.Sprint(i), Fetch: func(ctx context.Context, _ string) (reading, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return reading{}, ctx.Err()
			}})
		}
		done := make(chan bool)
		for range 10 {
			go func() {
				v, err := f.Fetch(t.Context(), "BTC")
				done <- err == nil && v.Missing() == nil
			}()
		}
		for range 10 {
			if !<-done {
				t.Error("a fetch failed")
			}
		}
		if most.Load() != 3 {
			t.Errorf("%d at one time; want 3", most.Load())
		}
		time.AfterFunc(time.Second/2, f.Close)
		if v, err := f.Fetch(t.Context(), "BTC"); err != nil || len(v.Missing()) != 5 {
			t.Errorf("closed meanwhile: %v, %v; want all missing", v, err)
		}
	})
}

func TestFetchPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := time.Duration(0)
		var late error
		f := &features{
			List: []feature{{Name: "a", Fetch: func(context.Context, string) (reading, error) { time.Sleep(d); panic("odd") }}, {Name: "b", Fetch: says(1, 0)}},
			Late: func(_, _ string, err error) { late = errors.Join(late, err) },
		}
		func() {
			defer func() {
				if p, ok := recover().(*inference.Panic); !ok || p.Value != "odd" {
					t.Errorf("risen: %v; want odd", p)
				}
			}()
			f.Fetch(t.Context(), "BTC")
		}()
		d = time.Second
		must[*vector](t)(f.Fetch(t.Context(), "BTC"))
		f.Close()
		if _, ok := errors.AsType[*inference.Panic](late); !ok {
			t.Errorf("late: %v; want a panic", late)
		}
	})
}

// What is stored is bounded, whatever the number of entities.
func TestStoredIsBounded(t *testing.T) {
	for _, test := range []struct{ stored, known int }{{5, 5}, {-1, 0}, {0, 20}} {
		synctest.Test(t, func(t *testing.T) {
			fetch := says(1, 0)
			f := &features{Stored: test.stored, List: []feature{{Name: "a", MaxAge: time.Hour, Policy: once, Fetch: func(ctx context.Context, e string) (reading, error) { return fetch(ctx, e) }}}}
			defer f.Close()
			for i := range 20 {
				must[*vector](t)(f.Fetch(t.Context(), fmt.Sprint(i)))
			}
			fetch = fails
			known := 0
			for i := range 20 {
				known += len(must[*vector](t)(f.Fetch(t.Context(), fmt.Sprint(19-i))).Stale())
			}
			if known != test.known {
				t.Errorf("Stored %d: %d known; want %d", test.stored, known, test.known)
			}
		})
	}
}

func TestFeaturesCheck(t *testing.T) {
	if err := (&features{List: []feature{{Name: "a", Fetch: fails}}}).Check(); err != nil {
		t.Error(err)
	}
	bad := &features{Timeout: -1, MaxSkew: -1, Concurrency: -1, List: []feature{{}, {Name: "a", Fetch: fails, MaxAge: -1}, {Name: "a", Fetch: fails}}}
	want := `List[0].Name: "" is empty or taken
List[0].Fetch: nil, so that the feature is never fresh
List[1].MaxAge: -1ns is negative and means 0
List[2].Name: "a" is empty or taken
Timeout: -1ns is negative and means 0
MaxSkew: -1ns is negative and means 0
Concurrency: -1 is negative and means 64`
	if got := bad.Check().Error(); got != want {
		t.Errorf("Check() =\n%s\nwant\n%s", got, want)
	}
}

// What was said without a feature is not kept for an input that has it.
func TestKeyNamesWhatIsMissing(t *testing.T) {
	l := &inference.Ladder[*vector, float64]{
		Models: []inference.Model[*vector, float64]{{Name: "net", Predict: func(_ context.Context, v *vector) (float64, error) { return float64(len(v.Missing())), nil }}},
		Key:    func(*vector) string { return "BTC" }, Cache: &inference.Cache[float64]{}, TTL: time.Hour,
	}
	defer l.Close()
	for _, missing := range []float64{1, 0, 1} {
		v := &vector{Values: []inference.Value[float64]{{Name: "x", Is: inference.Fresh}}}
		if missing == 1 {
			v.Values[0].Is = inference.Missing
		}
		if a := must[answer](t)(l.Predict(t.Context(), v)); a.Value != missing || len(a.Missing) != int(missing) {
			t.Errorf("%+v; want what was said with %v missing", a, missing)
		}
	}
}

func TestNewestIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := feature{Name: "x", MaxAge: time.Minute, Policy: once}
		fetch := fails
		x.Fetch = func(ctx context.Context, e string) (reading, error) { return fetch(ctx, e) }
		f := &features{List: []feature{x}}
		defer f.Close()
		for _, fetch = range []func(context.Context, string) (reading, error){says(1, 5*time.Second), says(2, 0), says(3, 10*time.Second), fails} {
			v := must[*vector](t)(f.Fetch(t.Context(), "BTC"))
			if got := show(v); v.Values[0].Err != nil && got != "x 2 stale 0s" {
				t.Errorf("%s; want the newest", got)
			}
		}
	})
}
