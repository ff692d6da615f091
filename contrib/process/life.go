package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/dashboard"
)

// look is how often a stop looks whether calls are still in flight.
const look = 20 * time.Millisecond

// grace is what a stop whose time is over leaves to what must be written still.
const grace = time.Second

// What Start and Stop return in the wrong order.
var (
	ErrStarted = errors.New("process: it was started before; make another with New")
	ErrStopped = errors.New("process: it is not started, or was stopped before")
)

// A life is what runs between Start and Stop.
type life struct {
	mu      sync.Mutex
	started bool // guarded by mu, as are the others but board
	running bool
	cancel  context.CancelFunc // ends all
	all     sync.WaitGroup
	close   context.CancelFunc // ends the audit log: the last, so that it writes what the others tell at their end
	log     sync.WaitGroup
	server  *http.Server
	addr    net.Addr
	board   atomic.Pointer[dashboard.Handler]
}

// Start opens what must be open and begins what runs by itself: checks, emergency stop, audit log, analysis, fleet client,
// dashboard. It does not block, and ctx ends nothing but Start: call Stop. After an error nothing runs.
func (p *Process) Start(ctx context.Context) error {
	l := &p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started {
		return ErrStarted
	}
	if err := p.Stops.Open(); err != nil {
		return fmt.Errorf("process: stops: %w", err)
	}
	var listener net.Listener
	if p.listen != "" {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.listen); err != nil {
			return fmt.Errorf("process: %w", errors.Join(err, p.Stops.Close()))
		}
		l.addr = listener.Addr()
	}
	board, err := dashboard.New(p.config)
	if err != nil { // New checked it
		return fmt.Errorf("process: %w", err)
	}
	l.board.Store(board)
	l.started, l.running = true, true
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.all.Go(func() { p.Registry.Run(run) })
	l.all.Go(func() { p.Stops.Run(run) })
	write, end := context.WithCancel(context.WithoutCancel(ctx))
	l.close = end
	l.log.Go(func() { p.Audit.Run(write) })
	if p.Fleet != nil {
		l.all.Go(func() { p.Fleet.Run(run) })
	}
	if p.Analyzer != nil {
		l.all.Go(func() { p.Analyzer.Run(run) })
	}
	if listener != nil {
		l.server = dashboard.Server(p.listen, p.Handler())
		l.all.Go(func() { l.server.Serve(listener) })
	}
	return nil
}

// Addr returns where the dashboard is served, or nil if it is not.
func (p *Process) Addr() net.Addr {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	return p.live.addr
}

// Stop makes the process not ready, waits for the calls in flight as long as ctx allows, and ends what Start began. Dashboard and
// emergency stop work until the last call has ended. When ctx ends first, everything ends at once, and the error says how many
// calls were still in flight: their contexts are their callers' to cancel. It returns when all goroutines have ended but those of
// checks that ignore their contexts, which the error names.
func (p *Process) Stop(ctx context.Context) error {
	l := &p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		return ErrStopped
	}
	l.running = false
	p.Registry.Drain()
	err := p.drained(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if ctx.Err() == nil {
		last = ctx
	}
	errs := []error{err, l.board.Swap(nil).Close()} // its streams end, or the server would wait for them
	if l.server != nil {
		if err := l.server.Shutdown(last); err != nil {
			errs = append(errs, err, l.server.Close())
		}
	}
	l.cancel()
	errs = append(errs, p.Registry.Close(last))
	l.all.Wait()
	errs = append(errs, p.Stops.Close())
	l.close()
	l.log.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("process: stop: %w", err)
	}
	return nil
}

// drained waits until no call is in flight.
func (p *Process) drained(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		n := p.inFlight()
		if n == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d calls are still in flight: %w", n, context.Cause(ctx))
		}
	}
}

func (p *Process) inFlight() (n int64) {
	for _, v := range p.Registry.View().Policies {
		n += v.InFlight
	}
	return n
}
