package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	for _, url := range []string{
		"", "relent.db", "mysql://localhost/x", "sqlite:", "sqlite::memory:", "sqlite:" + dir, "sqlite:" + filepath.Join(dir, "none", "relent.db"),
		"postgres://%zz", "postgres://localhost/x?sslmode=maybe", "postgres://user:secret@localhost:port/x", "postgres://localhost/x?pool_max_conns=0",
	} {
		db, err := Open(t.Context(), url)
		if err == nil {
			db.Close()
		}
		if !errors.Is(err, ErrURL) || retry.DefaultClassify(err) != retry.Permanent || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) = %v; want %v, permanent", url, err, ErrURL)
		}
	}
	odd := filepath.Join(dir, "a b?c#d%20.db")
	db := reopen(t, "sqlite:"+odd)
	if _, err := os.Stat(odd); err != nil || db.String() != "sqlite:"+odd {
		t.Errorf("the file of %v: %v", db, err)
	}
}

// The file and its write-ahead log are synced at each commit, by the settings that each connection really has.
func TestSettings(t *testing.T) {
	db := file(t)
	for what, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var written, read string
		q := newQuery("PRAGMA " + what)
		ask := func(into *string) func(context.Context, session) error {
			return func(ctx context.Context, s session) error {
				_, err := s.row(ctx, q, nil, into)
				return err
			}
		}
		if err := errors.Join(change(t.Context(), db, single, 0, ask(&written)), db.engine.read(t.Context(), single, ask(&read))); err != nil {
			t.Fatal(err)
		}
		if written != want || read != want {
			t.Errorf("%s is %s, and %s to readers; want %s", what, written, read, want)
		}
	}
	info, err := os.Stat(strings.TrimPrefix(db.String(), "sqlite:"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want it readable for its owner only", info.Mode(), err)
	}
}

func TestCorruptFile(t *testing.T) {
	url := fileURL(t)
	name := strings.TrimPrefix(url, "sqlite:")
	if err := os.WriteFile(name, []byte(strings.Repeat("this is not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), url)
	is(t, "Open of a text", err, ErrCorrupt, retry.Permanent)
	os.Remove(name)

	db := reopen(t, url)
	for i := range 200 {
		r, err := db.Idempotent().Claim(t.Context(), bid(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Idempotent().Complete(t.Context(), r.Claim(), make([]byte, 2000)); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	if left, _ := filepath.Glob(name + "-*"); left != nil {
		t.Errorf("after Close there are %v: a connection is still open", left)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(content); i++ {
		content[i] = 0xa5 // all but the first page
	}
	os.WriteFile(name, content, 0o600)
	if db, err = Open(t.Context(), url); err == nil {
		defer db.Close()
		_, err = db.Idempotent().Get(t.Context(), "1")
		is(t, "Get from a damaged file", err, ErrCorrupt, retry.Permanent)
		_, err = db.Idempotent().Claim(t.Context(), bid("1"))
	}
	is(t, "Claim in a damaged file", err, ErrCorrupt, retry.Permanent)
}

func TestReadOnlyFile(t *testing.T) {
	url := fileURL(t)
	reopen(t, url).Close()
	_, err := openSQLite(t.Context(), strings.TrimPrefix(url, "sqlite:"), settings{params: "&mode=ro"})
	is(t, "Open of a file that cannot be written", err, ErrReadOnly, retry.Permanent)

	db := reopen(t, url)
	if err := statements(t.Context(), db, single, "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Idempotent().Claim(t.Context(), bid("k"))
	is(t, "Claim in a file that became read-only", err, ErrReadOnly, retry.Permanent)
}

func TestNewerSchema(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": fileURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			at := url(t)
			db := reopen(t, at)
			if err := statements(t.Context(), db, single, "INSERT INTO relent_schema (version, at) VALUES (99, 0)"); err != nil {
				t.Fatal(err)
			}
			db.Close()
			_, err := Open(t.Context(), at)
			is(t, "Open of tables of a newer version", err, ErrNewerSchema, retry.Permanent)
			if err == nil || !strings.Contains(err.Error(), "version 99, and this program knows 3") {
				t.Errorf("%v does not name the versions", err)
			}
		})
	}
}

// A step that fails leaves the tables as they were.
func TestMigrationIsWholeOrNot(t *testing.T) {
	old, oldVersion := migrations, version
	t.Cleanup(func() { migrations, version = old, oldVersion })
	for name, url := range map[string]func(testing.TB) string{"sqlite": fileURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			at := url(t)
			reopen(t, at).Close()
			migrations, version = append(old[:4:4], []*query{newQuery("CREATE TABLE relent_more (n BIGINT)"), newQuery("CREATE TABLE relent_more (n BIGINT)")}), 4
			_, err := Open(t.Context(), at)
			is(t, "Open with a step that fails", err, ErrFailed, retry.Permanent)
			migrations[4] = migrations[4][:1]
			for range 2 {
				reopen(t, at).Close()
			}
			migrations, version = old, oldVersion
		})
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": fileURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			at := url(t)
			errs := make(chan error)
			for range 8 {
				go func() {
					db, err := Open(t.Context(), at)
					if err == nil {
						err = db.Close()
					}
					errs <- err
				}()
			}
			for range 8 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A quota of pages stands for a disk that is full.
func TestFullDisk(t *testing.T) {
	url := fileURL(t)
	db := reopen(t, url)
	ctx, s := t.Context(), db.Idempotent()
	if err := statements(ctx, db, single, "PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	small, err := s.Claim(ctx, bid("small"))
	big, err2 := s.Claim(ctx, bid("big"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	release := hold(t, db) // so that both are in one batch
	ended := make(chan error)
	go func() { ended <- s.Complete(ctx, big.Claim(), make([]byte, 1<<20)) }()
	go func() { ended <- s.Complete(ctx, small.Claim(), []byte("fits")) }()
	for len(db.engine.(*sqliteEngine).writer.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	release()
	err, err2 = <-ended, <-ended
	if err == nil {
		err, err2 = err2, err
	}
	is(t, "Complete on a full disk", err, ErrFull, retry.Transient)
	if err2 != nil {
		t.Errorf("Complete of what fits, together with what does not = %v", err2)
	}
	for key, want := range map[string]idempotent.Status{"small": idempotent.Done, "big": idempotent.Running} {
		if r, err := s.Get(ctx, key); err != nil || r.Status != want {
			t.Errorf("%s is %v, %v; want %v", key, r.Status, err, want)
		}
	}
	if err := statements(ctx, db, single, "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(ctx, big.Claim(), make([]byte, 1<<20)); err != nil {
		t.Errorf("Complete when there is room again = %v", err)
	}
}

// A transaction that is undone takes with it what its operations knew: else a chain would go on from a record that is not there.
func TestFullDiskLeavesNoGap(t *testing.T) {
	db := file(t)
	ctx := t.Context()
	if err := statements(ctx, db, single, "PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	release := hold(t, db)
	queue := db.engine.(*sqliteEngine).writer.queue
	appended, enqueued := make(chan error, 1), make(chan error, 1)
	go func() { _, err := db.Audit().Append(ctx, "c", []audit.Record{record(1)}); appended <- err }()
	for len(queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	go func() {
		enqueued <- db.Jobs().Enqueue(ctx, job.Job{ID: "big", Kind: "kind", Payload: make([]byte, 1<<20)})
	}()
	for len(queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	release()
	if first, second := <-appended, <-enqueued; first != nil || !errors.Is(second, ErrFull) {
		t.Errorf("Append and Enqueue = %v, %v; want %v of the second", first, second, ErrFull)
	}
	if r, err := audit.Verify(ctx, db.Audit(), "c", audit.Verification{}); err != nil || r.Records != 1 {
		t.Errorf("Verify = %+v, %v; want one record", r, err)
	}
}

func TestSomebodyElseHoldsTheFile(t *testing.T) {
	url := fileURL(t)
	db, other := reopen(t, url), reopen(t, url)
	if err := statements(t.Context(), other, single, "PRAGMA busy_timeout = 10"); err != nil {
		t.Fatal(err)
	}
	release := hold(t, db)
	defer release()
	_, err := other.Idempotent().Claim(t.Context(), bid("k"))
	is(t, "Claim while another process writes", err, ErrBusy, retry.Transient)
	if _, err := other.Idempotent().Get(t.Context(), "k"); err != nil {
		t.Errorf("Get while another process writes = %v", err)
	}
}
