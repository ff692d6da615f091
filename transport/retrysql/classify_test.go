package retrysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// nilState carries a code that only a pointer to something has.
type nilState struct{ code string }

func (n *nilState) Error() string     { return "nil" }
func (n *nilState) SQLState() string  { return n.code }
func (n *nilState) Code() int         { return len(n.code) }
func (n *nilState) SafeToRetry() bool { return n.code != "" }

type lockError bool

func (lockError) Error() string       { return "conn busy" }
func (l lockError) SafeToRetry() bool { return bool(l) }

const (
	A = retry.Ambiguous
	T = retry.Transient
	P = retry.Permanent
)

// The table of the package comment: what a failure means before COMMIT, as the answer to it, and alone.
func TestClasses(t *testing.T) {
	lost := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, test := range []struct {
		kind                  retrysql.Dialect
		err                   error
		before, commit, alone retry.Class
		known                 bool
	}{
		{0, state("40001"), T, T, T, true},
		{0, state("40P01"), T, T, T, true},
		{0, state("CR000"), T, T, T, true},
		{0, state("55P03"), T, T, T, true},
		{0, state("08001"), T, A, T, true}, // Q3
		{0, state("57P03"), T, A, T, true},
		{0, state("53300"), T, A, T, true},
		{0, state("08000"), T, A, A, true},
		{0, state("08003"), T, A, A, true},
		{0, state("08006"), T, A, A, true},
		{0, state("57P01"), T, A, A, true},
		{0, state("57P02"), T, A, A, true},
		{0, state("08007"), A, A, A, true},
		{0, state("40003"), A, A, A, true},
		{0, state("23505"), P, P, P, true},
		{0, state("23P01"), P, P, P, true},
		{0, state("57014"), P, P, P, true}, // Q4
		{0, state("22012"), P, P, P, true},
		{0, state("23503"), P, P, P, true},
		{0, state("42601"), P, P, P, true},
		{0, state("28P01"), P, P, P, true},
		{0, state("0A000"), P, P, P, true},
		{0, state("25P02"), P, P, P, true}, // Q6
		{0, state("XX000"), P, A, A, false},
		{0, state("22"), P, A, A, false},
		{0, fmt.Errorf("insert: %w", state("40001")), T, T, T, true},
		{0, result(517), P, A, A, false}, // no code of this database
		{0, (*nilState)(nil), P, A, A, false},

		{retrysql.SQLite, result(517), T, T, T, true},
		{retrysql.SQLite, result(5), T, T, T, true},
		{retrysql.SQLite, result(261), T, T, T, true},
		{retrysql.SQLite, result(1555), P, P, P, true},
		{retrysql.SQLite, result(2067), P, P, P, true},
		{retrysql.SQLite, result(787), P, P, P, true},
		{retrysql.SQLite, result(1), P, A, P, true},
		{retrysql.SQLite, result(10), P, A, P, true}, // an I/O error of COMMIT proves nothing
		{retrysql.SQLite, (*nilState)(nil), P, A, A, false},

		{retrysql.MySQL, number{1213}, T, T, A, false}, // I17
		{retrysql.MySQL, number{1205}, T, T, A, false},
		{retrysql.MySQL, number{1020}, T, T, A, false},
		{retrysql.MySQL, number{3572}, T, T, A, false},
		{retrysql.MySQL, number{1062}, P, P, A, false},
		{retrysql.MySQL, number{2006}, T, A, A, false},
		{retrysql.MySQL, number{2013}, T, A, A, false},
		{retrysql.MySQL, number{1040}, T, A, A, false},
		{retrysql.MySQL, number{1053}, T, A, A, false},
		{retrysql.MySQL, number{1927}, T, A, A, false},
		{retrysql.MySQL, number{4031}, T, A, A, false},
		{retrysql.MySQL, number{1064}, P, A, A, false},

		{0, driver.ErrBadConn, T, A, A, false},
		{0, sql.ErrConnDone, T, A, A, false},
		{0, io.ErrUnexpectedEOF, T, A, A, false},
		{0, lost, T, A, A, false},
		{0, context.DeadlineExceeded, T, A, A, false},
		{0, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, T, A, A, false},
		{0, lockError(true), T, A, A, false},
		{0, lockError(false), P, A, A, false},
		{0, errors.New("what"), P, A, A, false},
		{0, retry.Mark(errors.New("what"), retry.Throttled), retry.Throttled, A, A, false},
	} {
		t.Run(fmt.Sprint(test.kind, " ", test.err), func(t *testing.T) {
			if test.kind == retrysql.MySQL && errors.As(test.err, new(number)) {
				if class, known := test.kind.Classify(test.err); class != A || known {
					t.Errorf("MySQL without a function: %v, %v", class, known)
				}
			}
			if class, known := test.kind.Classify(test.err); class != test.alone || known != test.known {
				t.Errorf("Classify = %v, %v; want %v, %v", class, known, test.alone, test.known)
			}
			for stage, want := range map[string]retry.Class{"EFFECT": test.before, "COMMIT": test.commit} {
				s, db := open(t)
				db.Kind = test.kind
				if db.Kind == retrysql.MySQL {
					db.Codes = numbers
				}
				s.on = nth(1, stage, test.err)
				once := *plain
				once.MaxAttempts = 1
				err := retrysql.Run(t.Context(), db, &once, nil, effect)
				e, ok := errors.AsType[*retrysql.Error](err)
				if !ok || e.Class() != want {
					t.Fatalf("%s: %v, class %v; want %v", stage, err, e.Class(), want)
				}
				last := err.(*retry.Error)
				if class := retry.DefaultClassify(last.Last); class != want {
					t.Errorf("%s: the engine sees %v; want %v", stage, class, want)
				}
				if class, known := test.kind.Classify(err); class != want || !known {
					t.Errorf("%s: Classify of the call's error = %v, %v; want %v", stage, class, known, want)
				}
				if last.Unknown != (want == A) {
					t.Errorf("%s: Unknown is %v of %v", stage, last.Unknown, want)
				}
				if !errors.Is(err, test.err) {
					t.Errorf("%s: %v does not hold the driver's error", stage, err)
				}
			}
		})
	}
}

func TestClassifyIsOfPostgreSQL(t *testing.T) {
	if class, ok := retrysql.Classify(state("40001")); class != T || !ok {
		t.Errorf("Classify(40001) = %v, %v", class, ok)
	}
	if class, ok := retrysql.SQLite.Classify((*retrysql.Error)(nil)); class != P || !ok {
		t.Errorf("Classify of a nil *Error = %v, %v", class, ok)
	}
	for d, want := range map[retrysql.Dialect]string{0: "PostgreSQL", retrysql.SQLite: "SQLite", retrysql.MySQL: "MySQL"} {
		if d.String() != want {
			t.Errorf("%d is %q; want %q", d, d, want)
		}
	}
}

// A code may be of any form, if a function of the caller's finds it.
func FuzzCodes(f *testing.F) {
	for _, code := range []string{"40001", "517", "-5", "99999999999999999999", "0A", "é001"} {
		f.Add(uint8(1), code)
	}
	f.Fuzz(func(t *testing.T, kind uint8, code string) {
		s, db := open(t)
		db.Kind = retrysql.Dialect(kind % 3)
		db.Codes = func(err error) string { return code }
		s.on = nth(1, "COMMIT", io.EOF)
		once := *plain
		once.MaxAttempts = 1
		err := retrysql.Run(t.Context(), db, &once, nil, effect)
		if e, ok := errors.AsType[*retrysql.Error](err); !ok || e.Class() == retry.Throttled || e.Code != code {
			t.Errorf("%q: %v", code, err)
		}
	})
}
