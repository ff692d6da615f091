//go:build unix

package retrysqltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// A savepoint survives what would end the transaction; without one, nothing more is sent.
func TestSavepoint(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		w.exec(t, "CREATE UNIQUE INDEX one ON effects (name)")
		err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			if err := w.effect(ctx, tx, "a"); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, func(ctx context.Context) error {
				if err := w.effect(ctx, tx, "b"); err != nil {
					return err
				}
				return w.effect(ctx, tx, "a")
			})
			if e, ok := errors.AsType[*retrysql.Error](err); !ok || e.Code != "23505" && e.Code != "2067" && e.Code != "1062" {
				t.Errorf("Savepoint = %v", err)
			}
			if err := tx.Savepoint(ctx, func(ctx context.Context) error { return w.effect(ctx, tx, "c") }); err != nil {
				return err
			}
			return w.effect(ctx, tx, "d")
		})
		if n := w.number(t, "SELECT count(*) FROM effects WHERE name <> 'b'"); err != nil || n != 3 {
			t.Errorf("%v; %d effects", err, n)
		}
		err = retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			w.effect(ctx, tx, "e")
			w.effect(ctx, tx, "a")
			return w.effect(ctx, tx, "f")
		})
		if e, ok := errors.AsType[*retrysql.Error](err); !ok || !errors.Is(err, retrysql.ErrFailed) || e.Code == "25P02" {
			t.Errorf("Run = %v; want the first error", err)
		}
		if n := w.number(t, "SELECT count(*) FROM effects"); n != 3 {
			t.Errorf("%d effects", n)
		}
	})
}

// The context ends in the middle of a statement.
func TestTimeout(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		slow := "SELECT pg_sleep(60)::text"
		switch w.db.Dialect() {
		case retrysql.MySQL:
			slow = "SELECT sleep(60)"
		case retrysql.SQLite:
			slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
		}
		policy := *patient
		policy.AttemptTimeout, policy.MaxAttempts = 200*time.Millisecond, 2
		attempts := 0
		err := retrysql.Run(t.Context(), w.db, &policy, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			attempts++
			if err := w.effect(ctx, tx, "a"); err != nil || attempts > 1 {
				return err
			}
			var s string
			return tx.QueryRow(ctx, slow).Scan(&s)
		})
		if n := w.number(t, "SELECT count(*) FROM effects"); err != nil || attempts != 2 || n != 1 {
			t.Errorf("%v after %d attempts, %d effects", err, attempts, n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err = retrysql.Run(ctx, w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			if err := w.effect(ctx, tx, "b"); err != nil {
				return err
			}
			var s string
			return tx.QueryRow(ctx, slow).Scan(&s)
		})
		if e, ok := err.(*retry.Error); !ok || !errors.Is(err, context.DeadlineExceeded) || e.Unknown || e.Attempts != 1 {
			t.Errorf("the caller's deadline: %v", err)
		}
		if n := w.number(t, "SELECT count(*) FROM effects"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

// A fingerprint that differs, and one and the same over other sessions.
func TestFingerprints(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		place := func(fingerprint string) (string, bool, error) {
			var replayed bool
			v, err := retrysql.Do(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) (v string, err error) {
				v, replayed, err = retrysql.Once(ctx, tx, retrysql.Key{Name: "ключ", Fingerprint: []byte(fingerprint)}, func(ctx context.Context) (string, error) {
					return fingerprint, w.effect(ctx, tx, "a")
				})
				return v, err
			})
			return v, replayed, err
		}
		for n := range 2 {
			if v, replayed, err := place("buy\x00"); v != "buy\x00" || err != nil || replayed != (n == 1) {
				t.Errorf("%q, %v, %v", v, replayed, err)
			}
		}
		if _, _, err := place("sell"); !errors.Is(err, retrysql.ErrMismatch) || !errors.Is(err, retry.ErrPermanent) {
			t.Error(err)
		}
		if n := w.number(t, "SELECT count(*) FROM effects"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

// What a write returns, a read can ask for.
func TestPositions(t *testing.T) {
	w := postgresWorld(t)
	before, err := retrysql.Written(t.Context(), w.sql)
	if err != nil {
		t.Fatal(err)
	}
	if err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error { return w.effect(ctx, tx, "a") }); err != nil {
		t.Fatal(err)
	}
	after, err := retrysql.Written(t.Context(), w.sql)
	if err != nil || after <= before {
		t.Errorf("position %v after %v, %v", retrysql.LSN(after), retrysql.LSN(before), err)
	}
	count := func(ctx context.Context) (n int, s retrysql.Seen, err error) {
		if s.Position, err = retrysql.Replayed(ctx, w.sql); err != nil {
			return n, s, err
		}
		err = w.sql.QueryRow(ctx, "SELECT count(*) FROM effects").Scan(&n)
		return n, s, err
	}
	f := &retrysql.Fresh[int]{AtLeast: after, Places: []retrysql.Place[int]{{Name: "primary", Read: count}}}
	if a, err := f.Read(t.Context(), patient); err != nil || a.Value != 1 || a.Seen.Position < after {
		t.Errorf("Read = %+v, %v", a, err)
	}
}
