//go:build unix

package halt_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/relent-go/relent/gate/halt"
)

func TestSignal(t *testing.T) {
	got := make(chan halt.Record, 1)
	tree := &halt.Tree{Signals: []os.Signal{syscall.SIGUSR1}, Recorder: &journal{each: func(r halt.Record) { got <- r }}}
	g := tree.Gate("desk")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	tree.Stop(halt.Command{State: halt.NoRetries, Expires: 1})
	<-got
	go func() {
		defer close(done)
		tree.Run(ctx)
	}()
	<-got // Run has let it expire, so it listens, and SIGUSR1 does not end the program any more
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if r := <-got; r.Source != "signal" || r.Who != "signal user defined signal 1" || r.State != halt.Stopped || passes(g) != neither {
		t.Errorf("recorded %+v, passes %v; want everything stopped", r, passes(g))
	}
	cancel()
	<-done
	tree.Close()
}
