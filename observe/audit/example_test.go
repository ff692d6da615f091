package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// scratch returns a directory for an example.
func scratch() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// running runs a log, as a program would in a goroutine of its own, and waits until it takes records.
func running(l *audit.Log) (stop func()) {
	go l.Run(context.Background())
	for errors.Is(l.Record(context.Background(), audit.Record{Decision: "start"}), audit.ErrNotRunning) {
		time.Sleep(time.Millisecond)
	}
	return func() { l.Close() }
}

// An order is attempted twice. The log has it before the second attempt begins.
func Example() {
	dir, remove := scratch()
	defer remove()
	store, err := audit.OpenFile(dir, audit.FileOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	log := &audit.Log{Store: store, Chain: "gateway-1", Build: "v1.2.0"}
	defer running(log)()

	placeOrder := &retry.Policy{
		Name:     "venue.place_order",
		Backoff:  backoff.Constant{},
		Gates:    []retry.Gate{log},
		Observer: log,
	}
	ctx := audit.With(context.Background(), audit.Who{Actor: "algo-7", Strategy: "maker"})
	attempts := 0
	err = retry.Run(ctx, placeOrder, func(context.Context) error {
		if attempts++; attempts == 1 {
			return retry.Mark(errors.New("503: not processed"), retry.Transient)
		}
		found, _, _ := store.Query(ctx, audit.Filter{Decision: audit.Retry}, audit.Cursor{}, 0)
		fmt.Printf("attempt %d begins; the log has: %s by %s, attempt %d\n", attempts, found[0].Operation, found[0].Actor, found[0].Attempt)
		return nil
	})
	fmt.Println(err)
	// Output:
	// attempt 2 begins; the log has: venue.place_order by algo-7, attempt 2
	// <nil>
}

// recorder connects the emergency stop to a log.
type recorder struct{ *audit.Log }

func (r recorder) Record(c halt.Record) error {
	rec := audit.Record{Decision: audit.Decision(c.Action), Time: c.At, Actor: c.Who, Approver: c.Approver, Why: c.Why, Ticket: c.Ticket,
		Scope: string(c.Scope), State: c.State.String(), Epoch: c.Epoch, Rule: c.Source}
	if c.Err != nil {
		rec.Outcome, rec.Validation = audit.Failed, c.Err.Error()
	}
	return r.Log.Record(context.Background(), rec)
}

// Commands of gate/halt are recorded through an adapter of a few lines.
func ExampleLog_Record() {
	dir, remove := scratch()
	defer remove()
	store, err := audit.OpenFile(dir, audit.FileOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	log := &audit.Log{Store: store}
	defer running(log)()

	stop := &halt.Tree{Recorder: recorder{log}}
	if _, err := stop.Stop(halt.Command{Scope: "desk", State: halt.DrainOnly, Who: "ops1", Why: "runaway quotes"}); err != nil {
		fmt.Println(err)
	}
	found, _, _ := store.Query(context.Background(), audit.Filter{Decision: audit.Stop}, audit.Cursor{}, 0)
	for _, r := range found {
		fmt.Println(r.Decision, r.Scope, r.Actor, r.Why)
	}
	// Output: stop desk ops1 runaway quotes
}

// A log that was written anew from its beginning is sound in itself. A checkpoint from elsewhere shows it.
func ExampleVerify() {
	dir, remove := scratch()
	defer remove()
	ctx := context.Background()
	public, key, _ := ed25519.GenerateKey(nil)
	write := func(folder, actor string) (*audit.File, audit.Head) {
		store, err := audit.OpenFile(filepath.Join(dir, folder), audit.FileOptions{})
		if err != nil {
			panic(err)
		}
		head, err := store.Append(ctx, "gateway-1", []audit.Record{
			{ID: "1", Time: time.Unix(1e9, 0), Decision: audit.Stop, Actor: "ops1"},
			{ID: "2", Time: time.Unix(1e9, 0), Decision: audit.Resume, Actor: actor},
		})
		if err != nil {
			panic(err)
		}
		return store, head
	}
	store, head := write("log", "ops2")
	defer store.Close()
	elsewhere := audit.Sign(key, head, time.Now())

	anew, _ := write("anew", "somebody else")
	defer anew.Close()
	for _, s := range []*audit.File{store, anew} {
		report, err := audit.Verify(ctx, s, "gateway-1", audit.Verification{Checkpoints: []audit.Checkpoint{elsewhere}, Trusted: []ed25519.PublicKey{public}})
		fmt.Println(report.Records, "records,", report.Anchored, "proven:", err)
	}
	// Output:
	// 2 records, 2 proven: <nil>
	// 2 records, 0 proven: audit chain gateway-1: first bad sequence is one of 1 to 2: the checkpoint for 2 has another hash
}

// One signature vouches for the chains of all processes, and a proof for one of them shows nothing of the others.
func ExampleTree() {
	tree := audit.NewTree([]audit.Head{{Chain: "gateway-1", Sequence: 81}, {Chain: "gateway-2", Sequence: 17}, {Chain: "pricer", Sequence: 4}})
	root := tree.Head() // to be signed, and kept elsewhere
	proof, _ := tree.Prove("gateway-2")
	fmt.Println(proof.Head.Sequence, len(proof.Path), proof.Verify(root))
	// Output: 17 2 <nil>
}

func ExampleCanonical() {
	text, err := audit.Canonical([]byte(`{ "b": 1.50, "a": "\u20ac\n" }`))
	fmt.Println(string(text), err)
	// Output: {"a":"€\n","b":1.5} <nil>
}
