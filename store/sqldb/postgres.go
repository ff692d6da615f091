package sqldb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lockKey is that of the advisory lock under which the tables are brought up to date: "relent".
const lockKey = 0x72656c656e74

// A postgresEngine is one server.
type postgresEngine struct {
	where  string
	pool   *pgxpool.Pool
	closed chan struct{} // holds a token until close
}

func openPostgres(ctx context.Context, url string) (engine, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL("postgres", err.Error()) // pgx leaves the password out
	}
	c := config.ConnConfig
	where := fmt.Sprintf("postgres://%s:%d/%s", c.Host, c.Port, c.Database)
	c.RuntimeParams["synchronous_commit"] = "on"
	c.RuntimeParams["default_transaction_isolation"] = "read committed"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "relent"
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error { return durable(ctx, conn, where) }
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, badURL(where, err.Error())
	}
	e := &postgresEngine{where: where, pool: pool, closed: make(chan struct{}, 1)}
	err = e.whole(ctx, func(ctx context.Context, s session) error {
		if _, err := s.exec(ctx, sqlLock, int64(lockKey)); err != nil {
			return err
		}
		return migrate(ctx, s, where)
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

var sqlLock = newQuery(`SELECT pg_advisory_xact_lock($1)`)

// durable refuses sessions that may lose what they acknowledge: through a setting, or a pooler that mixes sessions.
func durable(ctx context.Context, conn *pgx.Conn, where string) error {
	var commit, sync string
	err := conn.QueryRow(ctx, `SELECT current_setting('synchronous_commit'), current_setting('fsync')`).Scan(&commit, &sync)
	if err == nil && (commit != "on" || sync != "on") {
		return fault(where, ErrNotDurable, fmt.Errorf("synchronous_commit is %s and fsync is %s", commit, sync))
	}
	return err
}

func (e *postgresEngine) String() string { return e.where }

func (e *postgresEngine) close() error {
	select {
	case e.closed <- struct{}{}:
		e.pool.Close()
	default:
	}
	return nil
}

func (e *postgresEngine) read(ctx context.Context, k kind, f func(context.Context, session) error) error {
	if k == single {
		return e.given(ctx, e.fault(f(ctx, pgSession{e.pool}), before))
	}
	return e.given(ctx, e.fault(pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return f(ctx, pgSession{tx})
	}), before))
}

func (e *postgresEngine) write(ctx context.Context, k kind, _ int, f func(context.Context, session) error) error {
	if k != single {
		return e.whole(ctx, f)
	}
	return e.fault(f(ctx, pgSession{e.pool}), during) // each statement is a transaction
}

// whole runs f in a transaction. Until COMMIT is sent, whatever goes wrong has changed nothing (I16).
func (e *postgresEngine) whole(ctx context.Context, f func(context.Context, session) error) error {
	tx, err := e.pool.Begin(ctx)
	if err != nil {
		return e.given(ctx, e.fault(wire(err), before))
	}
	if err := f(ctx, pgSession{tx}); err != nil {
		tx.Rollback(context.WithoutCancel(ctx)) // at worst the connection is closed, and the server does it
		return e.given(ctx, e.fault(err, before))
	}
	return e.fault(wire(tx.Commit(ctx)), during)
}

// given is the error for a caller whose change was not made; if his context ended, that is why.
func (e *postgresEngine) given(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return left(ctx)
	}
	return err
}

// A pgSession runs statements in a transaction, or on a pool, where each is its own.
type pgSession struct {
	q interface {
		Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}
}

func (s pgSession) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	tag, err := s.q.Exec(ctx, q.postgres, args...)
	return tag.RowsAffected(), wire(err)
}

func (s pgSession) row(ctx context.Context, q *query, args []any, into ...any) (bool, error) {
	return first(ctx, s, q, args, into)
}

func (s pgSession) rows(ctx context.Context, q *query, args []any, f func(func(...any) error) error) error {
	rows, err := s.q.Query(ctx, q.postgres, args...)
	if err != nil {
		return wire(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return wire(rows.Err())
}

// all sends everything before it waits for an answer.
func (s pgSession) all(ctx context.Context, q *query, lists [][]any) error {
	b := &pgx.Batch{}
	for _, args := range lists {
		b.Queue(q.postgres, args...)
	}
	return wire(s.q.SendBatch(ctx, b).Close())
}

var lockNamed = newQuery(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`)

func (s pgSession) lock(ctx context.Context, name string) error {
	_, err := s.exec(ctx, lockNamed, name)
	return err
}

func (s pgSession) notes() map[string]any { return nil }
