package sqldb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// Audit is an [audit.Store] in a database. It remembers all ids. It is safe for concurrent use.
type Audit struct {
	db *DB
}

var _ audit.Store = (*Audit)(nil)

// Audit returns the store of audit records.
func (db *DB) Audit() *Audit { return &Audit{db} }

var (
	auditHead = newQuery(`SELECT sequence, hash FROM relent_audit WHERE chain = $1 ORDER BY sequence DESC LIMIT 1`)
	auditIDs  = newQuery(`SELECT id FROM relent_audit WHERE chain = $1 AND id {blobs $2}`)
	auditAdd  = newQuery(`INSERT INTO relent_audit
		(chain, sequence, id, at, body, hash) VALUES ($1, $2, $3, $4, $5, $6)`)
	auditLinks = newQuery(`SELECT sequence, body, hash FROM relent_audit WHERE chain = $1 AND sequence >= $2 ORDER BY sequence LIMIT $3`)
	auditAll   = newQuery(`SELECT body FROM relent_audit WHERE (chain, sequence) > ($1, $2)` + auditWhere)
	auditChain = newQuery(`SELECT body FROM relent_audit WHERE chain = $1 AND sequence > $2` + auditWhere)
	auditHeads = newQuery(`WITH RECURSIVE c (chain) AS (
			SELECT min(chain) FROM relent_audit
			UNION ALL
			SELECT (SELECT min(a.chain) FROM relent_audit a WHERE a.chain > c.chain) FROM c WHERE c.chain IS NOT NULL
		)
		SELECT c.chain, a.sequence, a.hash FROM c JOIN relent_audit a ON a.chain = c.chain
			AND a.sequence = (SELECT max(b.sequence) FROM relent_audit b WHERE b.chain = c.chain)
		ORDER BY c.chain`)  // a chain has any number of records, and only its last is looked at
	pointAdd = newQuery(`INSERT INTO relent_checkpoint (chain, sequence, hash, at, signer, signature) VALUES ($1, $2, $3, $4, $5, $6)`)
	pointGet = newQuery(`SELECT hash FROM relent_checkpoint WHERE chain = $1 AND sequence = $2`)
	pointAll = newQuery(`SELECT sequence, hash, at, signer, signature FROM relent_checkpoint
		WHERE chain = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`)
)

// The tables have no columns for what is searched for, but for the time: it is looked for in the bodies, which the hashes cover. A
// change that hides a record from a query also breaks the chain.
const auditWhere = ` AND at >= $3 AND at < $4 AND {has $5} AND {has $6} AND {has $7} AND {has $8} AND {has $9} AND {has $10}
	ORDER BY chain, sequence LIMIT $11`

// Append is of [audit.Store], as are the methods below.
func (s *Audit) Append(ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
	if _, _, err := audit.Extend(audit.Head{Chain: chain}, nil); err != nil || len(records) > audit.MaxBatch {
		_, _, err = audit.Extend(audit.Head{Chain: chain}, records)
		return audit.Head{}, err
	}
	fresh := make([]audit.Record, 0, len(records))
	seen := make(map[string]bool, len(records))
	for i := range records {
		if id := records[i].ID; !seen[id] {
			seen[id] = true
			fresh = append(fresh, records[i].Clone()) // the caller may go when his context ends
		}
	}
	h, err := s.append(ctx, chain, fresh, false)
	if duplicate(err) {
		h, err = s.append(ctx, chain, fresh, true)
	}
	return h, err
}

// append adds records with ids of their own. Only if some may be there already does it look for them first.
func (s *Audit) append(ctx context.Context, chain string, records []audit.Record, look bool) (audit.Head, error) {
	k := whole
	if len(records) == 1 {
		k = held
	}
	return write(ctx, s.db, k, 1<<10*len(records), func(ctx context.Context, q session) (audit.Head, error) {
		if err := q.lock(ctx, "relent audit "+chain); err != nil {
			return audit.Head{}, err
		}
		head, err := headOf(ctx, q, chain)
		if err != nil {
			return head, err
		}
		if look {
			if records, err = without(ctx, q, chain, records); err != nil {
				return head, err
			}
		}
		links, head, err := audit.Extend(head, records)
		if err != nil {
			return head, err
		}
		rows := make([][]any, len(links))
		for i := range links {
			rows[i] = auditRow(&links[i])
		}
		if err := q.all(ctx, auditAdd, rows); err != nil {
			return head, err
		}
		if notes := q.notes(); notes != nil {
			notes[chain] = head
		}
		return head, nil
	})
}

// auditRow are the arguments of auditAdd.
func auditRow(l *audit.Link) []any {
	return []any{l.Chain, int64(l.Sequence), []byte(l.Record.ID), l.Record.Time.UnixMicro(), l.Body, l.Hash[:]}
}

func headOf(ctx context.Context, q session, chain string) (audit.Head, error) {
	if head, ok := q.notes()[chain].(audit.Head); ok {
		return head, nil
	}
	head := audit.Head{Chain: chain}
	var hash []byte
	_, err := q.row(ctx, auditHead, []any{chain}, &head.Sequence, &hash)
	copy(head.Hash[:], hash)
	return head, err
}

// without leaves out the records that the chain has.
func without(ctx context.Context, q session, chain string, records []audit.Record) ([]audit.Record, error) {
	ids := make([][]byte, len(records))
	for i := range records {
		ids[i] = []byte(records[i].ID)
	}
	has := make(map[string]bool)
	err := q.rows(ctx, auditIDs, []any{chain, ids}, func(scan func(...any) error) error {
		var id []byte
		err := scan(&id)
		has[string(id)] = true
		return err
	})
	fresh := make([]audit.Record, 0, len(records))
	for i := range records {
		if !has[records[i].ID] {
			fresh = append(fresh, records[i])
		}
	}
	return fresh, err
}

// Query finds records.
func (s *Audit) Query(ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
	q, chain, sequence := auditAll, after.Chain, beyond(after.Sequence)
	if f.Chain != "" {
		switch {
		case f.Chain < after.Chain:
			return nil, after, alive(ctx)
		case f.Chain > after.Chain:
			sequence = 0
		}
		q, chain = auditChain, f.Chain
	}
	to := int64(math.MaxInt64)
	if !f.To.IsZero() {
		to = ceiling(f.To)
	}
	found, err := read(ctx, s.db, single, func(ctx context.Context, db session) (found []audit.Record, err error) {
		args := []any{
			chain, sequence, ceiling(f.From), to, member("operation", f.Operation), member("call", f.Call), member("parent", f.Parent),
			member("outcome", string(f.Outcome)), member("actor", f.Actor), member("decision", string(f.Decision)), most(limit),
		}
		return found, db.rows(ctx, q, args, func(scan func(...any) error) error {
			var body []byte
			if err := scan(&body); err != nil {
				return err
			}
			r, err := audit.ParseRecord(body)
			found = append(found, r)
			return err
		})
	})
	if err != nil || len(found) == 0 {
		return nil, after, err
	}
	last := &found[len(found)-1]
	return found, audit.Cursor{Chain: last.Chain, Sequence: last.Sequence}, nil
}

// member is how a text is written in a body, from its name to its end. A body is canonical JSON (RFC 8785), one flat object: there is one way to
// write it, and no text can contain it, whose quotes have backslashes. It is empty, which is a part of every body, for an empty value.
func member(name, value string) []byte {
	if value == "" {
		return []byte{}
	}
	key := fmt.Sprintf("%q:", name)
	b := (&audit.Record{Operation: value}).AppendJSON(nil)
	b = b[bytes.Index(b, []byte(`"operation":`))+len(`"operation":`):]
	end := 1
	for b[end] != '"' {
		if b[end] == '\\' {
			end++
		}
		end++
	}
	return append([]byte(key), b[:end+1]...)
}

// ceiling is the first microsecond that is not before t. Records have times of the years 1 to 9999.
func ceiling(t time.Time) int64 {
	switch {
	case t.Year() < 0:
		return math.MinInt64
	case t.Year() > 10_000:
		return math.MaxInt64
	}
	return t.Add(999).UnixMicro()
}

// beyond is a number as tables have it: there are none above the largest int64.
func beyond(u uint64) int64 { return int64(min(u, math.MaxInt64)) }

func most(limit int) int {
	if limit <= 0 {
		return audit.DefaultLimit
	}
	return limit
}

// Links reads a chain.
func (s *Audit) Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (links []audit.Link, err error) {
		return links, q.rows(ctx, auditLinks, []any{chain, beyond(from), most(limit)}, func(scan func(...any) error) error {
			l := audit.Link{Chain: chain}
			var hash []byte
			err := scan(&l.Sequence, &l.Body, &hash)
			copy(l.Hash[:], hash)
			links = append(links, l)
			return err
		})
	})
}

// Heads lists the ends of all chains.
func (s *Audit) Heads(ctx context.Context) ([]audit.Head, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (heads []audit.Head, err error) {
		return heads, q.rows(ctx, auditHeads, nil, func(scan func(...any) error) error {
			var h audit.Head
			var hash []byte
			err := scan(&h.Chain, &h.Sequence, &hash)
			copy(h.Hash[:], hash)
			heads = append(heads, h)
			return err
		})
	})
}

var errBig = retry.Mark(errors.New("the sequence is beyond the largest"), retry.Permanent)

// Anchor keeps a checkpoint.
func (s *Audit) Anchor(ctx context.Context, c audit.Checkpoint) error {
	if c.Sequence > math.MaxInt64 {
		return fmt.Errorf("%w: %d", errBig, c.Sequence)
	}
	args := []any{c.Chain, int64(c.Sequence), append([]byte(nil), c.Hash[:]...), c.Time.UnixMicro(), append([]byte(nil), c.Key...), append([]byte(nil), c.Signature...)}
	return change(ctx, s.db, single, 0, func(ctx context.Context, q session) error {
		_, err := q.exec(ctx, pointAdd, args...)
		if !duplicate(err) {
			return err
		}
		var hash []byte
		if _, err := q.row(ctx, pointGet, args[:2], &hash); err != nil {
			return err
		}
		if audit.Hash(hash) != c.Hash {
			return retry.Mark(audit.ErrConflict, retry.Permanent)
		}
		return nil
	})
}

// Checkpoints lists those of a chain.
func (s *Audit) Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]audit.Checkpoint, error) {
	return read(ctx, s.db, single, func(ctx context.Context, q session) (points []audit.Checkpoint, err error) {
		return points, q.rows(ctx, pointAll, []any{chain, beyond(after), most(limit)}, func(scan func(...any) error) error {
			c := audit.Checkpoint{Chain: chain}
			var hash []byte
			var at int64
			err := scan(&c.Sequence, &hash, &at, &c.Key, &c.Signature)
			copy(c.Hash[:], hash)
			c.Time = time.UnixMicro(at).UTC()
			points = append(points, c)
			return err
		})
	})
}
