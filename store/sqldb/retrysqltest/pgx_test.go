//go:build unix

package retrysqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/relent-go/relent/transport/retrysql"
)

// What the package comment of retrysql shows.

type Pool struct{ *pgxpool.Pool }

func (p Pool) Dialect() retrysql.Dialect { return retrysql.PostgreSQL }

func (p Pool) Begin(ctx context.Context, o retrysql.Options) (retrysql.Session, error) {
	tx, err := p.BeginTx(ctx, pgx.TxOptions{IsoLevel: levels[o.Isolation]})
	if err != nil {
		return nil, err
	}
	return session{tx}, nil
}

var levels = map[sql.IsolationLevel]pgx.TxIsoLevel{
	sql.LevelReadCommitted:  pgx.ReadCommitted,
	sql.LevelRepeatableRead: pgx.RepeatableRead,
	sql.LevelSerializable:   pgx.Serializable,
}

type session struct{ pgx.Tx }

func (s session) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tag, err := s.Tx.Exec(ctx, query, args...)
	return driver.RowsAffected(tag.RowsAffected()), err
}

func (s session) Query(ctx context.Context, query string, args ...any) (retrysql.Cursor, error) {
	rows, err := s.Tx.Query(ctx, query, args...)
	return cursor{rows}, err
}

type cursor struct{ pgx.Rows }

func (c cursor) Close() error { c.Rows.Close(); return c.Rows.Err() }
