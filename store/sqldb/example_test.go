package sqldb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/store/sqldb"
)

// A key that was used survives the program.
func ExampleOpen() {
	dir, _ := os.MkdirTemp("", "relent")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	place := func(context.Context) (string, error) {
		fmt.Println("placing")
		return "order 4711", nil
	}
	for range 2 {
		db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "relent.db"))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(idempotent.Do(ctx, db.Idempotent(), "intent-1", place))
		db.Close()
	}
	// Output:
	// placing
	// order 4711 <nil>
	// order 4711 <nil>
}
