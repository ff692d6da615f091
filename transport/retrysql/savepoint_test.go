package retrysql_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

func TestSavepoint(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		name    string
		kind    retrysql.Dialect
		on      func(int, string) error
		fn      error // of the function in the savepoint, after its effect
		reached string
		effects int
		is      error
	}{
		{"kept", 0, nil, nil, "SAVEPOINT relent_1; EFFECT; RELEASE SAVEPOINT relent_1; EFFECT after; COMMIT", 2, nil},
		{"undone", 0, nil, boom, "SAVEPOINT relent_1; EFFECT; ROLLBACK TO SAVEPOINT relent_1; RELEASE SAVEPOINT relent_1; EFFECT after; COMMIT", 1, nil},
		{"undone after a failure", 0, nth(1, "EFFECT", state("23505")), nil,
			"SAVEPOINT relent_1; EFFECT; ROLLBACK TO SAVEPOINT relent_1; RELEASE SAVEPOINT relent_1; EFFECT after; COMMIT", 1, nil},
		{"a serialization failure ends the whole", 0, nth(1, "EFFECT", state("40001")), nil,
			"SAVEPOINT relent_1; EFFECT; ROLLBACK; BEGIN; SAVEPOINT relent_1; EFFECT; RELEASE SAVEPOINT relent_1; EFFECT after; COMMIT", 2, nil},
		{"517 ends the whole", retrysql.SQLite, nth(1, "EFFECT", result(517)), nil,
			"SAVEPOINT relent_1; EFFECT; ROLLBACK; BEGIN IMMEDIATE; SAVEPOINT relent_1; EFFECT; RELEASE SAVEPOINT relent_1; EFFECT after; COMMIT", 2, nil},
		{"no savepoint", 0, nth(1, "SAVEPOINT", state("42601")), nil, "SAVEPOINT relent_1; ROLLBACK", 0, state("42601")},
		{"no way back", 0, nth(1, "ROLLBACK TO", state("XX000")), boom, "SAVEPOINT relent_1; EFFECT; ROLLBACK TO SAVEPOINT relent_1; ROLLBACK", 0, state("XX000")},
		{"no release after the way back", 0, nth(1, "RELEASE", state("XX000")), boom,
			"SAVEPOINT relent_1; EFFECT; ROLLBACK TO SAVEPOINT relent_1; RELEASE SAVEPOINT relent_1; ROLLBACK", 0, state("XX000")},
		{"no release", 0, nth(1, "RELEASE", state("XX000")), nil, "SAVEPOINT relent_1; EFFECT; RELEASE SAVEPOINT relent_1; ROLLBACK", 0, state("XX000")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, db := open(t)
			s.on, db.Kind = test.on, test.kind
			err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
				err := tx.Savepoint(ctx, func(ctx context.Context) error {
					if err := effect(ctx, tx); err != nil {
						return err
					}
					return test.fn
				})
				if test.fn != nil && !errors.Is(err, test.fn) {
					t.Errorf("Savepoint = %v; want %v", err, test.fn)
				}
				_, err = tx.Exec(ctx, "EFFECT after")
				return err
			})
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) || count(s) != test.effects {
				t.Errorf("Run = %v; %d effects", err, count(s))
			}
			if got := strings.TrimPrefix(s.reached(), "CONNECT; BEGIN; "); got != test.reached {
				t.Errorf("reached the server: %s; want %s", got, test.reached)
			}
		})
	}
}

// A failure before a savepoint is not undone by it, and a nested one undoes only what is inside.
func TestSavepointsNest(t *testing.T) {
	s, db := open(t)
	err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		return tx.Savepoint(ctx, func(ctx context.Context) error {
			effect(ctx, tx)
			tx.Savepoint(ctx, func(ctx context.Context) error {
				effect(ctx, tx)
				return retry.Mark(errors.New("inner"), retry.Permanent)
			})
			return nil
		})
	})
	if err != nil || count(s) != 1 {
		t.Errorf("%v; %d effects", err, count(s))
	}
}
