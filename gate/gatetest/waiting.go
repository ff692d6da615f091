package gatetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// quick asks a new gate, a full one, and one that has seen nothing but failures.
func quick(t *testing.T, s Suite, complain complaint) {
	d := s.driver(complain)
	never := func(what string) func(error) {
		return func(err error) {
			if err == errWaits {
				complain("the gate waits when asked for %s, and its Suite does not say that it does", what)
			}
		}
	}
	d.hold(time.Now(), 1, never("more first attempts than it holds"))
	d.hold(time.Now(), 2, never("more retries than it holds"))
	var err error
	for number := range 2 * most {
		a := d.attempt(time.Now(), 1+number%2)
		if e := d.begin(a); e != nil {
			err = e
			continue
		}
		d.settle(a, retry.Outcome{State: retry.Failed, Err: errFailed, Class: retry.Transient, Start: a.At, End: a.At})
	}
	never("an attempt after many failures")(err)
}

// endsWaits brings the gate to wait, and ends the wait by the context and by a stop.
func endsWaits(t *testing.T, s Suite, complain complaint) {
	d := s.driver(complain)
	fresh := d.room(time.Now())
	time.Sleep(time.Hour)
	d.hold(time.Now(), 1, func(refusal error) {
		if refusal != errWaits {
			complain("with %d attempts held the gate does not wait, as its Suite says: %v", most, refusal)
			return
		}
		h := newHalter()
		done := make(chan error, 1)
		go func() {
			done <- retry.Run(context.Background(), s.policy(h, d.gate), func(context.Context) error { return nil })
		}()
		synctest.Wait()
		h.cancel(errHalted)
		synctest.Wait()
		select {
		case err := <-done:
			if !errors.Is(err, errHalted) {
				complain("a wait that a stop ended returned %v; want the cause of the stop", err)
			}
		default:
			complain("the gate went on waiting after a stop")
			<-done
		}
	})
	time.Sleep(time.Hour)
	if got := d.room(time.Now()); got != fresh {
		complain("after waits that ended early the gate holds %+v at once; want %+v as when it was new", got, fresh)
	}
}

var errHalted = errors.New("halted")

// A halter is a stop switch that only wakes who waits.
type halter struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func newHalter() *halter {
	h := &halter{}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	return h
}

func (*halter) Admit(context.Context, *retry.Attempt) error { return nil }
func (*halter) Start(context.Context, *retry.Attempt) error { return nil }
func (h *halter) Halted(*retry.Attempt) context.Context     { return h.ctx }
func (*halter) Settle(*retry.Attempt, *retry.Outcome)       {}
