// Package retrysqltest holds the tests of retrysql against real databases: SQLite and PostgreSQL through
// database/sql, and PostgreSQL through pgx.
package retrysqltest
