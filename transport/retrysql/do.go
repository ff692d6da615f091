package retrysql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/relent-go/relent/retry"
)

// Options say how a transaction is begun and watched. The zero value, or nil, is what most callers want.
type Options struct {
	Isolation sql.IsolationLevel // 0 is the database's default
	ReadOnly  bool

	// Immediate begins with BEGIN IMMEDIATE in SQLite, as every transaction should that reads
	// before it writes. Without it, an attempt after a BUSY (5, 517) still begins so.
	Immediate bool

	// Revalidate is asked before each retry whether the transaction is still wanted; an error ends the
	// call and can be found in its error. It is asked after the policy's Validate.
	Revalidate func(context.Context) error

	Tally *Tally // counts failed attempts by their kind
}

// Do runs fn in a transaction, and all of it again, in a new transaction, when that is safe and may help. It
// commits when fn returns nil, and rolls back otherwise, also when fn panics or ends its goroutine.
// There is no way to retry a statement, for it would commit half of what was decided.
//
// fn works through tx. All else that it does is done again with each attempt, so there should be
// nothing else. What it decides, it decides from what it reads in the transaction.
//
// What fails before COMMIT is sent has not happened, so it is Transient if it may pass: a deadlock, a
// serialization failure, a lost connection, an attempt's timeout. If the answer to COMMIT is lost, the outcome
// is unknown, and the transaction is run again only if the policy is Idempotent, or if all its
// statements were made inside [Once], which finds out. Errors of the database are an [*Error]; those of
// fn keep their class. If a policy classifies by itself, its word counts, except that such a COMMIT is run
// again where it says Ambiguous.
//
// The error is nil or a [*retry.Error], and the value is zero unless the transaction was committed.
func Do[T any](ctx context.Context, db Beginner, s retry.Source, o *Options, fn func(context.Context, *Tx) (T, error)) (T, error) {
	if fn == nil {
		return retry.Do[T](ctx, s, nil)
	}
	c := newCall(db, s, o)
	return retry.Do(ctx, c.policy, func(ctx context.Context) (T, error) { return attempt(ctx, c, fn) })
}

// Run is [Do] for a function without a value.
func Run(ctx context.Context, db Beginner, s retry.Source, o *Options, fn func(context.Context, *Tx) error) error {
	if fn == nil {
		return retry.Run(ctx, s, nil)
	}
	_, err := Do(ctx, db, s, o, func(ctx context.Context, tx *Tx) (struct{}, error) { return struct{}{}, fn(ctx, tx) })
	return err
}

// attempt makes one transaction.
func attempt[T any](ctx context.Context, c *call, fn func(context.Context, *Tx) (T, error)) (_ T, err error) {
	var zero T
	c.keyed = false
	defer func() { c.learn(err) }()
	tx, err := c.begin(ctx)
	if err != nil {
		return zero, err
	}
	defer tx.end(ctx)
	v, err := fn(ctx, tx)
	if err == nil {
		err = tx.commit(ctx)
		c.keyed = tx.repeatable
	}
	if err != nil {
		return zero, err
	}
	return v, nil
}

// A call is the state of one use of Do.
type call struct {
	db      Beginner
	options Options
	policy  *retry.Policy

	keyed bool // the last attempt lost its COMMIT, and can safely be made again
}

func newCall(db Beginner, s retry.Source, o *Options) *call {
	c := &call{db: db, policy: current(s)}
	if o != nil {
		c.options = *o
	}
	if c.policy.Classify == nil && c.options.Revalidate == nil {
		return c
	}
	p := *c.policy
	if p.Classify != nil {
		p.Classify = c.classify(p.Classify)
	}
	if c.options.Revalidate != nil {
		p.Validate = revalidate(p.Validate, c.options.Revalidate)
	}
	c.policy = &p
	return c
}

// classify lets a policy that classifies by itself decide about all, but a keyed COMMIT is not left unknown.
func (c *call) classify(own func(error) retry.Class) func(error) retry.Class {
	return func(err error) retry.Class {
		class := own(err)
		if class == retry.Ambiguous && c.keyed {
			return retry.Transient
		}
		return class
	}
}

func current(s retry.Source) *retry.Policy {
	if s != nil {
		if p := s.Current(); p != nil {
			return p
		}
	}
	return &retry.Policy{}
}

func revalidate(first func(context.Context, retry.Attempt) error, then func(context.Context) error) func(context.Context, retry.Attempt) error {
	return func(ctx context.Context, a retry.Attempt) error {
		if first != nil {
			if err := first(ctx, a); err != nil {
				return err
			}
		}
		return then(ctx)
	}
}

var errNoDB = retry.Mark(errors.New("no database to begin a transaction with"), retry.Permanent)

func (c *call) begin(ctx context.Context) (*Tx, error) {
	if c.db == nil {
		return nil, errNoDB
	}
	s, err := c.db.Begin(ctx, c.options)
	if err != nil {
		e := newError(Beginning, c.db.Dialect(), codes(c.db)(err), err)
		if ctx.Err() != nil {
			e.class = retry.Transient
		}
		return nil, e.mark()
	}
	return newTx(ctx, s, c.db), nil
}

// learn takes from an attempt's error what the next one needs.
func (c *call) learn(err error) {
	c.options.Tally.count(err, false)
	if e := ours(err); e != nil && c.db.Dialect() == SQLite && SQLite.meaning(e.Code) == again {
		c.options.Immediate = true
	}
}
