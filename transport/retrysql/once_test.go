package retrysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// place is a transaction that has its effect once, and whether it was replayed.
func place(key retrysql.Key, replayed *bool) func(context.Context, *retrysql.Tx) (string, error) {
	return func(ctx context.Context, tx *retrysql.Tx) (string, error) {
		v, again, err := retrysql.Once(ctx, tx, key, func(ctx context.Context) (string, error) {
			return "placed", effect(ctx, tx)
		})
		*replayed = again
		return v, err
	}
}

func TestOnce(t *testing.T) {
	s, db := open(t)
	key := retrysql.Key{Name: "order 1", Fingerprint: []byte("buy")}
	const find = "SELECT fingerprint, result FROM relent_once WHERE idem_key = $1"
	for i, want := range []string{
		"CONNECT; BEGIN; " + find + "; INSERT INTO relent_once (idem_key, fingerprint) VALUES ($1, $2); EFFECT; UPDATE relent_once SET result = $1 WHERE idem_key = $2; COMMIT",
		"BEGIN; " + find + "; COMMIT",
	} {
		var replayed bool
		v, err := retrysql.Do(t.Context(), db, plain, nil, place(key, &replayed))
		if v != "placed" || err != nil || replayed != (i == 1) || count(s) != 1 {
			t.Errorf("%d: Do = %q, %v, replayed %v; %d effects", i, v, err, replayed, count(s))
		}
		if got := s.reached(); got != want {
			t.Errorf("%d: reached the server: %s; want %s", i, got, want)
		}
	}
	key.Fingerprint = []byte("sell")
	_, err := retrysql.Do(t.Context(), db, plain, nil, place(key, new(bool)))
	if !errors.Is(err, retrysql.ErrMismatch) || !errors.Is(err, retry.ErrPermanent) || count(s) != 1 {
		t.Errorf("another fingerprint: %v; %d effects", err, count(s))
	}
	s.keys["odd"] = entry{[]byte{}, []byte("{")}
	_, err = retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "odd"}, new(bool)))
	if !errors.Is(err, retrysql.ErrNoResult) || !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("a result that cannot be read: %v", err)
	}
}

func TestOnceWithPlaceholders(t *testing.T) {
	s, db := open(t)
	db.Kind = retrysql.SQLite
	key := retrysql.Key{Name: "a", Ledger: &retrysql.Ledger{Table: "my.done", Key: "k", Fingerprint: "fingerprint", Result: "r"}}
	if _, err := retrysql.Do(t.Context(), db, plain, nil, place(key, new(bool))); err != nil {
		t.Error(err)
	}
	want := "CONNECT; BEGIN; SELECT fingerprint, r FROM my.done WHERE k = ?; INSERT INTO my.done (k, fingerprint) VALUES (?, ?); EFFECT; UPDATE my.done SET r = ? WHERE k = ?; COMMIT"
	if got := s.reached(); got != want {
		t.Errorf("reached the server: %s; want %s", got, want)
	}
}

func TestOnceRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		key retrysql.Key
		is  error
	}{
		"no key":    {retrysql.Key{}, retrysql.ErrKey},
		"long key":  {retrysql.Key{Name: strings.Repeat("k", retrysql.MaxKey+1)}, retrysql.ErrKey},
		"no text":   {retrysql.Key{Name: "a\xff"}, retrysql.ErrKey},
		"NUL":       {retrysql.Key{Name: "a\x00"}, retrysql.ErrKey},
		"bad table": {retrysql.Key{Name: "a", Ledger: &retrysql.Ledger{Table: "x; DROP"}}, retry.ErrPermanent},
	} {
		s, db := open(t)
		_, err := retrysql.Do(t.Context(), db, plain, nil, place(test.key, new(bool)))
		if !errors.Is(err, test.is) || !errors.Is(err, retry.ErrPermanent) {
			t.Errorf("%s: %v", name, err)
		}
		if got := s.reached(); got != "CONNECT; BEGIN; ROLLBACK" {
			t.Errorf("%s: reached the server: %s", name, got)
		}
	}
}

// I12, I13: another transaction with the key was faster, and committed, or did not.
func TestOnceLosesTheRace(t *testing.T) {
	s, db := open(t)
	s.on = func(_ int, statement string) error {
		if strings.HasPrefix(statement, "INSERT") {
			s.on = nil
			s.keys = map[string]entry{"a": {[]byte{}, []byte(`"theirs"`)}}
			return state("23505")
		}
		return nil
	}
	var replayed bool
	v, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "a"}, &replayed))
	if v != "theirs" || err != nil || !replayed || count(s) != 0 {
		t.Errorf("Do = %q, %v, replayed %v; %d effects", v, err, replayed, count(s))
	}
	s.on = nth(1, "INSERT", state("23505"))
	once := *plain
	once.MaxAttempts = 1
	if _, err := retrysql.Do(t.Context(), db, &once, nil, place(retrysql.Key{Name: "b"}, &replayed)); !errors.Is(err, retrysql.ErrTaken) || !errors.Is(err, retry.ErrExhausted) {
		t.Errorf("with one attempt: %v", err)
	}
	if class, ok := retrysql.Classify(err); ok || class != A {
		t.Errorf("Classify(nil) = %v", class)
	}
	if _, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "b"}, &replayed)); err != nil || replayed || count(s) != 1 {
		t.Errorf("I13: %v, replayed %v; %d effects", err, replayed, count(s))
	}
	s.on = nth(1, "INSERT", state("40001"))
	if _, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "c"}, &replayed)); err != nil || count(s) != 2 {
		t.Errorf("40001 of INSERT: %v", err)
	}
	s.on = nth(1, "SELECT", state("40001"))
	if _, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "d"}, &replayed)); err != nil || count(s) != 3 {
		t.Errorf("40001 of SELECT: %v", err)
	}
	s.rowErr = state("40001")
	if _, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "e"}, &replayed)); !errors.Is(err, retry.ErrExhausted) {
		t.Errorf("40001 of rows: %v", err)
	}
}

func TestOnceFails(t *testing.T) {
	s, db := open(t)
	boom := errors.New("boom")
	quiet := func(err error) func(context.Context, *retrysql.Tx) error {
		return func(ctx context.Context, tx *retrysql.Tx) error {
			retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(context.Context) (int, error) { return 0, err })
			return nil
		}
	}
	if err := retrysql.Run(t.Context(), db, plain, nil, quiet(boom)); !errors.Is(err, boom) || len(s.keys) != 0 {
		t.Errorf("an error that was hidden: %v", err)
	}
	err := retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(context.Context) (func(), error) { return nil, nil })
		return err
	})
	if !errors.Is(err, retry.ErrPermanent) || len(s.keys) != 0 {
		t.Errorf("a result that cannot be stored: %v", err)
	}
	err = retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(ctx context.Context) (int, error) {
			return 0, retrysql.Run(ctx, db, nil, nil, effect)
		})
		if err == nil {
			_, _, err = retrysql.Once(ctx, tx, retrysql.Key{Name: "b"}, func(ctx context.Context) (int, error) {
				_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "b"}, func(context.Context) (int, error) { return 0, nil })
				return 0, err
			})
		}
		return err
	})
	if !errors.Is(err, retrysql.ErrNested) || len(s.keys) != 0 {
		t.Errorf("a key in its own function: %v", err)
	}
}

// The answer to COMMIT is lost, whether or not COMMIT had its effect.
func TestLostCommit(t *testing.T) {
	for _, fault := range []chaos.Fault{chaos.Cut, chaos.ApplyThenCut, chaos.Fail, chaos.ApplyThenFail} {
		for _, test := range []struct {
			name    string
			fn      func(context.Context, *retrysql.Tx) error
			keyed   bool
			effects int // if COMMIT had its effect
		}{
			{"all inside Once", func(ctx context.Context, tx *retrysql.Tx) error {
				_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(ctx context.Context) (int, error) { return 1, effect(ctx, tx) })
				return err
			}, true, 1},
			{"no Once", effect, false, 1},
			{"a statement beside Once", func(ctx context.Context, tx *retrysql.Tx) error {
				_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(ctx context.Context) (int, error) { return 1, effect(ctx, tx) })
				return errors.Join(err, effect(ctx, tx))
			}, false, 2},
			{"a query beside Once", func(ctx context.Context, tx *retrysql.Tx) error {
				rows, _ := tx.Query(ctx, "SELECT 1")
				rows.Close()
				_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(ctx context.Context) (int, error) { return 1, effect(ctx, tx) })
				return err
			}, false, 1},
			{"Once undone by a savepoint", func(ctx context.Context, tx *retrysql.Tx) error {
				tx.Savepoint(ctx, func(ctx context.Context) error {
					retrysql.Once(ctx, tx, retrysql.Key{Name: "a"}, func(ctx context.Context) (int, error) { return 1, effect(ctx, tx) })
					return io.EOF
				})
				return nil
			}, false, 0},
		} {
			t.Run(fmt.Sprint(fault, ", ", test.name), func(t *testing.T) {
				s := &server{}
				faults := chaos.New(1, chaos.Rule{Op: "commit", Script: []chaos.Fault{fault}})
				pool := sql.OpenDB(chaos.Connector(s, faults))
				defer pool.Close()
				err := retrysql.Run(t.Context(), &retrysql.DB{Pool: pool}, plain, nil, test.fn)
				if test.keyed {
					if err != nil || count(s) != 1 {
						t.Errorf("Run = %v; %d effects", err, count(s))
					}
					return
				}
				effects := 0
				if fault == chaos.ApplyThenCut || fault == chaos.ApplyThenFail {
					effects = test.effects
				}
				e, ok := err.(*retry.Error)
				if !ok || e.Reason != retry.ErrAmbiguous || !e.Unknown || e.Attempts != 1 || count(s) != effects {
					t.Errorf("Run = %v; %d effects, want %d", err, count(s), effects)
				}
				if failure, ok := errors.AsType[*retrysql.Error](err); !ok || failure.Stage != retrysql.Committing || failure.Keyed {
					t.Errorf("%v", failure)
				}
			})
		}
	}
}

// What is unknown stays unknown if no attempt finds out, and a nested transaction speaks only for itself.
func TestLostCommitStaysUnknown(t *testing.T) {
	s := &server{}
	faults := chaos.New(1, chaos.Rule{Op: "commit", Script: []chaos.Fault{chaos.ApplyThenFail}})
	pool := sql.OpenDB(chaos.Connector(s, faults))
	defer pool.Close()
	db := &retrysql.DB{Pool: pool}
	attempts := 0
	fn := place(retrysql.Key{Name: "a"}, new(bool))
	_, err := retrysql.Do(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) (string, error) {
		if attempts++; attempts > 1 {
			return "", retry.Mark(io.EOF, retry.Transient)
		}
		return fn(ctx, tx)
	})
	if e, ok := err.(*retry.Error); !ok || !e.Unknown || e.Attempts != 3 || e.Class() != A {
		t.Errorf("Do = %v", err)
	}

	faults.Set(chaos.Rule{Op: "commit", Fault: chaos.ApplyThenFail, Rate: 1})
	outer := 0
	err = retrysql.Run(t.Context(), db, plain, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		outer++
		inner := *plain
		inner.MaxAttempts = 1
		_, err := retrysql.Do(ctx, db, &inner, nil, place(retrysql.Key{Name: "b"}, new(bool)))
		return err
	})
	if outer != 1 || !errors.Is(err, retry.ErrAmbiguous) {
		t.Errorf("%d attempts around a nested transaction: %v", outer, err)
	}
}

func TestLedger(t *testing.T) {
	var l *retrysql.Ledger
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	for d, want := range map[retrysql.Dialect]string{
		retrysql.PostgreSQL: "CREATE TABLE IF NOT EXISTS relent_once (\n\tidem_key text COLLATE \"C\" PRIMARY KEY,\n\tfingerprint bytea NOT NULL,\n\tresult bytea,\n\tcreated_at timestamptz NOT NULL DEFAULT now()\n)",
		retrysql.SQLite:     "CREATE TABLE IF NOT EXISTS relent_once (\n\tidem_key TEXT NOT NULL PRIMARY KEY,\n\tfingerprint BLOB NOT NULL,\n\tresult BLOB,\n\tcreated_at INTEGER NOT NULL DEFAULT (unixepoch())\n) STRICT, WITHOUT ROWID",
		retrysql.MySQL:      "CREATE TABLE IF NOT EXISTS relent_once (\n\tidem_key varbinary(1024) PRIMARY KEY,\n\tfingerprint longblob NOT NULL,\n\tresult longblob,\n\tcreated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)\n)",
	} {
		if got := l.DDL(d); got != want {
			t.Errorf("%v:\n%s\nwant\n%s", d, got, want)
		}
	}
	err := (&retrysql.Ledger{Table: "a.b.c", Key: "1k", Fingerprint: "fp-1", Result: strings.Repeat("r", 64), CreatedAt: "é"}).Check()
	for _, field := range []string{"Table: ", "\nKey: ", "\nFingerprint: ", "\nResult: ", "\nCreatedAt: "} {
		if err == nil || !strings.Contains("\n"+err.Error(), field) {
			t.Errorf("Check = %v; want a word about %q", err, field)
		}
	}
	if err := (&retrysql.Ledger{Table: "Schema_1.t"}).Check(); err != nil {
		t.Error(err)
	}
}

// Nothing that passes for a name can end a statement.
func FuzzLedger(f *testing.F) {
	for _, name := range []string{"relent_once", "a.b", "x;--", "\"", "a b", "é", "."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if (&retrysql.Ledger{Table: name, Key: name}).Check() == nil && strings.ContainsAny(name, "\"'`;-/* \t\n()\\\x00.") {
			t.Errorf("%q passes for a name", name)
		}
	})
}

// watcher is a gate and an observer that remember what they are shown.
type watcher struct {
	idempotent bool
	retries    []retry.Event
}

func (w *watcher) Admit(_ context.Context, a *retry.Attempt) error {
	w.idempotent = w.idempotent || a.Policy.Idempotent
	return nil
}
func (w *watcher) Settle(*retry.Attempt, *retry.Outcome) {}
func (w *watcher) Observe(_ context.Context, e retry.Event) {
	if e.Kind == retry.Retrying {
		w.retries = append(w.retries, e)
	}
}

// Gates and observers see a policy that is not Idempotent, and an outcome that is unknown.
func TestLostCommitIsSeenAsItIs(t *testing.T) {
	for name, classify := range map[string]func(error) retry.Class{
		"none":          nil,
		"the default":   retry.DefaultClassify,
		"ambiguous":     func(error) retry.Class { return retry.Ambiguous },
		"of retrysql":   func(err error) retry.Class { class, _ := retrysql.Classify(err); return class },
		"all permanent": func(error) retry.Class { return retry.Permanent },
	} {
		s := &server{}
		faults := chaos.New(1, chaos.Rule{Op: "commit", Script: []chaos.Fault{chaos.ApplyThenFail}})
		pool := sql.OpenDB(chaos.Connector(s, faults))
		w := &watcher{}
		p := &retry.Policy{Backoff: plain.Backoff, Gates: []retry.Gate{w}, Observer: w, Classify: classify}
		db := &retrysql.DB{Pool: pool}
		_, err := retrysql.Do(t.Context(), db, p, nil, place(retrysql.Key{Name: "a"}, new(bool)))
		if name == "all permanent" {
			if !errors.Is(err, retry.ErrPermanent) || len(w.retries) != 0 {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || len(w.retries) != 1 || !w.retries[0].Unknown || w.idempotent || count(s) != 1 {
			t.Errorf("%s: %v; %d retries, idempotent %v", name, err, len(w.retries), w.idempotent)
		}
		faults.Set(chaos.Rule{Op: "commit", Script: []chaos.Fault{chaos.ApplyThenFail}})
		if err := retrysql.Run(t.Context(), db, p, nil, effect); err == nil || count(s) != 2 {
			t.Errorf("%s, without a key: %v; %d effects", name, err, count(s))
		}
		faults.Set(chaos.Rule{Op: "commit", Fault: chaos.Cut, Rate: 1})
		_, err = retrysql.Do(t.Context(), db, p, nil, place(retrysql.Key{Name: "b"}, new(bool)))
		e, ok := err.(*retry.Error)
		if name != "all permanent" && (!ok || !e.Unknown || e.Class() != A || e.Attempts != 3) {
			t.Errorf("%s: %v; want it to stay unknown", name, err)
		}
		if text := err.Error(); name == "none" && !strings.HasSuffix(text, ": attempts exhausted: outcome unknown: commit: chaos: commit: cut: connection reset by peer") {
			t.Errorf("the call ends with %s", text)
		}
		if class, known := retrysql.Classify(err); class != A || !known {
			t.Errorf("%s: Classify = %v, %v", name, class, known)
		}
		pool.Close()
	}
}

// Neither a COMMIT that was surely rolled back, nor a later failure of another kind, is taken for a keyed one.
func TestKeyedIsOneCommit(t *testing.T) {
	s, db := open(t)
	s.on = func(_ int, statement string) error {
		if statement == "COMMIT" {
			return state("40001")
		}
		return nil
	}
	_, err := retrysql.Do(t.Context(), db, plain, nil, place(retrysql.Key{Name: "a"}, new(bool)))
	if e, ok := err.(*retry.Error); !ok || e.Unknown || e.Attempts != 3 || e.Class() != T {
		t.Errorf("rolled back: %v", err)
	}
	if e, ok := errors.AsType[*retrysql.Error](err); !ok || e.Keyed {
		t.Errorf("rolled back: %+v", e)
	}
	s.on = nth(1, "COMMIT", io.EOF)
	p := *plain
	p.Classify = retry.DefaultClassify
	attempts := 0
	_, err = retrysql.Do(t.Context(), db, &p, nil, func(ctx context.Context, tx *retrysql.Tx) (string, error) {
		if attempts++; attempts > 1 {
			return "", io.EOF
		}
		return place(retrysql.Key{Name: "b"}, new(bool))(ctx, tx)
	})
	if !errors.Is(err, retry.ErrAmbiguous) || attempts != 2 {
		t.Errorf("%v after %d attempts; want the end of what nobody knows", err, attempts)
	}
}
