package sqldb

import (
	"bytes"
	"context"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// Idempotent is an [idempotent.Store] in a database. Its keys are kept until they are forgotten. It is safe for
// concurrent use.
type Idempotent struct {
	db *DB
}

var _ idempotent.Store = (*Idempotent)(nil)

// Idempotent returns the store of idempotency keys.
func (db *DB) Idempotent() *Idempotent { return &Idempotent{db} }

// How a claim ended, as the tables have it.
const (
	open = iota // not, as far as the store was told
	completed
	released
)

var (
	idemClaim = newQuery(`INSERT INTO relent_idempotency (key, owner, fingerprint, fence, ended, deadline, retain)
		VALUES ($1, $2, $3, 1, 0, {now} + $4, $5)`)
	idemTake = newQuery(`UPDATE relent_idempotency
		SET owner = $2, fingerprint = $3, fence = fence + 1, ended = 0, deadline = {now} + $4, retain = $5, result = NULL
		WHERE key = $1 AND (ended = 2 OR ended = 0 AND deadline <= {now} AND fence = $6 AND fingerprint = $3)`)
	idemRenew = newQuery(`UPDATE relent_idempotency SET deadline = {now} + $4
		WHERE key = $1 AND owner = $2 AND fence = $3 AND ended = 0 AND deadline > {now}`)
	idemComplete = newQuery(`UPDATE relent_idempotency SET ended = 1, deadline = {now} + retain, result = $4
		WHERE key = $1 AND owner = $2 AND fence = $3 AND ended = 0`)
	idemRelease = newQuery(`UPDATE relent_idempotency SET ended = 2, deadline = {now} + retain
		WHERE key = $1 AND owner = $2 AND fence = $3 AND ended = 0 AND deadline > {now}`)
	idemEnded = newQuery(`SELECT ended FROM relent_idempotency WHERE key = $1 AND owner = $2 AND fence = $3`)
	idemGet   = newQuery(`SELECT owner, fingerprint, fence, ended, deadline - {now}, result FROM relent_idempotency WHERE key = $1`)
	idemList  = newQuery(`SELECT key, owner, fingerprint, fence FROM relent_idempotency
		WHERE ended = 0 AND deadline <= {then} AND key > $1 ORDER BY key LIMIT $2`)
	idemForget = newQuery(`DELETE FROM relent_idempotency WHERE key IN (
		SELECT key FROM relent_idempotency WHERE ended IN (1, 2) AND deadline <= {then} - $1 LIMIT $2)`)
)

// Claim is of [idempotent.Store], as are the methods below.
func (s *Idempotent) Claim(ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
	if err := idempotent.CheckKey(b.Key); err != nil {
		return idempotent.Record{}, err
	}
	return write(ctx, s.db, single, len(b.Key), func(ctx context.Context, q session) (idempotent.Record, error) {
		return claim(ctx, q, &b)
	})
}

// claim inserts the key. Whoever has inserted it before is then read in a new transaction: in PostgreSQL the one that failed is dead,
// and ON CONFLICT DO NOTHING fails with 40001 at higher isolation levels.
func claim(ctx context.Context, q session, b *idempotent.Bid) (idempotent.Record, error) {
	key, lease, retain := []byte(b.Key), floor(b.Lease), micros(b.Retain)
	won := idempotent.Record{Key: b.Key, Status: idempotent.Running, Owner: b.Owner, Fingerprint: b.Fingerprint, Fence: 1, Left: span(lease)}
	if lease == 0 {
		won.Status = idempotent.Unknown
	}
	for {
		_, err := q.exec(ctx, idemClaim, key, b.Owner[:], b.Fingerprint[:], lease, retain)
		if err == nil {
			return won, nil
		}
		if !duplicate(err) {
			return idempotent.Record{}, err
		}
		if _, err := q.exec(ctx, idemTake, key, b.Owner[:], b.Fingerprint[:], lease, retain, int64(b.Over)); err != nil {
			return idempotent.Record{}, err
		}
		if r, found, err := get(ctx, q, b.Key); found || err != nil {
			return r, err
		} // it was forgotten in between
	}
}

// Renew sets the end of a lease.
func (s *Idempotent) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	return s.change(ctx, c, 0, func(ctx context.Context, q session) error {
		return lost(q.exec(ctx, idemRenew, []byte(c.Key), c.Owner[:], int64(c.Fence), floor(lease)))
	})
}

// lost says that a claim was, if no row has changed.
func lost(rows int64, err error) error {
	if err == nil && rows == 0 {
		return idempotent.ErrClaimLost
	}
	return err
}

// Complete stores a result.
func (s *Idempotent) Complete(ctx context.Context, c idempotent.Claim, result []byte) error {
	if err := idempotent.CheckResult(result); err != nil {
		return err
	}
	result = bytes.Clone(result) // the caller may go when his context ends, and use it again
	return s.change(ctx, c, len(result), func(ctx context.Context, q session) error {
		return ended(ctx, q, c, completed, idemComplete, result)
	})
}

// Release frees a key.
func (s *Idempotent) Release(ctx context.Context, c idempotent.Claim) error {
	return s.change(ctx, c, 0, func(ctx context.Context, q session) error {
		return ended(ctx, q, c, released, idemRelease)
	})
}

// ended ends a claim, if it has not ended in the same way before.
func ended(ctx context.Context, q session, c idempotent.Claim, how int, update *query, args ...any) error {
	of := []any{[]byte(c.Key), c.Owner[:], int64(c.Fence)}
	n, err := q.exec(ctx, update, append(of, args...)...)
	if n > 0 || err != nil {
		return err
	}
	var before int
	found, err := q.row(ctx, idemEnded, of, &before)
	if err == nil && !(found && before == how) {
		err = idempotent.ErrClaimLost
	}
	return err
}

func (s *Idempotent) change(ctx context.Context, c idempotent.Claim, size int, f func(context.Context, session) error) error {
	if err := idempotent.CheckKey(c.Key); err != nil {
		return err
	}
	return change(ctx, s.db, single, len(c.Key)+size, f)
}

// Get shows a record.
func (s *Idempotent) Get(ctx context.Context, key string) (idempotent.Record, error) {
	if err := idempotent.CheckKey(key); err != nil {
		return idempotent.Record{}, err
	}
	return read(ctx, s.db, single, func(ctx context.Context, q session) (idempotent.Record, error) {
		r, _, err := get(ctx, q, key)
		return r, err
	})
}

func get(ctx context.Context, q session, key string) (r idempotent.Record, found bool, err error) {
	r.Key = key
	var owner, fingerprint, result []byte
	var fence, left int64
	var ended int
	found, err = q.row(ctx, idemGet, []any{[]byte(key)}, &owner, &fingerprint, &fence, &ended, &left, &result)
	if !found || err != nil {
		return r, found, err
	}
	copy(r.Owner[:], owner)
	copy(r.Fingerprint[:], fingerprint)
	r.Fence = uint64(fence)
	switch r.Status = status(ended, left); r.Status {
	case idempotent.Done:
		r.Result = result
		r.Left = span(left)
	case idempotent.Running:
		r.Left = span(left)
	}
	return r, true, nil
}

func status(ended int, left int64) idempotent.Status {
	switch {
	case ended == released:
		return idempotent.New
	case ended == completed && left <= 0:
		return idempotent.Lapsed
	case ended == completed:
		return idempotent.Done
	case left <= 0:
		return idempotent.Unknown
	}
	return idempotent.Running
}

// Unresolved lists records.
func (s *Idempotent) Unresolved(ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (list []idempotent.Record, err error) {
		err = q.rows(ctx, idemList, []any{[]byte(after), max(0, limit)}, func(scan func(...any) error) error {
			var key, owner, fingerprint []byte
			r := idempotent.Record{Status: idempotent.Unknown}
			err := scan(&key, &owner, &fingerprint, &r.Fence)
			r.Key = string(key)
			copy(r.Owner[:], owner)
			copy(r.Fingerprint[:], fingerprint)
			list = append(list, r)
			return err
		})
		return list, err
	})
}

// Forget removes records.
func (s *Idempotent) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	return write(ctx, s.db, single, 0, func(ctx context.Context, q session) (int, error) {
		n, err := q.exec(ctx, idemForget, micros(ago), max(0, limit))
		return int(n), err
	})
}
