package sqldb

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

// server is shared by the tests; each has a database of its own.
var server = sync.OnceValues(postgrestest.New)

var started atomic.Bool // that server was asked for

func TestMain(m *testing.M) {
	if os.Getenv("RELENT_CRASH_CHILD") != "" {
		crashChild()
		return
	}
	code := m.Run()
	if started.Load() {
		if s, err := server(); err == nil {
			s.Remove()
		}
	}
	os.Exit(code)
}

// file opens a new file, until the test ends.
func file(t testing.TB) *DB {
	t.Helper()
	return reopen(t, fileURL(t))
}

func fileURL(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "relent.db") }

// postgres opens a new database on the shared server.
func postgres(t testing.TB) *DB {
	t.Helper()
	return reopen(t, postgresURL(t))
}

func postgresURL(t testing.TB) string {
	t.Helper()
	started.Store(true)
	s, err := server()
	if err != nil {
		postgrestest.Missing(t, err)
	}
	return s.URL(t)
}

func reopen(t testing.TB, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// both runs a test with each engine.
func both(t *testing.T, test func(t *testing.T, open func(testing.TB) *DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, file) })
	t.Run("postgres", func(t *testing.T) { test(t, postgres) })
}
