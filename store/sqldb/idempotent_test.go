package sqldb

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
)

// Time passes by moving what the tables say of it, so that the suite need not wait.
func TestIdempotent(t *testing.T) {
	shift := newQuery(`UPDATE relent_idempotency SET deadline = deadline - $1`)
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		var db *DB
		idempotenttest.Run(t, func(t *testing.T) idempotent.Store { db = open(t); return db.Idempotent() }, idempotenttest.Options{
			Rounds: 200,
			Pass: func(t *testing.T, d time.Duration) {
				if err := change(t.Context(), db, single, 0, func(ctx context.Context, q session) error {
					_, err := q.exec(ctx, shift, micros(d))
					return err
				}); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// bid returns one that no other resembles.
func bid(key string) idempotent.Bid {
	return idempotent.Bid{Key: key, Owner: idempotent.NewNonce(), Lease: time.Hour, Retain: time.Hour}
}

// ST5: nothing that a caller says about the time is asked for. Here time really passes, in the database.
func TestLeasesEndByTheClockOfTheStore(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		ctx, s := t.Context(), open(t).Idempotent()
		short := bid("short")
		short.Lease = 50 * time.Millisecond
		begun := time.Now()
		if r, err := s.Claim(ctx, short); !r.Won(&short) || err != nil {
			t.Fatal(r, err)
		}
		for {
			r, err := s.Get(ctx, "short")
			if err != nil {
				t.Fatal(err)
			}
			if r.Status == idempotent.Unknown {
				break
			}
			if r.Left <= 0 || r.Left > short.Lease {
				t.Fatalf("%v are left of %v", r.Left, short.Lease)
			}
		}
		if passed := time.Since(begun); passed < short.Lease {
			t.Errorf("the lease of %v ended after %v", short.Lease, passed)
		}
	})
}
