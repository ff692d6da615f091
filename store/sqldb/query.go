package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// A query is one statement in both dialects. It is written once, with $1 for parameters and these words:
//
//	{now}   the store's time in microseconds since 1970
//	{blob}  the type of bytes
//	{text}  the type of texts, compared byte by byte
type query struct {
	postgres, sqlite string
	now              bool // SQLite takes the time as a further parameter, behind the others
}

// SQLite has no clock of its own but the machine's, in milliseconds. The writer reads the same clock, in microseconds.
func newQuery(text string) *query {
	last := 0
	for i := 1; strings.Contains(text, fmt.Sprint("$", i)); i++ {
		last = i
	}
	return &query{
		now: strings.Contains(text, "{now}"),
		postgres: strings.NewReplacer(
			"{now}", "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", "{blob}", "BYTEA", "{text}", `TEXT COLLATE "C"`,
		).Replace(text),
		sqlite: strings.NewReplacer("{now}", fmt.Sprint("?", last+1), "{blob}", "BLOB", "{text}", "TEXT", "$", "?").Replace(text),
	}
}

// A session runs statements, for one operation.
type session interface {
	// exec returns how many rows changed.
	exec(ctx context.Context, q *query, args ...any) (int64, error)

	// row scans the first row, if there is one.
	row(ctx context.Context, q *query, args []any, into ...any) (bool, error)

	// rows calls f with each row.
	rows(ctx context.Context, q *query, args []any, f func(scan func(into ...any) error) error) error
}
