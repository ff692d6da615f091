//go:build unix

package retrysqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// I12, I13: two transactions use one key, and the first commits, or rolls back.
func TestOneKeyTwoTransactions(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
		for _, commits := range []bool{true, false} {
			name := fmt.Sprintf("%v, commits %v", level, commits)
			worlds(t, name, func(t *testing.T, w *world) {
				if w.db.Dialect() == retrysql.SQLite && level != sql.LevelSerializable {
					t.Skip("SQLite has one isolation")
				}
				o := &retrysql.Options{Isolation: level}
				if w.db.Dialect() == retrysql.SQLite {
					o = &retrysql.Options{Immediate: true}
				}
				holds, attempts := make(chan bool), 0
				var replayed bool
				var err error
				var second sync.WaitGroup
				first := retrysql.Run(t.Context(), w.db, patient, o, func(ctx context.Context, tx *retrysql.Tx) error {
					_, err := w.once(name)(ctx, tx)
					if err != nil {
						return err
					}
					second.Go(func() {
						replayed, err = retrysql.Do(t.Context(), w.db, patient, o, func(ctx context.Context, tx *retrysql.Tx) (bool, error) {
							if attempts++; attempts == 1 {
								close(holds)
							}
							return w.once(name)(ctx, tx)
						})
					})
					if w.db.Dialect() != retrysql.SQLite {
						<-holds
						for w.waiting(t) == 0 {
							time.Sleep(time.Millisecond)
						}
					}
					if commits {
						return nil
					}
					return retry.Mark(errors.New("changed my mind"), retry.Permanent)
				})
				second.Wait()
				if (first == nil) != commits || err != nil || replayed != commits {
					t.Errorf("first %v; second %v, replayed %v", first, err, replayed)
				}
				if n := w.number(t, "SELECT count(*) FROM effects"); n != 1 {
					t.Errorf("%d effects", n)
				}
				want := 2
				if w.db.Dialect() == retrysql.MySQL && level == sql.LevelSerializable {
					want = 1 // its look for the row waits for the first to end, and finds it
				}
				if w.db.Dialect() != retrysql.SQLite && commits && attempts != want {
					t.Errorf("%d attempts of the second; want %d", attempts, want)
				}
			})
		}
	}
}

// I8 over transactions: many callers, one key, one effect.
func TestManyCallersOneKey(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		const keys, callers = 50, 4
		var fresh atomic.Int64
		for n := range keys {
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					replayed, err := retrysql.Do(t.Context(), w.db, patient, nil, w.once(fmt.Sprint(n)))
					if err != nil {
						t.Error(err)
					}
					if !replayed {
						fresh.Add(1)
					}
				})
			}
			wg.Wait()
		}
		if n := w.number(t, "SELECT count(*) FROM effects"); n != keys || fresh.Load() != keys {
			t.Errorf("%d effects, %d said so; want %d", n, fresh.Load(), keys)
		}
	})
}

// Read, then write: what others wrote in between makes it all begin again. I14 for SQLite, Q1 for PostgreSQL.
func TestIncrements(t *testing.T) {
	worlds(t, "", func(t *testing.T, w *world) {
		const callers, each = 4, 25
		var failed atomic.Int64
		increment := func(ctx context.Context, tx *retrysql.Tx) error {
			var n int
			if err := tx.QueryRow(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE counter SET n = "+w.marker(), n+1)
			if err != nil {
				failed.Add(1)
			}
			return err
		}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					if err := retrysql.Run(t.Context(), w.db, patient, &retrysql.Options{Isolation: level(w)}, increment); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := w.number(t, "SELECT n FROM counter"); n != callers*each {
			t.Errorf("counted to %d; want %d", n, callers*each)
		}
		if failed.Load() == 0 {
			t.Error("nobody was in anybody's way: the test tests nothing")
		}
	})
}

func level(w *world) sql.IsolationLevel {
	if w.db.Dialect() == retrysql.SQLite {
		return sql.LevelDefault
	}
	return sql.LevelSerializable
}

// I14, step by step: 517 is answered with a rollback and BEGIN IMMEDIATE, although waiting would be allowed.
func TestSQLiteSnapshot(t *testing.T) {
	w := sqliteWorld(t, "WAL")
	attempts := 0
	var codes []string
	err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		attempts++
		var n int
		if err := tx.QueryRow(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		if attempts == 1 {
			w.exec(t, "UPDATE counter SET n = 40")
		} else if _, err := w.look.ExecContext(ctx, "PRAGMA busy_timeout = 0; UPDATE counter SET n = 0"); err == nil {
			t.Error("the second attempt did not begin IMMEDIATE: others can write")
		}
		_, err := tx.Exec(ctx, "UPDATE counter SET n = ?", n+1)
		if e, ok := errors.AsType[*retrysql.Error](err); ok {
			codes = append(codes, e.Code)
		}
		return err
	})
	if n := w.number(t, "SELECT n FROM counter"); err != nil || n != 41 || attempts != 2 || len(codes) != 1 || codes[0] != "517" {
		t.Errorf("%v; counter %d after %d attempts, codes %v", err, n, attempts, codes)
	}
}

// BUSY of COMMIT, which the old journal knows: the transaction is still open then, and must not stay so.
func TestSQLiteBusyCommit(t *testing.T) {
	w := sqliteWorld(t, "DELETE")
	reader, err := w.look.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	attempts := 0
	var rows *sql.Rows
	err = retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		attempts++
		if _, err := tx.Exec(ctx, "PRAGMA busy_timeout = 0"); err != nil {
			return err
		}
		if err := w.effect(ctx, tx, "a"); err != nil {
			return err
		}
		if attempts == 1 {
			rows, err = reader.QueryContext(t.Context(), "SELECT n FROM counter")
			if err == nil && !rows.Next() {
				t.Error("nobody reads")
			}
			return err
		}
		return rows.Close()
	})
	if rows.Err() != nil || rows.Close() != nil {
		t.Error(rows.Err())
	}
	if n := w.number(t, "SELECT count(*) FROM effects"); err != nil || n != 1 || attempts != 2 {
		t.Errorf("%v; %d effects after %d attempts", err, n, attempts)
	}
}

// servers runs a test with each database that others can end sessions of.
func servers(t *testing.T, test func(*testing.T, *world)) {
	worlds(t, "", func(t *testing.T, w *world) {
		if w.db.Dialect() == retrysql.SQLite {
			t.Skip("SQLite has no server")
		}
		test(t, w)
	})
}

// I16: the session is ended from outside, on a statement before COMMIT, and at COMMIT.
func TestSessionIsEnded(t *testing.T) {
	servers(t, func(t *testing.T, w *world) {
		for _, keyed := range []bool{false, true} {
			for _, last := range []bool{false, true} {
				attempts, name := 0, fmt.Sprint(keyed, last)
				err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
					attempts++
					work := func(ctx context.Context) (int, error) {
						if err := w.effect(ctx, tx, name); err != nil || attempts > 1 {
							return 0, err
						}
						pid, err := w.session(ctx, tx)
						if err != nil || last {
							return pid, err
						}
						w.terminate(t, pid)
						return 0, w.effect(ctx, tx, name)
					}
					var pid int
					var err error
					if keyed {
						pid, _, err = retrysql.Once(ctx, tx, retrysql.Key{Name: name}, work)
					} else {
						pid, err = work(ctx)
					}
					if err == nil && last && attempts == 1 {
						w.terminate(t, pid) // and COMMIT finds nobody
					}
					return err
				})
				effects := w.number(t, "SELECT count(*) FROM effects WHERE name = "+w.marker(), name)
				if last && !keyed {
					if e, ok := err.(*retry.Error); !ok || !e.Unknown || attempts != 1 || effects != 0 {
						t.Errorf("%s: %v after %d attempts, %d effects", name, err, attempts, effects)
					}
				} else if err != nil || attempts != 2 || effects != 1 {
					t.Errorf("%s: %v after %d attempts, %d effects", name, err, attempts, effects)
				}
			}
		}
	})
}

// I17: a deadlock. One of two is told to begin again, perhaps more than once, because who begins again may overtake who waits.
func TestDeadlock(t *testing.T) {
	servers(t, func(t *testing.T, w *world) {
		w.exec(t, "CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 0), (2, 0)")
		var both, wg sync.WaitGroup
		both.Add(2)
		var attempts atomic.Int64
		add := "UPDATE accounts SET n = n + 1 WHERE id = " + w.marker()
		for n := range 2 {
			wg.Go(func() {
				first := true
				err := retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
					attempts.Add(1)
					if _, err := tx.Exec(ctx, add, 1+n); err != nil {
						return err
					}
					if first {
						first = false
						both.Done()
						both.Wait()
					}
					_, err := tx.Exec(ctx, add, 2-n)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.number(t, "SELECT sum(n) FROM accounts"); n != 4 || attempts.Load() < 3 {
			t.Errorf("sum %d after %d attempts; want 4 after 3 or more", n, attempts.Load())
		}
	})
}
