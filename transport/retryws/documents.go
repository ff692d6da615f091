package retryws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Documents keep named pieces of state that several programs read and replace as a whole. Those of store/sqldb and
// store/memory fit.
type Documents interface {
	// Get returns a document and its version; version 0 if there is none.
	Get(ctx context.Context, name string) (version uint64, body []byte, err error)

	// Put replaces the document that has a version, and returns the new version; version 0 is for one that is not
	// there yet. It fails, and writes nothing, if the document has another version by then.
	Put(ctx context.Context, name string, version uint64, body []byte) (uint64, error)
}

// A DocumentLedger is a [Ledger] in one document. It outlives the program: a restart finds the tokens as they were left,
// and the holds. Programs that share it should have clocks that agree: where one is ahead, the others count the tokens that
// it took as taken now, and open fewer links.
//
// It is safe for concurrent use, and holds no lock while it reads or writes.
type DocumentLedger struct {
	Documents Documents // required
	Name      string    // of the document; empty means "retryws.connects"
}

var _ Ledger = (*DocumentLedger)(nil)

// ErrContended is returned when others change the document again and again. [Budget] then decides alone.
var ErrContended = errors.New("others change the connects that are counted again and again")

var errNoDocuments = errors.New("retryws: DocumentLedger.Documents is nil")

// tries is how often a change is begun anew because somebody else was first.
const tries = 8

// A tally is the document.
type tally struct {
	Buckets map[string]supply `json:"buckets,omitempty"`
	Holds   map[string]hold   `json:"holds,omitempty"`
}

type supply struct {
	Tokens float64   `json:"tokens"`
	At     time.Time `json:"at"`
	Full   time.Time `json:"full"` // when it is full again, and need not be kept
}

type hold struct {
	Until time.Time `json:"until"`
	Why   string    `json:"why,omitempty"`
}

// Take implements [Ledger]. A number that is not positive counts as 1, and such a time as a second.
func (l *DocumentLedger) Take(ctx context.Context, key string, connects int, per time.Duration) (time.Duration, error) {
	var wait time.Duration
	err := l.change(ctx, func(t *tally, now time.Time) bool {
		wait = 0
		size, span := float64(max(1, connects)), positive(per, time.Second)
		each := time.Duration(float64(span) / size)
		b, known := t.Buckets[key]
		switch passed := now.Sub(b.At); {
		case !known:
			b.Tokens = size
		case passed > 0: // else another clock is ahead, or this one was put back
			b.Tokens += size * passed.Seconds() / span.Seconds()
		}
		if b.Tokens = min(b.Tokens, size); !(b.Tokens >= 1-1e-6) { // what rounding may lack
			wait = max(time.Millisecond, time.Duration((1-max(0, b.Tokens))*float64(each)))
			return false
		}
		b.Tokens, b.At = b.Tokens-1, now
		b.Full = now.Add(time.Duration((size - b.Tokens) * float64(each)))
		if t.Buckets == nil {
			t.Buckets = make(map[string]supply)
		}
		t.Buckets[key] = b
		return true
	})
	return wait, err
}

// Hold implements [Ledger]. One that ends later is kept.
func (l *DocumentLedger) Hold(ctx context.Context, host string, until time.Time, why string) error {
	return l.change(ctx, func(t *tally, _ time.Time) bool {
		if !until.After(t.Holds[host].Until) {
			return false
		}
		if t.Holds == nil {
			t.Holds = make(map[string]hold)
		}
		t.Holds[host] = hold{until.UTC().Round(0), why}
		return true
	})
}

// Held implements [Ledger].
func (l *DocumentLedger) Held(ctx context.Context, host string) (time.Time, error) {
	t, _, err := l.read(ctx)
	if h := t.Holds[host]; err == nil && h.Until.After(time.Now()) {
		return h.Until, nil
	}
	return time.Time{}, err
}

func (l *DocumentLedger) name() string {
	if l.Name == "" {
		return "retryws.connects"
	}
	return l.Name
}

func (l *DocumentLedger) read(ctx context.Context) (t tally, version uint64, err error) {
	if l.Documents == nil {
		return t, 0, errNoDocuments
	}
	version, body, err := l.Documents.Get(ctx, l.name())
	if err != nil || version == 0 {
		return t, version, err
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return tally{}, version, fmt.Errorf("retryws: document %q counts no connects; remove it, or name another: %w", l.name(), err)
	}
	return t, version, nil
}

// change reads the document, has f change it, and writes it if f says so: anew if somebody else was first.
func (l *DocumentLedger) change(ctx context.Context, f func(t *tally, now time.Time) bool) error {
	for range tries {
		t, version, err := l.read(ctx)
		if err != nil {
			return err
		}
		now := time.Now().UTC().Round(0)
		if !f(&t, now) {
			return nil
		}
		maps.DeleteFunc(t.Buckets, func(_ string, b supply) bool { return now.After(b.Full) })
		maps.DeleteFunc(t.Holds, func(_ string, h hold) bool { return now.After(h.Until) })
		body, _ := json.Marshal(t) // of numbers that are finite: it cannot fail
		_, err = l.Documents.Put(ctx, l.name(), version, body)
		if err == nil {
			return nil
		}
		is, _, lost := l.Documents.Get(ctx, l.name())
		if lost != nil || is == version {
			return err // not because somebody else was first
		}
	}
	return ErrContended
}
