package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

// A result is what so many waiting calls cost.
type result struct {
	Subject      string  `json:"subject"`
	Start        string  `json:"start"`
	Calls        int     `json:"calls"`
	BytesPerCall float64 `json:"bytes_per_call"`  // heap and stacks in use after a collection, all calls waiting
	CPUPerCall   float64 `json:"cpu_ns_per_call"` // of the process, from the first start to the last end; 0 if unknown
	Goroutines   float64 `json:"goroutines_per_call"`
	LateP50      float64 `json:"late_p50_ms"` // from when the second attempt was due to when it began
	LateP99      float64 `json:"late_p99_ms"`
	LateMax      float64 `json:"late_max_ms"`
}

// tick is how often a paced start begins some calls.
const tick = time.Millisecond

// measure begins n calls within pace and waits for them all. Each call fails once and then
// succeeds. What the calls themselves need, their functions and their records, is made before the
// memory is read for the first time, so what is counted is the subject's.
func measure(begin start, fail error, n int, wait, pace time.Duration) (result, error) {
	var (
		origin         = time.Now()
		due            = make([]time.Duration, n) // since origin
		late           = make([]time.Duration, n)
		failed, passed atomic.Int64
		fns            = make([]peer.Func, n)
	)
	for i := range fns {
		fns[i] = func(context.Context) (peer.Quote, error) {
			if due[i] == 0 {
				failed.Add(1)
				due[i] = time.Since(origin) + wait
				return peer.Quote{}, fail
			}
			late[i] = time.Since(origin) - due[i]
			passed.Add(1)
			return peer.Quote{}, nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	before := usage()
	goroutines := runtime.NumGoroutine()
	cpu := processorTime()
	if pace <= 0 {
		for _, fn := range fns {
			begin(ctx, fn)
		}
	} else {
		paced(fns, pace, func(fn peer.Func) { begin(ctx, fn) })
	}

	r := result{Calls: n}
	if pace <= 0 { // a paced start has no moment at which all calls wait, if it takes longer than the wait
		if err := until(func() bool { return failed.Load() == int64(n) && runnable() == 0 }, wait); err != nil {
			return r, fmt.Errorf("the calls did not all come to wait: %w", err)
		}
		pause := processorTime()
		r.BytesPerCall = (usage() - before) / float64(n)
		r.Goroutines = float64(runtime.NumGoroutine()-goroutines) / float64(n)
		if passed.Load() > 0 {
			return r, errors.New("the first calls woke before the last waited: want a longer -wait")
		}
		cpu += processorTime() - pause // the collection that the measuring itself asked for
	}
	if err := until(func() bool { return passed.Load() == int64(n) }, pace+wait+time.Minute); err != nil {
		return r, fmt.Errorf("%d of %d calls ended: %w", passed.Load(), n, err)
	}
	r.CPUPerCall = float64(processorTime()-cpu) / float64(n)
	runtime.KeepAlive(fns)

	slices.Sort(late)
	at := func(q float64) float64 { return float64(late[int(q*float64(n-1))]) / float64(time.Millisecond) }
	r.LateP50, r.LateP99, r.LateMax = at(0.5), at(0.99), at(1)
	return r, nil
}

// paced begins the calls at an even rate.
func paced(fns []peer.Func, over time.Duration, begin func(peer.Func)) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	origin, begun := time.Now(), 0
	for begun < len(fns) {
		<-ticker.C
		should := min(len(fns), int(float64(len(fns))*float64(time.Since(origin))/float64(over)))
		for ; begun < should; begun++ {
			begin(fns[begun])
		}
	}
}

// until polls, at most for so long.
func until(done func() bool, most time.Duration) error {
	for end := time.Now().Add(most); !done(); time.Sleep(tick) {
		if time.Now().After(end) {
			return fmt.Errorf("gave up after %v", most)
		}
	}
	return nil
}

// usage returns the bytes in heap objects and stacks after a collection. It collects twice,
// because the first one may only shrink stacks and run finalizers.
func usage() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// runnable returns how many goroutines want a processor and have none.
func runnable() uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
