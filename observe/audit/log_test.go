package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

var (
	orders  = &retry.Policy{Name: "venue.place_order", Cost: 2}
	reads   = &retry.Policy{Name: "venue.order_book", Idempotent: true}
	errBusy = retry.Mark(errors.New("busy"), retry.Transient)
	errDown = errors.New("the store is down")
)

// started runs a log until the test ends.
func started(t *testing.T, l *audit.Log) *audit.Log {
	t.Helper()
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(context.WithoutCancel(t.Context())); err != nil && !errors.Is(err, errDown) {
			t.Errorf("Run() = %v", err)
		}
	})
	for l.Record(t.Context(), audit.Record{Decision: "warm-up"}) != nil && l.Stats().Err == nil {
		time.Sleep(time.Millisecond) // until Run has begun; in a bubble, that is no time at all
	}
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l
}

// finished is the event of a call that failed after some attempts.
func finished(p *retry.Policy, attempts int) retry.Event {
	return retry.Event{Kind: retry.Finished, Policy: p, Call: 0xff, At: time.Now(), Attempts: attempts, State: retry.Failed, Err: errBusy, Class: retry.Transient, Reason: retry.ErrExhausted}
}

// with returns p with the log in both places.
func with(p *retry.Policy, l *audit.Log) *retry.Policy {
	q := *p
	q.Gates, q.Observer, q.Backoff = []retry.Gate{l}, l, backoff.Constant{Wait: 10 * time.Millisecond, Jitter: backoff.None}
	return &q
}

// A flaky store fails while it is told to, and calls a function before it appends.
type flaky struct {
	audit.Store
	mu     sync.Mutex
	err    error
	before func([]audit.Record)
	after  error // of an append that was made nevertheless
}

func (f *flaky) Append(ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
	f.mu.Lock()
	err, before, after := f.err, f.before, f.after
	f.mu.Unlock()
	if before != nil {
		before(records)
	}
	if err != nil {
		return audit.Head{}, err
	}
	h, err := f.Store.Append(ctx, chain, records)
	if after != nil {
		return audit.Head{}, after
	}
	return h, err
}

func (f *flaky) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// story tells of records, one line each.
func story(t *testing.T, s audit.Store) string {
	t.Helper()
	records, _, err := s.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range records {
		if r.Decision == "warm-up" {
			continue
		}
		fmt.Fprintf(&b, "%s %s %d %s", r.Operation, r.Decision, r.Attempt, r.Outcome)
		if r.Rule != "" {
			fmt.Fprintf(&b, " (%s)", r.Rule)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The intent is in the store before the attempt, and how it ended afterwards.
func TestWriteAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Store: kept(t)}
		l := started(t, &audit.Log{Store: s, Node: "node-1", Timeout: time.Minute, Build: "v1", Config: "c"})
		s.before = func([]audit.Record) { time.Sleep(5 * time.Second) } // longer than any wait between attempts
		ctx := audit.With(t.Context(), audit.Who{Actor: "algo-7", Strategy: "mm", Tenant: "desk", Parent: "p-1", Key: "k"})
		ctx = audit.With(ctx, audit.Who{Payload: []byte("buy")})
		attempt := 0
		err := retry.Run(ctx, with(orders, l), func(context.Context) error {
			attempt++
			if got := strings.Count(story(t, s), " retry "); got != attempt-1 {
				t.Errorf("attempt %d begins with %d intents in the store; want %d", attempt, got, attempt-1)
			}
			if attempt < 3 {
				return retry.MarkAfter(errBusy, retry.Transient, time.Second)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		want := "venue.place_order retry 2  (retry of an order)\nvenue.place_order end 2 failed\nvenue.place_order retry 3  (retry of an order)\nvenue.place_order end 3 succeeded\nvenue.place_order end 3 succeeded\n"
		if got := story(t, s); got != want {
			t.Errorf("story\n%s\nwant\n%s", got, want)
		}
		records, _, _ := s.Query(t.Context(), audit.Filter{Decision: audit.Retry}, audit.Cursor{}, 1)
		r := records[0]
		if r.Actor != "algo-7" || r.Strategy != "mm" || r.Tenant != "desk" || r.Parent != "p-1" || r.Key != audit.Digest("k") || r.Payload != audit.Digest("buy") ||
			r.Node != "node-1" || r.Build != "v1" || r.Config != "c" || len(r.Call) != 16 || r.Class != "transient" || r.Hint != time.Second || r.Delay != time.Second+10*time.Millisecond || r.Cost != 2 || r.Mono < 0 {
			t.Errorf("intent %+v", r)
		}
	})
}

func TestK14SinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Store: kept(t)}
		l := started(t, &audit.Log{Store: s})
		s.fail(errDown)
		attempts := 0
		place := func(context.Context) error { attempts++; return errBusy }
		err := retry.Run(t.Context(), with(orders, l), place)
		if attempts != 1 || !errors.Is(err, audit.ErrUnrecorded) || !errors.Is(err, errDown) || !errors.Is(err, errBusy) {
			t.Errorf("%d attempts, %v; want 1, refused with %v", attempts, err, errDown)
		}
		// Closed: no order starts any more, reads do.
		if err = retry.Run(t.Context(), with(orders, l), place); attempts != 1 || !errors.Is(err, audit.ErrClosed) || !errors.Is(err, audit.ErrUnrecorded) {
			t.Errorf("%d attempts, %v; want 1, refused with %v", attempts, err, audit.ErrClosed)
		}
		if retry.Run(t.Context(), with(reads, l), place); attempts != 4 {
			t.Errorf("%d attempts; want 3 of a read", attempts-1)
		}
		if err := l.Record(t.Context(), audit.Record{Decision: audit.Stop}); !errors.Is(err, audit.ErrClosed) || !errors.Is(err, errDown) {
			t.Errorf("Record() = %v; want %v", err, audit.ErrClosed)
		}
		if stats := l.Stats(); !stats.Closed || stats.Err != errDown {
			t.Errorf("Stats() = %+v", stats)
		}
		// The store is back: so are orders, and nothing that was told in between is missing.
		s.fail(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if err = retry.Run(t.Context(), with(orders, l), place); attempts != 7 || !errors.Is(err, retry.ErrExhausted) {
			t.Errorf("%d attempts, %v; want 3 more", attempts, err)
		}
		if stats := l.Stats(); stats.Closed || stats.Err != nil {
			t.Errorf("Stats() = %+v", stats)
		}
		l.Close()
		want := `venue.place_order retry 2  (retry of an order)
venue.place_order deny 2 not started (not attempted because the audit log cannot record it)
venue.place_order deny 1 failed (not attempted because the audit log cannot record it: the store is down)
venue.place_order deny 0 not started (not attempted because the audit log cannot record it: the audit log is closed: its store takes nothing)
venue.order_book retry 2  (policy)
venue.order_book retry 3  (policy)
venue.order_book deny 3 failed (attempts exhausted)
 stop 0 
`
		if got := story(t, s); !strings.HasPrefix(got, want) {
			t.Errorf("story\n%s\nwant\n%s", got, want)
		}
		if open, err := audit.Interrupted(t.Context(), s, audit.Filter{}); len(open) != 0 || err != nil {
			t.Errorf("Interrupted() = %+v, %v; want none: nothing was sent", open, err)
		}
	})
}

// A store that hangs is given up after Timeout.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &hanging{Store: kept(t)}
		l := started(t, &audit.Log{Store: s, Timeout: 3 * time.Second})
		s.hang = true
		start := time.Now()
		err := retry.Run(t.Context(), with(orders, l), func(context.Context) error { return errBusy })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v; want %v after 3s", time.Since(start), err, context.DeadlineExceeded)
		}
		s.hang = false
	})
}

type hanging struct {
	audit.Store
	hang bool
}

func (h *hanging) Append(ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
	if h.hang {
		<-ctx.Done()
		return audit.Head{}, context.Cause(ctx)
	}
	return h.Store.Append(ctx, chain, records)
}

// A caller who leaves, or is stopped, while the intent is written, sends nothing; the record says so.
func TestLeavesWhileIntentIsWritten(t *testing.T) {
	for name, leave := range map[string]func(cancel context.CancelCauseFunc, stop *stopper){
		"canceled": func(cancel context.CancelCauseFunc, _ *stopper) { cancel(errLeft) },
		"stopped":  func(_ context.CancelCauseFunc, stop *stopper) { stop.end(errLeft) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				s := &flaky{Store: kept(t)}
				l := started(t, &audit.Log{Store: s, Timeout: time.Hour})
				s.before = func([]audit.Record) { <-release }
				ctx, cancel := context.WithCancelCause(t.Context())
				stop := newStopper()
				p := with(orders, l)
				p.Gates = append(p.Gates, stop)
				time.AfterFunc(time.Second, func() { leave(cancel, stop) })
				attempts := 0
				err := retry.Run(ctx, p, func(context.Context) error { attempts++; return errBusy })
				if attempts != 1 || !errors.Is(err, errLeft) {
					t.Errorf("%d attempts, %v; want 1, %v", attempts, err, errLeft)
				}
				close(release)
				l.Close()
				if open, err := audit.Interrupted(t.Context(), s, audit.Filter{}); len(open) != 0 || err != nil || !strings.Contains(story(t, s), "deny 2 not started") {
					t.Errorf("Interrupted() = %+v, %v; story\n%s", open, err, story(t, s))
				}
			})
		})
	}
}

var errLeft = errors.New("left")

// A stopper is a stop switch.
type stopper struct {
	ctx context.Context
	end context.CancelCauseFunc
}

func newStopper() *stopper {
	s := &stopper{}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	return s
}
func (s *stopper) Admit(context.Context, *retry.Attempt) error { return nil }
func (s *stopper) Start(context.Context, *retry.Attempt) error { return context.Cause(s.ctx) }
func (s *stopper) Settle(*retry.Attempt, *retry.Outcome)       {}
func (s *stopper) Halted(*retry.Attempt) context.Context       { return s.ctx }

// A crash is a log that is never closed.
func TestK27Crash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t)
		crashed := started(t, &audit.Log{Store: s})
		p := with(orders, crashed)
		for n := range uint64(3) {
			a := &retry.Attempt{Policy: p, Call: n, Number: 2, At: time.Now(), Note: new(uint64)}
			if err := crashed.Admit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if n == 1 { // this one ends before the crash
				crashed.Settle(a, &retry.Outcome{State: retry.Failed, Err: errBusy, Class: retry.Transient, Start: a.At, End: a.At})
			}
		}
		crashed.Record(t.Context(), audit.Record{Decision: audit.Drill}) // so that the end above is written
		l := started(t, &audit.Log{Store: s})
		mine := &retry.Attempt{Policy: p, Call: 7, Number: 2, At: time.Now()}
		if err := l.Admit(t.Context(), mine); err != nil { // runs now, and did not crash
			t.Fatal(err)
		}
		found, err := l.Recover(t.Context(), time.Time{})
		if err != nil || len(found) != 2 || found[0].Call != "0000000000000000" || found[1].Call != "0000000000000002" || found[0].Outcome != audit.Unknown || found[1].Outcome != audit.Unknown {
			t.Fatalf("Recover() = %+v, %v; want calls 0 and 2, unknown", found, err)
		}
		if got := strings.Count(story(t, s), "venue.place_order end 2 unknown (found after a restart)"); got != 2 {
			t.Errorf("%d are reported in the log; want 2\n%s", got, story(t, s))
		}
		if found, err = l.Recover(t.Context(), time.Time{}); err != nil || len(found) != 0 {
			t.Errorf("Recover() again = %+v, %v; want none", found, err)
		}
		if found, err = audit.Interrupted(t.Context(), s, audit.Filter{}); err != nil || len(found) != 1 || found[0].Call != "0000000000000007" {
			t.Errorf("Interrupted() = %+v, %v; want the one that runs", found, err)
		}
	})
}

// Intents that are still in the spool are found, too.
func TestK27CrashWithSpool(t *testing.T) {
	s := &flaky{Store: kept(t), err: errDown}
	path := filepath.Join(t.TempDir(), "spool", "records")
	crashed := started(t, &audit.Log{Store: s, Spool: &audit.Spool{Path: path}, Again: time.Hour})
	for n := range uint64(2) {
		a := &retry.Attempt{Policy: orders, Call: n, Number: 2, At: time.Now()}
		if err := crashed.Admit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			crashed.Settle(a, &retry.Outcome{State: retry.NotStarted})
		}
	}
	crashed.Close()
	s.fail(nil)
	spool := &audit.Spool{Path: path}
	l := started(t, &audit.Log{Store: s, Spool: spool})
	found, err := l.Recover(t.Context(), time.Time{})
	if err != nil || len(found) != 1 || found[0].Call != "0000000000000000" || found[0].Outcome != audit.Unknown {
		t.Errorf("Recover() = %+v, %v; want call 0, unknown", found, err)
	}
	// The store answers and takes nothing: what is in the spool is found, and what is found goes there, too.
	s.fail(errDown)
	l.Close()
	third := started(t, &audit.Log{Store: s, Spool: spool, Again: time.Hour})
	if err := third.Admit(t.Context(), &retry.Attempt{Policy: orders, Call: 5, Number: 2, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	third.Close()
	fourth := started(t, &audit.Log{Store: s, Spool: spool, Again: time.Hour})
	if found, err := fourth.Recover(t.Context(), time.Time{}); err != nil || len(found) != 1 || found[0].Call != "0000000000000005" {
		t.Errorf("Recover() = %+v, %v; want call 5", found, err)
	}
	if found, err := fourth.Recover(t.Context(), time.Time{}); err != nil || len(found) != 0 {
		t.Errorf("Recover() again = %+v, %v; want none", found, err)
	}
	fourth.Close()
	if _, err := (&audit.Log{Store: kept(t), Spool: nil}).Recover(t.Context(), time.Time{}); err != nil {
		t.Errorf("Recover() with nothing to recover = %v", err)
	}
	unreported := kept(t)
	unreported.Append(t.Context(), "main", []audit.Record{{ID: "1", Time: time.Now(), Decision: audit.Retry, Rule: "retry of an order", Attempt: 2}})
	if _, err := (&audit.Log{Store: unreported}).Recover(t.Context(), time.Time{}); !errors.Is(err, audit.ErrNotRunning) {
		t.Errorf("Recover() without Run = %v; want %v", err, audit.ErrNotRunning)
	}
}

// The store fails while others wait behind the batch, and for room: all of them learn of it.
func TestFailureReachesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &flaky{Store: kept(t)}
		l := started(t, &audit.Log{Store: s, Queue: 4, Batch: 1, Timeout: time.Hour, Again: time.Hour})
		s.before = func([]audit.Record) { <-release }
		s.fail(errDown)
		errs := make(chan error, 10)
		for range 8 {
			go func() { errs <- l.Record(t.Context(), audit.Record{Decision: audit.Stop}) }()
		}
		synctest.Wait()
		close(release)
		for range 8 {
			if err := <-errs; !errors.Is(err, errDown) {
				t.Errorf("Record() = %v; want %v", err, errDown)
			}
		}
	})
}

// While the store is away, the spool takes everything; then it goes to the store, in order, once.
func TestSpool(t *testing.T) {
	for name, after := range map[string]error{"nothing got through": nil, "everything got through": errDown} {
		t.Run(name, func(t *testing.T) {
			s := &flaky{Store: kept(t)}
			l := started(t, &audit.Log{Store: s, Spool: &audit.Spool{Path: filepath.Join(t.TempDir(), "spool")}, Again: 20 * time.Millisecond, Batch: 3})
			if after == nil {
				s.fail(errDown)
			} else {
				s.mu.Lock()
				s.after = after
				s.mu.Unlock()
			}
			for i := range 10 {
				if err := l.Record(t.Context(), audit.Record{Decision: audit.Stop, Attempt: i}); err != nil {
					t.Fatal(err)
				}
			}
			if stats := l.Stats(); stats.Spooled != 10 || stats.Closed || stats.Err == nil {
				t.Errorf("Stats() = %+v; want 10 in the spool", stats)
			}
			s.mu.Lock()
			s.err, s.after = nil, nil
			s.mu.Unlock()
			for l.Stats().Err != nil {
				time.Sleep(time.Millisecond)
			}
			l.Record(t.Context(), audit.Record{Decision: audit.Stop, Attempt: 10})
			var want strings.Builder
			for i := range 11 {
				fmt.Fprintf(&want, " stop %d \n", i)
			}
			if got := story(t, s); got != want.String() {
				t.Errorf("story\n%s\nwant\n%s", got, want.String())
			}
		})
	}
}

func TestSpoolFull(t *testing.T) {
	s := &flaky{Store: kept(t)}
	l := started(t, &audit.Log{Store: s, Spool: &audit.Spool{Path: filepath.Join(t.TempDir(), "spool"), MaxBytes: 2000}, Again: 10 * time.Millisecond})
	s.fail(errDown)
	n := 0
	var err error
	for ; err == nil && n < 100; n++ {
		err = l.Record(t.Context(), audit.Record{Decision: audit.Stop, Attempt: n})
	}
	if !errors.Is(err, audit.ErrSpoolFull) || !errors.Is(err, errDown) || n < 5 {
		t.Errorf("record %d: %v; want %v after some", n, err, audit.ErrSpoolFull)
	}
	if err := l.Admit(t.Context(), &retry.Attempt{Policy: orders, Number: 1}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Admit of an order = %v; want %v", err, audit.ErrClosed)
	}
	if err := l.Admit(t.Context(), &retry.Attempt{Policy: reads, Number: 2}); err != nil {
		t.Errorf("Admit of a read = %v", err)
	}
	s.fail(nil)
	for l.Stats().Closed {
		time.Sleep(time.Millisecond)
	}
	if got := strings.Count(story(t, s), "stop"); got != n {
		t.Errorf("%d records in the store; want all %d, the one that was refused, too", got, n)
	}
}

// Reads drop, and the log says how many; orders and commands wait.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &flaky{Store: kept(t)}
		l := started(t, &audit.Log{Store: s, Queue: 8, Timeout: time.Hour})
		s.before = func([]audit.Record) { <-release }
		l.Observe(t.Context(), finished(reads, 3))
		synctest.Wait() // that one is being written
		for range 10 {
			l.Observe(t.Context(), finished(reads, 3))
		}
		if stats := l.Stats(); stats.Dropped != 6 || stats.Waiting != 4 {
			t.Errorf("Stats() = %+v; want 4 waiting, 6 dropped", stats)
		}
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if err := l.Record(t.Context(), audit.Record{Decision: audit.Stop, Attempt: i}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if stats := l.Stats(); stats.Waiting != 6 {
			t.Errorf("Stats() = %+v; want 6 waiting, and room kept for ends of orders", stats)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errLeft)
		if err := l.Record(ctx, audit.Record{Decision: audit.Stop}); !errors.Is(err, errLeft) {
			t.Errorf("Record without room = %v; want %v", err, errLeft)
		}
		stop := newStopper()
		p := with(orders, l)
		p.Gates = append(p.Gates, stop)
		time.AfterFunc(time.Second, func() { stop.end(errLeft) })
		if err := retry.Run(t.Context(), p, func(context.Context) error { return errBusy }); !errors.Is(err, errLeft) {
			t.Errorf("an order that was stopped while it waits for room: %v; want %v", err, errLeft)
		}
		for range 10 {
			l.Observe(t.Context(), finished(orders, 3))
		}
		if stats := l.Stats(); stats.LostOrders == 0 || stats.Waiting != 8 {
			t.Errorf("Stats() = %+v; want 8 waiting, and ends of orders counted as lost", stats)
		}
		close(release)
		wg.Wait()
		l.Close()
		records, _, _ := s.Query(t.Context(), audit.Filter{Decision: audit.Drop}, audit.Cursor{}, 0)
		var missing uint64
		for _, r := range records {
			missing += r.Count
		}
		if stats := l.Stats(); missing != stats.Dropped+stats.LostOrders || missing < 6 {
			t.Errorf("the log says that %d records are missing; %+v", missing, stats)
		}
	})
}

func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, anchor := kept(t), &flakyAnchor{to: kept(t)}
		l := started(t, &audit.Log{Store: s, Anchor: anchor, Key: trusted, Every: 10, Within: time.Minute, Again: time.Second})
		record := func(n int) {
			for range n {
				if err := l.Record(t.Context(), audit.Record{Decision: audit.Stop}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		points := func() (sequences []uint64) {
			found, _ := anchor.to.Checkpoints(t.Context(), "main", 0, 0)
			for _, p := range found {
				sequences = append(sequences, p.Sequence)
			}
			report, err := audit.Verify(t.Context(), s, "main", audit.Verification{Checkpoints: found, Trusted: public(trusted)})
			if err != nil || report.Checkpoints != len(found) {
				t.Errorf("Verify() = %+v, %v", report, err)
			}
			return sequences
		}
		record(24) // with one to warm up, 25
		if got := fmt.Sprint(points()); got != "[10 20]" {
			t.Errorf("checkpoints at %s; want 10 and 20", got)
		}
		time.Sleep(2 * time.Minute)
		if got := fmt.Sprint(points()); got != "[10 20 25]" {
			t.Errorf("after 2 minutes, checkpoints at %s; want 25, too, once", got)
		}
		anchor.err = errDown
		record(15)
		if stats := l.Stats(); stats.AnchorErr != errDown || stats.Err != nil || stats.Checkpoints != 3 {
			t.Errorf("Stats() = %+v; want the anchor failing, and nothing else", stats)
		}
		anchor.err = nil
		l.Close()
		if got := fmt.Sprint(points()); got != "[10 20 25 40]" {
			t.Errorf("at the end, checkpoints at %s; want the last record, too", got)
		}
	})
}

type flakyAnchor struct {
	to  audit.Store
	err error
}

func (f *flakyAnchor) Anchor(ctx context.Context, c audit.Checkpoint) error {
	if f.err != nil {
		return f.err
	}
	return f.to.Anchor(ctx, c)
}

// What is recorded of calls, by policy and by how they end.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			p    *retry.Policy
			log  *audit.Log
			fn   func(attempt int) error
			want string
		}{
			"a read at once":            {reads, &audit.Log{}, func(int) error { return nil }, ""},
			"a read at once, all":       {reads, &audit.Log{All: true}, func(int) error { return nil }, "venue.order_book admit 1 succeeded\n"},
			"an order at once":          {orders, &audit.Log{}, func(int) error { return nil }, "venue.place_order admit 1 succeeded\n"},
			"a read, recovered":         {reads, &audit.Log{}, func(n int) error { return []error{errBusy, nil}[n-1] }, "venue.order_book retry 2  (policy)\nvenue.order_book end 2 succeeded\n"},
			"an order of unknown end":   {orders, &audit.Log{}, func(int) error { return errDown }, "venue.place_order deny 1 unknown (" + retry.ErrAmbiguous.Error() + ")\n"},
			"an order refused for good": {orders, &audit.Log{}, func(int) error { return retry.Mark(errDown, retry.Permanent) }, "venue.place_order deny 1 failed (not retryable)\n"},
			"a read taken for an order": {reads, &audit.Log{Orders: func(p *retry.Policy) bool { return true }}, func(n int) error { return []error{errDown, errDown, nil}[n-1] },
				"venue.order_book retry 2  (retry of an order)\nvenue.order_book end 2 unknown\nvenue.order_book retry 3  (retry of an order)\nvenue.order_book end 3 succeeded\nvenue.order_book end 3 succeeded\n"},
		} {
			s := kept(t)
			l := test.log
			l.Store = s
			started(t, l)
			attempt := 0
			retry.Run(t.Context(), with(test.p, l), func(context.Context) error { attempt++; return test.fn(attempt) })
			l.Close()
			if got := story(t, s); got != test.want {
				t.Errorf("%s: story\n%s\nwant\n%s", name, got, test.want)
			}
		}
	})
}

// Who is asked before need not tell what is not recorded.
func TestSkipsFirstTry(t *testing.T) {
	for _, test := range []struct {
		name string
		log  *audit.Log
		p    *retry.Policy
		want bool
	}{
		{"reads", &audit.Log{}, reads, true},
		{"orders", &audit.Log{}, orders, false},
		{"reads, all", &audit.Log{All: true}, reads, false},
		{"reads that count as orders", &audit.Log{Orders: func(*retry.Policy) bool { return true }}, reads, false},
	} {
		if got := test.log.SkipsFirstTryOf(test.p); got != test.want {
			t.Errorf("%s: %v; want %v", test.name, got, test.want)
		}
	}
}

// A record about another configuration than the log's keeps its hash.
func TestConfigOfARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t)
		l := started(t, &audit.Log{Store: s, Config: "old"})
		for _, hash := range []string{"", "new"} {
			if err := l.Record(t.Context(), audit.Record{Decision: "config", Config: hash}); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		list, _, err := s.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 10)
		if err != nil || len(list) != 3 || list[1].Config != "old" || list[2].Config != "new" { // after one that warms up
			t.Errorf("%+v, %v; want old and new", list, err)
		}
	})
}

func TestHowAttemptsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t)
		l := started(t, &audit.Log{Store: s, Describe: func(_ context.Context, r *audit.Record) { r.Breaker = "closed" }})
		a := &retry.Attempt{Policy: orders, Call: 1, Number: 2, At: time.Now()}
		for _, o := range []retry.Outcome{
			{State: retry.NotStarted}, {State: retry.Succeeded}, {State: retry.Failed, Err: errBusy, Class: retry.Transient}, {State: retry.Failed, Err: errDown},
			{State: retry.Canceled, Err: errLeft, Class: retry.Permanent}, {State: retry.Canceled, Err: errBusy, Class: retry.Transient}, {State: retry.Panicked},
		} {
			l.Settle(a, &o)
		}
		l.Settle(&retry.Attempt{Policy: orders, Number: 1}, &retry.Outcome{})
		l.Settle(&retry.Attempt{Policy: reads, Number: 2}, &retry.Outcome{})
		panicked := finished(reads, 1)
		panicked.State, panicked.Unknown = retry.Panicked, false
		l.Observe(t.Context(), panicked)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		canceled := finished(reads, 1)
		canceled.State = retry.Canceled
		l.Observe(ctx, canceled)
		l.Close()
		want := "end 2 not started|end 2 succeeded|end 2 failed|end 2 unknown|end 2 unknown|end 2 canceled|end 2 unknown|deny 1 panicked (attempts exhausted)|deny 1 canceled (attempts exhausted)|"
		got := strings.NewReplacer("venue.place_order ", "", "venue.order_book ", "", "\n", "|").Replace(story(t, s))
		if got != want {
			t.Errorf("story %s\nwant  %s", got, want)
		}
		records, _, _ := s.Query(t.Context(), audit.Filter{Outcome: audit.Canceled}, audit.Cursor{}, 0)
		if r := records[len(records)-1]; r.Breaker != "closed" || r.Left != time.Minute {
			t.Errorf("record %+v; want the breaker and a minute left", r)
		}
	})
}

func TestRunMistakes(t *testing.T) {
	bad := &audit.Log{Chain: "a/b", Queue: -1, Batch: audit.MaxBatch + 1, Timeout: -1, Again: -1, Every: -1, Within: -1, Key: trusted[:5]}
	for _, field := range []string{"Store:", "Chain:", "Queue:", "Batch:", "Timeout:", "Again:", "Every:", "Within:", "Anchor:", "Key:"} {
		if err := bad.Check(); !strings.Contains(err.Error(), field) {
			t.Errorf("Check() = %v\nwithout %s", err, field)
		}
	}
	if err := bad.Run(t.Context()); err == nil {
		t.Error("Run without a store works")
	}
	bad.Store = kept(t)
	if err := bad.Run(t.Context()); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("Run with a bad chain = %v", err)
	}
	l := &audit.Log{Store: kept(t)}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Admit(t.Context(), &retry.Attempt{Policy: orders, Number: 2}); !errors.Is(err, audit.ErrNotRunning) || !errors.Is(err, audit.ErrUnrecorded) {
		t.Errorf("Admit before Run = %v; want %v", err, audit.ErrNotRunning)
	}
	if err := l.Admit(t.Context(), &retry.Attempt{Policy: orders, Number: 1}); err != nil {
		t.Errorf("first attempt before Run = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Errorf("Run() = %v", err)
	}
	if err := l.Run(ctx); err == nil {
		t.Error("Run works twice")
	}
	if err := l.Record(t.Context(), audit.Record{}); !errors.Is(err, audit.ErrNotRunning) {
		t.Errorf("Record after Run = %v", err)
	}
	if _, err := (&audit.Log{Store: &flaky{Store: kept(t)}}).Recover(canceledContext(t), time.Time{}); err == nil {
		t.Error("Recover works with a context that has ended")
	}
}

func canceledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// What cannot be written at the end is said.
func TestRunEndsWithLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Store: kept(t), err: errDown}
		l := &audit.Log{Store: s}
		ended := make(chan error)
		go func() { ended <- l.Run(t.Context()) }()
		synctest.Wait()
		l.Observe(t.Context(), finished(reads, 3))
		synctest.Wait()
		l.Observe(t.Context(), finished(reads, 3))
		go l.Close()
		if err := <-ended; !errors.Is(err, errDown) || !strings.Contains(err.Error(), "2 records") {
			t.Errorf("Run() = %v; want 2 records lost", err)
		}
	})
}

func TestGate(t *testing.T) {
	gatetest.Run(t, func() retry.Gate { return &audit.Log{Store: &flaky{}} })
}

// Reads that succeed at once cost nothing but the question.
func TestReadsAllocateNothing(t *testing.T) {
	l := &audit.Log{Store: kept(t)}
	p := with(reads, l)
	fn := func(context.Context) (int, error) { return 1, nil }
	if allocs := testing.AllocsPerRun(1000, func() { retry.Do(t.Context(), p, fn) }); allocs != 0 {
		t.Errorf("a read that succeeds at once makes %v allocations; want 0", allocs)
	}
}

// Close may come before the goroutine of Run does.
func TestCloseBeforeRun(t *testing.T) {
	l := &audit.Log{Store: kept(t)}
	l.Close()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on after Close")
	}
}
