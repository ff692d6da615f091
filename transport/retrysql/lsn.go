package retrysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// An LSN is a place in PostgreSQL's write-ahead log. As a number it is a [Position].
type LSN uint64

// ParseLSN reads the text form, such as 16/B374D848: two hexadecimal numbers of 32 bits.
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	a, errA := strconv.ParseUint(high, 16, 32)
	b, errB := strconv.ParseUint(low, 16, 32)
	if !ok || errA != nil || errB != nil {
		return 0, fmt.Errorf("%q is no LSN: want two hexadecimal numbers with a slash between them", s)
	}
	return LSN(a<<32 | b), nil
}

// String returns the text form.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint32(l)) }

// Written returns the position that PostgreSQL has written so far. Asked on the primary after COMMIT, it is what
// a later read must have seen of that transaction; with synchronous_commit off it may be too early.
func Written(ctx context.Context, q Querier) (Position, error) {
	return position(ctx, q, `SELECT pg_current_wal_lsn()::text`)
}

// Replayed returns the position up to which PostgreSQL shows what was written: on a replica what was
// replayed, on the primary all. Ask before the read that it is to vouch for, in the same session.
func Replayed(ctx context.Context, q Querier) (Position, error) {
	return position(ctx, q, `SELECT COALESCE(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0')::text`)
}

func position(ctx context.Context, q Querier, query string) (Position, error) {
	var text string
	if err := q.QueryRow(ctx, query).Scan(&text); err != nil {
		return 0, err
	}
	lsn, err := ParseLSN(text)
	return Position(lsn), err
}
