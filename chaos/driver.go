package chaos

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
)

// Connector returns c with faults: for [database/sql.OpenDB]. The operations are connect, ping, prepare,
// exec, query, begin, commit and rollback; statements that begin with BEGIN, COMMIT or ROLLBACK (but
// not ROLLBACK TO) count as those. A statement that was prepared is an exec or query each time it runs.
//
// Of a connection that was cut, everything fails with [driver.ErrBadConn] from then on, and the
// connection below is closed. [Duplicate] counts for exec only: a statement sent twice.
//
// The connections promise to database/sql what the driver's do, as far as database/sql asks at run time.
func Connector(c driver.Connector, i *Injector) driver.Connector { return connector{c, i} }

type connector struct {
	driver.Connector
	i *Injector
}

// Connect opens a connection.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	h := c.i.next("connect")
	if err := h.before(ctx); err != nil {
		return nil, err
	}
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.after(ctx); err != nil {
		inner.Close()
		return nil, err
	}
	return &conn{Conn: inner, i: c.i}, nil
}

// Driver returns d with faults: for [database/sql.Register].
func Driver(d driver.Driver, i *Injector) driver.Driver { return faulty{d, i} }

type faulty struct {
	driver.Driver
	i *Injector
}

// Open opens a connection.
func (d faulty) Open(name string) (driver.Conn, error) {
	c, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// OpenConnector reads the data source's name.
func (d faulty) OpenConnector(name string) (driver.Connector, error) {
	with, ok := d.Driver.(driver.DriverContext)
	if !ok {
		return connector{named{d.Driver, name}, d.i}, nil
	}
	c, err := with.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return connector{c, d.i}, nil
}

// named is a connector of a driver that has none.
type named struct {
	driver driver.Driver
	name   string
}

func (n named) Connect(context.Context) (driver.Conn, error) { return n.driver.Open(n.name) }
func (n named) Driver() driver.Driver                        { return n.driver }

// A conn is a connection with faults.
type conn struct {
	driver.Conn
	i    *Injector
	dead atomic.Bool
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// through does f as an operation, on a connection that lives.
func through[T any](ctx context.Context, c *conn, op string, f func() (T, error)) (v T, err error) {
	var zero T
	if c.dead.Load() {
		return zero, driver.ErrBadConn
	}
	h := c.i.next(op)
	defer func() {
		if h.cuts() {
			c.cut()
		}
	}()
	if err := h.before(ctx); err != nil {
		return zero, err
	}
	if h.fault == Duplicate && op == "exec" {
		f()
	}
	v, err = f()
	if errors.Is(err, driver.ErrSkip) { // nothing happened: database/sql goes another way
		return v, err
	}
	if lost := h.after(ctx); lost != nil {
		if rows, ok := any(v).(driver.Rows); ok && err == nil {
			rows.Close()
		}
		return zero, lost
	}
	return v, err
}

// cut ends the connection below.
func (c *conn) cut() {
	if !c.dead.Swap(true) {
		c.Conn.Close()
	}
}

// Close closes the connection below, if it is not closed.
func (c *conn) Close() error {
	if c.dead.Swap(true) {
		return nil
	}
	return c.Conn.Close()
}

// Begin is not used by database/sql.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx begins a transaction.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return through(ctx, c, "begin", func() (driver.Tx, error) {
		var inner driver.Tx
		var err error
		if with, ok := c.Conn.(driver.ConnBeginTx); ok {
			inner, err = with.BeginTx(ctx, o)
		} else if o != (driver.TxOptions{}) {
			err = errors.New("chaos: the driver has no transactions with options")
		} else {
			inner, err = c.Conn.Begin()
		}
		if err != nil {
			return nil, err
		}
		return &tx{inner, c, ctx}, nil
	})
}

// Prepare is not used by database/sql.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return through(ctx, c, "prepare", func() (driver.Stmt, error) {
		inner, err := prepare(ctx, c.Conn, query)
		if err != nil {
			return nil, err
		}
		return &stmt{inner, c, query}, nil
	})
}

func prepare(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if with, ok := c.(driver.ConnPrepareContext); ok {
		return with.PrepareContext(ctx, query)
	}
	return c.Prepare(query)
}

// ExecContext runs a statement, if the driver can without preparing it.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	with, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return through(ctx, c, operation(query, "exec"), func() (driver.Result, error) {
		return with.ExecContext(ctx, query, args)
	})
}

// QueryContext runs a statement, if the driver can without preparing it.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	with, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return through(ctx, c, operation(query, "query"), func() (driver.Rows, error) {
		return with.QueryContext(ctx, query, args)
	})
}

// Ping pings.
func (c *conn) Ping(ctx context.Context) error {
	_, err := through(ctx, c, "ping", func() (struct{}, error) {
		if with, ok := c.Conn.(driver.Pinger); ok {
			return struct{}{}, with.Ping(ctx)
		}
		return struct{}{}, nil
	})
	return err
}

// ResetSession is asked before the connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.dead.Load() {
		return driver.ErrBadConn
	}
	if with, ok := c.Conn.(driver.SessionResetter); ok {
		return with.ResetSession(ctx)
	}
	return nil
}

// IsValid says whether the connection may be used again.
func (c *conn) IsValid() bool {
	with, ok := c.Conn.(driver.Validator)
	return !c.dead.Load() && (!ok || with.IsValid())
}

// CheckNamedValue converts an argument.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if with, ok := c.Conn.(driver.NamedValueChecker); ok {
		return with.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// operation names what a statement does.
func operation(query, otherwise string) string {
	words := strings.Fields(strings.TrimRight(strings.ToLower(query), "; \t\n"))
	if len(words) == 0 {
		return otherwise
	}
	switch words[0] {
	case "begin", "commit":
		return words[0]
	case "rollback":
		if !slices.Contains(words, "to") {
			return words[0]
		}
	}
	return otherwise
}

// A tx is a transaction with faults.
type tx struct {
	inner driver.Tx
	conn  *conn
	ctx   context.Context // of BeginTx: driver.Tx knows no other
}

func (t *tx) Commit() error {
	_, err := through(t.ctx, t.conn, "commit", func() (struct{}, error) { return struct{}{}, t.inner.Commit() })
	return err
}

func (t *tx) Rollback() error {
	_, err := through(t.ctx, t.conn, "rollback", func() (struct{}, error) { return struct{}{}, t.inner.Rollback() })
	return err
}
