// Package retrysqltest holds the tests of retrysql against real databases: SQLite, PostgreSQL and MariaDB (which is
// MySQL to a driver) through database/sql, and PostgreSQL through pgx.
package retrysqltest
