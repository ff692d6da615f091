package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// Documents are named pieces of state that several programs read and replace as a whole, such as the stops of a
// fleet. They are safe for concurrent use.
type Documents struct {
	db *DB
}

// Documents returns the documents.
func (db *DB) Documents() *Documents { return &Documents{db} }

// MaxDocument is how many bytes a document may have.
const MaxDocument = 16 << 20

// ErrChanged is returned by Put when somebody else was first: read again, and decide again. Nothing was written.
var ErrChanged = retry.Mark(errors.New("the document was changed meanwhile"), retry.Permanent)

// ErrLongDocument is returned for a document of more than [MaxDocument] bytes.
var ErrLongDocument = retry.Mark(errors.New("the document is too long"), retry.Permanent)

var (
	documentGet    = newQuery(`SELECT version, body FROM relent_document WHERE name = $1`)
	documentAdd    = newQuery(`INSERT INTO relent_document (name, version, body) VALUES ($1, 1, $2) ON CONFLICT (name) DO NOTHING`)
	documentChange = newQuery(`UPDATE relent_document SET version = version + 1, body = $3 WHERE name = $1 AND version = $2`)
)

// Get returns a document and its version; version 0 if there is none.
func (s *Documents) Get(ctx context.Context, name string) (version uint64, body []byte, err error) {
	type row struct {
		version int64
		body    []byte
	}
	r, err := read(ctx, s.db, single, func(ctx context.Context, q session) (r row, err error) {
		_, err = q.row(ctx, documentGet, []any{[]byte(name)}, &r.version, &r.body)
		return r, err
	})
	return uint64(r.version), r.body, err
}

// Put replaces the document that has a version, and returns the new version; version 0 is for one that is not there yet.
func (s *Documents) Put(ctx context.Context, name string, version uint64, body []byte) (uint64, error) {
	if len(body) > MaxDocument {
		return 0, fmt.Errorf("%w: %q has %d bytes; the limit is %d", ErrLongDocument, name, len(body), MaxDocument)
	}
	body = append([]byte{}, body...) // the caller may go when his context ends, and use it again
	return write(ctx, s.db, single, len(body), func(ctx context.Context, q session) (uint64, error) {
		query, args := documentChange, []any{[]byte(name), beyond(version), body}
		if version == 0 {
			query, args = documentAdd, []any{[]byte(name), body}
		}
		n, err := q.exec(ctx, query, args...)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: %q is no longer at version %d", ErrChanged, name, version)
		}
		return version + 1, err
	})
}
