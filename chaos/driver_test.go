package chaos_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/chaos"
)

// A db is a driver that writes down what reaches it.
type db struct {
	log    []string
	closed int
	err    error
	old    bool // with the oldest interfaces only
}

func (d *db) note(s string) error {
	if d.err != nil {
		return d.err
	}
	d.log = append(d.log, s)
	return nil
}

func (d *db) take() string { s := strings.Join(d.log, ", "); d.log = nil; return s }

func (d *db) Open(name string) (driver.Conn, error) {
	if err := d.note("open " + name); err != nil {
		return nil, err
	}
	c := &oldConn{d}
	if d.old {
		return c, nil
	}
	return &newConn{oldConn: c}, nil
}
func (d *db) Connect(context.Context) (driver.Conn, error) { return d.Open("") }
func (d *db) Driver() driver.Driver                        { return d }

type withContext struct{ *db }

func (d withContext) OpenConnector(name string) (driver.Connector, error) {
	if name == "bad" {
		return nil, boom
	}
	return d.db, nil
}

type oldConn struct{ d *db }

func (c *oldConn) Prepare(q string) (driver.Stmt, error) {
	if err := c.d.note("prepare " + q); err != nil {
		return nil, err
	}
	s := &oldStmt{c.d, q}
	if c.d.old {
		return s, nil
	}
	return newStmt{s}, nil
}
func (c *oldConn) Close() error              { c.d.closed++; return nil }
func (c *oldConn) Begin() (driver.Tx, error) { return oldTx{c.d}, c.d.note("begin") }

type oldTx struct{ d *db }

func (t oldTx) Commit() error   { return t.d.note("commit") }
func (t oldTx) Rollback() error { return t.d.note("rollback") }

type oldStmt struct {
	d *db
	q string
}

func (s *oldStmt) Close() error  { return nil }
func (s *oldStmt) NumInput() int { return -1 }
func (s *oldStmt) Exec(args []driver.Value) (driver.Result, error) {
	return driver.RowsAffected(1), s.d.note(fmt.Sprint("exec ", s.q, args))
}
func (s *oldStmt) Query(args []driver.Value) (driver.Rows, error) {
	return &none{s.d}, s.d.note(fmt.Sprint("query ", s.q, args))
}

type newStmt struct{ *oldStmt }

func (s newStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), s.d.note("exec prepared " + s.q)
}
func (s newStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return &none{s.d}, s.d.note("query prepared " + s.q)
}
func (s newStmt) CheckNamedValue(v *driver.NamedValue) error { return s.d.note("check of statement") }
func (s newStmt) ColumnConverter(int) driver.ValueConverter  { return driver.String }

type none struct{ d *db }

func (n *none) Columns() []string         { return []string{"a"} }
func (n *none) Close() error              { return n.d.note("close rows") }
func (n *none) Next([]driver.Value) error { return io.EOF }

type newConn struct {
	*oldConn
	invalid bool
}

func (c *newConn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.d.note(fmt.Sprint("begin ", o.ReadOnly)); err != nil {
		return nil, err
	}
	return oldTx{c.d}, nil
}
func (c *newConn) PrepareContext(_ context.Context, q string) (driver.Stmt, error) {
	return c.Prepare(q)
}
func (c *newConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.d.note(q)
}
func (c *newConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	return &none{c.d}, c.d.note(q)
}
func (c *newConn) Ping(context.Context) error                 { return c.d.note("ping") }
func (c *newConn) ResetSession(context.Context) error         { return c.d.note("reset") }
func (c *newConn) IsValid() bool                              { return !c.invalid }
func (c *newConn) CheckNamedValue(v *driver.NamedValue) error { return c.d.note("check") }

// use does one operation on a connection of a pool.
func use(pool *sql.DB, op string) error {
	ctx := context.Background()
	switch op {
	case "ping":
		return pool.PingContext(ctx)
	case "exec":
		_, err := pool.ExecContext(ctx, "insert")
		return err
	case "query":
		rows, err := pool.QueryContext(ctx, "select")
		if err == nil {
			rows.Close()
		}
		return err
	case "prepare":
		s, err := pool.PrepareContext(ctx, "insert")
		if err == nil {
			s.Close()
		}
		return err
	}
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	if op == "rollback" {
		return tx.Rollback()
	}
	err = tx.Commit()
	tx.Rollback()
	return err
}

func TestDriverFaults(t *testing.T) {
	for op, apply := range map[string]string{
		"connect": "", "ping": "ping", "exec": "insert", "query": "select", "prepare": "prepare insert",
		"begin": "begin true", "commit": "begin true, commit", "rollback": "begin true, rollback",
	} {
		for _, fault := range []chaos.Fault{chaos.Pass, chaos.Fail, chaos.Cut, chaos.ApplyThenFail, chaos.ApplyThenCut} {
			t.Run(op+" "+fault.String(), func(t *testing.T) {
				d := &db{}
				i := chaos.New(1)
				pool := sql.OpenDB(chaos.Connector(d, i))
				defer pool.Close()
				if op != "connect" {
					pool.Ping()
				}
				d.take()
				i.Set(chaos.Rule{Op: op, Script: []chaos.Fault{fault}})
				err := use(pool, op)
				if (err == nil) != (fault == chaos.Pass) {
					t.Errorf("%v", err)
				}
				if e, ok := errors.AsType[*chaos.Error](err); err != nil && (!ok || e.Op != op || e.Fault != fault) {
					t.Errorf("%v", err)
				}
				got := d.take()
				applied := fault != chaos.Fail && fault != chaos.Cut
				if op != "connect" && applied != strings.Contains(got, apply) {
					t.Errorf("reached the driver: %s", got)
				}
				if op == "query" && applied != strings.HasSuffix(got, ", close rows") {
					t.Errorf("reached the driver: %s; the rows of an answer that is lost must be closed", got)
				}
				cut := fault == chaos.Cut || fault == chaos.ApplyThenCut
				if op == "connect" && fault != chaos.Pass && strings.HasPrefix(got, "open") != (d.closed == 1) {
					t.Errorf("reached the driver: %s; %d connections closed", got, d.closed)
				}
				if op != "connect" && cut != (d.closed == 1) {
					t.Errorf("%d connections closed", d.closed)
				}
				if err := use(pool, "exec"); err != nil {
					t.Errorf("the next one: %v", err)
				}
			})
		}
	}
}

func TestDriverDuplicatesExec(t *testing.T) {
	d := &db{}
	pool := sql.OpenDB(chaos.Connector(d, chaos.New(1, chaos.Rule{Fault: chaos.Duplicate, Rate: 1})))
	defer pool.Close()
	use(pool, "exec")
	use(pool, "query")
	if got := d.take(); got != "open , insert, insert, reset, select, close rows" {
		t.Error(got)
	}
}

// BEGIN, COMMIT and ROLLBACK as statements are what they say.
func TestDriverReadsStatements(t *testing.T) {
	d := &db{}
	i := chaos.New(1, chaos.Rule{Fault: chaos.Slow, Rate: 1, Delay: 1})
	pool := sql.OpenDB(chaos.Connector(d, i))
	defer pool.Close()
	for _, q := range []string{"BEGIN IMMEDIATE", "commit;", " Rollback ; ", "ROLLBACK WORK", "ROLLBACK TO a", "rollback work to a", "", "insert"} {
		pool.Exec(q)
	}
	pool.Query("select 1")
	counts := i.Counts()
	for op, want := range map[string]int{"connect": 1, "begin": 1, "commit": 1, "rollback": 2, "exec": 4, "query": 1} {
		if got := counts[chaos.Count{Op: op, Fault: chaos.Slow}]; got != want {
			t.Errorf("%s: %d; want %d", op, got, want)
		}
	}
}

// A driver of the oldest kind serves as it would without faults.
func TestOldDriver(t *testing.T) {
	d := &db{old: true}
	sql.Register("chaos-old", chaos.Driver(d, nil))
	pool, err := sql.Open("chaos-old", "name")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	if _, err := pool.Exec("insert", 7); err != nil {
		t.Error(err)
	}
	if rows, err := pool.Query("select", "x"); err != nil {
		t.Error(err)
	} else {
		rows.Close()
	}
	if _, err := pool.Exec("insert", sql.Named("a", 7)); err == nil {
		t.Error("a named argument went through")
	}
	if _, err := pool.Query("select", sql.Named("a", 7)); err == nil {
		t.Error("a named argument went through")
	}
	tx, err := pool.Begin()
	if err != nil || tx.Commit() != nil || pool.Ping() != nil {
		t.Error(err)
	}
	if _, err := pool.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true}); err == nil {
		t.Error("options went through")
	}
	if got := d.take(); got != "open name, prepare insert, exec insert[7], prepare select, query select[x], close rows, prepare insert, prepare select, begin, commit" {
		t.Error(got)
	}
	if _, err := pool.Prepare("x"); err != nil {
		t.Error(err)
	}
	d.err = boom
	if _, err := pool.Prepare("x"); !errors.Is(err, boom) {
		t.Error(err)
	}
	if _, err := pool.Begin(); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestDriverOpens(t *testing.T) {
	d := &db{}
	c, err := chaos.Driver(withContext{d}, nil).Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := chaos.Driver(withContext{d}, nil).Open("bad"); err != boom {
		t.Error(err)
	}
	connector, err := chaos.Driver(withContext{d}, nil).(driver.DriverContext).OpenConnector("")
	if err != nil || connector.Driver() != driver.Driver(d) {
		t.Error(err)
	}
	connector, err = chaos.Driver(&db{old: true}, nil).(driver.DriverContext).OpenConnector("")
	if err != nil || connector.Driver() == nil {
		t.Error(err)
	}
	// What database/sql does not ask for on its usual ways.
	if s, err := c.Prepare("q"); err != nil {
		t.Error(err)
	} else if s.(driver.ColumnConverter).ColumnConverter(0) != driver.String {
		t.Error("the statement's converter is lost")
	} else if s.(driver.NamedValueChecker).CheckNamedValue(nil) != nil {
		t.Error("the statement's checker is lost")
	}
	if tx, err := c.Begin(); err != nil || tx.Rollback() != nil {
		t.Error(err)
	}
	d.err = boom
	if _, err := c.Begin(); err != boom {
		t.Error(err)
	}
	if _, err := d.Connect(t.Context()); err != boom {
		t.Error(err)
	}
	if _, err := chaos.Connector(d, nil).Connect(t.Context()); err != boom {
		t.Error(err)
	}
	d.err = nil
	old, _ := chaos.Driver(&db{old: true}, nil).Open("")
	if !old.(driver.Validator).IsValid() || old.(driver.SessionResetter).ResetSession(t.Context()) != nil {
		t.Error("an old connection is not valid")
	}
	if s, _ := old.Prepare("q"); s.(driver.ColumnConverter).ColumnConverter(0) != driver.DefaultParameterConverter {
		t.Error("converter")
	} else if s.(driver.NamedValueChecker).CheckNamedValue(nil) != driver.ErrSkip {
		t.Error("checker")
	}
	if _, err := old.(driver.QueryerContext).QueryContext(t.Context(), "", nil); err != driver.ErrSkip {
		t.Error(err)
	}
}

// Of a connection that was cut, nothing works.
func TestDriverCut(t *testing.T) {
	d := &db{}
	i := chaos.New(1, chaos.Rule{Op: "ping", Script: []chaos.Fault{chaos.Cut}})
	c, err := chaos.Connector(d, i).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, _ := c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
	if err := c.(driver.Pinger).Ping(t.Context()); err == nil || d.closed != 1 {
		t.Errorf("%v, %d closed", err, d.closed)
	}
	for _, err := range []error{
		tx.Commit(), tx.Rollback(), c.(driver.Pinger).Ping(t.Context()), c.(driver.SessionResetter).ResetSession(t.Context()),
	} {
		if err != driver.ErrBadConn {
			t.Error(err)
		}
	}
	if c.(driver.Validator).IsValid() || c.Close() != nil || d.closed != 1 {
		t.Error("a connection that was cut is valid, or closed twice")
	}
}

// A driver that asks for another way is not made to fail after what it did not do.
func TestDriverSkips(t *testing.T) {
	d := &db{err: driver.ErrSkip}
	i := chaos.New(1, chaos.Rule{Op: "exec", Fault: chaos.ApplyThenFail, Rate: 1})
	d.err = nil
	c, _ := chaos.Connector(d, i).Connect(t.Context())
	d.err = driver.ErrSkip
	if _, err := c.(driver.ExecerContext).ExecContext(t.Context(), "insert", nil); err != driver.ErrSkip {
		t.Error(err)
	}
}

func TestDriverHangs(t *testing.T) {
	d := &db{}
	i := chaos.New(1)
	pool := sql.OpenDB(chaos.Connector(d, i))
	defer pool.Close()
	pool.Ping()
	for _, fault := range []chaos.Fault{chaos.Hang, chaos.ApplyThenHang} {
		i.Set(chaos.Rule{Op: "exec", Script: []chaos.Fault{fault}})
		d.take()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := pool.ExecContext(ctx, "insert"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if applied := strings.Contains(d.take(), "insert"); applied != (fault == chaos.ApplyThenHang) {
			t.Errorf("%v: applied %v", fault, applied)
		}
	}
}

func TestDriverPrepared(t *testing.T) {
	d := &db{}
	pool := sql.OpenDB(chaos.Connector(d, nil))
	defer pool.Close()
	s, err := pool.Prepare("a")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Exec(1); err != nil {
		t.Error(err)
	}
	rows, err := s.Query()
	if err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if _, err := pool.Exec("b", 1); err != nil {
		t.Error(err)
	}
	want := "open , prepare a, reset, check of statement, exec prepared a, reset, query prepared a, close rows, reset, check, b"
	if got := d.take(); got != want {
		t.Errorf("reached the driver: %s; want %s", got, want)
	}
}

// What a driver returns beside an error is left alone.
func TestDriverFailsItself(t *testing.T) {
	d := &db{}
	c, _ := chaos.Connector(d, chaos.New(1, chaos.Rule{Op: "query", Fault: chaos.ApplyThenFail, Rate: 1})).Connect(t.Context())
	d.take()
	d.err = boom
	_, err := c.(driver.QueryerContext).QueryContext(t.Context(), "select", nil)
	d.err = nil
	if _, ok := errors.AsType[*chaos.Error](err); !ok || d.take() != "" {
		t.Errorf("QueryContext = %v", err)
	}
	c.Close()
}
