package sqldb

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// Orders is an [order.Log] in a database. It is safe for concurrent use. The appends of concurrent callers are
// committed together: in SQLite by the one writer, in PostgreSQL by the server.
type Orders struct {
	db *DB
}

var _ order.Log = (*Orders)(nil)

// Orders returns the log of orders.
func (db *DB) Orders() *Orders { return &Orders{db} }

// String says where the log is.
func (s *Orders) String() string { return "orders in " + s.db.String() }

// The column ended is NULL but for the first entry of an intent, where it is 0 while the intent is open, and else when it
// was closed.
var (
	orderAcquire = newQuery(`INSERT INTO relent_order_writer (venue, account, prefix, owner, token, ends)
		VALUES ($1, $2, $3, $4, 1, {now} + $5)
		ON CONFLICT (venue, account, prefix) DO UPDATE SET owner = excluded.owner, ends = excluded.ends,
			token = relent_order_writer.token + CASE WHEN relent_order_writer.owner = excluded.owner THEN 0 ELSE 1 END
		WHERE relent_order_writer.owner = excluded.owner OR relent_order_writer.owner = $6 OR relent_order_writer.ends <= {now}`)
	orderHolder = newQuery(`SELECT owner, token, ends - {now} FROM relent_order_writer
		WHERE venue = $1 AND account = $2 AND prefix = $3`)
	orderRelease = newQuery(`UPDATE relent_order_writer SET owner = $6
		WHERE venue = $1 AND account = $2 AND prefix = $3 AND owner = $4 AND token = $5`)
	orderWriter = newQuery(`SELECT owner, token FROM relent_order_writer
		WHERE venue = $1 AND account = $2 AND prefix = $3 {share}`)
	orderAdd = newQuery(`INSERT INTO relent_order (venue, account, id, kind, key, at, data, ended)
		SELECT $1, $2, $3, $4, $5, $6, $7, CASE WHEN EXISTS (
			SELECT 1 FROM relent_order WHERE venue = $1 AND account = $2 AND id = $3) THEN NULL ELSE 0 END
		WHERE 0 = 0 -- which SQLite needs to tell the next word from that of a join
		ON CONFLICT (venue, account, id, kind, key) DO NOTHING`)
	orderClose  = newQuery(`UPDATE relent_order SET ended = {now} WHERE venue = $1 AND account = $2 AND id = $3 AND ended = 0`)
	orderReopen = newQuery(`UPDATE relent_order SET ended = 0 WHERE venue = $1 AND account = $2 AND id = $3 AND ended > 0`)
	orderLoad   = newQuery(`SELECT kind, key, at, data FROM relent_order
		WHERE venue = $1 AND account = $2 AND id = $3 ORDER BY seq`)
	orderOpen = newQuery(`SELECT DISTINCT id FROM relent_order
		WHERE venue = $1 AND account = $2 AND id > $3 AND id >= $4 AND id < $5 AND ended = 0 ORDER BY id LIMIT $6`)
	orderOpenRest = newQuery(`SELECT DISTINCT id FROM relent_order
		WHERE venue = $1 AND account = $2 AND id > $3 AND id >= $4 AND ended = 0 ORDER BY id LIMIT $5`)
	orderScopes = newQuery(`SELECT DISTINCT venue, account FROM relent_order WHERE ended IS NOT NULL ORDER BY venue, account LIMIT $1`)
	orderForget = newQuery(`DELETE FROM relent_order WHERE (venue, account, id) IN (
		SELECT venue, account, id FROM relent_order WHERE ended > 0 AND ended <= {then} - $1 LIMIT $2)`)
)

// nobody owns a lease that was released.
var nobody = []byte{}

func orderScope(s order.Scope) []any {
	return []any{[]byte(s.Venue), []byte(s.Account), []byte(s.Prefix)}
}

// Acquire is of [order.Log], as are the methods below.
func (s *Orders) Acquire(ctx context.Context, scope order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if owner == "" {
		return order.Lease{}, fmt.Errorf("%w: the owner has no name", order.ErrHeld)
	}
	return write(ctx, s.db, whole, len(owner), func(ctx context.Context, q session) (order.Lease, error) {
		n, err := q.exec(ctx, orderAcquire, append(orderScope(scope), []byte(owner), floor(span), nobody)...)
		if err != nil {
			return order.Lease{}, err
		}
		var holder []byte
		var token, left int64
		if _, err := q.row(ctx, orderHolder, orderScope(scope), &holder, &token, &left); err != nil {
			return order.Lease{}, err
		}
		if n == 0 {
			return order.Lease{}, fmt.Errorf("%w: %q, for another %v", order.ErrHeld, holder, time.Duration(left)*time.Microsecond)
		}
		return order.Lease{Scope: scope, Owner: owner, Token: uint64(token)}, nil
	})
}

// Release gives a lease back.
func (s *Orders) Release(ctx context.Context, l order.Lease) error {
	return change(ctx, s.db, single, 0, func(ctx context.Context, q session) error {
		_, err := q.exec(ctx, orderRelease, append(orderScope(l.Scope), []byte(l.Owner), beyond(l.Token), nobody)...)
		return err
	})
}

// Append adds entries. Whoever takes the lease meanwhile waits until they are there.
func (s *Orders) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	entries, size := slices.Clone(entries), 0
	for i := range entries {
		entries[i].Data = append([]byte{}, entries[i].Data...) // the caller may go when his context ends, and use it again
		size += len(entries[i].Data)
	}
	return change(ctx, s.db, whole, size, func(ctx context.Context, q session) error {
		var owner []byte
		var token int64
		found, err := q.row(ctx, orderWriter, orderScope(l.Scope), &owner, &token)
		if err != nil {
			return err
		}
		if !found || string(owner) != l.Owner || l.Owner == "" || token != beyond(l.Token) {
			return order.ErrFenced
		}
		last := make(map[string]order.Kind, 1)
		for i := range entries {
			if err := addEntry(ctx, q, l.Scope, &entries[i]); err != nil {
				return err
			}
			last[entries[i].ID] = entries[i].Kind
		}
		for id, kind := range last {
			if err := mark(ctx, q, l.Scope, id, kind); err != nil {
				return err
			}
		}
		return nil
	})
}

// mark says of an intent that it is closed, or that it is open again, by the kind of its last entry.
func mark(ctx context.Context, q session, s order.Scope, id string, last order.Kind) error {
	query := orderReopen
	switch last {
	case order.KindIntent:
		return nil // nothing was before it
	case order.KindClosed:
		query = orderClose
	}
	_, err := q.exec(ctx, query, []byte(s.Venue), []byte(s.Account), []byte(id))
	return err
}

func addEntry(ctx context.Context, q session, s order.Scope, e *order.Entry) error {
	var key []byte // NULL is never the same as another
	if e.Key != "" {
		key = []byte(e.Key)
	}
	n, err := q.exec(ctx, orderAdd, []byte(s.Venue), []byte(s.Account), []byte(e.ID), []byte(e.Kind), key, e.At.UnixMicro(), e.Data)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: %s %q of %s", order.ErrTwice, e.Kind, e.Key, e.ID)
	}
	return err
}

// Load returns the entries of an intent.
func (s *Orders) Load(ctx context.Context, scope order.Scope, id string) ([]order.Entry, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (list []order.Entry, err error) {
		err = q.rows(ctx, orderLoad, []any{[]byte(scope.Venue), []byte(scope.Account), []byte(id)}, func(scan func(...any) error) error {
			e := order.Entry{ID: id}
			var kind, key []byte
			var at int64
			if err := scan(&kind, &key, &at, &e.Data); err != nil {
				return err
			}
			e.Kind, e.Key, e.At = order.Kind(kind), string(key), time.UnixMicro(at).UTC()
			list = append(list, e)
			return nil
		})
		return list, err
	})
}

// Open lists what is not closed.
func (s *Orders) Open(ctx context.Context, scope order.Scope, after string, limit int) ([]string, error) {
	of := []any{[]byte(scope.Venue), []byte(scope.Account), []byte(after), []byte(scope.Prefix)}
	query := orderOpenRest
	if end := successor(scope.Prefix); end != nil {
		query, of = orderOpen, append(of, end)
	}
	of = append(of, int64(max(0, limit)))
	return read(ctx, s.db, single, func(ctx context.Context, q session) (ids []string, err error) {
		err = q.rows(ctx, query, of, func(scan func(...any) error) error {
			var id []byte
			err := scan(&id)
			ids = append(ids, string(id))
			return err
		})
		return ids, err
	})
}

// MaxScopes is how many accounts Scopes lists at most.
const MaxScopes = 1000

// Scopes lists the accounts of which the log has orders, by venue and account; their prefixes are empty, which means all. It
// lists the first [MaxScopes] of them.
func (s *Orders) Scopes(ctx context.Context) ([]order.Scope, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (all []order.Scope, err error) {
		err = q.rows(ctx, orderScopes, []any{MaxScopes}, func(scan func(...any) error) error {
			var venue, account []byte
			if err := scan(&venue, &account); err != nil {
				return err
			}
			all = append(all, order.Scope{Venue: string(venue), Account: string(account)})
			return nil
		})
		return all, err
	})
}

// successor returns the first bytes that come after everything with the prefix; nil if nothing does.
func successor(prefix string) []byte {
	end := bytes.TrimRight([]byte(prefix), "\xff")
	if len(end) == 0 {
		return nil
	}
	end[len(end)-1]++
	return end
}

// Forget removes up to limit intents of all accounts that were closed at least so long ago, and says how many entries
// they had. Their ids can be used again, and late evidence on them finds nothing: let days pass.
func (s *Orders) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	return write(ctx, s.db, whole, 0, func(ctx context.Context, q session) (int, error) {
		n, err := q.exec(ctx, orderForget, micros(ago), int64(max(0, limit)))
		return int(n), err
	})
}
