package inference

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// A wait is what a call of Features.Fetch waits for.
type wait[V any] struct {
	mu   sync.Mutex
	open bool // the call still waits; guarded by mu, as what follows
	left int  // fetches
	done chan struct{}
	got  []result[V]
	fell *Panic
}

type result[V any] struct {
	reading Reading[V]
	err     error
	ended   bool
}

// end keeps the result of a fetch, unless the call has gone.
func (w *wait[V]) end(i int, r result[V]) (late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return true
	}
	w.got[i] = r
	if p, ok := r.err.(*Panic); ok {
		w.fell, w.left = p, 1
	}
	if w.left--; w.left == 0 {
		w.open = false
		close(w.done)
	}
	return false
}

// close takes what there is.
func (w *wait[V]) close() ([]result[V], *Panic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = false
	return w.got, w.fell
}

// send begins the fetches, each as soon as there is a slot, as long as ctx allows. until is when the call ends.
func (f *Features[K, V]) send(ctx context.Context, entity K, w *wait[V], until time.Time) {
	f.mu.Lock()
	if f.slots == nil {
		f.slots = make(chan struct{}, or(f.Concurrency, DefaultConcurrency))
	}
	slots := f.slots
	f.mu.Unlock()
	grace := f.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	last := until.Add(max(0, grace))
	for i := range f.List {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if f.owner.start(ctx, func(ctx context.Context) {
			defer func() { <-slots }()
			f.fetch(ctx, entity, i, w, last)
		}) == nil {
			<-slots
			return
		}
	}
}

// fetch makes one fetch, in a goroutine of its own.
func (f *Features[K, V]) fetch(ctx context.Context, entity K, i int, w *wait[V], last time.Time) {
	x := &f.List[i]
	r, returned := result[V]{ended: true}, false
	defer func() {
		if !returned {
			r.err = fell(recover())
		}
		if w.end(i, r) && f.Late != nil {
			f.Late(x.Name, entity, r.err)
		}
	}()
	ctx, cancel := context.WithDeadline(ctx, last)
	defer cancel()
	r.reading, r.err = f.read(ctx, x, entity)
	returned = true
}

// read fetches a value, and stores it if it is good.
func (f *Features[K, V]) read(ctx context.Context, x *Feature[K, V], entity K) (r Reading[V], err error) {
	if x.Fetch == nil {
		return r, retry.ErrNilFunc
	}
	r, err = retry.Do(ctx, x.Policy, func(ctx context.Context) (Reading[V], error) {
		began := time.Now()
		r, err := x.Fetch(ctx, entity)
		if r.At.IsZero() {
			r.At = began
		}
		if err == nil && !f.AllowNotFinite {
			err = finite(r.Value)
		}
		return r, err
	})
	if err == nil {
		err = x.dated(r, time.Now())
	}
	if err == nil && x.MaxAge > 0 {
		f.keep(storeKey[K]{x.Name, entity}, r)
	}
	return r, err
}

// dated refuses data that is too old, or from the future.
func (x *Feature[K, V]) dated(r Reading[V], now time.Time) error {
	age := now.Sub(r.At)
	switch {
	case age < -ahead:
		return fmt.Errorf("%w: by %v", ErrFuture, -age)
	case x.MaxAge > 0 && age > x.MaxAge:
		return fmt.Errorf("%w, %v: %v", ErrOld, x.MaxAge, age)
	}
	return nil
}

// keep stores a reading, unless there is a newer one.
func (f *Features[K, V]) keep(k storeKey[K], r Reading[V]) {
	stored := f.Stored
	if stored == 0 {
		stored = DefaultStored
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.store.get(k); old == nil || !old.At.After(r.At) {
		f.store.put(k, r, 1, stored, int64(max(0, stored)))
	}
}

// judge makes a vector of what was fetched, stored and configured.
func (f *Features[K, V]) judge(entity K, got []result[V], now time.Time) (*Vector[V], error) {
	v := &Vector[V]{Values: make([]Value[V], len(f.List))}
	var newest, oldest end
	for i := range f.List {
		x, y := &f.List[i], &v.Values[i]
		var at time.Time
		*y, at = f.value(x, entity, got[i], now)
		if y.Is < Old {
			continue
		}
		if newest.name == "" || at.After(newest.at) {
			newest = end{x.Name, at}
		}
		if oldest.name == "" || at.Before(oldest.at) {
			oldest = end{x.Name, at}
		}
	}
	if skew := newest.at.Sub(oldest.at); f.MaxSkew > 0 && skew > f.MaxSkew {
		return v, fmt.Errorf("%w: %s is %v newer than %s, MaxSkew is %v", ErrSkew, newest.name, skew, oldest.name, f.MaxSkew)
	}
	return v, nil
}

// An end of a vector in time.
type end struct {
	name string
	at   time.Time
}

// value is the best that is known of a feature, and the data's own time.
func (f *Features[K, V]) value(x *Feature[K, V], entity K, r result[V], now time.Time) (Value[V], time.Time) {
	y := Value[V]{Name: x.Name, Err: r.err}
	if !r.ended {
		y.Err = ErrLate
	}
	if y.Err == nil {
		y.Err = x.dated(r.reading, now) // it may have become too old since
	}
	if y.Err == nil {
		y.Is, y.Value, y.Age = Fresh, r.reading.Value, max(0, now.Sub(r.reading.At))
		return y, r.reading.At
	}
	f.mu.Lock()
	old := f.store.get(storeKey[K]{x.Name, entity})
	var stored Reading[V]
	if old != nil {
		stored = *old
	}
	f.mu.Unlock()
	switch {
	case old != nil && x.MaxAge > 0 && x.dated(stored, now) == nil:
		y.Is, y.Value, y.Age = Old, stored.Value, max(0, now.Sub(stored.At))
	case x.Default != nil:
		y.Is, y.Value = Defaulted, *x.Default
	}
	return y, stored.At
}
