package inference

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Against a plain model: a cache keeps what was used last and is never above its limits; a value is never younger than zero
// nor older than what was asked for, and a newer one is not replaced by an older one.
func TestCacheBounds(t *testing.T) {
	type kept struct {
		key   string
		value int
		at    time.Time
		size  int64
	}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := &Cache[int]{Entries: random.IntN(6), Bytes: int64(random.IntN(2000)), Size: func(v int) int64 { return int64(v % 300) }}
		entries, bytes := c.Entries, c.Bytes
		if entries == 0 {
			entries = DefaultEntries
		}
		if bytes == 0 {
			bytes = DefaultBytes
		}
		var model []kept // used last comes last
		find := func(key string) int { return slices.IndexFunc(model, func(k kept) bool { return k.key == key }) }
		now := time.Now()
		for step := range 300 {
			now = now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
			key := strings.Repeat("k", 1+random.IntN(9))
			i := find(key)
			if i >= 0 { // both get and put count as use
				k := model[i]
				model = append(slices.Delete(model, i, i+1), k)
				i = len(model) - 1
			}
			if random.IntN(2) == 0 {
				v, at := random.IntN(1000), now.Add(-time.Duration(random.IntN(3000))*time.Millisecond)
				c.put(cacheKey{input: key}, v, at)
				if i < 0 || !model[i].at.After(at) {
					if i >= 0 {
						model = model[:i]
					}
					if k := (kept{key, v, at, int64(len(key)) + overhead + int64(v%300)}); k.size <= bytes {
						model = append(model, k)
					}
				}
				used := func() (n int64) {
					for _, k := range model {
						n += k.size
					}
					return n
				}
				for len(model) > entries || used() > bytes {
					model = model[1:]
				}
			} else {
				most := time.Duration(1+random.IntN(5000)) * time.Millisecond
				early := now.Add(-time.Duration(random.IntN(2)) * 10 * time.Second) // a caller that was slow to ask
				v, age, ok := c.get(cacheKey{input: key}, early, most)
				want := i >= 0 && early.Sub(model[max(i, 0)].at) <= most
				if ok != want || ok && (v != model[i].value || age != max(0, early.Sub(model[i].at)) || age > most) || age < 0 {
					t.Fatalf("seed %d, step %d: get = %d, %v, %v; want %v", seed, step, v, age, ok, want)
				}
			}
			s := c.Stats()
			if s.Entries > entries || s.Bytes > bytes || s.Bytes < 0 || s.Entries != len(model) {
				t.Fatalf("seed %d, step %d: %+v, limits %d and %d; want %d entries", seed, step, s, entries, bytes, len(model))
			}
		}
	}
}

func TestOddCaches(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name string
		c    *Cache[int]
		kept bool
	}{
		{"nil", nil, false}, {"zero", &Cache[int]{}, true}, {"no entries", &Cache[int]{Entries: -1}, false}, {"no bytes", &Cache[int]{Bytes: -1}, false},
		{"huge value", &Cache[int]{Size: func(int) int64 { return math.MaxInt64 }}, false},
		{"negative size", &Cache[int]{Size: func(int) int64 { return math.MinInt64 }}, true},
	} {
		for range 2 {
			test.c.put(cacheKey{input: "a"}, 1, now)
		}
		test.c.put(cacheKey{}, 1, now)
		_, _, ok := test.c.get(cacheKey{input: "a"}, now, 1)
		_, _, empty := test.c.get(cacheKey{}, now, 1)
		_, _, never := test.c.get(cacheKey{input: "a"}, now, 0)
		if ok != test.kept || empty || never {
			t.Errorf("%s: kept %v, without a key %v, for no time %v; want %v, false, false", test.name, ok, empty, never, test.kept)
		}
	}
}

// IN14: a step of the wall clock leaves ages alone, since they are counted on the monotonic one.
func TestIN14AgesAreMonotonic(t *testing.T) {
	l := &Ladder[int, int]{Models: []Model[int, int]{{Predict: func(_ context.Context, i int) (int, error) { return i, nil }}}, Key: func(int) string { return "k" }, Cache: &Cache[int]{}}
	defer l.Close()
	if _, err := l.Predict(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	at := l.Cache.lru.get(cacheKey{input: "k"}).at
	if !strings.Contains(at.String(), " m=") {
		t.Errorf("an entry of %v depends on the wall clock", at)
	}
}

func TestFinite(t *testing.T) {
	type pair struct{ a, b any }
	type ring struct{ next *ring }
	loop := &ring{}
	loop.next = loop
	nan := math.NaN()
	for _, test := range []struct {
		v  any
		ok bool
	}{
		{1.0, true}, {nan, false}, {math.Inf(1), false}, {float32(1), true}, {float32(math.Inf(-1)), false},
		{[]float64{1, 2}, true}, {[]float64{1, nan}, false}, {[]float32{1, float32(nan)}, false}, {[2]float64{nan, 1}, false},
		{complex(1, 2), true}, {complex(nan, 2), false}, {complex(1, math.Inf(1)), false},
		{map[string]float64{"a": 1}, true}, {map[string]float64{"a": nan}, false},
		{pair{1, "x"}, true}, {pair{1.0, nan}, false}, {&pair{1.0, []any{nan}}, false}, {(*pair)(nil), true}, {nil, true},
		{[]byte{1}, true}, {"NaN", true}, {loop, true}, {[][]float64{{1}, {nan}}, false},
	} {
		if err := finite(test.v); (err == nil) != test.ok {
			t.Errorf("finite(%T) = %v; want fine: %v", test.v, err, test.ok)
		}
	}
}

// A caller whose flights end before its time asks alone in the end, and does not board for ever.
func TestManyShortFlights(t *testing.T) {
	for _, before := range []int{0, mostFlights - 1} {
		synctest.Test(t, func(t *testing.T) {
			l := &Ladder[int, int]{Key: func(int) string { return "k" }, Models: []Model[int, int]{{Predict: func(ctx context.Context, _ int) (int, error) {
				select {
				case <-time.After(2 * time.Second):
				case <-ctx.Done():
				}
				return 1, ctx.Err()
			}}}}
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go l.Predict(ctx, 1)
			synctest.Wait()
			time.AfterFunc(2*time.Second, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				if alone := l.flying == 0; alone != (before > 0) {
					t.Errorf("after %d flights: alone %v", before+1, alone)
				}
			})
			if a, err := l.share(t.Context(), &query[int, int]{key: "k", flights: before}); err != nil || a.Value != 1 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}
