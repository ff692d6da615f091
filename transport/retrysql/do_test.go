package retrysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// The rules of Do: what reaches the server, how many effects there are, and how the call ends.
func TestDo(t *testing.T) {
	boom := errors.New("boom")
	type do = func(context.Context, *retrysql.Tx) error
	for _, test := range []struct {
		name    string
		kind    retrysql.Dialect
		on      func(int, string) error
		policy  retry.Policy
		options *retrysql.Options
		fn      do
		reached string
		effects int
		is      error // of the call's error; nil for success
		unknown bool
	}{
		{name: "success", fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "options", fn: effect, options: &retrysql.Options{ReadOnly: true, Isolation: sql.LevelSerializable},
			reached: "CONNECT; BEGIN READ ONLY Serializable; EFFECT; COMMIT", effects: 1},
		{name: "Q1 40001 on the third statement", on: nth(3, "EFFECT", state("40001")),
			fn: func(ctx context.Context, tx *retrysql.Tx) error {
				return errors.Join(effect(ctx, tx), effect(ctx, tx), effect(ctx, tx))
			},
			reached: "CONNECT; BEGIN; EFFECT; EFFECT; EFFECT; ROLLBACK; BEGIN; EFFECT; EFFECT; EFFECT; COMMIT", effects: 3},
		{name: "40001 of COMMIT", on: nth(1, "COMMIT", state("40001")), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; COMMIT; CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "I16 57P01 on a statement before COMMIT", on: nth(1, "EFFECT", state("57P01")), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "57P01 of COMMIT", on: nth(1, "COMMIT", state("57P01")), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; COMMIT", is: retry.ErrAmbiguous, unknown: true},
		{name: "57P01 of COMMIT, idempotent", on: nth(1, "COMMIT", state("57P01")), fn: effect, policy: retry.Policy{Idempotent: true},
			reached: "CONNECT; BEGIN; EFFECT; COMMIT; CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "Q3 08001 of BEGIN", on: nth(1, "BEGIN", state("08001")), fn: effect,
			reached: "CONNECT; BEGIN; CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "connect refused", on: nth(1, "CONNECT", io.ErrUnexpectedEOF), fn: effect,
			reached: "CONNECT; CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "I14 517", kind: retrysql.SQLite, on: nth(1, "EFFECT", result(517)), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN IMMEDIATE; EFFECT; COMMIT", effects: 1},
		{name: "immediate from the start", kind: retrysql.SQLite, options: &retrysql.Options{Immediate: true}, on: nth(1, "EFFECT", result(5)), fn: effect,
			reached: "CONNECT; BEGIN IMMEDIATE; EFFECT; ROLLBACK; BEGIN IMMEDIATE; EFFECT; COMMIT", effects: 1},
		{name: "immediate is of SQLite", options: &retrysql.Options{Immediate: true}, fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "BUSY of COMMIT leaves no transaction behind", kind: retrysql.SQLite, on: nth(1, "COMMIT", result(5)), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; COMMIT; CONNECT; BEGIN IMMEDIATE; EFFECT; COMMIT", effects: 1},
		{name: "nor of an immediate one", kind: retrysql.SQLite, options: &retrysql.Options{Immediate: true}, on: nth(1, "COMMIT", result(5)), fn: effect,
			reached: "CONNECT; BEGIN IMMEDIATE; EFFECT; COMMIT; CONNECT; BEGIN IMMEDIATE; EFFECT; COMMIT", effects: 1},
		{name: "I17 1213", kind: retrysql.MySQL, on: nth(1, "EFFECT", number{1213}), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "Q4 57014", on: nth(1, "EFFECT", state("57014")), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: retry.ErrPermanent},
		{name: "Q4 unless the caller says otherwise", on: nth(1, "EFFECT", state("57014")), fn: effect,
			policy: retry.Policy{Classify: func(err error) retry.Class {
				if e, ok := errors.AsType[*retrysql.Error](err); ok && e.Code == "57014" {
					return retry.Transient
				}
				return retry.DefaultClassify(err)
			}},
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "Q6 nothing is sent in a dead transaction", on: nth(1, "EFFECT", state("23505")),
			fn: func(ctx context.Context, tx *retrysql.Tx) error {
				effect(ctx, tx)
				if err := effect(ctx, tx); !errors.Is(err, state("23505")) || !strings.Contains(err.Error(), "SQLSTATE 23505") {
					return errors.New("the first error is not named")
				}
				_, err := tx.Query(ctx, "SELECT 1")
				if err := tx.QueryRow(ctx, "SELECT 1").Scan(); !errors.Is(err, retrysql.ErrFailed) {
					return err
				}
				if err := tx.Savepoint(ctx, nil); !errors.Is(err, retrysql.ErrFailed) {
					return err
				}
				return err
			},
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: retrysql.ErrFailed},
		{name: "a failure that the function hides", on: nth(1, "EFFECT", state("23505")),
			fn:      func(ctx context.Context, tx *retrysql.Tx) error { effect(ctx, tx); return nil },
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: state("23505")},
		{name: "a hidden failure that may pass", on: nth(1, "EFFECT", state("40P01")),
			fn:      func(ctx context.Context, tx *retrysql.Tx) error { effect(ctx, tx); return nil },
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "the class of a failure stands for those refused after it", on: nth(1, "EFFECT", state("40001")),
			fn:      func(ctx context.Context, tx *retrysql.Tx) error { effect(ctx, tx); return effect(ctx, tx) },
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; EFFECT; COMMIT", effects: 2},
		{name: "an error of the function's", fn: func(ctx context.Context, tx *retrysql.Tx) error { effect(ctx, tx); return boom },
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: retry.ErrAmbiguous, unknown: true},
		{name: "a marked error of the function's", fn: func(ctx context.Context, tx *retrysql.Tx) error {
			effect(ctx, tx)
			return retry.Mark(boom, retry.Transient)
		}, reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; ROLLBACK; BEGIN; EFFECT; ROLLBACK", is: retry.ErrExhausted},
		{name: "the function's mark outside wins", on: nth(1, "EFFECT", state("40001")), fn: func(ctx context.Context, tx *retrysql.Tx) error {
			return retry.Mark(effect(ctx, tx), retry.Permanent)
		}, reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: retry.ErrPermanent},
		{name: "RetryIf is heard", on: nth(1, "EFFECT", state("40001")), fn: effect,
			policy:  retry.Policy{RetryIf: func(error) bool { return false }},
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK", is: retry.ErrDeclined},
		{name: "a rollback that fails costs the connection", on: func() func(int, string) error {
			effect, rollback := nth(1, "EFFECT", state("40001")), nth(1, "ROLLBACK", boom)
			return func(n int, s string) error { return errors.Join(effect(n, s), rollback(n, s)) }
		}(), fn: effect,
			reached: "CONNECT; BEGIN; EFFECT; ROLLBACK; CONNECT; BEGIN; EFFECT; COMMIT", effects: 1},
		{name: "also of an immediate one", kind: retrysql.SQLite, options: &retrysql.Options{Immediate: true}, on: func() func(int, string) error {
			effect, rollback := nth(1, "EFFECT", result(5)), nth(1, "ROLLBACK", boom)
			return func(n int, s string) error { return errors.Join(effect(n, s), rollback(n, s)) }
		}(), fn: effect,
			reached: "CONNECT; BEGIN IMMEDIATE; EFFECT; ROLLBACK; CONNECT; BEGIN IMMEDIATE; EFFECT; COMMIT", effects: 1},
		{name: "rows break off", on: nil, fn: func(ctx context.Context, tx *retrysql.Tx) error {
			rows, err := tx.Query(ctx, "SELECT 1 2")
			if err != nil {
				return err
			}
			var all []string
			for rows.Next() {
				var v string
				if err := rows.Scan(&v); err != nil {
					return err
				}
				all = append(all, v)
			}
			if rows.Close() != nil || rows.Err() != nil || len(all) != 2 {
				return errors.New("rows")
			}
			return nil
		}, reached: "CONNECT; BEGIN; SELECT 1 2; COMMIT"},
		{name: "a query fails", on: nth(1, "SELECT", state("40001")), fn: func(ctx context.Context, tx *retrysql.Tx) error {
			var v string
			return tx.QueryRow(ctx, "SELECT 1").Scan(&v)
		}, reached: "CONNECT; BEGIN; SELECT 1; ROLLBACK; BEGIN; SELECT 1; COMMIT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, db := open(t)
			s.on, db.Kind = test.on, test.kind
			if db.Kind == retrysql.MySQL {
				db.Codes = numbers
			}
			policy := test.policy
			policy.Backoff = plain.Backoff
			err := retrysql.Run(t.Context(), db, &policy, test.options, test.fn)
			if got := s.reached(); got != test.reached {
				t.Errorf("reached the server: %s; want %s", got, test.reached)
			}
			if got := count(s); got != test.effects {
				t.Errorf("%d effects; want %d", got, test.effects)
			}
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Errorf("Run = %v; want %v", err, test.is)
			}
			if e, ok := err.(*retry.Error); ok && e.Unknown != test.unknown {
				t.Errorf("Unknown is %v: %v", e.Unknown, err)
			}
		})
	}
}

func TestNothingToRun(t *testing.T) {
	_, db := open(t)
	if err := retrysql.Run(t.Context(), db, nil, nil, nil); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Run without a function: %v", err)
	}
	if _, err := retrysql.Do[int](t.Context(), db, nil, nil, nil); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Do without a function: %v", err)
	}
	if err := retrysql.Run(t.Context(), nil, nil, nil, effect); !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("Run without a database: %v", err)
	}
	if err := retrysql.Run(t.Context(), db, (*retry.Policy)(nil), nil, effect); err != nil {
		t.Errorf("Run with a nil policy: %v", err)
	}
	if v, err := retrysql.Do(t.Context(), db, plain, nil, func(context.Context, *retrysql.Tx) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("Do = %v, %v", v, err)
	}
	if v, err := retrysql.Do(t.Context(), db, plain, nil, func(context.Context, *retrysql.Tx) (int, error) {
		return 7, retry.Mark(io.EOF, retry.Permanent)
	}); v != 0 || err == nil {
		t.Errorf("Do = %v, %v; want no value of what was rolled back", v, err)
	}
}

func TestPanicRollsBack(t *testing.T) {
	s, db := open(t)
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not rise")
			}
		}()
		retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			effect(ctx, tx)
			panic("boom")
		})
	}()
	if got := s.reached(); got != "CONNECT; BEGIN; EFFECT; ROLLBACK" {
		t.Errorf("reached the server: %s", got)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			effect(ctx, tx)
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	if got := s.reached(); got != "BEGIN; EFFECT; ROLLBACK" {
		t.Errorf("Goexit: reached the server: %s", got)
	}
}

func TestTxIsOver(t *testing.T) {
	s, db := open(t)
	var leaked *retrysql.Tx
	var rows *retrysql.Rows
	err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) (err error) {
		leaked = tx
		rows, err = tx.Query(ctx, "SELECT 1 2")
		rows.Next()
		return err
	})
	if err != nil || rows.Next() {
		t.Errorf("%v; rows live longer than their transaction", err)
	}
	if err := effect(t.Context(), leaked); !errors.Is(err, retrysql.ErrOver) {
		t.Errorf("Exec after the end: %v", err)
	}
	if leaked.Dialect() != retrysql.PostgreSQL {
		t.Error(leaked.Dialect())
	}
	if got := s.reached(); got != "CONNECT; BEGIN; SELECT 1 2; COMMIT" {
		t.Errorf("reached the server: %s", got)
	}
}

// Whatever ends the context, the transaction is rolled back, and COMMIT is not sent.
func TestContextEnds(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		s, db := open(t)
		db.Kind = retrysql.SQLite
		ctx, cancel := context.WithCancel(t.Context())
		err := retrysql.Run(ctx, db, plain, &retrysql.Options{Immediate: immediate}, func(ctx context.Context, tx *retrysql.Tx) error {
			effect(ctx, tx)
			cancel()
			return nil
		})
		e, ok := err.(*retry.Error)
		if !ok || !errors.Is(err, context.Canceled) || e.Unknown || count(s) != 0 {
			t.Errorf("Run = %v, %d effects", err, count(s))
		}
		if got := s.reached(); !strings.HasSuffix(got, "EFFECT; ROLLBACK") {
			t.Errorf("reached the server: %s", got)
		}
	}
}

func TestAttemptTimeoutBeforeCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		faults := chaos.New(1, chaos.Rule{Op: "exec", Script: []chaos.Fault{chaos.Hang}})
		pool := sql.OpenDB(chaos.Connector(s, faults))
		defer pool.Close()
		db := &retrysql.DB{Pool: pool}
		policy := &retry.Policy{AttemptTimeout: time.Second}
		if err := retrysql.Run(t.Context(), db, policy, nil, effect); err != nil || count(s) != 1 {
			t.Errorf("Run = %v, %d effects; want a second attempt", err, count(s))
		}
		faults.Set(chaos.Rule{Op: "begin", Script: []chaos.Fault{chaos.Hang}})
		if err := retrysql.Run(t.Context(), db, policy, nil, effect); err != nil || count(s) != 2 {
			t.Errorf("BEGIN: Run = %v, %d effects; want a second attempt", err, count(s))
		}
		faults.Set(chaos.Rule{Op: "commit", Script: []chaos.Fault{chaos.ApplyThenHang}})
		err := retrysql.Run(t.Context(), db, policy, nil, effect)
		if e, ok := err.(*retry.Error); !ok || !e.Unknown || !errors.Is(err, retry.ErrAmbiguous) || count(s) != 3 {
			t.Errorf("COMMIT: Run = %v, %d effects", err, count(s))
		}
	})
}

// Connections that died while nobody looked do not use up attempts.
func TestDeadConnectionsArePassedOver(t *testing.T) {
	s, db := open(t)
	db.Pool.SetMaxIdleConns(4)
	var held []*sql.Conn
	for range 4 {
		c, err := db.Pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for _, c := range held {
		c.Close()
	}
	s.reached()
	dead := 4
	s.on = func(_ int, statement string) error {
		if statement == "BEGIN" && dead > 0 {
			dead--
			return driver.ErrBadConn
		}
		return nil
	}
	once := *plain
	once.MaxAttempts = 1
	if err := retrysql.Run(t.Context(), db, &once, nil, effect); err != nil {
		t.Error(err)
	}
	s.on = func(int, string) error { return driver.ErrBadConn }
	if err := retrysql.Run(t.Context(), db, &once, nil, effect); !errors.Is(err, driver.ErrBadConn) {
		t.Error(err)
	}
}

func TestRevalidate(t *testing.T) {
	s, db := open(t)
	gone, closed := errors.New("no longer wanted"), errors.New("market closed")
	s.on = func(n int, statement string) error {
		if statement == "EFFECT" {
			return state("40001")
		}
		return nil
	}
	asked := 0
	o := &retrysql.Options{Revalidate: func(context.Context) error { asked++; return gone }}
	if err := retrysql.Run(t.Context(), db, plain, o, effect); !errors.Is(err, gone) || !errors.Is(err, retry.ErrInvalid) || asked != 1 {
		t.Errorf("Run = %v after %d questions", err, asked)
	}
	p := *plain
	p.Validate = func(context.Context, retry.Attempt) error { return closed }
	if err := retrysql.Run(t.Context(), db, &p, o, effect); !errors.Is(err, closed) || asked != 1 {
		t.Errorf("Run = %v after %d questions; want that of the policy first", err, asked)
	}
	p.Validate = func(context.Context, retry.Attempt) error { return nil }
	if err := retrysql.Run(t.Context(), db, &p, o, effect); !errors.Is(err, gone) || asked != 2 {
		t.Errorf("Run = %v after %d questions", err, asked)
	}
}

// fixed is a source without a policy.
type fixed struct{}

func (fixed) Current() *retry.Policy { return nil }

func TestSourceWithoutPolicy(t *testing.T) {
	_, db := open(t)
	if err := retrysql.Run(t.Context(), db, fixed{}, nil, effect); err != nil {
		t.Error(err)
	}
}
