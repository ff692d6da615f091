package order_test

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

// Where RELENT_ORDER_LOG names a socket, the rigs use the log that is served there instead of a model: so a store, which this
// module cannot import, has the races of section 13 played on it. Each rig has an account of its own then.
var (
	served   = dial(os.Getenv("RELENT_ORDER_LOG"))
	accounts atomic.Uint64
)

// newLog returns a log, and an account of which it has nothing.
func newLog() (order.Log, string) {
	if served == nil {
		return &ordertest.Model{}, "main"
	}
	return served, fmt.Sprint("main ", accounts.Add(1))
}

// model is the log of a rig, where a test breaks it.
func (r *rig) model() *ordertest.Model { return r.log.(*ordertest.Model) }

// A remote log is asked by goroutines outside of all bubbles, with channels from there: virtual time stands still meanwhile, as it
// does for any computation.
type remote struct {
	client *rpc.Client
	idle   chan *outsider
}

type outsider struct {
	do   chan func()
	done chan struct{}
}

func dial(address string) *remote {
	if address == "" {
		return nil
	}
	client, err := rpc.Dial("unix", address)
	if err != nil {
		panic(err)
	}
	r := &remote{client, make(chan *outsider, 16)}
	for range cap(r.idle) {
		o := &outsider{make(chan func()), make(chan struct{})}
		go func() {
			for f := range o.do {
				f()
				o.done <- struct{}{}
			}
		}()
		r.idle <- o
	}
	return r
}

// Args and Answer are what goes over the wire; the server has the same. Gob matches them by their fields.
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

func (r *remote) call(ctx context.Context, method string, a Args) (Answer, error) {
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	var answer Answer
	var err error
	o := <-r.idle
	o.do <- func() { err = r.client.Call("Log."+method, &a, &answer) }
	<-o.done
	r.idle <- o
	if err == nil && answer.Err != "" {
		err = errors.New(answer.Err)
		for _, known := range []error{order.ErrHeld, order.ErrFenced, order.ErrTwice} {
			if answer.Err == known.Error() {
				err = known
			}
		}
	}
	return answer, err
}

func (r *remote) Acquire(ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error) {
	a, err := r.call(ctx, "Acquire", Args{Scope: s, Owner: owner, Span: span})
	return a.Lease, err
}

func (r *remote) Release(ctx context.Context, l order.Lease) error {
	_, err := r.call(ctx, "Release", Args{Lease: l})
	return err
}

func (r *remote) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	_, err := r.call(ctx, "Append", Args{Lease: l, Entries: entries})
	return err
}

func (r *remote) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	a, err := r.call(ctx, "Load", Args{Scope: s, ID: id})
	return a.Entries, err
}

func (r *remote) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	a, err := r.call(ctx, "Open", Args{Scope: s, ID: after, Limit: limit})
	return a.IDs, err
}
