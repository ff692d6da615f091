package sqldb

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/work/job"
)

var errBroken = errors.New("the statement failed")

// A broken engine fails one statement of each operation: the one with the number at, from 1.
type broken struct {
	engine
	at int
}

func (e *broken) write(ctx context.Context, k kind, size int, f func(context.Context, session) error) error {
	return e.engine.write(ctx, k, size, func(ctx context.Context, s session) error { return f(ctx, &brokenSession{s, e.at}) })
}

func (e *broken) read(ctx context.Context, k kind, f func(context.Context, session) error) error {
	return e.engine.read(ctx, k, func(ctx context.Context, s session) error { return f(ctx, &brokenSession{s, e.at}) })
}

type brokenSession struct {
	session
	left int
}

func (s *brokenSession) fails() bool { s.left--; return s.left == 0 }

func (s *brokenSession) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	if s.fails() {
		return 0, errBroken
	}
	return s.session.exec(ctx, q, args...)
}

func (s *brokenSession) row(ctx context.Context, q *query, args []any, into ...any) (bool, error) {
	if s.fails() {
		return false, errBroken
	}
	return s.session.row(ctx, q, args, into...)
}

func (s *brokenSession) rows(ctx context.Context, q *query, args []any, f func(func(...any) error) error) error {
	if s.fails() {
		return errBroken
	}
	return s.session.rows(ctx, q, args, f)
}

func (s *brokenSession) all(ctx context.Context, q *query, lists [][]any) error {
	if s.fails() {
		return errBroken
	}
	return s.session.all(ctx, q, lists)
}

func (s *brokenSession) lock(ctx context.Context, name string) error {
	if s.fails() {
		return errBroken
	}
	return s.session.lock(ctx, name)
}

// Whatever statement of an operation fails, the operation says so, and another try does all of it.
func TestEachStatementMayFail(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		e := &broken{engine: open(t).engine}
		db := &DB{e}
		ctx := t.Context()
		claims, jobs, chain := db.Idempotent(), db.Jobs(), db.Audit()
		try := func(what string, f func() error) {
			t.Helper()
			for e.at = 1; ; e.at++ {
				err := f()
				if err == nil {
					break
				}
				if !errors.Is(err, errBroken) {
					t.Errorf("%s without its statement %d = %v; want %v", what, e.at, err, errBroken)
					break
				}
			}
			e.at = 0
			if err := f(); err != nil && what != "Take" && what != "Redrive" {
				t.Errorf("%s again = %v", what, err)
			}
		}
		k := bid("k")
		claim := func() error { r, err := claims.Claim(ctx, k); k.Over = r.Fence; return err }
		try("Claim", claim)
		c, _ := claims.Claim(ctx, k)
		try("Complete", func() error { return claims.Complete(ctx, c.Claim(), nil) })
		try("Append", func() error { _, err := chain.Append(ctx, "c", []audit.Record{record(1), record(2)}); return err })
		try("Append of what is there", func() error { _, err := chain.Append(ctx, "c", []audit.Record{record(1), record(3)}); return err })
		try("Query", func() error { _, _, err := chain.Query(ctx, audit.Filter{}, audit.Cursor{}, 0); return err })
		try("Anchor", func() error { return chain.Anchor(ctx, audit.Checkpoint{Chain: "c", Sequence: 1}) })
		try("Enqueue", func() error { return jobs.Enqueue(ctx, job.Job{ID: "j", Kind: "kind"}) })
		var l job.Lease
		try("Take", func() error {
			taken, err := jobs.Take(ctx, want("kind"))
			if len(taken.Jobs) > 0 {
				l = taken.Jobs[0].Lease()
			}
			return err
		})
		if l.Fence != 1 {
			t.Errorf("the lease is %+v; want the first, as a Take that failed took nothing", l)
		}
		try("Save", func() error { return jobs.Save(ctx, l, job.Checkpoint{Seq: 1, Open: true, State: []byte("s")}) })
		try("Park", func() error { return jobs.Park(ctx, l, job.Failed, job.Report{}) })
		try("Load", func() error { _, err := jobs.Load(ctx, "j"); return err })
		try("Redrive", func() error { return jobs.Redrive(ctx, "j", job.Redrive{Open: job.Absent}) })
		if r, err := jobs.Load(ctx, "j"); err != nil || r.Status != job.Waiting || r.Seq != 2 || len(r.History) != 2 {
			t.Errorf("the job is %+v, %v; want it redriven once", r, err)
		}
	})
}

func TestWhatNoTableCanHave(t *testing.T) {
	ctx, db := t.Context(), file(t)
	jobs, chain := db.Jobs(), db.Audit()
	_, load := jobs.Load(ctx, "\x00")
	for _, test := range []struct{ got, want error }{
		{load, job.ErrNotFound}, {jobs.Redrive(ctx, "\xff", job.Redrive{}), job.ErrNotFound},
		{jobs.Renew(ctx, job.Lease{ID: "\x00", Fence: 1}, time.Hour), job.ErrLeaseLost},
		{chain.Anchor(ctx, audit.Checkpoint{Chain: "c", Sequence: 1 << 63}), errBig},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%v; want %v", test.got, test.want)
		}
	}
	r := record(1)
	r.Actor = `a "quoted" \ name`
	if _, err := chain.Append(ctx, "c", []audit.Record{r}); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[int]audit.Filter{
		1: {Actor: r.Actor, To: time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)}, 0: {From: time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)},
		2: {From: time.Date(-9, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if found, _, err := chain.Query(ctx, f, audit.Cursor{}, 0); err != nil || len(found) != min(want, 1) {
			t.Errorf("Query(%+v) = %d records, %v", f, len(found), err)
		}
	}
	if found, _, err := chain.Query(ctx, audit.Filter{Chain: "b"}, audit.Cursor{Chain: "c"}, 0); err != nil || found != nil {
		t.Errorf("Query of a chain before the cursor = %v, %v", found, err)
	}
}
