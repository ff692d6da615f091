package retrysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// A server is a database with one table of keys and one list of effects. It speaks just enough SQL.
type server struct {
	mu      sync.Mutex
	keys    map[string]entry
	effects []string
	log     []string                            // all that reached it
	on      func(n int, statement string) error // fails the nth statement that reached it
	conns   int                                 // open
	noTx    bool                                // connections without an option for transactions
	rowErr  error                               // of rows, after those there are
	close   error                               // of closing rows
}

type entry struct{ fingerprint, result []byte }

func (s *server) Connect(context.Context) (driver.Conn, error) {
	if err := s.meet("CONNECT"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return &connection{server: s}, nil
}
func (s *server) Driver() driver.Driver { return nil }

func (s *server) meet(statement string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, statement)
	if s.on == nil {
		return nil
	}
	return s.on(len(s.log), statement)
}

// reached returns what reached the server since the last time.
func (s *server) reached() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := strings.Join(s.log, "; ")
	s.log = nil
	return log
}

type connection struct {
	server *server
	tx     *transaction
}

type transaction struct {
	conn    *connection
	keys    map[string]entry
	effects []string
	marks   []int
	dead    bool
}

func (c *connection) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no") }
func (c *connection) Begin() (driver.Tx, error)           { return nil, errors.New("no") }
func (c *connection) Close() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.conns--
	return nil
}

func (c *connection) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	statement := "BEGIN"
	if o.ReadOnly {
		statement += " READ ONLY"
	}
	if o.Isolation != 0 {
		statement += " " + sql.IsolationLevel(o.Isolation).String()
	}
	if err := c.server.meet(statement); err != nil {
		return nil, err
	}
	return c.begin(), nil
}

func (c *connection) begin() *transaction {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.tx != nil {
		panic("a transaction is open on this connection")
	}
	c.tx = &transaction{conn: c, keys: maps.Clone(c.server.keys)}
	if c.tx.keys == nil {
		c.tx.keys = map[string]entry{}
	}
	return c.tx
}

func (t *transaction) Commit() error {
	if err := t.conn.server.meet("COMMIT"); err != nil {
		return err // and the transaction stays open, as SQLite's does
	}
	s := t.conn.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = t.keys
	s.effects = append(s.effects, t.effects...)
	t.conn.tx = nil
	return nil
}

func (t *transaction) Rollback() error {
	if err := t.conn.server.meet("ROLLBACK"); err != nil {
		return err
	}
	t.conn.tx = nil
	return nil
}

func (c *connection) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	switch query {
	case "COMMIT":
		return driver.RowsAffected(0), c.tx.Commit()
	case "ROLLBACK":
		return driver.RowsAffected(0), c.tx.Rollback()
	}
	if c.tx != nil && c.tx.dead && !strings.HasPrefix(query, "ROLLBACK TO") {
		c.server.meet("IN DEAD TRANSACTION " + query)
		return nil, state("25P02")
	}
	if err := c.server.meet(query); err != nil {
		if c.tx != nil {
			c.tx.dead = true
		}
		return nil, err
	}
	word, _, _ := strings.Cut(query, " ")
	switch word {
	case "BEGIN":
		c.begin()
	case "SAVEPOINT":
		c.tx.marks = append(c.tx.marks, len(c.tx.effects))
	case "ROLLBACK":
		c.tx.dead = false
		c.tx.effects = c.tx.effects[:c.tx.marks[len(c.tx.marks)-1]]
	case "RELEASE":
		c.tx.marks = c.tx.marks[:len(c.tx.marks)-1]
	case "EFFECT":
		c.tx.effects = append(c.tx.effects, query)
	case "INSERT":
		key := args[0].Value.(string)
		if _, ok := c.tx.keys[key]; ok {
			c.tx.dead = true
			return nil, state("23505")
		}
		c.tx.keys[key] = entry{fingerprint: args[1].Value.([]byte)}
	case "UPDATE":
		key := args[1].Value.(string)
		e := c.tx.keys[key]
		e.result = args[0].Value.([]byte)
		c.tx.keys[key] = e
	}
	return driver.RowsAffected(1), nil
}

func (c *connection) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.server.meet(query); err != nil {
		if c.tx != nil {
			c.tx.dead = true
		}
		return nil, err
	}
	r := &table{server: c.server}
	switch {
	case strings.HasPrefix(query, "SELECT fingerprint"):
		if e, ok := c.tx.keys[args[0].Value.(string)]; ok {
			r.rows = [][]driver.Value{{e.fingerprint, e.result}}
			if e.result == nil {
				r.rows[0][1] = nil
			}
		}
	case strings.HasPrefix(query, "SELECT "):
		for _, word := range strings.Fields(query)[1:] {
			r.rows = append(r.rows, []driver.Value{strings.Trim(word, "',")})
		}
	}
	return r, nil
}

type table struct {
	server *server
	rows   [][]driver.Value
}

func (r *table) Columns() []string {
	if len(r.rows) == 0 {
		return []string{"a", "b"}
	}
	return make([]string, len(r.rows[0]))
}
func (r *table) Close() error { return r.server.close }
func (r *table) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		if r.server.rowErr != nil {
			return r.server.rowErr
		}
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// state is an error with a SQLSTATE, as pgx and lib/pq have it.
type state string

func (s state) Error() string    { return "SQLSTATE " + string(s) }
func (s state) SQLState() string { return string(s) }

// result is an error with a result code, as modernc.org/sqlite has it.
type result int

func (r result) Error() string { return fmt.Sprintf("SQLite %d", int(r)) }
func (r result) Code() int     { return int(r) }

// number is an error as MySQL's driver has it: without a method.
type number struct{ Number uint16 }

func (n number) Error() string { return fmt.Sprintf("MySQL %d", n.Number) }

func numbers(err error) string {
	if n, ok := errors.AsType[number](err); ok {
		return fmt.Sprint(n.Number)
	}
	return ""
}

// open returns a server and what Do needs to use it.
func open(t testing.TB) (*server, *retrysql.DB) {
	s := &server{}
	pool := sql.OpenDB(s)
	pool.SetMaxOpenConns(4)
	t.Cleanup(func() {
		pool.Close()
		if s.conns != 0 {
			t.Errorf("%d connections are left open", s.conns)
		}
	})
	return s, &retrysql.DB{Pool: pool}
}

// plain is a policy that does not wait.
var plain = &retry.Policy{Name: "test", Backoff: backoff.Constant{}}

// nth fails the nth statement that begins so.
func nth(n int, prefix string, err error) func(int, string) error {
	return func(_ int, statement string) error {
		if strings.HasPrefix(statement, prefix) {
			if n--; n == 0 {
				return err
			}
		}
		return nil
	}
}

// effect is a transaction with one effect.
func effect(ctx context.Context, tx *retrysql.Tx) error {
	_, err := tx.Exec(ctx, "EFFECT")
	return err
}

func count(s *server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.effects)
}
