package retrysql

import "database/sql"

// Rows are what a query of a transaction yields. An error ends the transaction, as that of a statement.
type Rows struct {
	tx     *Tx
	cursor Cursor
	err    error
}

// Next goes to the next row. It returns false after the last one, and on an error: see Err.
func (r *Rows) Next() bool {
	if r.err == nil && r.cursor.Next() {
		return true
	}
	r.note(r.cursor.Err())
	return false
}

// Scan copies the columns of the row. An error in it is the caller's and does not end the transaction.
func (r *Rows) Scan(dest ...any) error { return r.cursor.Scan(dest...) }

// Err returns what ended the rows, if that was not their end.
func (r *Rows) Err() error {
	r.note(r.cursor.Err())
	return r.err
}

// Close lets go of the rows. It may be called again.
func (r *Rows) Close() error {
	r.tx.mu.Lock()
	delete(r.tx.open, r)
	r.tx.mu.Unlock()
	r.note(r.cursor.Close())
	r.note(r.cursor.Err())
	return r.err
}

func (r *Rows) note(err error) {
	if err != nil && r.err == nil {
		r.err = r.tx.fail(r.tx.judge(err))
	}
}

// A Row is the first row of a query, or why there is none.
type Row struct {
	rows Cursor
	err  error
}

// Scan copies the columns of the row and closes it. The error is [sql.ErrNoRows] if there is no row.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
}
