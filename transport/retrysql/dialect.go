package retrysql

import (
	"errors"
	"reflect"
	"strconv"

	"github.com/relent-go/relent/retry"
)

// A Dialect is a family of databases that share their error codes and their SQL. The zero value is
// PostgreSQL.
type Dialect uint8

// The dialects.
const (
	PostgreSQL Dialect = iota // and CockroachDB: codes are SQLSTATEs
	SQLite                    // codes are extended result codes
	MySQL                     // codes are the server's error numbers
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case MySQL:
		return "MySQL"
	}
	return "PostgreSQL"
}

// Lost is the code of a lost connection (SQLSTATE 08006) in every dialect: for a function that finds
// codes, and meets an error that means just that.
const Lost = "08006"

// Code returns the code in err that a database of this dialect gave, or "". It knows errors by their
// methods: SQLState() string for PostgreSQL (pgx, lib/pq), Code() int for SQLite (modernc.org/sqlite).
// No driver for MySQL has such a method, so there it finds nothing: see [DB.Codes].
func (d Dialect) Code(err error) string {
	switch d {
	case PostgreSQL:
		if e, ok := errors.AsType[interface {
			error
			SQLState() string
		}](err); ok && !isNil(e) {
			return e.SQLState()
		}
	case SQLite:
		if e, ok := errors.AsType[interface {
			error
			Code() int
		}](err); ok && !isNil(e) {
			return strconv.Itoa(e.Code())
		}
	}
	return ""
}

// isNil tells a nil pointer inside an interface, whose methods may not be callable.
func isNil(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// Classify says what an error of a database means where nobody knows whether a COMMIT was under way: a
// lost connection is then Ambiguous. An [*Error] in err knows, and is believed. It reports false for
// an error without a code that the dialect gives a meaning.
//
// [Do] and [Run] classify by themselves. Classify is for policies of calls beside them:
//
//	policy.Classify = func(err error) retry.Class {
//		if class, ok := retrysql.SQLite.Classify(err); ok {
//			return class
//		}
//		return retry.DefaultClassify(err)
//	}
func (d Dialect) Classify(err error) (retry.Class, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class(), true
	}
	code := d.Code(err)
	if code == "" {
		return retry.Ambiguous, false
	}
	switch d.meaning(code) {
	case again, unsent:
		return retry.Transient, true
	case refused:
		return retry.Permanent, true
	case lost, doubtful:
		return retry.Ambiguous, true
	}
	if d == PostgreSQL {
		return retry.Ambiguous, false
	}
	return retry.Permanent, true
}

// Classify is [Dialect.Classify] of PostgreSQL, whose codes no other kind of error is likely to have.
func Classify(err error) (retry.Class, bool) { return PostgreSQL.Classify(err) }

// meaning is what a code says, apart from when it came.
type meaning uint8

const (
	unlisted meaning = iota
	again            // rolled back: the whole transaction may work if run again
	unsent           // nothing was sent, or it was not let in
	lost             // the connection is gone
	doubtful         // the database itself does not know
	refused          // an answer that will not change
)

func (d Dialect) meaning(code string) meaning {
	if code == Lost {
		return lost
	}
	switch d {
	case SQLite:
		return meaningSQLite(code)
	case MySQL:
		return meaningMySQL(code)
	}
	return meaningSQLState(code)
}

// PostgreSQL, appendix A "Error Codes"; CockroachDB, "Transaction retry error reference".
func meaningSQLState(code string) meaning {
	switch code {
	case "40001", "40P01", "CR000", "55P03":
		return again
	case "08001", "57P03", "53300":
		return unsent
	case "08000", "08003", "57P01", "57P02":
		return lost
	case "08007", "40003":
		return doubtful
	case "57014", "25P02":
		return refused
	}
	if len(code) != 5 {
		return unlisted
	}
	switch code[:2] {
	case "22", "23", "28", "42", "0A":
		return refused
	}
	return unlisted
}

// SQLite, "Result and Error Codes": the lowest byte is the kind.
func meaningSQLite(code string) meaning {
	n, err := strconv.Atoi(code)
	if err != nil {
		return unlisted
	}
	switch n & 0xff {
	case 5: // BUSY, also 517 BUSY_SNAPSHOT
		return again
	case 19: // CONSTRAINT, also 1555 PRIMARYKEY and 2067 UNIQUE
		return refused
	}
	return unlisted
}

// MySQL, "Server Error Message Reference" and "Client Error Message Reference"; MariaDB, "Error Codes", for 1020, which is
// there that others wrote since the transaction looked, and 1927.
func meaningMySQL(code string) meaning {
	switch code {
	case "1213", "1205", "1020", "3572":
		return again
	case "1040": // too many connections
		return unsent
	case "1062":
		return refused
	case "2006", "2013", "1053", "1927", "4031": // the last three: the server ends the session
		return lost
	}
	return unlisted
}

// duplicate says that a code is that of a key that is there already.
func (d Dialect) duplicate(code string) bool {
	switch d {
	case SQLite:
		return code == "1555" || code == "2067"
	case MySQL:
		return code == "1062"
	}
	return code == "23505"
}
