//go:build unix

package retrysqltest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/transport/retrysql"
)

const (
	childVariable = "RELENT_RETRYSQL_CHILD" // the data source of a process that is to be killed
	childRounds   = 4
)

// child makes transactions with keys, and points to die at.
func child(name string) error {
	pool, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	w := &world{db: &retrysql.DB{Pool: pool, Kind: retrysql.SQLite}}
	for n := range childRounds {
		chaos.Point("begin")
		err := retrysql.Run(context.Background(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
			_, _, err := retrysql.Once(ctx, tx, retrysql.Key{Name: fmt.Sprint(n)}, func(ctx context.Context) (int, error) {
				chaos.Point("claimed")
				err := w.effect(ctx, tx, fmt.Sprint(n))
				chaos.Point("worked")
				return n, err
			})
			chaos.Point("commit")
			return err
		})
		if err != nil {
			return err
		}
		chaos.Point("committed")
	}
	return nil
}

// A process is killed at every step of every transaction, and another one goes on with the same keys.
func TestKilledProcess(t *testing.T) {
	for _, point := range []string{"begin", "claimed", "worked", "commit", "committed"} {
		t.Run(point, func(t *testing.T) {
			killed := 0
			for nth := 1; nth <= childRounds; nth++ {
				w := sqliteWorld(t, "WAL")
				run := func(point string) chaos.Death {
					cmd := exec.CommandContext(t.Context(), os.Args[0])
					cmd.Env = append(os.Environ(), childVariable+"="+w.name)
					d, err := chaos.Crash(cmd, point, nth)
					if err != nil {
						t.Fatalf("%v\n%s", err, d.Output)
					}
					return d
				}
				if run(point).Killed {
					killed++
				}
				done := nth - 1 // by the process that was killed
				if point == "committed" {
					done = nth
				}
				if n := w.number(t, "SELECT count(*) FROM effects"); n != done {
					t.Errorf("killed at %s#%d: %d effects; want %d", point, nth, n, done)
				}
				run("nowhere")
				if n, names := w.number(t, "SELECT count(*) FROM effects"), w.number(t, "SELECT count(DISTINCT name) FROM effects"); n != childRounds || names != childRounds {
					t.Errorf("after %s#%d: %d effects of %d names; want %d", point, nth, n, names, childRounds)
				}
			}
			if killed != childRounds {
				t.Errorf("%d processes were killed", killed)
			}
		})
	}
}
