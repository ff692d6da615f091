package retrysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// A DB begins transactions through database/sql. It must be given its Pool, and is safe for concurrent use.
//
// A connection whose BEGIN, COMMIT or ROLLBACK failed is closed and not used again: drivers do not
// agree on what state it is in. (With SQLite's :memory:, the last connection takes the data along.)
type DB struct {
	Pool *sql.DB
	Kind Dialect // PostgreSQL unless set

	// Codes finds the code in an error, or returns "". Nil means [Dialect.Code]. For MySQL it is needed:
	//
	//	func codes(err error) string {
	//		if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
	//			return strconv.Itoa(int(e.Number))
	//		}
	//		if errors.Is(err, mysql.ErrInvalidConn) {
	//			return retrysql.Lost
	//		}
	//		return ""
	//	}
	//
	// For github.com/mattn/go-sqlite3 it returns the ExtendedCode of a sqlite3.Error.
	Codes func(error) string
}

var (
	_ Coder   = (*DB)(nil)
	_ Querier = (*DB)(nil)
)

// Dialect returns Kind.
func (db *DB) Dialect() Dialect { return db.Kind }

// CodeOf returns the code in err, or "".
func (db *DB) CodeOf(err error) string {
	if db.Codes == nil {
		return db.Kind.Code(err)
	}
	return db.Codes(err)
}

// QueryRow reads one row outside any transaction.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	rows, err := db.Pool.QueryContext(ctx, query, args...)
	if err != nil {
		return &Row{err: err}
	}
	return &Row{rows: rows}
}

// Begin begins a transaction. Connections of the pool that turn out to be dead are passed over.
func (db *DB) Begin(ctx context.Context, o Options) (Session, error) {
	for idle := db.Pool.Stats().Idle; ; idle-- {
		s, err := db.begin(ctx, o)
		if err == nil {
			return s, nil
		}
		if idle <= 0 || !errors.Is(err, driver.ErrBadConn) {
			return nil, err
		}
	}
}

func (db *DB) begin(ctx context.Context, o Options) (Session, error) {
	conn, err := db.Pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn}
	if db.Kind == SQLite && o.Immediate && !o.ReadOnly {
		_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	} else {
		s.tx, err = conn.BeginTx(ctx, &sql.TxOptions{Isolation: o.Isolation, ReadOnly: o.ReadOnly})
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// A session is a transaction of database/sql, or one that was begun by hand if tx is nil.
type session struct {
	conn *sql.Conn
	tx   *sql.Tx
}

func (s *session) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s.tx == nil {
		return s.conn.ExecContext(ctx, query, args...)
	}
	return s.tx.ExecContext(ctx, query, args...)
}

func (s *session) Query(ctx context.Context, query string, args ...any) (Cursor, error) {
	if s.tx == nil {
		return cursor(s.conn.QueryContext(ctx, query, args...))
	}
	return cursor(s.tx.QueryContext(ctx, query, args...))
}

// cursor keeps a nil *sql.Rows out of the interface.
func cursor(rows *sql.Rows, err error) (Cursor, error) {
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (s *session) Commit(ctx context.Context) (err error) {
	if s.tx == nil {
		_, err = s.conn.ExecContext(ctx, "COMMIT")
	} else {
		err = s.tx.Commit()
	}
	if err == nil {
		s.conn.Close() // back into the pool
		return nil
	}
	s.discard()
	return err
}

func (s *session) Rollback(ctx context.Context) (err error) {
	if s.tx == nil {
		_, err = s.conn.ExecContext(ctx, "ROLLBACK")
	} else if err = s.tx.Rollback(); errors.Is(err, sql.ErrTxDone) {
		err = nil // database/sql has rolled back when the context ended, and looked after the connection
	}
	if err != nil {
		s.discard()
		return err
	}
	return s.conn.Close()
}

// discard closes the connection instead of giving it back.
func (s *session) discard() {
	s.conn.Raw(func(any) error { return driver.ErrBadConn })
}
