package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
)

// crowd lets callers work at once until b.N operations are done, and reports how many were done in a second.
func crowd(b *testing.B, callers int, work func(ctx context.Context, n int64) error) {
	b.Helper()
	b.ReportAllocs()
	var n atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := work(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// One operation is a claim and its completion.
func BenchmarkClaimComplete(b *testing.B) {
	through := func(db *DB) func(context.Context, int64) error {
		s := db.Idempotent()
		return func(ctx context.Context, n int64) error {
			r, err := s.Claim(ctx, bid(fmt.Sprint(n)))
			if err != nil {
				return err
			}
			return s.Complete(ctx, r.Claim(), []byte("filled"))
		}
	}
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("sqlite/%d callers/grouped", callers), func(b *testing.B) { crowd(b, callers, through(file(b))) })
		b.Run(fmt.Sprintf("sqlite/%d callers/plain", callers), func(b *testing.B) { crowd(b, callers, plain(b)) })
	}
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("postgres/%d callers/sqldb", callers), func(b *testing.B) { crowd(b, callers, through(postgres(b))) })
		b.Run(fmt.Sprintf("postgres/%d callers/by hand", callers), func(b *testing.B) { crowd(b, callers, byHand(b)) })
	}
}

// plain is a writer that makes a transaction of each operation, on a file with the same settings and tables.
func plain(b *testing.B) func(context.Context, int64) error {
	db, err := sql.Open("sqlite", "file:"+path(b)+"?"+pragmas)
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { db.Close() })
	prepare := func(q *query) *sql.Stmt {
		st, err := db.Prepare(q.sqlite)
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	claim, complete := prepare(idemClaim), prepare(idemComplete)
	var mu sync.Mutex
	transact := func(ctx context.Context, st *sql.Stmt, args ...any) error {
		mu.Lock()
		defer mu.Unlock()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, st).ExecContext(ctx, args...); err != nil {
			return err
		}
		return tx.Commit()
	}
	return func(ctx context.Context, n int64) error {
		key, owner, print := []byte(fmt.Sprint(n)), idempotent.NewNonce(), idempotent.Fingerprint{}
		if err := transact(ctx, claim, key, owner[:], print[:], int64(1e9), int64(1e9), time.Now().UnixMicro()); err != nil {
			return err
		}
		return transact(ctx, complete, key, owner[:], 1, []byte("filled"), time.Now().UnixMicro())
	}
}

// path is that of a file with tables that nobody has open.
func path(b *testing.B) string {
	name := filepath.Join(b.TempDir(), "relent.db")
	if err := reopen(b, "sqlite:"+name).Close(); err != nil {
		b.Fatal(err)
	}
	return name
}

// byHand does with pgx what the store does.
func byHand(b *testing.B) func(context.Context, int64) error {
	url := postgresURL(b)
	reopen(b, url).Close()
	pool, err := pgxpool.New(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return func(ctx context.Context, n int64) error {
		key, owner, print := []byte(fmt.Sprint(n)), idempotent.NewNonce(), idempotent.Fingerprint{}
		_, err := pool.Exec(ctx, idemClaim.postgres, key, owner[:], print[:], int64(1e9), int64(1e9))
		if err != nil {
			return err
		}
		_, err = pool.Exec(ctx, idemComplete.postgres, key, owner[:], int64(1), []byte("filled"))
		return err
	}
}

// One operation is an append of one record, of all callers to one chain.
func BenchmarkAudit(b *testing.B) {
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprintf("%d callers/grouped", callers), func(b *testing.B) {
			s := file(b).Audit()
			crowd(b, callers, func(ctx context.Context, n int64) error {
				_, err := s.Append(ctx, "node", []audit.Record{record(n)})
				return err
			})
		})
		b.Run(fmt.Sprintf("%d callers/plain", callers), func(b *testing.B) { crowd(b, callers, plainAudit(b)) })
	}
	b.Run("16 callers/batches of 100", func(b *testing.B) {
		s := file(b).Audit()
		crowd(b, 16, func(ctx context.Context, n int64) error {
			records := make([]audit.Record, 100)
			for i := range records {
				records[i] = record(n*100 + int64(i))
			}
			_, err := s.Append(ctx, "node", records)
			return err
		})
	})
}

func record(n int64) audit.Record {
	return audit.Record{
		ID: strconv.FormatInt(n, 36), Time: time.Now(), Decision: audit.Retry, Operation: "venue.place_order", Call: "00000000000000ff",
		Attempt: 2, Outcome: audit.Failed, Class: "transient", Delay: time.Second,
	}
}

// plainAudit makes a transaction of each record, as plain does of each operation.
func plainAudit(b *testing.B) func(context.Context, int64) error {
	db, err := sql.Open("sqlite", "file:"+path(b)+"?"+pragmas)
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { db.Close() })
	head, err := db.Prepare(auditHead.sqlite)
	if err != nil {
		b.Fatal(err)
	}
	add, err := db.Prepare(auditAdd.sqlite)
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	return func(ctx context.Context, n int64) error {
		mu.Lock()
		defer mu.Unlock()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		h := audit.Head{Chain: "node"}
		var hash []byte
		if err := tx.StmtContext(ctx, head).QueryRowContext(ctx, "node").Scan(&h.Sequence, &hash); err != nil && err != sql.ErrNoRows {
			return err
		}
		copy(h.Hash[:], hash)
		links, _, err := audit.Extend(h, []audit.Record{record(n)})
		if err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, add).ExecContext(ctx, auditRow(&links[0])...); err != nil {
			return err
		}
		return tx.Commit()
	}
}
