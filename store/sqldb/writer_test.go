package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// is complains unless err is one of the kind, of the class, about the place, with advice.
func is(t *testing.T, what string, err, kind error, class retry.Class) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !errors.Is(err, kind) || !ok || e.What != kind || e.Next == "" || e.Where == "" || !strings.Contains(err.Error(), e.Next) {
		t.Errorf("%s = %v; want %v, with the place and what to do next", what, err, kind)
	}
	if got := retry.DefaultClassify(err); got != class {
		t.Errorf("%s is %v; want %v: %v", what, got, class, err)
	}
}

// hold keeps the writer busy until release is called.
func hold(t *testing.T, db *DB) (release func()) {
	t.Helper()
	begun, free := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- change(context.Background(), db, single, 0, func(context.Context, session) error {
			close(begun)
			<-free
			return nil
		})
	}()
	<-begun
	return sync.OnceFunc(func() {
		close(free)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func statements(ctx context.Context, db *DB, k kind, list ...string) error {
	return change(ctx, db, k, 0, func(ctx context.Context, q session) error {
		for _, s := range list {
			if _, err := q.exec(ctx, newQuery(s)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestOneFailureLeavesTheOthersAlone(t *testing.T) {
	ctx, db := t.Context(), file(t)
	release := hold(t, db)
	var group sync.WaitGroup
	broken := errors.New("half done")
	for i := range 40 {
		group.Go(func() {
			s := db.Idempotent()
			b := bid(fmt.Sprint(i))
			if i%4 > 0 {
				if r, err := s.Claim(ctx, b); !r.Won(&b) || err != nil {
					t.Errorf("Claim %d = %v, %v", i, r, err)
				}
				return
			}
			if err := change(ctx, db, whole, 0, func(ctx context.Context, q session) error {
				if r, err := claim(ctx, q, &b); !r.Won(&b) || err != nil {
					t.Errorf("claim %d = %v, %v", i, r, err)
				}
				if i%8 == 0 {
					_, err := q.exec(ctx, newQuery("INSERT INTO relent_idempotency (key) VALUES (NULL)"))
					return err
				}
				return broken
			}); err == nil || i%8 != 0 && err != broken {
				t.Errorf("operation %d = %v; want its error", i, err)
			}
		})
	}
	for len(db.engine.(*sqliteEngine).writer.queue) < 40 {
		time.Sleep(time.Millisecond)
	}
	release()
	group.Wait()
	for i := range 40 {
		r, err := db.Idempotent().Get(ctx, fmt.Sprint(i))
		if want := i%4 > 0; err != nil || (r.Status == idempotent.Running) != want {
			t.Errorf("key %d is %v, %v; want it claimed: %v", i, r.Status, err, want)
		}
	}
}

func TestACallerWhoLeavesKnowsWhatBecameOfIt(t *testing.T) {
	db := file(t)
	s := db.Idempotent()
	release := hold(t, db)
	defer release()
	gone := errors.New("gone")

	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.Claim(ctx, bid("waits"))
		ended <- err
	}()
	for len(db.engine.(*sqliteEngine).writer.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel(gone)
	if err := <-ended; !errors.Is(err, gone) || retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Claim that was withdrawn = %v; want %v, transient", err, gone)
	}

	begun, free := make(chan struct{}), make(chan struct{})
	ctx, cancel = context.WithCancelCause(t.Context())
	go func() {
		_, err := write(ctx, db, single, 0, func(ctx context.Context, q session) (int, error) {
			close(begun)
			<-free
			b := bid("begun")
			_, err := claim(ctx, q, &b)
			return 1, err
		})
		ended <- err
	}()
	release()
	<-begun
	cancel(gone)
	err := <-ended
	is(t, "an operation that was begun", err, ErrUnknown, retry.Ambiguous)
	if !errors.Is(err, gone) {
		t.Errorf("%v does not name the cause, %v", err, gone)
	}
	close(free)
	b := bid("begun")
	if r, err := s.Claim(t.Context(), b); err != nil || r.Status != idempotent.Running || r.Won(&b) {
		t.Errorf("what was unknown is %v, %v; want it done", r.Status, err)
	}
	if r, err := s.Get(t.Context(), "waits"); err != nil || r.Status != idempotent.New {
		t.Errorf("what was withdrawn is %v, %v; want it not done", r.Status, err)
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	db := file(t)
	s := db.Idempotent()
	release := hold(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range QueueLength {
		group.Go(func() {
			if _, err := s.Claim(t.Context(), bid(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	queue := db.engine.(*sqliteEngine).writer.queue
	for len(queue) < QueueLength {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error)
	go func() {
		_, err := s.Claim(ctx, bid("one more"))
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Errorf("Claim beyond the queue = %v; want it to wait", err)
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if err := <-ended; retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Claim beyond the queue by a caller who left = %v; want transient", err)
	}
	release()
	group.Wait()
}

func TestClose(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		db := open(t)
		if strings.Contains(db.String(), "?") || db.String() == "" {
			t.Errorf("String() = %q", db)
		}
		for range 2 {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
		_, err := db.Idempotent().Claim(t.Context(), bid("k"))
		is(t, "Claim after Close", err, ErrClosed, retry.Transient)
		_, err = db.Idempotent().Get(t.Context(), "k")
		is(t, "Get after Close", err, ErrClosed, retry.Transient)
		_, err = db.Audit().Append(t.Context(), "c", []audit.Record{record(1)})
		is(t, "Append after Close", err, ErrClosed, retry.Transient)
	})
}

// Whatever is on its way when Close is called is done or refused, and never left waiting.
func TestCloseWhileManyWrite(t *testing.T) {
	url := fileURL(t)
	db := reopen(t, url)
	s := db.Idempotent()
	var group sync.WaitGroup
	done := make([][]string, 64)
	for w := range done {
		group.Go(func() {
			for i := 0; ; i++ {
				k := fmt.Sprint(w, " ", i)
				if _, err := s.Claim(t.Context(), bid(k)); err != nil {
					is(t, "Claim", err, ErrClosed, retry.Transient)
					return
				}
				done[w] = append(done[w], k)
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	db.Close()
	group.Wait()
	again := reopen(t, url).Idempotent()
	for _, keys := range done {
		for _, k := range keys {
			if r, err := again.Get(t.Context(), k); err != nil || r.Status != idempotent.Running {
				t.Errorf("%s is %v, %v; want running", k, r.Status, err)
			}
		}
	}
}

// I14: why the writer begins with BEGIN IMMEDIATE, and what is said if something else has not.
func TestDeferredTransactions(t *testing.T) {
	url := fileURL(t)
	db, other := reopen(t, url), reopen(t, url)
	ctx := t.Context()
	err := other.engine.(*sqliteEngine).read(ctx, whole, func(_ context.Context, q session) error {
		session := q.(readSession)
		if _, err := session.tx.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := get(ctx, q, "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Idempotent().Claim(ctx, bid("k")); err != nil {
			t.Fatal(err)
		}
		_, err := q.exec(ctx, newQuery("DELETE FROM relent_job"))
		if e, ok := errors.AsType[*sqlite.Error](err); !ok || e.Code() != 517 {
			t.Errorf("a write after a read = %v; want SQLITE_BUSY_SNAPSHOT", err)
		}
		return err
	})
	is(t, "a write after a read", err, ErrBusy, retry.Transient)
	if _, err := other.Idempotent().Claim(ctx, bid("other")); err != nil {
		t.Errorf("the writer after another process has written = %v", err)
	}
}

// Two processes may share a file: each waits for the other.
func TestTwoWritersShareAFile(t *testing.T) {
	url := fileURL(t)
	dbs := []*DB{reopen(t, url), reopen(t, url)}
	var group sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for w := range 32 {
		group.Go(func() {
			for i := range 20 {
				b := bid(fmt.Sprint(i))
				r, err := dbs[w%2].Idempotent().Claim(t.Context(), b)
				if err != nil {
					t.Error(err)
				}
				if r.Won(&b) {
					mu.Lock()
					won[b.Key]++
					mu.Unlock()
				}
				if _, err := dbs[w%2].Audit().Append(t.Context(), "c", []audit.Record{record(int64(w*100 + i))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i := range 20 {
		if n := won[fmt.Sprint(i)]; n != 1 {
			t.Errorf("key %d was won %d times", i, n)
		}
	}
	if r, err := audit.Verify(t.Context(), dbs[0].Audit(), "c", audit.Verification{}); err != nil || r.Records != 640 {
		t.Errorf("Verify = %+v, %v; want 640 records", r, err)
	}
}
