package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/memory"
)

// Args and Answer are what the tests of package order send and get.
type (
	Args struct {
		Scope   order.Scope
		Lease   order.Lease
		Owner   string
		Span    time.Duration
		Entries []order.Entry
		ID      string
		Limit   int
	}
	Answer struct {
		Lease   order.Lease
		Entries []order.Entry
		IDs     []string
		Err     string // empty for none
	}
)

// A door serves a log to another process.
type door struct {
	log     order.Log
	appends atomic.Int64
}

// say puts an error into the answer, by a text that the far side knows.
func (a *Answer) say(err error) error {
	for _, known := range []error{order.ErrHeld, order.ErrFenced, order.ErrTwice, err} {
		if err != nil && errors.Is(err, known) {
			a.Err = known.Error()
			break
		}
	}
	return nil
}

func (d *door) Acquire(a Args, r *Answer) (err error) {
	r.Lease, err = d.log.Acquire(context.Background(), a.Scope, a.Owner, a.Span)
	return r.say(err)
}

func (d *door) Release(a Args, r *Answer) error {
	return r.say(d.log.Release(context.Background(), a.Lease))
}

func (d *door) Append(a Args, r *Answer) error {
	d.appends.Add(1)
	return r.say(d.log.Append(context.Background(), a.Lease, a.Entries...))
}

func (d *door) Load(a Args, r *Answer) (err error) {
	r.Entries, err = d.log.Load(context.Background(), a.Scope, a.ID)
	return r.say(err)
}

func (d *door) Open(a Args, r *Answer) (err error) {
	r.IDs, err = d.log.Open(context.Background(), a.Scope, a.ID, a.Limit)
	return r.say(err)
}

// playRaces plays the races of section 13 of the order specification on a log: the tests of package order, which cannot import
// one. R10 needs leases that end in virtual time, and is TestMachinesOfOnePrefix here. With RELENT_SOAK cancels, amends,
// decisions and fees are played, too.
func playRaces(t *testing.T, log order.Log) {
	t.Helper()
	dir, err := os.MkdirTemp("", "log") // its name is short, as that of a socket must be
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := &door{log: log}
	server := rpc.NewServer()
	if err := server.RegisterName("Log", d); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			go server.ServeConn(conn) // ends with the process at the far side
		}
	}()
	tests := "^Test(Plain|Lost.*|R[1-9][A-Z].*|R1[1-6].*)$"
	if os.Getenv("RELENT_SOAK") != "" {
		tests += "|^Test(ProbeIsGuarded|HaltEndsResends|Cancel|CancelEarly|Cancel.*Cause|Cancel.*AnAmend|Amend.*|Decision.*|FeesInTheProof)$"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	play := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-vet=off", "-run", tests, "github.com/relent-go/relent/exchange/order")
	play.Env = append(os.Environ(), "RELENT_ORDER_LOG="+socket, "RELENT_SOAK=")
	out, err := play.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for n := 1; n <= 16; n++ {
		passed := regexp.MustCompile(fmt.Sprintf(`(?m)^--- PASS: TestR%d[A-Z]`, n))
		if n != 10 && !passed.Match(out) {
			t.Errorf("R%d was not played:\n%s", n, out)
		}
	}
	if n := d.appends.Load(); n < 200 {
		t.Errorf("%d appends came: were the races played on another log?", n)
	}
}

func TestRaces(t *testing.T) {
	t.Run("memory", func(t *testing.T) { playRaces(t, &memory.Orders{}) })
	both(t, func(t *testing.T, open func(testing.TB) *DB) { playRaces(t, open(t).Orders()) })
}
