package control_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A plane is a control plane without a network.
type plane struct {
	t *testing.T

	mu      sync.Mutex
	streams []*io.PipeWriter
	reports []control.Report
	batches []control.AuditBatch
	drilled []control.Drilled
	lends   lease.Coordinator
	down    int // status of all answers; 0: up
	silent  bool
	dials   int
}

func (p *plane) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	if p.down != 0 {
		return answer(p.down, io.NopCloser(strings.NewReader("down for a while"))), nil
	}
	if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Relent-Instance") != "p1" {
		return answer(http.StatusUnauthorized, io.NopCloser(strings.NewReader("who are you?"))), nil
	}
	if r.URL.Path == "/ops"+control.OrdersPath {
		out, in := io.Pipe()
		context.AfterFunc(r.Context(), func() { in.CloseWithError(r.Context().Err()) })
		p.streams = append(p.streams, in)
		if !p.silent {
			go p.beat(r.Context(), in)
		}
		return answer(http.StatusOK, out), nil
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(r.Body)
		if err != nil {
			p.t.Error(err)
		}
		body = zip
	}
	read := func(into any) {
		if err := json.NewDecoder(body).Decode(into); err != nil {
			p.t.Error(err)
		}
	}
	var back any
	switch r.URL.Path {
	case "/ops" + control.ReportPath:
		var one control.Report
		read(&one)
		p.reports = append(p.reports, one)
	case "/ops" + control.DrillPath:
		var one control.Drilled
		read(&one)
		p.drilled = append(p.drilled, one)
	case "/ops" + control.LeasePath:
		var asked []control.LeaseRequest
		read(&asked)
		var grants []control.LeaseGrant
		for _, q := range asked {
			grants = append(grants, p.lends.Grant(q, time.Now()))
		}
		back = grants
	case "/ops" + control.AuditPath:
		var batch control.AuditBatch
		read(&batch)
		p.batches = append(p.batches, batch)
		back = audit.Head{Chain: batch.Chain, Sequence: uint64(len(batch.Records))}
	}
	text, _ := json.Marshal(back)
	return answer(http.StatusOK, io.NopCloser(bytes.NewReader(text))), nil
}

func answer(code int, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code), Body: body, Header: http.Header{}}
}

func (p *plane) beat(ctx context.Context, to io.Writer) {
	for ctx.Err() == nil {
		if _, err := io.WriteString(to, ": hb\n\n"); err != nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// order sends orders, or whatever text, to the last stream.
func (p *plane) order(what any) {
	p.t.Helper()
	text, ok := what.(string)
	if !ok {
		data, err := json.Marshal(what)
		if err != nil {
			p.t.Fatal(err)
		}
		text = "event: orders\ndata: " + string(data) + "\n\n"
	}
	p.mu.Lock()
	to := p.streams[len(p.streams)-1]
	p.mu.Unlock()
	if _, err := io.WriteString(to, text); err != nil {
		p.t.Error(err)
	}
	synctest.Wait()
}

func (p *plane) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// A fleet is a process with its control plane.
type fleet struct {
	*control.Fleet
	plane *plane
	end   func()
}

func join(t *testing.T, f *control.Fleet) *fleet {
	t.Helper()
	if f.Registry == nil {
		f.Registry = &control.Registry{Instance: "p1"}
	}
	if f.Stops != nil {
		if err := f.Registry.AddStops(f.Stops); err != nil {
			t.Fatal(err)
		}
	}
	return joined(t, f)
}

// joined connects a process whose registry is complete.
func joined(t *testing.T, f *control.Fleet) *fleet {
	t.Helper()
	p := &plane{t: t}
	f.URL, f.Token, f.Client = "http://plane/ops/", "secret", &http.Client{Transport: p}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	synctest.Wait()
	return &fleet{f, p, func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v; want %v", err, context.Canceled)
		}
	}}
}

// lead makes orders of what a tree at the control plane says.
func lead(tree *halt.Tree, version uint64, released map[string]control.Released) control.Orders {
	o := control.Orders{Version: version, Stops: tree.Snapshot(), Epochs: map[string]uint64{}, Released: released}
	for _, s := range tree.Status() {
		if s.Epoch > 0 {
			o.Epochs[string(s.Scope)] = s.Epoch
		}
	}
	return o
}

func TestFleetStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		tree := &halt.Tree{}
		f := join(t, &control.Fleet{Stops: tree, Dir: dir})
		gate := tree.Gate("desk", "binance")
		call := func() error {
			return retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{gate}}, func(context.Context) error { return nil })
		}
		leader := &halt.Tree{}
		f.plane.order(lead(leader, 1, nil))
		if err := call(); err != nil {
			t.Errorf("before any stop: %v", err)
		}
		halted := func(scope halt.Scope, who string) {
			t.Helper()
			if _, err := leader.Stop(halt.Command{Scope: scope, Who: who}); err != nil {
				t.Fatal(err)
			}
		}
		halted("desk", "ann")
		f.plane.order(lead(leader, 2, nil))
		if err := call(); !errors.Is(err, halt.ErrHalted) {
			t.Errorf("after the stop: %v; want %v", err, halt.ErrHalted)
		}
		if s := f.State(); !s.Connected || s.Version != 2 || s.Err != nil {
			t.Errorf("State() = %+v", s)
		}

		// A restart remembers that this stop came from the fleet, so the release reaches it.
		f.end()
		f = join(t, &control.Fleet{Registry: &control.Registry{Instance: "p1"}, Stops: tree, Dir: dir})
		if _, err := leader.Resume(halt.Release{Scope: "desk", Epoch: 1, Requester: "bob", Approver: "cid"}); err != nil {
			t.Fatal(err)
		}
		released := map[string]control.Released{"desk": {Requester: "bob", Approver: "cid", Reason: "mended"}}
		f.plane.order(lead(leader, 3, released))
		if s, _ := tree.Look("desk"); len(s.Stops) != 0 || s.Epoch != 2 {
			t.Errorf("after the release: %+v", s)
		}

		// Somebody stops here, too: the release of the fleet's stop does not end it.
		halted("desk", "ann")
		f.plane.order(lead(leader, 4, nil))
		if _, err := tree.Stop(halt.Command{Scope: "desk", Who: "here"}); err != nil {
			t.Fatal(err)
		}
		if _, err := leader.Resume(halt.Release{Scope: "desk", Epoch: 3, Requester: "bob", Approver: "cid"}); err != nil {
			t.Fatal(err)
		}
		f.plane.order(lead(leader, 5, released))
		if s, _ := tree.Look("desk"); len(s.Stops) != 1 {
			t.Errorf("after a stop here and a release there: %+v; want it stopped", s)
		}

		// A release that is refused here is recorded.
		halted("other", "ann")
		f.plane.order(lead(leader, 6, nil))
		notes := f.Registry.Subscribe(control.Filter{}, 10)
		defer notes.Close()
		f.plane.order(control.Orders{Stops: leader.Snapshot(), Epochs: map[string]uint64{"other": 1, "nowhere": 1},
			Released: map[string]control.Released{"other": {Requester: "bob", Approver: "ann"}}})
		if list, _ := notes.Next(t.Context()); len(list) != 1 || !strings.Contains(list[0].Text, "command refused") {
			t.Errorf("notes %+v", list)
		}
		f.end()
	})
}

// A stop that cannot be saved is in force, and told.
func TestFleetUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{File: filepath.Join(t.TempDir(), "no folder", "file")}
		f := join(t, &control.Fleet{Stops: tree})
		notes := f.Registry.Subscribe(control.Filter{}, 10)
		defer notes.Close()
		leader := &halt.Tree{}
		if _, err := leader.Stop(halt.Command{Who: "ann"}); err != nil {
			t.Fatal(err)
		}
		f.plane.order(lead(leader, 1, nil))
		if s, _ := tree.Look(halt.Global); s.State != halt.Stopped {
			t.Errorf("%v; want %v", s.State, halt.Stopped)
		}
		if list, _ := notes.Next(t.Context()); !strings.Contains(list[len(list)-1].Text, "the fleet's stops are in force") {
			t.Errorf("notes %+v", list)
		}
		f.end()

		forgetful := &halt.Tree{} // whose fleet has no folder
		f = join(t, &control.Fleet{Stops: forgetful})
		f.plane.order(lead(leader, 1, nil))
		if s, _ := forgetful.Look(halt.Global); s.State != halt.Stopped {
			t.Errorf("%v; want %v", s.State, halt.Stopped)
		}
		f.end()
	})
}

// Orders that cannot be read end the stream; the next one is as good as ever.
func TestFleetOddOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		dir := t.TempDir()
		f := join(t, &control.Fleet{Stops: tree, Dir: dir})
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		leader := &halt.Tree{}
		if _, err := leader.Stop(halt.Command{Who: "ann"}); err != nil {
			t.Fatal(err)
		}
		f.plane.order(lead(leader, 1, nil))
		if s, _ := tree.Look(halt.Global); s.State != halt.Stopped {
			t.Errorf("%v; want %v", s.State, halt.Stopped)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if f.State().Failures == 0 {
			t.Error("that fleet.json could not be written is not told")
		}
		for i, odd := range []any{"data: {\n\n", control.Orders{Stops: []byte("odd")}} {
			before := f.State().Failures
			f.plane.order(odd)
			if s := f.State(); s.Failures != before+1 || s.Err == nil || s.Connected {
				t.Errorf("%d: %+v; want a failure", i, s)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if !f.State().Connected {
				t.Errorf("%d: does not come back", i)
			}
		}
		f.plane.order("data: {}\n\n" + "data: {\"version\":7,\"stops\":\"" + strings.Repeat("A", 8192) + "!\"}\n\n") // longer than the buffer
		if s := f.State(); s.Version != 0 && s.Err == nil {
			t.Errorf("%+v", s)
		}
		f.end()
	})
}

func TestFleetSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, &control.Fleet{})
		f.plane.set(func() {
			f.plane.silent = true
			f.plane.streams[0].Close()
		})
		synctest.Wait()
		if s := f.State(); s.Connected || !errors.Is(s.Err, io.ErrUnexpectedEOF) {
			t.Errorf("after the end of the stream: %+v", s)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if s := f.State(); s.Connected || s.Err == nil || !strings.Contains(s.Err.Error(), "says nothing") {
			t.Errorf("after 3 s of silence: %+v", s)
		}
		f.plane.set(func() { f.plane.silent = false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !f.State().Connected {
			t.Errorf("does not come back: %+v", f.State())
		}

		f.plane.set(func() { f.plane.down = http.StatusServiceUnavailable; f.plane.streams[len(f.plane.streams)-1].Close() })
		var before, after int
		f.plane.set(func() { before = f.plane.dials })
		time.Sleep(time.Minute)
		synctest.Wait()
		f.plane.set(func() { after = f.plane.dials })
		if s := f.State(); s.Connected || !strings.Contains(s.Err.Error(), "down for a while") {
			t.Errorf("while it is down: %+v", s)
		}
		if n := after - before; n < 20 || n > 120 {
			t.Errorf("%d requests in a minute of failures; want a few tens", n)
		}
		f.end()
	})
}

func TestFleetTunes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := &control.Registry{Instance: "p1"}
		op, err := registry.AddOperation("", &retry.Policy{Name: "fetch", MaxAttempts: 5})
		if err != nil {
			t.Fatal(err)
		}
		f := join(t, &control.Fleet{Registry: registry})
		order := func(fields map[string]string, want string) {
			t.Helper()
			o := control.Orders{Tunes: map[string]control.TuneOrder{"elsewhere": {}}}
			if fields != nil {
				o.Tunes["fetch"] = control.TuneOrder{Fields: fields, Actor: "ann", Reason: "storm"}
			}
			f.plane.order(o)
			if got := fmt.Sprint(op.View().Override); got != want {
				t.Errorf("override %s; want %s", got, want)
			}
		}
		order(nil, "map[]")
		order(map[string]string{"max_attempts": "2"}, "map[max_attempts:2]")
		version := op.View().Version
		order(map[string]string{"max_attempts": "2"}, "map[max_attempts:2]")
		if op.View().Version != version {
			t.Error("the same order again changes the version")
		}
		order(map[string]string{"max_elapsed": "3s"}, "map[max_elapsed:3s]")
		order(map[string]string{"max_elapsed": "odd"}, "map[max_elapsed:3s]")
		order(nil, "map[]")
		f.end()
	})
}

func TestFleetReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, &control.Fleet{Interval: time.Millisecond})
		f.Registry.Note(control.Note{Kind: "order", Text: "hello"})
		time.Sleep(time.Second)
		synctest.Wait()
		f.plane.mu.Lock()
		n, notes := len(f.plane.reports), 0
		for _, r := range f.plane.reports {
			notes += len(r.Notes)
			if r.View.Instance != "p1" {
				t.Errorf("report of %q", r.View.Instance)
			}
		}
		f.plane.mu.Unlock()
		if n < 8 || n > 13 || notes != 1 {
			t.Errorf("%d reports with %d notes in a second; want about 10, with one", n, notes)
		}
		if got := f.State().Reports; got != uint64(n) {
			t.Errorf("counts %d reports of %d", got, n)
		}
		log := f.Audit()
		head, err := log.Append(t.Context(), "p1", []audit.Record{{ID: "1"}, {ID: "2", Why: strings.Repeat("x", 100_000)}}) // which is packed
		if err != nil || head.Sequence != 2 || len(f.plane.batches) != 1 {
			t.Errorf("Append = %+v, %v", head, err)
		}
		_, _, err1 := log.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 1)
		_, err2 := log.Links(t.Context(), "p1", 1, 1)
		_, err3 := log.Heads(t.Context())
		_, err4 := log.Checkpoints(t.Context(), "p1", 1, 1)
		err5 := log.Anchor(t.Context(), audit.Checkpoint{})
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, control.ErrRemote) {
				t.Errorf("read %d: %v; want %v", i, err, control.ErrRemote)
			}
		}
		f.end()
	})
}

func TestFleetLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lease.Lease{Budget: "orders", Process: "p1"}
		f := join(t, &control.Fleet{Leases: []*lease.Lease{l}})
		f.plane.set(func() { f.plane.lends.Budget, f.plane.lends.Floor = "orders", 1_000_000 })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s := f.plane.lends.State(time.Now()); s.Lent == 0 {
			t.Errorf("nothing was lent: %+v", s)
		}
		f.plane.set(func() { f.plane.down = http.StatusTeapot })
		time.Sleep(10 * time.Second)
		if s := f.State(); s.Failures == 0 {
			t.Errorf("%+v; want failures", s)
		}
		f.end()
	})
}

func TestFleetCheck(t *testing.T) {
	good := &control.Fleet{URL: "https://ops.example:8470", Registry: &control.Registry{}, Dir: t.TempDir()}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	odd := &control.Fleet{URL: "ops.example", Leases: []*lease.Lease{nil}, Dir: "no such folder"}
	err := odd.Run(t.Context())
	for _, field := range []string{"URL: ", "Registry: ", "Leases: ", "Dir: "} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Run = %v; want a mistake in %s", err, field)
		}
	}
}

// A process that cannot talk, or has nobody to talk to, goes on as it is.
func TestFleetAlone(t *testing.T) {
	batch := []audit.Record{{ID: "1"}}
	for _, url := range []string{"http://127.0.0.1:1", "http://bad host"} {
		f := &control.Fleet{URL: url, Registry: &control.Registry{}}
		if _, err := f.Audit().Append(t.Context(), "p1", batch); err == nil {
			t.Errorf("%s: no error", url)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "fleet.json"), []byte(`{"v":1}`), 0o600); err != nil {
			t.Fatal(err)
		}
		registry := &control.Registry{Instance: "p1"}
		if err := registry.AddVenue("odd", func() control.VenueView {
			return control.VenueView{Name: "odd", Headroom: map[string]float64{"weight": math.NaN()}}
		}); err != nil {
			t.Fatal(err)
		}
		f := join(t, &control.Fleet{Registry: registry, Dir: dir})
		if s := f.State(); s.Reports != 0 || s.Failures == 0 {
			t.Errorf("a view that is no JSON was reported: %+v", s)
		}
		f.end()
	})
}

// Whatever hangs when the context ends does not hold Run up.
func TestFleetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		f := &control.Fleet{URL: "http://plane", Registry: &control.Registry{}, Client: &http.Client{Transport: hung}, Leases: []*lease.Lease{{}}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Run(ctx) }()
		time.Sleep(time.Second / 2)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // in the pause after a failure
		down := roundTripper(func(r *http.Request) (*http.Response, error) { return nil, errors.New("refused") })
		f := &control.Fleet{URL: "http://plane", Registry: &control.Registry{}, Client: &http.Client{Transport: down}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Run(ctx) }()
		synctest.Wait()
		cancel()
		<-ended
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
