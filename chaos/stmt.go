package chaos

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// A stmt is a prepared statement with faults.
type stmt struct {
	driver.Stmt
	conn  *conn
	query string
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
	_ driver.ColumnConverter   = (*stmt)(nil)
)

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return through(ctx, s.conn, operation(s.query, "exec"), func() (driver.Result, error) {
		if with, ok := s.Stmt.(driver.StmtExecContext); ok {
			return with.ExecContext(ctx, args)
		}
		values, err := positional(args)
		if err != nil {
			return nil, err
		}
		return s.Stmt.Exec(values)
	})
}

// QueryContext runs the statement.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return through(ctx, s.conn, operation(s.query, "query"), func() (driver.Rows, error) {
		if with, ok := s.Stmt.(driver.StmtQueryContext); ok {
			return with.QueryContext(ctx, args)
		}
		values, err := positional(args)
		if err != nil {
			return nil, err
		}
		return s.Stmt.Query(values)
	})
}

// CheckNamedValue converts an argument, by the statement or else by its connection.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if with, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return with.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

// ColumnConverter returns what converts the argument of a column.
func (s *stmt) ColumnConverter(n int) driver.ValueConverter {
	if with, ok := s.Stmt.(driver.ColumnConverter); ok {
		return with.ColumnConverter(n)
	}
	return driver.DefaultParameterConverter
}

// positional is for drivers that know no names.
func positional(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, fmt.Errorf("chaos: the driver knows no named argument %q", a.Name)
		}
		values[i] = a.Value
	}
	return values, nil
}
