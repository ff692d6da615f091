package sqldb

import (
	"context"
	"strings"

	"github.com/relent-go/relent/retry"
)

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	engine engine
}

// An engine is how one kind of database is used.
type engine interface {
	// write runs f, whose changes are durable when write returns without an error. f may be run again. An error of
	// f's own making is returned as it is, and f has then changed nothing. size is about how many bytes f writes.
	write(ctx context.Context, k kind, size int, f func(context.Context, session) error) error

	// read runs f, which changes nothing. If whole, all its statements see the same state.
	read(ctx context.Context, k kind, f func(context.Context, session) error) error

	close() error
	String() string
}

// A kind of operation.
type kind int

const (
	single kind = iota // one statement at most does anything that matters
	held               // the same, under a lock
	whole              // several do, all or none, and all at one time
)

// Open opens the database of a URL, creates or brings up to date its tables, and returns when it is ready.
// The caller closes it.
//
// An error is an [*Error] that says what to do next. It matches [ErrURL], [ErrNewerSchema], [ErrNotDurable], or what
// any operation may run into.
func Open(ctx context.Context, url string) (*DB, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	var e engine
	var err error
	switch scheme {
	case "sqlite":
		e, err = openSQLite(ctx, rest, settings{})
	case "postgres", "postgresql":
		e, err = openPostgres(ctx, url)
	default:
		err = badURL("", "the scheme is neither sqlite nor postgres")
	}
	if err != nil {
		return nil, err
	}
	return &DB{e}, nil
}

// String says where the database is, without a password.
func (db *DB) String() string { return db.engine.String() }

// Close ends the use of the database, and returns when everything that was begun has ended. Operations that were
// not begun fail with [ErrClosed]. Closing it again does nothing.
func (db *DB) Close() error { return db.engine.close() }

// write is engine.write for an f with a result, which is the zero value if there is an error: f may then still be running.
func write[T any](ctx context.Context, db *DB, k kind, size int, f func(context.Context, session) (T, error)) (T, error) {
	var none T
	if err := alive(ctx); err != nil {
		return none, err
	}
	result := new(T)
	err := db.engine.write(ctx, k, size, func(ctx context.Context, s session) (err error) {
		*result, err = f(ctx, s)
		return err
	})
	if err != nil {
		return none, err
	}
	return *result, nil
}

// change is write for an f without a result.
func change(ctx context.Context, db *DB, k kind, size int, f func(context.Context, session) error) error {
	if err := alive(ctx); err != nil {
		return err
	}
	return db.engine.write(ctx, k, size, f)
}

// read is engine.read for an f with a result.
func read[T any](ctx context.Context, db *DB, k kind, f func(context.Context, session) (T, error)) (result T, err error) {
	if err := alive(ctx); err != nil {
		return result, err
	}
	err = db.engine.read(ctx, k, func(ctx context.Context, s session) (err error) {
		result, err = f(ctx, s)
		return err
	})
	return result, err
}

// alive refuses what comes from a caller that has given up. Nothing was done, so nothing is in doubt.
func alive(ctx context.Context) error {
	if ctx.Err() != nil {
		return retry.Mark(context.Cause(ctx), retry.Transient)
	}
	return nil
}
