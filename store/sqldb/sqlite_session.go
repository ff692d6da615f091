package sqldb

import (
	"context"
	"database/sql"
)

// A writeSession runs statements on the connection of the writer. Only the writer's goroutine uses it.
type writeSession struct {
	conn       *sql.Conn
	statements map[*query]*sql.Stmt
	known      map[string]any
}

func (s *writeSession) notes() map[string]any { return s.known }

func (s readSession) notes() map[string]any { return nil }

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

// lock has nothing to do: there is one writer.
func (s *writeSession) lock(context.Context, string) error { return nil }

func (s readSession) lock(context.Context, string) error { return nil }

func (s *writeSession) all(ctx context.Context, q *query, lists [][]any) error {
	return repeat(ctx, s, q, lists)
}

func (s readSession) all(ctx context.Context, q *query, lists [][]any) error {
	return repeat(ctx, s, q, lists)
}

func repeat(ctx context.Context, s session, q *query, lists [][]any) error {
	for _, args := range lists {
		if _, err := s.exec(ctx, q, args...); err != nil {
			return err
		}
	}
	return nil
}
