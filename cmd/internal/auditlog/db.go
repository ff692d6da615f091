package auditlog

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb"
)

// openTimeout is how long a database may take to answer first.
const openTimeout = 10 * time.Second

// openDB opens a store in a database that is there.
func openDB(url string) (Store, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok && path != "" { // which would be made if it were not there
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%s: there is no such file", path)
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), openTimeout)
	defer stop()
	d, err := sqldb.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return db{d.Audit(), d}, nil
}

// db is a Store in a database.
type db struct {
	*sqldb.Audit
	db *sqldb.DB
}

func (d db) Close() error { return d.db.Close() }

// Start is the beginning: no records are removed from databases.
func (d db) Start(chain string) (audit.Head, error) { return audit.Head{Chain: chain}, nil }

func (d db) Chains(ctx context.Context) (names []string, err error) {
	heads, err := d.Heads(ctx)
	for _, h := range heads {
		names = append(names, h.Chain)
	}
	return names, err
}
