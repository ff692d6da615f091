package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// silence is how long a control plane may say nothing, not even a comment, before the connection counts as dead.
const silence = 3 * time.Second

// mostOrders bounds one event of the stream.
const mostOrders = 16 << 20

// listen follows the stream of orders, whatever happens to it.
func (f *Fleet) listen(ctx context.Context) {
	for n := 1; ; n++ {
		f.catchUp(ctx)
		heard, err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			n = 1
		}
		f.mu.Lock()
		f.state.Connected = false
		f.mu.Unlock()
		f.fail(fmt.Errorf("orders: %w", err))
		if !pause(ctx, n) {
			return
		}
	}
}

var errMissed = errors.New("something was missed, so that all of it is asked for again")

var errSilent = errors.New("the control plane says nothing")

// follow reads one stream until it ends, and says whether anything came.
func (f *Fleet) follow(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer dead.Stop()
	resp, err := f.send(ctx, http.MethodGet, OrdersPath, nil, false)
	if err != nil {
		return false, first(context.Cause(ctx), err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	var data []byte
	for {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) && len(data)+len(line) <= mostOrders {
			var more []byte
			line = bytes.Clone(line)
			more, err = lines.ReadSlice('\n')
			line = append(line, more...)
		}
		if err != nil {
			return heard, first(context.Cause(ctx), err)
		}
		heard = true
		dead.Reset(silence)
		f.hear()
		f.catchUp(ctx)
		line = bytes.TrimRight(line, "\r\n")
		switch field, value, _ := bytes.Cut(line, []byte(":")); {
		case len(line) == 0 && data != nil:
			if err := f.obey(ctx, data); err != nil {
				return heard, err
			}
			data = nil
		case string(field) == "data":
			data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
		}
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

// hear notes that the control plane is there.
func (f *Fleet) hear() {
	now := time.Now()
	if f.Stops != nil {
		f.Stops.Heartbeat(now)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Connected, f.state.Heard, f.state.Err = true, now, nil
}

// obey does what orders ask for. What cannot be done is told, and tried again with the next orders.
func (f *Fleet) obey(ctx context.Context, data []byte) error {
	var o Orders
	if err := json.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("orders that cannot be read: %w", err)
	}
	if o.From != 0 {
		f.mu.Lock()
		known := f.state.Version
		f.mu.Unlock()
		if known != o.From {
			return fmt.Errorf("orders since version %d, and here is version %d: %w", o.From, known, errMissed)
		}
	}
	if f.Stops != nil && len(o.Stops) > 0 {
		if err := f.stop(&o); err != nil {
			return err
		}
	}
	if o.From == 0 {
		f.carryOut(ctx, wish{o.Tunes, o.Config}) // which tells what it refuses
	}
	f.mu.Lock()
	f.state.Version = o.Version
	if o.From == 0 {
		f.last, f.dirty = wish{o.Tunes, o.Config}, true
	}
	f.mu.Unlock()
	f.rehearse(o.Drills)
	return nil
}

// stop repeats releases, and then takes over stops. A release counts only for a scope in which nothing happened here since
// it was in step with the control plane.
func (f *Fleet) stop(o *Orders) error {
	f.mu.Lock()
	before := f.synced
	f.mu.Unlock()
	for _, scope := range slices.Sorted(maps.Keys(o.Released)) {
		now, err := f.Stops.Look(halt.Scope(scope))
		epoch, inStep := before[scope]
		if err != nil || len(now.Stops) == 0 || !inStep || now.Epoch != epoch {
			continue
		}
		r := o.Released[scope]
		f.Stops.Resume(halt.Release{ // which the tree records, also where it refuses
			Scope: halt.Scope(scope), Epoch: epoch, Requester: r.Requester, Approver: r.Approver, Why: r.Reason,
		})
	}
	_, err := f.Stops.Follow(o.Stops)
	if errors.Is(err, halt.ErrSnapshot) {
		return err
	}
	if err != nil {
		f.Registry.Note(Note{Kind: "stop", Text: fmt.Sprintf("the fleet's stops are in force: %v", err)})
	}
	synced := make(map[string]uint64, len(o.Epochs))
	if o.From != 0 {
		maps.Copy(synced, before)
	}
	for scope, epoch := range o.Epochs {
		if now, err := f.Stops.Look(halt.Scope(scope)); err == nil && now.Scope == halt.Scope(scope) && now.Epoch == epoch {
			synced[scope] = epoch
		} else {
			delete(synced, scope)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced, f.dirty = synced, f.dirty || !maps.Equal(before, synced)
	return nil
}
