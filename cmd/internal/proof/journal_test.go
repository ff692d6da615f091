package proof

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
)

// A journal is the log as one process sees it. It notes what became durable, and is where a process can be made to die:
// before an entry is durable, or after and before anybody hears of it.
type journal struct {
	order.Log
	notes *notes
	dead  *atomic.Bool
	count *atomic.Int64      // entries of all processes
	die   func(n int64) fate // what happens at the nth append
	crash func()             // ends the process; must not block
}

type fate uint8

const (
	lives fate = iota
	diesBefore
	diesAfter
	unheard // durable, and the answer is lost
)

var errUnheard = errors.New("the answer of the log is lost")

func (j *journal) Acquire(ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if j.dead.Load() {
		return order.Lease{}, errCrashed
	}
	return j.Log.Acquire(ctx, s, owner, span)
}

func (j *journal) Release(ctx context.Context, l order.Lease) error {
	if j.dead.Load() {
		return errCrashed
	}
	return j.Log.Release(ctx, l)
}

func (j *journal) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	if j.dead.Load() {
		return errCrashed
	}
	began, end := time.Now(), lives
	if j.die != nil {
		end = j.die(j.count.Add(1))
	}
	if end == diesBefore {
		j.crash()
		return errCrashed
	}
	err := j.Log.Append(ctx, l, entries...)
	if err == nil {
		j.notes.recorded(entries, began)
	}
	switch end {
	case diesAfter:
		j.crash()
		return errCrashed
	case unheard:
		return errors.Join(errUnheard, err)
	}
	return err
}

func (j *journal) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if j.dead.Load() {
		return nil, errCrashed
	}
	return j.Log.Load(ctx, s, id)
}

func (j *journal) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	if j.dead.Load() {
		return nil, errCrashed
	}
	return j.Log.Open(ctx, s, after, limit)
}

// replayed is what a log says of an intent.
func replayed(log order.Log, s order.Scope, id string) (order.Order, bool) {
	entries, err := log.Load(context.Background(), s, id)
	if err != nil || len(entries) == 0 {
		return order.Order{}, false
	}
	o, err := order.Replay(entries)
	return o, err == nil && o.Intent.ID != ""
}

func fillReport(f order.Fill) venue.FillReport {
	_, text, _ := strings.Cut(f.Key, "/")
	id, _ := strconv.ParseInt(text, 10, 64)
	return venue.FillReport{TradeID: id, Quantity: amount(f.Quantity)}
}
