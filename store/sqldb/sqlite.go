package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const readers = 4 // connections that read

// pragmas are set on each connection. WAL with FULL syncs at each commit, before it is acknowledged. The log goes back into the
// file at 16 MB. Other processes are waited for up to 5 s.
const pragmas = "_busy_timeout=5000&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=wal_autocheckpoint(4000)" +
	"&_pragma=journal_size_limit(67108864)&_defensive=1&_dqs=0&_error_rc=1"

// settings are what tests change.
type settings struct {
	params string // of the file, after pragmas
}

// A sqliteEngine is one file.
type sqliteEngine struct {
	where  string
	writer *writer
	reader *sql.DB
	closed func() error

	statements sync.Map // *query to *sql.Stmt, of reader
}

func openSQLite(ctx context.Context, path string, set settings) (engine, error) {
	where := "sqlite:" + path
	if path == "" || path == ":memory:" {
		return nil, badURL(where, "a file is needed")
	}
	if err := create(path); err != nil {
		return nil, fault(where, cannot(err), err)
	}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String() + "?" + pragmas + set.params
	writing, err := sql.Open("sqlite", name+"&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, badURL(where, err.Error()) // a parameter that the driver does not know
	}
	reading, _ := sql.Open("sqlite", name+"&_query_only=1") // as the one above, which opened
	writing.SetMaxOpenConns(1)
	reading.SetMaxOpenConns(readers)
	reading.SetMaxIdleConns(readers)
	e := &sqliteEngine{where: where, reader: reading}
	if e.writer, err = newWriter(ctx, writing, where); err != nil {
		return nil, errors.Join(sqliteFault(where, err, false), reading.Close(), writing.Close())
	}
	e.closed = sync.OnceValue(func() error {
		e.writer.close()
		e.statements.Range(func(_, st any) bool { return st.(*sql.Stmt).Close() == nil })
		return errors.Join(reading.Close(), writing.Close())
	})
	return e, nil
}

// create makes the file if it is not there, readable for its owner only, and sees to it that it is still in its folder
// after a power failure. It is here, and not left to the driver, for the sake of errors that say why.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDONLY, 0)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		defer dir.Close()
		dir.Sync() // not every system can; SQLite does it again for its log
	}
	return nil
}

func cannot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return ErrReadOnly
	}
	return ErrURL
}

func (e *sqliteEngine) String() string { return e.where }

func (e *sqliteEngine) close() error { return e.closed() }

func (e *sqliteEngine) write(ctx context.Context, k kind, size int, f func(context.Context, session) error) error {
	return e.writer.do(ctx, &operation{kind: k, size: size, run: f, done: make(chan struct{})})
}

// read runs f in a transaction, so that all its statements see the same. In WAL mode it never waits for the writer.
func (e *sqliteEngine) read(ctx context.Context, _ kind, f func(context.Context, session) error) error {
	tx, err := e.reader.BeginTx(ctx, nil)
	if err == nil {
		err = f(ctx, readSession{e, tx})
		tx.Rollback() // nothing was changed
	}
	if err != nil && ctx.Err() != nil {
		return left(ctx)
	}
	if err != nil && e.writer.ended() {
		return fault(e.where, ErrClosed, nil)
	}
	return sqliteFault(e.where, err, false)
}

// A readSession runs statements on one of the connections that read.
type readSession struct {
	engine *sqliteEngine
	tx     *sql.Tx
}

// prepared returns a statement for whatever connection the transaction has.
func (s readSession) prepared(ctx context.Context, q *query) (*sql.Stmt, error) {
	if st, ok := s.engine.statements.Load(q); ok {
		return s.tx.StmtContext(ctx, st.(*sql.Stmt)), nil
	}
	st, err := s.engine.reader.PrepareContext(ctx, q.sqlite)
	if err != nil {
		return nil, err
	}
	kept, other := s.engine.statements.LoadOrStore(q, st)
	if other {
		st.Close()
	}
	return s.tx.StmtContext(ctx, kept.(*sql.Stmt)), nil
}
