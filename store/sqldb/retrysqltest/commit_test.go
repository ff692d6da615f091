//go:build unix

package retrysqltest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// rounds is how often each database is asked: 500 times, if there is time.
func rounds() int {
	if testing.Short() {
		return 100
	}
	return 500
}

// lose makes COMMITs fail before or after they have had their effect. In the network, anything may.
func (w *world) lose() {
	if w.sql == nil {
		w.faults.Set(chaos.Rule{Op: "read", Fault: chaos.Cut, Rate: 0.04}, chaos.Rule{Op: "write", Fault: chaos.Cut, Rate: 0.02}, chaos.Rule{Op: "write", Fault: chaos.ApplyThenCut, Rate: 0.02})
		return
	}
	w.faults.Set(
		chaos.Rule{Op: "commit", Fault: chaos.ApplyThenCut, Rate: 0.3},
		chaos.Rule{Op: "commit", Fault: chaos.ApplyThenFail, Rate: 0.2},
		chaos.Rule{Op: "commit", Fault: chaos.Cut, Rate: 0.2},
		chaos.Rule{Op: "exec", Fault: chaos.Cut, Rate: 0.05},
		chaos.Rule{Op: "begin", Fault: chaos.ApplyThenCut, Rate: 0.05})
}

// With Once: as many effects as rounds, however many COMMITs are lost.
func TestLostCommitWithOnce(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		w.lose()
		replays := 0
		for n := range rounds() {
			replayed, err := retrysql.Do(t.Context(), w.db, patient, nil, w.once(fmt.Sprint(n)))
			if err != nil {
				t.Fatalf("round %d: %v", n, err)
			}
			if replayed {
				replays++
			}
		}
		if all, names := w.number(t, "SELECT count(*) FROM effects"), w.number(t, "SELECT count(DISTINCT name) FROM effects"); all != rounds() || names != rounds() {
			t.Errorf("%d effects of %d names; want %d", all, names, rounds())
		}
		if replays == 0 {
			t.Error("no lost COMMIT was applied: the test tests nothing")
		}
		t.Logf("%d of %d rounds were replayed; faults: %v", replays, rounds(), w.faults.Counts())
	})
}

// Without Once, and not idempotent: never two effects, and what is not known is said to be unknown.
func TestLostCommitWithoutOnce(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		w.lose()
		unknown, applied := 0, 0
		for n := range rounds() {
			name := fmt.Sprint(n)
			err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error { return w.effect(ctx, tx, name) })
			effects := w.number(t, "SELECT count(*) FROM effects WHERE name = "+w.marker(), name)
			if err == nil {
				if effects != 1 {
					t.Errorf("round %d: %d effects of a success", n, effects)
				}
				continue
			}
			e, ok := err.(*retry.Error)
			if !ok || !e.Unknown || !errors.Is(err, retry.ErrAmbiguous) || effects > 1 {
				t.Errorf("round %d: %v; %d effects", n, err, effects)
			}
			if failure, ok := errors.AsType[*retrysql.Error](err); !ok || failure.Stage != retrysql.Committing {
				t.Errorf("round %d: %v was given up", n, err)
			}
			unknown++
			applied += effects
		}
		if unknown == 0 || applied == 0 || applied == unknown {
			t.Errorf("%d unknown, %d of them applied: the test tests too little", unknown, applied)
		}
		t.Logf("%d of %d rounds were unknown, and %d of those applied", unknown, rounds(), applied)
	})
}

// An answer of COMMIT that tells of a rollback is no loss.
func TestCommitRefused(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		if w.db.Dialect() == retrysql.MySQL {
			t.Skip("MySQL checks at each statement, and not at COMMIT")
		}
		w.exec(t, "CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
		err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO children VALUES (1)")
			return err
		})
		failure, ok := errors.AsType[*retrysql.Error](err)
		if !ok || failure.Stage != retrysql.Committing || failure.Class() != retry.Permanent || err.(*retry.Error).Unknown {
			t.Errorf("Run = %v", err)
		}
		if n := w.number(t, "SELECT count(*) FROM children"); n != 0 {
			t.Errorf("%d rows", n)
		}
		if err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error { return w.effect(ctx, tx, "after") }); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
