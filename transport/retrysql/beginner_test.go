package retrysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// own is a Beginner of somebody's own, whose one session does as it is told.
type own struct {
	kind                    retrysql.Dialect
	commit, insert, closing []error // each the next answer; nil when used up
	commits, rollbacks      int
	deadline                bool // the context of the last Rollback has one, and lives
}

func next(errs *[]error) (err error) {
	if len(*errs) > 0 {
		err, *errs = (*errs)[0], (*errs)[1:]
	}
	return err
}

func (o *own) Dialect() retrysql.Dialect { return o.kind }
func (o *own) Begin(context.Context, retrysql.Options) (retrysql.Session, error) {
	return o, nil
}
func (o *own) Exec(_ context.Context, query string, _ ...any) (sql.Result, error) {
	if strings.HasPrefix(query, "INSERT") {
		return driver.RowsAffected(1), next(&o.insert)
	}
	return driver.RowsAffected(1), nil
}
func (o *own) Query(context.Context, string, ...any) (retrysql.Cursor, error) { return &empty{o}, nil }
func (o *own) Commit(context.Context) error                                   { o.commits++; return next(&o.commit) }
func (o *own) Rollback(ctx context.Context) error {
	o.rollbacks++
	_, ok := ctx.Deadline()
	o.deadline = ok && ctx.Err() == nil
	return nil
}

// empty has one row, of nothing, if it may not be closed.
type empty struct{ *own }

func (e *empty) Next() bool        { return len(e.closing) > 0 }
func (e *empty) Scan(...any) error { return nil }
func (e *empty) Err() error        { return nil }
func (e *empty) Close() error      { return next(&e.closing) }

func TestOwnBeginner(t *testing.T) {
	o := &own{commit: []error{state("40001"), sql.ErrTxDone}}
	if err := retrysql.Run(t.Context(), o, plain, nil, effect); err != nil || o.commits != 3 || o.rollbacks != 2 {
		t.Errorf("Run = %v after %d COMMITs, %d ROLLBACKs; want a retry after each that surely failed", err, o.commits, o.rollbacks)
	}
	if !o.deadline {
		t.Error("ROLLBACK has no time of its own")
	}
	o = &own{}
	ctx, cancel := context.WithCancel(t.Context())
	retrysql.Run(ctx, o, plain, nil, func(context.Context, *retrysql.Tx) error { cancel(); return nil })
	if o.commits != 0 || o.rollbacks != 1 || !o.deadline {
		t.Errorf("%d COMMITs, %d ROLLBACKs after a cancellation, in time: %v", o.commits, o.rollbacks, o.deadline)
	}
	o = &own{closing: []error{state("40P01")}}
	err := retrysql.Run(t.Context(), o, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		_, err := tx.Query(ctx, "SELECT 1")
		return err // the rows are left open, and closing them finds out that they failed
	})
	if err != nil || o.commits != 1 || o.rollbacks != 1 {
		t.Errorf("Run = %v after %d COMMITs, %d ROLLBACKs; want none of what failed", err, o.commits, o.rollbacks)
	}
	o = &own{closing: []error{state("42601")}}
	err = retrysql.Run(t.Context(), o, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		return tx.QueryRow(ctx, "SELECT 1").Scan()
	})
	if !errors.Is(err, state("42601")) || o.commits != 0 {
		t.Errorf("Run = %v; want what closing the row says", err)
	}
}

// The key is there already, as each database says it.
func TestOnceTaken(t *testing.T) {
	for _, test := range []struct {
		kind  retrysql.Dialect
		err   error
		taken bool
	}{
		{retrysql.PostgreSQL, state("23505"), true},
		{retrysql.PostgreSQL, state("23P01"), false},
		{retrysql.SQLite, result(1555), true},
		{retrysql.SQLite, result(2067), true},
		{retrysql.SQLite, result(787), false},
		{retrysql.MySQL, number{1062}, true},
		{retrysql.MySQL, number{1064}, false},
	} {
		t.Run(fmt.Sprint(test.err), func(t *testing.T) {
			o := &own{kind: test.kind, insert: []error{test.err}}
			var db retrysql.Beginner = o
			if test.kind == retrysql.MySQL {
				db = coder{o}
			}
			runs := 0
			err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
				runs++
				_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(context.Context) (int, error) { return 0, nil })
				if errors.Is(err, retrysql.ErrTaken) != test.taken && runs == 1 {
					t.Errorf("Once = %v", err)
				}
				return err
			})
			if (err == nil) != test.taken || test.taken && runs != 2 {
				t.Errorf("Run = %v after %d runs", err, runs)
			}
		})
	}
}

type coder struct{ *own }

func (coder) CodeOf(err error) string { return numbers(err) }

func TestErrorText(t *testing.T) {
	for _, test := range []struct{ stage, want string }{
		{"BEGIN", "begin: SQLSTATE 42601"},
		{"EFFECT", "statement: SQLSTATE 42601"},
		{"COMMIT", "commit: SQLSTATE 42601"},
	} {
		s, db := open(t)
		s.on = nth(1, test.stage, state("42601"))
		err := retrysql.Run(t.Context(), db, plain, nil, effect)
		if e, ok := errors.AsType[*retrysql.Error](err); !ok || e.Error() != test.want || e.Code != "42601" {
			t.Errorf("%s: %v", test.stage, e)
		}
	}
	var e *retrysql.Error
	if e.Error() != "<nil>" || e.Unwrap() != nil || e.Class() != retry.Permanent {
		t.Error("a nil *Error")
	}
}

func TestRowScan(t *testing.T) {
	_, db := open(t)
	err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, "SELECT x").Scan(&n); err == nil {
			t.Error("x was read as a number")
		}
		if err := tx.QueryRow(ctx, "SELECT ").Scan(&n, &n); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no rows: %v", err)
		}
		return effect(ctx, tx) // neither ends the transaction
	})
	if err != nil {
		t.Error(err)
	}
	db.Kind = retrysql.SQLite
	err = retrysql.Run(t.Context(), db, plain, &retrysql.Options{Immediate: true}, func(ctx context.Context, tx *retrysql.Tx) error {
		var s string
		return tx.QueryRow(ctx, "SELECT x").Scan(&s)
	})
	if err != nil {
		t.Error(err)
	}
}
