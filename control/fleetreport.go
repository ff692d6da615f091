package control

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// mostNotes are those of one report; what comes faster is dropped and counted.
const mostNotes = 500

// answerTime is how long a control plane may take for an answer.
const answerTime = 2 * time.Second

// report tells the control plane what can be seen, again and again.
func (f *Fleet) report(ctx context.Context) {
	notes := f.Registry.Subscribe(Filter{}, mostNotes)
	defer notes.Close()
	defer f.remember()
	interval := f.Interval
	if interval <= 0 {
		interval = time.Second
	}
	interval = max(interval, 100*time.Millisecond)
	atOnce, cancel := context.WithCancel(ctx)
	cancel()
	for n := 1; ; {
		f.remember()
		list, _ := notes.Next(atOnce)
		if err := f.post(ctx, ReportPath, Report{View: f.view(), Notes: list}, nil); err != nil {
			if ctx.Err() != nil {
				return
			}
			f.fail(fmt.Errorf("report: %w", err))
			if !pause(ctx, n) {
				return
			}
			n++
			continue
		}
		n = 1
		f.mu.Lock()
		f.state.Reports++
		f.mu.Unlock()
		if !sleep(ctx, time.Duration(float64(interval)*(0.9+0.2*rand.Float64()))) { // so that a fleet is not in step
			return
		}
	}
}

// view is what the registry shows, without the stops and drills that the control plane knows: here they are as it wants them.
func (f *Fleet) view() View {
	v := f.Registry.View()
	f.mu.Lock()
	synced := f.synced
	f.mu.Unlock()
	v.Stops = slices.DeleteFunc(v.Stops, func(s StopView) bool {
		if s.Drill {
			return s.Source == fleetSource
		}
		epoch, ok := synced[s.Scope]
		return ok && epoch == s.Epoch && s.Ramp == 0
	})
	return v
}

// borrow asks for the tokens of a lease when it is time. Without an answer the lease looks after itself.
func (f *Fleet) borrow(ctx context.Context, l *lease.Lease) {
	for {
		if !sleep(ctx, max(10*time.Millisecond, time.Until(l.Next(rand.Float64())))) {
			return
		}
		var grants []LeaseGrant
		if err := f.post(ctx, LeasePath, []LeaseRequest{l.Request(time.Now())}, &grants); err != nil {
			if ctx.Err() != nil {
				return
			}
			f.fail(fmt.Errorf("lease of %s: %w", l.Budget, err))
			continue
		}
		for _, g := range grants {
			l.Accept(g, time.Now())
		}
	}
}

// Audit returns a store that appends to the control plane's audit log. It is the Store of an [audit.Log] with a Spool, which
// keeps records safe while the control plane is away. It cannot be read: that is done at the control plane.
func (f *Fleet) Audit() audit.Store { return remoteAudit{f} }

type remoteAudit struct{ fleet *Fleet }

func (a remoteAudit) Append(ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
	var head audit.Head
	err := a.fleet.post(ctx, AuditPath, AuditBatch{Chain: chain, Records: records}, &head)
	return head, err
}

// ErrRemote is returned where an audit log is read that only takes records.
var ErrRemote = retry.Mark(errors.New("the audit log is read at the control plane: relent audit --server"), retry.Permanent)

func (a remoteAudit) Query(context.Context, audit.Filter, audit.Cursor, int) ([]audit.Record, audit.Cursor, error) {
	return nil, audit.Cursor{}, ErrRemote
}

func (a remoteAudit) Links(context.Context, string, uint64, int) ([]audit.Link, error) {
	return nil, ErrRemote
}

func (a remoteAudit) Heads(context.Context) ([]audit.Head, error) { return nil, ErrRemote }

func (a remoteAudit) Anchor(context.Context, audit.Checkpoint) error { return ErrRemote }

func (a remoteAudit) Checkpoints(context.Context, string, uint64, int) ([]audit.Checkpoint, error) {
	return nil, ErrRemote
}

// post sends something as JSON, and reads the answer into answer unless that is nil.
func (f *Fleet) post(ctx context.Context, path string, what, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	packed := len(body) >= worthPacking
	if packed {
		body = pack(body)
	}
	resp, err := f.send(ctx, http.MethodPost, path, body, packed)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, mostOrders)).Decode(answer)
}

// worthPacking is the size from which a body is packed. A packer takes a megabyte of memory, so there is a pool of them.
const worthPacking = 32 << 10

var packers = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return zip
}}

func pack(body []byte) []byte {
	var packed bytes.Buffer
	zip := packers.Get().(*gzip.Writer)
	defer packers.Put(zip)
	zip.Reset(&packed)
	zip.Write(body) // to memory
	zip.Close()
	return packed.Bytes()
}

// send makes a request, and turns every answer but a good one into an error.
func (f *Fleet) send(ctx context.Context, method, path string, body []byte, packed bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(f.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Relent-Instance", f.Registry.state().tail.instance)
	if f.Token != "" {
		req.Header.Set("Authorization", "Bearer "+f.Token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	client := f.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("the control plane answers %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return resp, nil
}
