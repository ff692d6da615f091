package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// The table of what PostgreSQL does when two sessions insert one key, which is why a claim is a plain INSERT.
func TestTwoSessionsInsertOneKey(t *testing.T) {
	url := postgresURL(t)
	a, b := connect(t, url), connect(t, url)
	ctx := t.Context()
	if _, err := a.Exec(ctx, "CREATE TABLE k (key int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	key := 0
	for _, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		for _, test := range []struct {
			statement string
			commits   bool
			want      string
		}{
			{"INSERT INTO k VALUES ($1)", true, "23505"},
			{"INSERT INTO k VALUES ($1)", false, ""},
			{"INSERT INTO k VALUES ($1) ON CONFLICT DO NOTHING", true, map[bool]string{true: "", false: "40001"}[level == pgx.ReadCommitted]},
		} {
			key++
			first, err := a.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := first.Exec(ctx, "INSERT INTO k VALUES ($1)", key); err != nil {
				t.Fatal(err)
			}
			second, err := b.BeginTx(ctx, pgx.TxOptions{IsoLevel: level})
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if err := second.QueryRow(ctx, "SELECT count(*) FROM k WHERE key = $1", key).Scan(&n); err != nil || n != 0 {
				t.Fatal(n, err)
			}
			ended := make(chan error)
			go func() {
				_, err := second.Exec(ctx, test.statement, key)
				ended <- err
			}()
			select {
			case err := <-ended:
				t.Fatalf("%s at %s did not wait: %v", test.statement, level, err)
			case <-time.After(30 * time.Millisecond):
			}
			if test.commits {
				err = first.Commit(ctx)
			} else {
				err = first.Rollback(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			if pg, ok := errors.AsType[*pgconn.PgError](<-ended); ok {
				code = pg.Code
			}
			if code != test.want {
				t.Errorf("%s at %s, the other commits: %v: %q; want %q", test.statement, level, test.commits, code, test.want)
			}
			second.Rollback(ctx)
		}
	}
}

// I12 and I13: the store waits for whoever inserts the key, and reads him or wins in his stead.
func TestClaimWaitsForTheOther(t *testing.T) {
	url := postgresURL(t)
	db := reopen(t, url)
	other := connect(t, url)
	ctx := t.Context()
	for _, commits := range []bool{true, false} {
		b, theirs := bid(fmt.Sprint(commits)), bid("")
		tx, err := other.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, idemClaim.postgres, []byte(b.Key), theirs.Owner[:], theirs.Fingerprint[:], int64(1e9), int64(1e9)); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, idemComplete.postgres, []byte(b.Key), theirs.Owner[:], 1, []byte("theirs")); err != nil {
			t.Fatal(err)
		}
		type answer struct {
			r   idempotent.Record
			err error
		}
		ended := make(chan answer)
		go func() {
			r, err := db.Idempotent().Claim(ctx, b)
			ended <- answer{r, err}
		}()
		select {
		case a := <-ended:
			t.Fatalf("Claim did not wait: %+v", a)
		case <-time.After(50 * time.Millisecond):
		}
		if commits {
			err = tx.Commit(ctx)
		} else {
			err = tx.Rollback(ctx)
		}
		a := <-ended
		if err != nil || a.err != nil {
			t.Fatal(err, a.err)
		}
		if replay := a.r.Status == idempotent.Done && string(a.r.Result) == "theirs"; replay != commits || a.r.Won(&b) == commits {
			t.Errorf("Claim when the other commits: %v = %+v", commits, a.r)
		}
	}
}

func TestSessionsAreDurable(t *testing.T) {
	url := postgresURL(t)
	admin := connect(t, url)
	ctx := t.Context()
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	for _, setting := range []string{"synchronous_commit = off", "default_transaction_isolation = 'serializable'"} {
		if _, err := admin.Exec(ctx, "ALTER DATABASE "+name+" SET "+setting); err != nil {
			t.Fatal(err)
		}
	}
	db := reopen(t, url+"&synchronous_commit=off")
	var commit, isolation string
	if err := db.engine.read(ctx, single, func(ctx context.Context, s session) error {
		_, err := s.row(ctx, newQuery(`SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')`), nil, &commit, &isolation)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if commit != "on" || isolation != "read committed" {
		t.Errorf("sessions have synchronous_commit %s at %s; want on at read committed, whatever the database says", commit, isolation)
	}
	if _, err := admin.Exec(ctx, "SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	is(t, "a session that is not durable", durable(ctx, admin, "here"), ErrNotDurable, retry.Permanent)
}

func TestServerThatIsNotThere(t *testing.T) {
	_, err := Open(t.Context(), "postgres://user:secret@127.0.0.1:1/x?connect_timeout=5")
	is(t, "Open without a server", err, ErrUnreachable, retry.Transient)
	if strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("%v shows the password", err)
	}
	url := postgresURL(t)
	_, err = Open(t.Context(), strings.Replace(url, "/test_", "/none_", 1))
	is(t, "Open of no database", err, ErrURL, retry.Permanent)
	reopen(t, url).Close()
	_, err = Open(t.Context(), url+"&default_transaction_read_only=on")
	is(t, "Open of a standby", err, ErrReadOnly, retry.Permanent)
}

// The server is stopped in the middle and started again, as it would be after a crash: all that was acknowledged is there, what was refused is
// not, and what is unknown can be found out.
func TestServerIsStopped(t *testing.T) {
	s := postgrestest.Start(t)
	db := reopen(t, s.URL(t))
	store := db.Idempotent()
	for _, mode := range []postgrestest.Mode{postgrestest.Fast, postgrestest.Immediate} {
		var mu sync.Mutex
		var acknowledged, refused, unknown []idempotent.Bid
		var group sync.WaitGroup
		for w := range 8 {
			group.Go(func() {
				for i := 0; ; i++ {
					b := bid(fmt.Sprint(mode, " ", w, " ", i))
					_, err := store.Claim(t.Context(), b)
					mu.Lock()
					switch {
					case err == nil:
						acknowledged = append(acknowledged, b)
					case errors.Is(err, ErrUnreachable) && retry.DefaultClassify(err) == retry.Transient:
						refused = append(refused, b)
					case errors.Is(err, ErrUnknown) && retry.DefaultClassify(err) == retry.Ambiguous:
						unknown = append(unknown, b)
					default:
						t.Errorf("Claim from a server that stops = %v", err)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		s.Stop(mode)
		group.Wait()
		_, err := store.Get(t.Context(), "k")
		is(t, "Get without a server", err, ErrUnreachable, retry.Transient)
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		for what, bids := range map[string][]idempotent.Bid{"acknowledged": acknowledged, "refused": refused, "unknown": unknown} {
			for _, b := range bids {
				r, err := store.Get(t.Context(), b.Key)
				if err != nil {
					r, err = store.Get(t.Context(), b.Key) // on another connection
				}
				if err != nil || what == "acknowledged" && !r.Won(&b) || what == "refused" && r.Status != idempotent.New ||
					r.Status == idempotent.Running && !r.Won(&b) {
					t.Errorf("%s, which was %s, is %v of %v, %v", b.Key, what, r.Status, r.Owner, err)
				}
			}
		}
		if len(acknowledged) == 0 || len(refused)+len(unknown) != 8 {
			t.Errorf("%d claims were acknowledged, %d refused, %d unknown", len(acknowledged), len(refused), len(unknown))
		}
	}
}

// A session is ended from outside in each phase of a transaction (I16).
func TestSessionIsEnded(t *testing.T) {
	url := postgresURL(t)
	db, admin := reopen(t, url), connect(t, url)
	ctx := t.Context()
	pid := newQuery("SELECT pg_backend_pid()")
	end := func(q session) {
		var n int
		if _, err := q.row(ctx, pid, nil, &n); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend($1, 5000)", n); err != nil {
			t.Fatal(err)
		}
	}
	b := bid("k")
	err := change(ctx, db, whole, 0, func(ctx context.Context, q session) error {
		if _, err := claim(ctx, q, &b); err != nil {
			return err
		}
		end(q)
		_, err := q.exec(ctx, idemRelease, []byte("k"), b.Owner[:], 1)
		return err
	})
	is(t, "a statement before COMMIT", err, ErrUnreachable, retry.Transient)
	err = change(ctx, db, whole, 0, func(ctx context.Context, q session) error {
		_, err := claim(ctx, q, &b)
		end(q)
		return err
	})
	is(t, "COMMIT", err, ErrUnknown, retry.Ambiguous)
	if r, err := db.Idempotent().Get(ctx, "k"); err != nil || r.Status != idempotent.New {
		t.Errorf("after both the key is %v, %v; want new", r.Status, err)
	}
}

// A caller who leaves while PostgreSQL works does not know what became of it; one in a transaction of several statements does.
func TestCallersLeavePostgres(t *testing.T) {
	url := postgresURL(t)
	db, other := reopen(t, url), connect(t, url)
	ctx := t.Context()
	if r, err := db.Idempotent().Claim(ctx, bid("k")); err != nil {
		t.Fatal(r, err)
	}
	tx, err := other.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "LOCK TABLE relent_idempotency, relent_job"); err != nil {
		t.Fatal(err)
	}
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	_, err = db.Idempotent().Claim(short(), bid("k"))
	is(t, "Claim by a caller who leaves", err, ErrUnknown, retry.Ambiguous)
	if _, err = db.Jobs().Take(short(), want("kind")); retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Take by a caller who leaves = %v; want transient", err)
	}
	if _, err = db.Idempotent().Get(short(), "k"); retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Get by a caller who leaves = %v; want transient", err)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string][2]error{
		"40001": {ErrBusy, ErrBusy}, "40P01": {ErrBusy, ErrBusy}, "55P03": {ErrBusy, ErrBusy}, "53300": {ErrUnreachable, ErrUnreachable},
		"53100": {ErrFull, ErrFull}, "57P01": {ErrUnreachable, ErrUnknown}, "57P02": {ErrUnreachable, ErrUnknown}, "57P03": {ErrUnreachable, ErrUnreachable},
		"08006": {ErrUnreachable, ErrUnknown}, "08001": {ErrUnreachable, ErrUnreachable}, "58030": {ErrUnreachable, ErrUnknown},
		"25006": {ErrReadOnly, ErrReadOnly}, "XX001": {ErrCorrupt, ErrCorrupt}, "XX002": {ErrCorrupt, ErrCorrupt},
		"22003": {ErrFailed, ErrFailed}, "42P01": {ErrFailed, ErrFailed}, "25P02": {ErrFailed, ErrFailed}, "28P01": {ErrURL, ErrURL},
	} {
		e := &postgresEngine{where: "here"}
		for m, want := range want {
			err := e.fault(wire(&pgconn.PgError{Code: code}), moment(m))
			is(t, fmt.Sprint(code, " at ", m), err, want, next[want].class)
		}
	}
}
