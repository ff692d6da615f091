// Package retrysql retries whole database transactions.
//
//	db := &retrysql.DB{Pool: pool} // a *sql.DB; PostgreSQL unless Kind says otherwise
//	policy := &retry.Policy{Name: "ledger.move_cash"}
//	err := retrysql.Run(ctx, db, policy, nil, func(ctx context.Context, tx *retrysql.Tx) error {
//		…
//	})
//
// [Do] and [Run] run a function in a transaction, and run it again when that is safe. [Once] puts an
// idempotency row into the transaction. [Fresh] reads what must not be too old, from replicas first.
// [Checked] and [Fresh] judge results. A [Tally] counts apart what failed: the way there, the age, the check.
//
// # What is retried
//
//	                             PostgreSQL, CockroachDB      SQLite       MySQL, MariaDB   before COMMIT   of COMMIT
//	whole transaction again      40001 40P01 CR000 55P03      5 (also 517) 1213 1205        Transient       Transient
//	                                                                       1020 3572
//	never let in                 08001 57P03 53300                         1040             Transient       Ambiguous
//	connection lost              08000 08003 08006 57P01      08006        08006 2006 2013  Transient       Ambiguous
//	                             57P02                                     1053 1927 4031
//	the database does not know   08007 40003                                                Ambiguous       Ambiguous
//	answered for good            22… 23… 28… 42… 0A…          19 (also     1062             Permanent       Permanent
//	                             57014 25P02                  1555 2067)
//	any other code                                                                          Permanent       Ambiguous
//	an error without a code: of the connection, or a timeout                                Transient       Ambiguous
//	an error without a code: any other                                                      Permanent       Ambiguous
//
// In plain words: as long as COMMIT was not sent, nothing has happened, and an error only says whether
// it may work later. Once it was sent, only an answer that tells of a rollback proves one. What is Permanent
// in the table can be decided otherwise by a policy's Classify, which finds the code in the [*Error]: 57014
// after a statement's timeout may be worth another attempt, 23505 hardly ever is.
//
// # SQLite
//
// A transaction that reads and then writes can find that others have written in between. That is error 517, it
// comes at once whatever the busy timeout, and it stays for as long as the transaction lives. So an
// attempt after a BUSY begins with BEGIN IMMEDIATE, which waits for its turn before it reads;
// [Options].Immediate does so from the first attempt on.
//
// # MySQL
//
// Error 1213 rolls the transaction back and 1205 only the statement, but either way the transaction is begun anew. Error 1020
// is what MariaDB says, by itself from 11.6 on, where PostgreSQL says 40001.
// Drivers for MySQL give no code through a method: see [DB.Codes].
//
// # Other drivers
//
// A [Beginner] is all that is needed. One for pgx without database/sql:
//
//	type Pool struct{ *pgxpool.Pool }
//
//	func (p Pool) Dialect() retrysql.Dialect { return retrysql.PostgreSQL }
//
//	func (p Pool) Begin(ctx context.Context, o retrysql.Options) (retrysql.Session, error) {
//		tx, err := p.BeginTx(ctx, pgx.TxOptions{})
//		if err != nil {
//			return nil, err // and not a nil pgx.Tx
//		}
//		return session{tx}, nil
//	}
//
//	type session struct{ pgx.Tx } // Commit and Rollback are as they should be
//
//	func (s session) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
//		tag, err := s.Tx.Exec(ctx, query, args...)
//		return driver.RowsAffected(tag.RowsAffected()), err
//	}
//
//	func (s session) Query(ctx context.Context, query string, args ...any) (retrysql.Cursor, error) {
//		rows, err := s.Tx.Query(ctx, query, args...)
//		return cursor{rows}, err
//	}
//
//	type cursor struct{ pgx.Rows }
//
//	func (c cursor) Close() error { c.Rows.Close(); return c.Rows.Err() }
package retrysql
