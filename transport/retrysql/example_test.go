package retrysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

// A transaction that meets a serialization failure is run again, whole.
func ExampleRun() {
	server := &server{on: nth(1, "EFFECT", state("40001"))}
	db := &retrysql.DB{Pool: sql.OpenDB(server)}
	policy := &retry.Policy{Name: "ledger.move_cash"}

	err := retrysql.Run(context.Background(), db, policy, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		_, err := tx.Exec(ctx, "EFFECT")
		return err
	})
	fmt.Println(err, len(server.effects))
	// Output: <nil> 1
}

// The answer to COMMIT gets lost. The transaction is run again, and finds that it was committed.
func ExampleOnce() {
	server := &server{}
	faults := chaos.New(1, chaos.Rule{Op: "commit", Script: []chaos.Fault{chaos.ApplyThenCut}})
	db := &retrysql.DB{Pool: sql.OpenDB(chaos.Connector(server, faults))}
	policy := &retry.Policy{Name: "ledger.place_order"}

	id, err := retrysql.Do(context.Background(), db, policy, nil, func(ctx context.Context, tx *retrysql.Tx) (int, error) {
		id, replayed, err := retrysql.Once(ctx, tx, retrysql.Key{Name: "order-7"}, func(ctx context.Context) (int, error) {
			_, err := tx.Exec(ctx, "EFFECT")
			return 4711, err
		})
		fmt.Println("replayed:", replayed)
		return id, err
	})
	fmt.Println(id, err, len(server.effects))
	// Output:
	// replayed: false
	// replayed: true
	// 4711 <nil> 1
}

// What must contain a write is read from a replica if that has come so far, and else from the primary.
func ExampleFresh() {
	read := func(value string, position retrysql.Position) func(context.Context) (string, retrysql.Seen, error) {
		return func(context.Context) (string, retrysql.Seen, error) {
			return value, retrysql.Seen{Position: position}, nil
		}
	}
	balance := &retrysql.Fresh[string]{
		Places:       []retrysql.Place[string]{{Name: "replica", Read: read("100", 41)}, {Name: "primary", Read: read("70", 42)}},
		AtLeast:      42, // what the write returned
		MaxStaleness: time.Minute,
	}
	answer, err := balance.Read(context.Background(), &retry.Policy{Name: "ledger.balance"})
	fmt.Println(answer.Value, answer.Place, err)
	// Output: 70 primary <nil>
}

func ExampleLedger_DDL() {
	fmt.Println((&retrysql.Ledger{Table: "done"}).DDL(retrysql.SQLite))
	// Output:
	// CREATE TABLE IF NOT EXISTS done (
	// 	idem_key TEXT NOT NULL PRIMARY KEY,
	// 	fingerprint BLOB NOT NULL,
	// 	result BLOB,
	// 	created_at INTEGER NOT NULL DEFAULT (unixepoch())
	// ) STRICT, WITHOUT ROWID
}
