package proof

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

// The same on the log that production has: SQLite, with its write-ahead log in a file, and bans in a file. Leases count by the
// database's own clock, which is real, so each process takes the name of the one before.
func TestChaosOnSQLite(t *testing.T) {
	all := newTally()
	t.Cleanup(func() { t.Logf("on SQLite: %v", all) })
	for _, faults := range []string{"lossy", "storm", "ratelimit"} {
		for _, profile := range []string{"binance", "gate"} {
			t.Run(profile+"/"+faults, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				var db *sqldb.DB
				c := trial{
					faults: faults, profile: profile, seed: 1, traders: 4, each: 25, crashes: 3, halts: 1, owner: "the only one",
					bans: &exchange.FileBans{Path: filepath.Join(dir, "bans.json")},
					log: func() order.Log { // in the bubble: the database has goroutines of its own
						var err error
						if db, err = sqldb.Open(context.Background(), "sqlite:"+filepath.Join(dir, "orders.db")); err != nil {
							t.Fatal(err)
						}
						return db.Orders()
					},
					after: func() { db.Close() },
				}
				r := c.run(t)
				if len(r.wrong) > 0 {
					t.Errorf("%v: %q", c, first(r.wrong, 8))
				}
				all.add(r)
			})
		}
	}
}
