package retrysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// patience is how long a ROLLBACK may take once the attempt is over, its context ended or not.
const patience = 5 * time.Second

// A Tx is the transaction that a function of [Do] or [Run] works in. One goroutine uses it at a time.
//
// Once a statement has failed, further ones are refused with [ErrFailed] and what failed first, and do
// not reach the database, which would refuse them (PostgreSQL: 25P02) or, worse, would not. Only
// [Tx.Savepoint] saves a transaction from a failure. It is the same with every database, also
// where a transaction would survive.
//
// A statement that ends the transaction, such as COMMIT, or DDL in MySQL, is not for a Tx.
type Tx struct {
	session Session
	dialect Dialect
	code    func(error) string
	ended   func() error // the context's Err of the attempt

	mu    sync.Mutex // a function may leave the Tx to others
	first error      // what failed
	over  bool
	open  map[*Rows]bool

	committed  bool
	repeatable bool // the outcome of COMMIT is unknown, and the transaction can find out when it runs again
	savepoints int
	onces      int // uses of Once
	inside     int // depth of Once
	outside    int // statements beside Once
}

func newTx(ctx context.Context, s Session, b Beginner) *Tx {
	return &Tx{session: s, dialect: b.Dialect(), code: codes(b), ended: ctx.Err, open: map[*Rows]bool{}}
}

// codes returns what finds the codes in a Beginner's errors.
func codes(b Beginner) func(error) string {
	if c, ok := b.(Coder); ok {
		return c.CodeOf
	}
	return b.Dialect().Code
}

// Dialect says what kind of database it is.
func (tx *Tx) Dialect() Dialect { return tx.dialect }

// Exec runs a statement.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.beside()
	return tx.exec(ctx, query, args...)
}

// Query runs a statement that yields rows. They should be closed; the end of the transaction closes them.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	tx.beside()
	return tx.query(ctx, query, args...)
}

// QueryRow runs a statement that yields one row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *Row {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return &Row{err: err}
	}
	return &Row{rows: rows}
}

func (tx *Tx) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.refusal(); err != nil {
		return nil, err
	}
	result, err := tx.session.Exec(ctx, query, args...)
	if err != nil {
		return nil, tx.fail(tx.judge(err))
	}
	return result, nil
}

func (tx *Tx) query(ctx context.Context, query string, args ...any) (*Rows, error) {
	if err := tx.refusal(); err != nil {
		return nil, err
	}
	c, err := tx.session.Query(ctx, query, args...)
	if err != nil {
		return nil, tx.fail(tx.judge(err))
	}
	rows := &Rows{tx: tx, cursor: c}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.open[rows] = true
	return rows, nil
}

// beside notes a statement that a second run of the transaction would not leave out.
func (tx *Tx) beside() {
	if tx.inside == 0 {
		tx.outside++
	}
}

// keyed says that all that the transaction did is done at most once, however often it is run.
func (tx *Tx) keyed() bool { return tx.onces > 0 && tx.outside == 0 }

// refusal is the answer to a statement that is not sent.
func (tx *Tx) refusal() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch {
	case tx.over:
		return ErrOver
	case tx.first != nil:
		return fmt.Errorf("%w: %w", ErrFailed, tx.first)
	}
	return nil
}

// judge says what the error of a statement means.
func (tx *Tx) judge(err error) error {
	e := newError(Running, tx.dialect, tx.code(err), err)
	if tx.ended() != nil {
		e.class = retry.Transient // it ran out of time, whatever the driver makes of that
	}
	return e.mark()
}

// fail ends the transaction, but for the ROLLBACK.
func (tx *Tx) fail(err error) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.first == nil {
		tx.first = err
	}
	return err
}

// commit ends the transaction well, unless a statement failed and fn kept quiet about it.
func (tx *Tx) commit(ctx context.Context) error {
	if err := tx.refusal(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return tx.judge(context.Cause(ctx)) // COMMIT is not sent
	}
	tx.closeRows()
	if err := tx.refusal(); err != nil {
		return err
	}
	err := tx.session.Commit(ctx)
	switch {
	case err == nil:
		tx.committed = true
		return nil
	case errors.Is(err, sql.ErrTxDone):
		return tx.judge(err)
	}
	e := newError(Committing, tx.dialect, tx.code(err), err)
	e.Keyed = e.class == retry.Ambiguous && tx.keyed()
	tx.repeatable = e.Keyed
	if e.Keyed {
		return retry.Mark(open{e}, retry.Transient)
	}
	return e.mark()
}

// end leaves nothing behind, whatever became of the function.
func (tx *Tx) end(ctx context.Context) {
	tx.closeRows()
	tx.mu.Lock()
	tx.over = true
	tx.mu.Unlock()
	if tx.committed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	tx.session.Rollback(ctx) // a session that cannot drops the connection, which does it, too
}

func (tx *Tx) closeRows() {
	tx.mu.Lock()
	open := tx.open
	tx.open = map[*Rows]bool{}
	tx.mu.Unlock()
	for rows := range open {
		rows.Close()
	}
}
