//go:build unix

package retrysqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
	"github.com/relent-go/relent/transport/retrysql"
)

// server is shared by the tests; each has a database of its own.
var server = sync.OnceValues(postgrestest.New)

var started atomic.Bool // that server was asked for

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := child(name); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if started.Load() {
		if s, err := server(); err == nil {
			s.Remove()
		}
	}
	for _, end := range atTheEnd {
		end()
	}
	os.Exit(code)
}

// others are the worlds that not every system has, and atTheEnd what removes their servers.
var (
	others   = make(map[string]func(*testing.T) *world)
	atTheEnd []func()
)

func url(t testing.TB) string {
	t.Helper()
	started.Store(true)
	s, err := server()
	if err != nil {
		postgrestest.Missing(t, err)
	}
	return s.URL(t)
}

// A world is a database with a table of effects, and another way to look at it.
type world struct {
	db     retrysql.Beginner
	faults *chaos.Injector // of db's connections
	look   *sql.DB         // without faults
	sql    *retrysql.DB    // db, unless it is of pgx
	name   string          // data source, if it is of SQLite
}

const tables = `CREATE TABLE effects (name varchar(100) NOT NULL); CREATE TABLE counter (n int NOT NULL); INSERT INTO counter VALUES (0)`

// worlds runs a test with each database, as a case of its own if it has a name.
func worlds(t *testing.T, name string, test func(*testing.T, *world)) {
	if name != "" {
		t.Run(name, func(t *testing.T) { worlds(t, "", test) })
		return
	}
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteWorld(t, "WAL")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresWorld(t)) })
	t.Run("pgx", func(t *testing.T) { test(t, pgxWorld(t)) })
	for name, make := range others {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

func sqliteWorld(t *testing.T, journal string) *world {
	name := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=journal_mode(" + journal + ")&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	w := &world{faults: chaos.New(1), name: name}
	pool := sql.OpenDB(connector(t, chaos.Driver(&sqlite.Driver{}, w.faults), name))
	w.sql = &retrysql.DB{Pool: pool, Kind: retrysql.SQLite}
	w.db = w.sql
	w.look = sql.OpenDB(connector(t, chaos.Driver(&sqlite.Driver{}, nil), name))
	w.prepare(t, pool, retrysql.SQLite)
	return w
}

func connector(t *testing.T, d driver.Driver, name string) driver.Connector {
	c, err := d.(driver.DriverContext).OpenConnector(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func postgresWorld(t *testing.T) *world {
	u := url(t)
	config, err := pgx.ParseConfig(u)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{faults: chaos.New(1), look: stdlib.OpenDB(*config)}
	pool := sql.OpenDB(chaos.Connector(stdlib.GetConnector(*config), w.faults))
	w.sql = &retrysql.DB{Pool: pool}
	w.db = w.sql
	w.prepare(t, pool, retrysql.PostgreSQL)
	return w
}

// pgxWorld has its faults in the network: those of pgx without database/sql can be nowhere else.
func pgxWorld(t *testing.T) *world {
	u := url(t)
	w := &world{faults: chaos.New(1)}
	config, err := pgxpool.ParseConfig(u)
	if err != nil {
		t.Fatal(err)
	}
	w.look = stdlib.OpenDB(*config.ConnConfig.Copy())
	var d net.Dialer
	config.ConnConfig.DialFunc = chaos.Dial(w.faults, d.DialContext, nil)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.db = Pool{pool}
	w.prepare(t, nil, retrysql.PostgreSQL)
	return w
}

func (w *world) prepare(t *testing.T, pool *sql.DB, d retrysql.Dialect) {
	t.Cleanup(func() {
		if pool != nil {
			if n := pool.Stats().InUse; n != 0 {
				t.Errorf("%d connections were not given back", n)
			}
			pool.Close()
		}
		w.look.Close()
	})
	w.exec(t, tables)
	w.exec(t, (*retrysql.Ledger)(nil).DDL(d))
}

func (w *world) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := w.look.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) number(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := w.look.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// marker is a placeholder.
func (w *world) marker() string {
	if w.db.Dialect() == retrysql.PostgreSQL {
		return "$1"
	}
	return "?"
}

// session reads what [world.terminate] needs.
func (w *world) session(ctx context.Context, tx *retrysql.Tx) (id int, err error) {
	query := "SELECT pg_backend_pid()"
	if w.db.Dialect() == retrysql.MySQL {
		query = "SELECT CONNECTION_ID()"
	}
	err = tx.QueryRow(ctx, query).Scan(&id)
	return id, err
}

// terminate ends a session from outside, and returns when it is gone.
func (w *world) terminate(t *testing.T, session int) {
	if w.db.Dialect() != retrysql.MySQL {
		w.exec(t, "SELECT pg_terminate_backend($1, 5000)", session)
		return
	}
	w.exec(t, fmt.Sprint("KILL CONNECTION ", session))
	for w.number(t, "SELECT count(*) FROM information_schema.processlist WHERE id = ?", session) > 0 {
		time.Sleep(time.Millisecond)
	}
}

// waiting says how many sessions wait for others.
func (w *world) waiting(t *testing.T) int {
	if w.db.Dialect() == retrysql.MySQL {
		return w.number(t, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'innodb_row_lock_current_waits'")
	}
	return w.number(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
}

// effect inserts a row.
func (w *world) effect(ctx context.Context, tx *retrysql.Tx, name string) error {
	_, err := tx.Exec(ctx, "INSERT INTO effects VALUES ("+w.marker()+")", name)
	return err
}

// once is a transaction with one effect, all of it inside Once.
func (w *world) once(name string) func(context.Context, *retrysql.Tx) (bool, error) {
	return func(ctx context.Context, tx *retrysql.Tx) (bool, error) {
		_, replayed, err := retrysql.Once(ctx, tx, retrysql.Key{Name: name}, func(ctx context.Context) (string, error) {
			return name, w.effect(ctx, tx, name)
		})
		return replayed, err
	}
}

// patient tries often and waits little.
var patient = &retry.Policy{Name: "test", MaxAttempts: 50, Backoff: backoff.Exponential{Base: time.Millisecond, Max: 20 * time.Millisecond}}
