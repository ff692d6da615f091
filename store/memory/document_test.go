package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/store/memory"
	"github.com/relent-go/relent/transport/retryws"
)

func TestDocuments(t *testing.T) {
	d := &memory.Documents{MaxDocuments: 1}
	ctx := t.Context()
	if v, body, err := d.Get(ctx, "a"); v != 0 || body != nil || err != nil {
		t.Errorf("Get = %d, %q, %v; want nothing", v, body, err)
	}
	text := []byte("one")
	if v, err := d.Put(ctx, "a", 0, text); v != 1 || err != nil {
		t.Errorf("Put = %d, %v; want 1", v, err)
	}
	text[0] = 'x' // the store keeps a copy
	if v, body, err := d.Get(ctx, "a"); v != 1 || string(body) != "one" || err != nil {
		t.Errorf("Get = %d, %q, %v; want 1, one", v, body, err)
	}
	for _, version := range []uint64{0, 2} {
		if _, err := d.Put(ctx, "a", version, nil); !errors.Is(err, memory.ErrChanged) {
			t.Errorf("Put at version %d = %v; want %v", version, err, memory.ErrChanged)
		}
	}
	if v, err := d.Put(ctx, "a", 1, []byte("two")); v != 2 || err != nil {
		t.Errorf("Put = %d, %v; want 2", v, err)
	}
	if _, err := d.Put(ctx, "b", 0, nil); !errors.Is(err, memory.ErrManyDocuments) {
		t.Errorf("Put of one more = %v; want %v", err, memory.ErrManyDocuments)
	}
	if _, err := (&memory.Documents{}).Put(ctx, "a", 0, nil); err != nil {
		t.Errorf("Put with the zero value = %v", err)
	}
	if _, err := (&memory.Documents{MaxDocuments: -1}).Put(ctx, "a", 0, nil); !errors.Is(err, memory.ErrManyDocuments) {
		t.Errorf("Put where none may be = %v; want %v", err, memory.ErrManyDocuments)
	}
	over, cancel := context.WithCancelCause(ctx)
	cause := errors.New("over")
	cancel(cause)
	if _, _, err := d.Get(over, "a"); !errors.Is(err, cause) {
		t.Errorf("Get = %v; want %v", err, cause)
	}
	if _, err := d.Put(over, "a", 2, nil); !errors.Is(err, cause) {
		t.Errorf("Put = %v; want %v", err, cause)
	}
}

// They keep the connects of a process whose sessions have budgets of their own.
func TestDocumentsKeepConnects(t *testing.T) {
	l := &retryws.DocumentLedger{Documents: &memory.Documents{}}
	for n := range 3 {
		wait, err := l.Take(t.Context(), "venue", 2, time.Hour)
		if err != nil || (wait > 0) != (n == 2) {
			t.Errorf("connect %d waits for %v, %v; want only the third to wait", n+1, wait, err)
		}
	}
}
