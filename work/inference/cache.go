package inference

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"
)

// What zero fields of a [Cache] mean.
const (
	DefaultEntries = 1024
	DefaultBytes   = 16 << 20
)

// overhead is about what an entry costs beside its key and value.
const overhead = 160

// A Cache keeps predictions for a [Ladder], and drops those that were not used for longest when it is full. A ladder that is
// replaced by one with newer models may hand its cache on: what older versions said is then out of reach.
//
// The zero value is ready. It is safe for concurrent use; its exported fields must not be changed once it is in use.
type Cache[V any] struct {
	Entries int           // at most; 0 means 1024, negative means none
	Bytes   int64         // at most, keys and overhead included; 0 means 16 MiB, negative means none
	Size    func(V) int64 // of a value, with all that it points to; nil counts the value alone, which is right if it points to nothing

	mu  sync.Mutex
	lru lru[cacheKey, dated[V]] // guarded by mu
}

// A cacheKey is what a prediction depends on.
type cacheKey struct{ model, version, schema, input string }

// A dated value carries the monotonic time at which the attempt began that returned it.
type dated[V any] struct {
	value V
	at    time.Time
}

// CacheStats are the present numbers of a cache.
type CacheStats struct {
	Entries int
	Bytes   int64
	Evicted uint64 // dropped so far for want of room
}

// Stats returns the present numbers.
func (c *Cache[V]) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{len(c.lru.nodes), c.lru.size, c.lru.evicted}
}

// Clear forgets everything.
func (c *Cache[V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.clear()
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil. A cache with mistakes keeps nothing.
func (c *Cache[V]) Check() error {
	var errs []error
	if c.Entries < 0 {
		errs = append(errs, fmt.Errorf("Entries: %d is negative and means that nothing is kept", c.Entries))
	}
	if c.Bytes < 0 {
		errs = append(errs, fmt.Errorf("Bytes: %d is negative and means that nothing is kept", c.Bytes))
	}
	return errors.Join(errs...)
}

// get returns a value that is not older than most, and its age.
func (c *Cache[V]) get(k cacheKey, now time.Time, most time.Duration) (v V, age time.Duration, ok bool) {
	if c == nil || k.input == "" || most <= 0 {
		return v, 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.lru.get(k)
	if d == nil {
		return v, 0, false
	}
	if age = max(0, now.Sub(d.at)); age > most {
		return v, 0, false
	}
	return d.value, age, true
}

// put keeps a value, unless there is a newer one.
func (c *Cache[V]) put(k cacheKey, v V, at time.Time) {
	if c == nil || k.input == "" {
		return
	}
	size := int64(len(k.input)) + overhead
	if c.Size != nil {
		size += min(max(0, c.Size(v)), math.MaxInt64/2)
	} else {
		size += int64(reflect.TypeFor[V]().Size())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.lru.get(k); d != nil && d.at.After(at) {
		return
	}
	entries, bytes := c.Entries, c.Bytes
	if entries == 0 {
		entries = DefaultEntries
	}
	if bytes == 0 {
		bytes = DefaultBytes
	}
	c.lru.put(k, dated[V]{v, at}, size, entries, bytes)
}
