package retrysql

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// How [Once] ends otherwise. Test with errors.Is. Each is marked with its class.
var (
	ErrMismatch = retry.Mark(errors.New("the key belongs to another request: a new intent needs a new key"), retry.Permanent)
	ErrTaken    = retry.Mark(errors.New("another transaction has just used the key: a new one will see what it did"), retry.Transient)
	ErrNested   = retry.Mark(errors.New("the key is in use by this very transaction"), retry.Permanent)
	ErrNoResult = retry.Mark(errors.New("done earlier, but the stored result cannot be read: do not use a new key"), retry.Permanent)
	ErrKey      = retry.Mark(errors.New("not a key"), retry.Permanent)
)

// A Key names one logical operation: it is the same for all attempts, processes and restarts.
type Key struct {
	Name        string  // 1 to MaxKey bytes of UTF-8 without NUL
	Fingerprint []byte  // of what is asked for, such as a SHA-256: the same key with another one is a mistake
	Ledger      *Ledger // nil means the zero Ledger
}

// Once runs fn if no transaction with this key was ever committed, and stores its result, as JSON, in the
// caller's transaction: what fn did and that it was done are committed together or not at all. If the key
// was committed, Once returns the stored result without running fn, and says so.
//
// Transactions that use one key at the same time wait for each other. The second one fails with [ErrTaken]
// if the first commits, and is run again by [Do], to find the result; it goes on if the first rolls back.
//
// An error of fn ends the transaction, also if the caller keeps quiet about it. After a lost COMMIT a
// transaction whose statements were all made inside Once is run again: it finds the row, or it
// does not, and then nothing had happened.
func Once[T any](ctx context.Context, tx *Tx, k Key, fn func(context.Context) (T, error)) (v T, replayed bool, err error) {
	if err := checkKey(k.Name); err != nil {
		return v, false, fmt.Errorf("%w: %w", ErrKey, err)
	}
	s, err := k.Ledger.statements(tx.dialect)
	if err != nil {
		return v, false, retry.Mark(fmt.Errorf("ledger: %w", err), retry.Permanent)
	}
	stored, found, err := tx.find(ctx, s, k)
	if err != nil {
		return v, false, err
	}
	if found {
		tx.onces++
		if err := json.Unmarshal(stored, &v); err != nil {
			return v, false, fmt.Errorf("%w: %w", ErrNoResult, err)
		}
		return v, true, nil
	}
	if err := tx.claim(ctx, s, k); err != nil {
		return v, false, err
	}
	tx.onces++
	tx.inside++
	defer func() { tx.inside-- }()
	v, err = fn(ctx)
	if err != nil {
		return v, false, tx.fail(err)
	}
	result, err := json.Marshal(v)
	if err != nil {
		return v, false, tx.fail(retry.Mark(fmt.Errorf("result of %q: %w", k.Name, err), retry.Permanent))
	}
	_, err = tx.exec(ctx, s.done, result, k.Name)
	return v, false, err
}

// find looks for what an earlier transaction left.
func (tx *Tx) find(ctx context.Context, s statements, k Key) (result []byte, found bool, err error) {
	rows, err := tx.query(ctx, s.find, k.Name)
	if err != nil {
		return nil, false, err
	}
	var fingerprint []byte
	err = (&Row{rows: rows}).Scan(&fingerprint, &result)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !bytes.Equal(fingerprint, k.Fingerprint):
		return nil, false, fmt.Errorf("key %q: %w", k.Name, ErrMismatch)
	case result == nil: // others cannot see it yet
		return nil, false, fmt.Errorf("key %q: %w", k.Name, ErrNested)
	}
	return result, true, nil
}

// claim inserts the row, plainly: what ON CONFLICT makes of a row that others have just inserted depends on
// the isolation, and a failure does not.
func (tx *Tx) claim(ctx context.Context, s statements, k Key) error {
	_, err := tx.session.Exec(ctx, s.claim, k.Name, append([]byte{}, k.Fingerprint...))
	if err == nil {
		return nil
	}
	e := newError(Running, tx.dialect, tx.code(err), err)
	if tx.dialect.duplicate(e.Code) {
		e.Err = fmt.Errorf("key %q: %w: %w", k.Name, ErrTaken, err)
		e.class = retry.Transient
	}
	return tx.fail(e.mark())
}
