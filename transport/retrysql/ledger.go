package retrysql

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Ledger is a table beside your own in which [Once] remembers what was done. The zero value has the
// names in the comments. Names are letters, digits and underscores, the table's with a schema before
// a dot if need be; [Once] refuses others.
//
// Rows are never removed here. Keep them for longer than any caller may repeat a call, then delete by CreatedAt.
type Ledger struct {
	Table       string // relent_once
	Key         string // idem_key
	Fingerprint string // fingerprint
	Result      string // result
	CreatedAt   string // created_at; only DDL names it
}

// names returns the names in use.
func (l *Ledger) names() (Ledger, error) {
	if l == nil {
		l = &Ledger{}
	}
	n := Ledger{
		Table:       cmp.Or(l.Table, "relent_once"),
		Key:         cmp.Or(l.Key, "idem_key"),
		Fingerprint: cmp.Or(l.Fingerprint, "fingerprint"),
		Result:      cmp.Or(l.Result, "result"),
		CreatedAt:   cmp.Or(l.CreatedAt, "created_at"),
	}
	return n, n.check()
}

// Check returns all mistakes in l, joined, each beginning with its field's name, or nil.
func (l *Ledger) Check() error {
	_, err := l.names()
	return err
}

func (l *Ledger) check() error {
	var errs []error
	schema, table, dotted := strings.Cut(l.Table, ".")
	if !isName(schema) || dotted && !isName(table) {
		errs = append(errs, fmt.Errorf("Table: %q is no name", l.Table))
	}
	for _, column := range []struct{ field, name string }{
		{"Key", l.Key}, {"Fingerprint", l.Fingerprint}, {"Result", l.Result}, {"CreatedAt", l.CreatedAt},
	} {
		if !isName(column.name) {
			errs = append(errs, fmt.Errorf("%s: %q is no name", column.field, column.name))
		}
	}
	return errors.Join(errs...)
}

// isName accepts what needs no quotes in any dialect, unless it is a reserved word.
func isName(s string) bool {
	for i, r := range []byte(s) {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// DDL returns the statement that creates the table if it is not there. For PostgreSQL, with the default names:
//
//	CREATE TABLE IF NOT EXISTS relent_once (
//		idem_key text COLLATE "C" PRIMARY KEY,
//		fingerprint bytea NOT NULL,
//		result bytea,
//		created_at timestamptz NOT NULL DEFAULT now()
//	)
//
// Any other table will do whose key is unique and compares byte for byte, and whose further columns
// have defaults. It is the same with a Ledger that Check complains of, so check first.
func (l *Ledger) DDL(d Dialect) string {
	n, _ := l.names()
	key, data, created, options := `text COLLATE "C"`, "bytea", "timestamptz NOT NULL DEFAULT now()", ""
	switch d {
	case SQLite:
		key, data, created, options = "TEXT NOT NULL", "BLOB", "INTEGER NOT NULL DEFAULT (unixepoch())", " STRICT, WITHOUT ROWID"
	case MySQL:
		key, data, created = "varbinary(1024)", "longblob", "timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\t%s %s PRIMARY KEY,\n\t%s %s NOT NULL,\n\t%s %s,\n\t%s %s\n)%s",
		n.Table, n.Key, key, n.Fingerprint, data, n.Result, data, n.CreatedAt, created, options)
}

// statements are what Once sends.
type statements struct{ find, claim, done string }

func (l *Ledger) statements(d Dialect) (statements, error) {
	n, err := l.names()
	if err != nil {
		return statements{}, err
	}
	first, second := "?", "?"
	if d == PostgreSQL {
		first, second = "$1", "$2"
	}
	return statements{
		find:  fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s = %s", n.Fingerprint, n.Result, n.Table, n.Key, first),
		claim: fmt.Sprintf("INSERT INTO %s (%s, %s) VALUES (%s, %s)", n.Table, n.Key, n.Fingerprint, first, second),
		done:  fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = %s", n.Table, n.Result, first, n.Key, second),
	}, nil
}

// MaxKey is how many bytes a key of [Once] may have.
const MaxKey = 1 << 10

// checkKey refuses what some database would not store as it is.
func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("it is empty")
	case len(key) > MaxKey:
		return fmt.Errorf("%d bytes; the limit is %d", len(key), MaxKey)
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return errors.New("it is not text: UTF-8 without NUL")
	}
	return nil
}
