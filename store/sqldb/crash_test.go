package sqldb

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/work/job"
)

// crashChild is a process that is killed. It claims and completes keys, appends records, enqueues, takes and acks jobs, records orders
// before it sends them, and tells of everything
// that the store acknowledged, one line each. Its keys begin where those of the process before may have ended.
func crashChild() {
	ctx := context.Background()
	fail := func(what string, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, what, err)
			os.Exit(3)
		}
	}
	db, err := Open(ctx, os.Getenv("RELENT_CRASH_URL"))
	fail("open", err)
	from, _ := strconv.Atoi(os.Getenv("RELENT_CRASH_KEY"))
	cycle := os.Getenv("RELENT_CRASH_CHILD")
	writer, err := db.Orders().Acquire(ctx, orderWriters, cycle, 0) // whose lease the next process may take at once
	fail("acquire", err)
	var key atomic.Int64
	key.Store(int64(from))
	tell := func(what, of, more string) { os.Stdout.WriteString(what + " " + of + " " + more + "\n") }
	var group sync.WaitGroup
	for worker := range 32 {
		group.Go(func() {
			claims, chain, jobs, orders := db.Idempotent(), db.Audit(), db.Jobs(), db.Orders()
			for i := 0; ; i++ {
				k := fmt.Sprint("key", key.Add(1)/2) // each is asked for twice
				b := bid(k)
				r, err := claims.Claim(ctx, b)
				fail("claim", err)
				if r.Won(&b) {
					tell("ran", k, b.Owner.String())
					fail("complete", claims.Complete(ctx, r.Claim(), []byte("result of "+k)))
					tell("completed", k, b.Owner.String())
				}
				id := fmt.Sprint(cycle, ".", worker, ".", i)
				_, err = chain.Append(ctx, "node", []audit.Record{{ID: id, Time: time.Now(), Decision: audit.Retry}})
				fail("append", err)
				tell("appended", id, "-")
				fail("intend", orders.Append(ctx, writer, order.Entry{ID: id, Kind: order.KindIntent, Key: "1", Data: []byte(id)}))
				fail("send", orders.Append(ctx, writer, order.Entry{ID: id, Kind: order.KindSending, Key: "1"}))
				tell("sent", id, "-")
				fail("enqueue", jobs.Enqueue(ctx, job.Job{ID: id, Kind: "kind"}))
				tell("enqueued", id, "-")
				taken, err := jobs.Take(ctx, job.Want{Kinds: []string{"kind"}, Max: 1, Lease: time.Hour})
				fail("take", err)
				for _, j := range taken.Jobs {
					fail("save", jobs.Save(ctx, j.Lease(), job.Checkpoint{Seq: 1, Step: 1}))
					tell("saved", j.ID, "-")
					fail("ack", jobs.Ack(ctx, j.Lease()))
					tell("acked", j.ID, "-")
				}
			}
		})
	}
	group.Wait()
}

// ST4: kill -9 loses nothing that was acknowledged, and nothing runs twice.
func TestCrash(t *testing.T) {
	cycles := 50
	if os.Getenv("RELENT_SOAK") != "" {
		cycles = 1000
	}
	t.Run("sqlite", func(t *testing.T) { crash(t, fileURL(t), cycles) })
	t.Run("postgres", func(t *testing.T) { crash(t, postgresURL(t), cycles) })
}

func crash(t *testing.T, url string, cycles int) {
	total := told{}
	from := 0
	for cycle := range cycles {
		now := killed(t, url, cycle+1, from)
		check(t, url, total, now)
		for what, of := range now {
			if total[what] == nil {
				total[what] = map[string]string{}
			}
			maps.Copy(total[what], of)
		}
		from += max(16, 2*len(now["ran"])-8) // the next one asks for the last keys again
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills: %d claims, %d completions, %d records, %d orders, %d jobs, %d of them done; none lost, none twice", cycles,
		len(total["ran"]), len(total["completed"]), len(total["appended"]), len(total["sent"]), len(total["enqueued"]), len(total["acked"]))
	if len(total["completed"]) < cycles || len(total["acked"]) < cycles {
		t.Error("the processes were killed before they did anything")
	}
	everything(t, url, total)
}

var orderWriters = order.Scope{Venue: "v", Account: "a"}

// told is what a process said, by what was done, and to what.
type told map[string]map[string]string

// killed runs a process, kills it at a random moment, and returns what it said.
func killed(t *testing.T, url string, cycle, from int) told {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "RELENT_CRASH_CHILD="+strconv.Itoa(cycle), "RELENT_CRASH_KEY="+strconv.Itoa(from), "RELENT_CRASH_URL="+url)
	var complaints strings.Builder
	c.Stderr = &complaints
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := told{}
	lines := bufio.NewScanner(out)
	wait := 1 + rand.IntN(500) // lines
	for lines.Scan() {
		if wait--; wait == 0 {
			c.Process.Kill()
		}
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			continue // the last line, cut short
		}
		if said[f[0]] == nil {
			said[f[0]] = map[string]string{}
		}
		if _, twice := said[f[0]][f[1]]; twice {
			t.Errorf("%s %s twice", f[0], f[1])
		}
		said[f[0]][f[1]] = f[2]
	}
	if c.Wait(); c.ProcessState.ExitCode() > 0 {
		t.Fatalf("the process ended by itself: %s", complaints.String())
	}
	return said
}

// check compares what the store has with what the last process was told.
func check(t *testing.T, url string, before, now told) {
	t.Helper()
	for k := range now["ran"] {
		if _, twice := before["ran"][k]; twice {
			t.Errorf("%s ran in two processes", k)
		}
	}
	for id := range now["acked"] {
		if _, twice := before["acked"][id]; twice {
			t.Errorf("the job %s was done twice", id)
		}
	}
	everything(t, url, now)
}

func everything(t *testing.T, url string, said told) {
	t.Helper()
	ctx := t.Context()
	db, err := Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	claims, jobs := db.Idempotent(), db.Jobs()
	for k, owner := range said["ran"] {
		r, err := claims.Get(ctx, k)
		_, completed := said["completed"][k]
		switch {
		case err != nil:
			t.Fatal(err)
		case r.Owner.String() != owner, r.Status != idempotent.Running && r.Status != idempotent.Done:
			t.Errorf("%s was claimed by %s and is %v of %v", k, owner, r.Status, r.Owner)
		case completed && (r.Status != idempotent.Done || string(r.Result) != "result of "+k):
			t.Errorf("%s was completed and is %v, with the result %q", k, r.Status, r.Result)
		}
	}
	for id := range said["enqueued"] {
		r, err := jobs.Load(ctx, id)
		_, acked := said["acked"][id]
		_, saved := said["saved"][id]
		if err != nil || acked && r.Status != job.Done || saved && r.Seq != 1 {
			t.Errorf("the job %s is %v at %d, %v; acked: %v, saved: %v", id, r.Status, r.Seq, err, acked, saved)
		}
	}
	for id := range said["sent"] {
		has, err := db.Orders().Load(ctx, orderWriters, id)
		if err != nil || len(has) != 2 || string(has[0].Data) != id || has[1].Kind != order.KindSending {
			t.Errorf("the log of order %s, which was sent, has %v, %v", id, has, err)
		}
	}
	report, err := audit.Verify(ctx, db.Audit(), "node", audit.Verification{})
	if err != nil {
		t.Errorf("the chain is not sound: %v", err)
	}
	has := map[string]int{}
	for from := uint64(1); ; {
		links, err := db.Audit().Links(ctx, "node", from, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(links) == 0 {
			break
		}
		for _, l := range links {
			r, _ := audit.ParseRecord(l.Body)
			has[r.ID]++
			from = l.Sequence + 1
		}
	}
	for _, id := range slices.Sorted(maps.Keys(said["appended"])) {
		if has[id] != 1 {
			t.Errorf("the record %s is there %d times, among %d", id, has[id], report.Records)
		}
	}
}
