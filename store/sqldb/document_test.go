package sqldb

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestDocuments(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		docs := open(t).Documents()
		ctx := t.Context()
		if v, body, err := docs.Get(ctx, "stops"); v != 0 || body != nil || err != nil {
			t.Errorf("Get of nothing = %d, %q, %v", v, body, err)
		}
		put := func(version uint64, body string, want error) {
			t.Helper()
			if v, err := docs.Put(ctx, "stops", version, []byte(body)); !errors.Is(err, want) || err == nil && v != version+1 {
				t.Errorf("Put at %d = %d, %v; want %v", version, v, err, want)
			}
		}
		put(1, "early", ErrChanged)
		put(0, "one", nil)
		put(0, "again", ErrChanged)
		put(1, "", nil)
		put(1, "late", ErrChanged)
		put(2, "three\x00", nil)
		if v, body, err := docs.Get(ctx, "stops"); v != 3 || string(body) != "three\x00" || err != nil {
			t.Errorf("Get = %d, %q, %v", v, body, err)
		}
		if _, err := docs.Put(ctx, "stops", 3, make([]byte, MaxDocument+1)); !errors.Is(err, ErrLongDocument) {
			t.Errorf("Put of too much = %v; want %v", err, ErrLongDocument)
		}
		large := bytes.Repeat([]byte("x"), MaxDocument)
		if _, err := docs.Put(ctx, "large", 0, large); err != nil {
			t.Error(err)
		}
		if _, body, err := docs.Get(ctx, "large"); err != nil || !bytes.Equal(body, large) {
			t.Errorf("Get of the largest: %d bytes, %v", len(body), err)
		}
	})
}

// Of those who change one version, one is first.
func TestDocumentsRace(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		docs := open(t).Documents()
		for round := range uint64(20) {
			var group sync.WaitGroup
			var first atomic.Int32
			for i := range 4 {
				group.Go(func() {
					switch _, err := docs.Put(t.Context(), "stops", round, fmt.Append(nil, i)); {
					case err == nil:
						first.Add(1)
					case !errors.Is(err, ErrChanged):
						t.Error(err)
					}
				})
			}
			group.Wait()
			if first.Load() != 1 {
				t.Fatalf("%d were first", first.Load())
			}
		}
	})
}
