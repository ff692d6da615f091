package sqldb

import (
	"context"
	"database/sql"
	"time"
)

// A writeSession runs statements on the connection of the writer. Only the writer's goroutine uses it.
type writeSession struct {
	conn       *sql.Conn
	statements map[*query]*sql.Stmt
}

func (s *writeSession) prepared(ctx context.Context, q *query) (*sql.Stmt, error) {
	if st := s.statements[q]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, q.sqlite)
	if err == nil {
		s.statements[q] = st
	}
	return st, err
}

func (s *writeSession) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	st, err := s.prepared(ctx, q)
	if err != nil {
		return 0, err
	}
	return execute(ctx, st, q, args)
}

func (s *writeSession) row(ctx context.Context, q *query, args []any, into ...any) (bool, error) {
	return first(ctx, s, q, args, into)
}

func (s *writeSession) rows(ctx context.Context, q *query, args []any, f func(func(...any) error) error) error {
	st, err := s.prepared(ctx, q)
	if err != nil {
		return err
	}
	return each(ctx, st, q, args, f)
}

func (s readSession) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	st, err := s.prepared(ctx, q)
	if err != nil {
		return 0, err
	}
	return execute(ctx, st, q, args)
}

func (s readSession) row(ctx context.Context, q *query, args []any, into ...any) (bool, error) {
	return first(ctx, s, q, args, into)
}

func (s readSession) rows(ctx context.Context, q *query, args []any, f func(func(...any) error) error) error {
	st, err := s.prepared(ctx, q)
	if err != nil {
		return err
	}
	return each(ctx, st, q, args, f)
}

func execute(ctx context.Context, st *sql.Stmt, q *query, args []any) (int64, error) {
	r, err := st.ExecContext(ctx, q.arguments(args)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func each(ctx context.Context, st *sql.Stmt, q *query, args []any, f func(func(...any) error) error) error {
	rows, err := st.QueryContext(ctx, q.arguments(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// first is session.row by way of session.rows.
func first(ctx context.Context, s session, q *query, args, into []any) (found bool, err error) {
	err = s.rows(ctx, q, args, func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(into...)
	})
	return found, err
}

func (q *query) arguments(args []any) []any {
	if q.now {
		return append(args[:len(args):len(args)], time.Now().UnixMicro())
	}
	return args
}
