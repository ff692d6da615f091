package sqldb

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A query is one statement in both dialects. It is written once, with $1 for parameters and these words:
//
//	{now}       the store's time in microseconds since 1970
//	{then}      the same, once for a statement that searches an index for it
//	{serial}    the type of a number that rises from row to row
//	{blob}      the type of bytes
//	{text}      the type of texts, compared byte by byte
//	{clustered} the rows are kept in the order of the primary key
//	{blobs $1}  is one of a [][]byte
//	{texts $1}  is one of a []string
//	{codes $1}  is one of a []int64
//	{each $1}   the table k with the column value, of a []string
//	{has $1}    the body contains these bytes
//	{lock}      the rows are held until the transaction ends
//	{share}     the rows do not change until the transaction ends
//	{skip}      held as by {lock}, without those that others hold
type query struct {
	postgres, sqlite string
	now              bool // SQLite takes the time as a further parameter, behind the others
}

const postgresNow = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

var (
	toPostgres = strings.NewReplacer(
		"{now}", postgresNow, "{then}", "(SELECT "+postgresNow+")", "{blob}", "BYTEA", "{text}", `TEXT COLLATE "C"`,
		"{blobs ", "= ANY(", "{texts ", "= ANY(", "{codes ", "= ANY(", "{each ", "(SELECT unnest(",
		"{has ", "(position(", "}has", "::bytea IN body) > 0)", "}each", "::text[]) AS value) AS k", "}in", ")", "{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY", "{lock}", "FOR UPDATE", "{share}", "FOR SHARE", "{skip}", "FOR UPDATE SKIP LOCKED", "{clustered}", "",
	)
	toSQLite = strings.NewReplacer(
		"{blob}", "BLOB", "{text}", "TEXT", "{blobs ", "IN (SELECT unhex(value) FROM json_each(", "{texts ", "IN (SELECT value FROM json_each(",
		"{codes ", "IN (SELECT value FROM json_each(", "{each ", "json_each(", "{has ", "(instr(body, ", "}has", ") > 0)", "}each", ") AS k", "}in", "))", "{serial}", "INTEGER", "{lock}", "", "{share}", "", "{skip}", "", "{clustered}", "WITHOUT ROWID", "$", "?",
	)
	listed = regexp.MustCompile(`(\{(?:blobs|texts|codes|each|has) \$\d+)\}`)
)

// SQLite has no clock of its own but the machine's, which it reads in milliseconds. The same clock is read here in microseconds.
func newQuery(text string) *query {
	last := 0
	for i := 1; strings.Contains(text, fmt.Sprint("$", i)); i++ {
		last = i
	}
	text = listed.ReplaceAllStringFunc(text, func(m string) string {
		switch m[1] {
		case 'e':
			return m + "each"
		case 'h':
			return m + "has"
		}
		return m + "in"
	})
	now := strings.NewReplacer("{now}", fmt.Sprint("?", last+1), "{then}", fmt.Sprint("?", last+1))
	return &query{
		now:      strings.Contains(text, "{now}") || strings.Contains(text, "{then}"),
		postgres: toPostgres.Replace(text),
		sqlite:   toSQLite.Replace(now.Replace(text)),
	}
}

// arguments are those of SQLite, where lists are JSON.
func (q *query) arguments(args []any) []any {
	args = append(make([]any, 0, len(args)+1), args...)
	for i, a := range args {
		switch list := a.(type) {
		case [][]byte:
			hexes := make([]string, len(list))
			for j, b := range list {
				hexes[j] = hex.EncodeToString(b)
			}
			args[i] = marshal(hexes)
		case []string, []int64:
			args[i] = marshal(list)
		}
	}
	if q.now {
		args = append(args, time.Now().UnixMicro())
	}
	return args
}

func marshal(list any) string {
	text, _ := json.Marshal(list) // lists of texts and numbers have a form
	return string(text)
}

// A session runs statements, for one operation.
type session interface {
	// exec returns how many rows changed.
	exec(ctx context.Context, q *query, args ...any) (int64, error)

	// row scans the first row, if there is one.
	row(ctx context.Context, q *query, args []any, into ...any) (bool, error)

	// rows calls f with each row.
	rows(ctx context.Context, q *query, args []any, f func(scan func(into ...any) error) error) error

	// all executes q once for each list of arguments.
	all(ctx context.Context, q *query, lists [][]any) error

	// lock waits until no other transaction has the lock of that name, which this one has until it ends.
	lock(ctx context.Context, name string) error

	// notes are what operations leave for later ones of the same transaction, when they have succeeded. Nil if there is one only.
	notes() map[string]any
}
