package dashboard

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
)

const (
	tailInterval = 250 * time.Millisecond // between frames of events
	tailBuffer   = 4096                   // events on their way to the sampler
	maxBody      = 64 << 10
	bodyDeadline = 10 * time.Second
)

// A Handler is the dashboard. It samples its source in one goroutine and collects events in another.
// Close ends both.
type Handler struct {
	config   Config
	interval time.Duration
	sampler  *sampler
	hub      *hub
	sessions *sessions
	guard    *http.CrossOriginProtection
	hosts    map[string]bool
	mux      *http.ServeMux
	assets   *assets
	notes    *control.Subscription // nil: the source tells no events
	stop     chan struct{}
	once     sync.Once
	done     sync.WaitGroup
}

// New returns a Handler that already samples, or the mistakes in the configuration.
func New(c Config) (*Handler, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	h := &Handler{
		config: c, interval: max(cmp.Or(c.Interval, 500*time.Millisecond), 50*time.Millisecond),
		sampler: newSampler(), hub: newHub(rand.Text()[:12]), sessions: newSessions(),
		guard: http.NewCrossOriginProtection(), hosts: map[string]bool{},
		assets: newAssets(), stop: make(chan struct{}),
	}
	for _, host := range c.Hosts {
		h.hosts[host] = true
	}
	h.mux = h.routes()
	h.sample()
	h.done.Go(h.run)
	if t, ok := c.Source.(Teller); ok {
		h.notes = t.Subscribe(control.Filter{}, tailBuffer)
		h.done.Go(h.listen)
	}
	return h, nil
}

// Close says good-bye to all streams, ends the sampling, and waits for it. Requests that are under
// way end by themselves. Later ones still get the last state.
func (h *Handler) Close() error {
	h.once.Do(func() {
		h.hub.end("the server stops")
		close(h.stop)
		if h.notes != nil {
			h.notes.Close()
		}
	})
	h.done.Wait()
	return nil
}

// Stats returns how many streams are open and how many events were dropped for slow ones.
func (h *Handler) Stats() Stats { return h.hub.stats() }

func (h *Handler) sample() {
	h.hub.update(h.sampler.take(h.config.Source.View(), time.Now(), h.hub.stats()))
}

// run samples at each interval while somebody looks, else once a second, for the history.
func (h *Handler) run() {
	tick := time.NewTicker(h.interval)
	defer tick.Stop()
	tail := time.NewTicker(tailInterval)
	defer tail.Stop()
	last := time.Now()
	for {
		select {
		case now := <-tick.C:
			if now.Sub(last) >= totalStep-h.interval/2 || h.hub.stats().Clients > 0 {
				last = now
				h.sample()
			}
		case <-tail.C:
			h.hub.flush()
		case <-h.stop:
			return
		}
	}
}

// listen hands events on until the subscription is closed.
func (h *Handler) listen() {
	var before uint64
	for {
		notes, dropped := h.notes.Next(context.Background())
		if len(notes) == 0 {
			return
		}
		h.hub.tell(notes, dropped-before)
		before = dropped
	}
}

// Server returns a server for a Handler, with limits against clients that send slowly.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
}

// address returns where a request comes from, without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
