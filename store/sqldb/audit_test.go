package sqldb

import (
	"context"
	"testing"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
)

func TestAudit(t *testing.T) {
	tamper := newQuery(`UPDATE relent_audit SET body = $3 WHERE chain = $1 AND sequence = $2`)
	urls := map[audit.Store]string{}
	for name, url := range map[string]func(testing.TB) string{"sqlite": fileURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			open := func(t *testing.T, at string) audit.Store {
				s := reopen(t, at).Audit()
				urls[s] = at
				return s
			}
			audittest.Suite{
				Open: func(t *testing.T) audit.Store { return open(t, url(t)) },
				Reopen: func(t *testing.T, s audit.Store) audit.Store {
					if err := s.(*Audit).db.Close(); err != nil {
						t.Fatal(err)
					}
					return open(t, urls[s])
				},
				Tamper: func(t *testing.T, s audit.Store, chain string, sequence uint64, body []byte) {
					if err := change(t.Context(), s.(*Audit).db, single, 0, func(ctx context.Context, q session) error {
						n, err := q.exec(ctx, tamper, chain, int64(sequence), body)
						if n != 1 {
							t.Errorf("%d records were changed", n)
						}
						return err
					}); err != nil {
						t.Fatal(err)
					}
				},
			}.Run(t)
		})
	}
}
