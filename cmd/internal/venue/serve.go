package venue

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is what a request's body may measure, in bytes; no order needs a tenth of it.
const maxBody = 64 << 10

// Delivery says how much of an answer was sent.
type Delivery string

// Deliveries.
const (
	Whole   Delivery = "whole"
	Nothing Delivery = "none" // the connection was cut, or the client had left
	Cut     Delivery = "cut"  // the connection was cut within the body
)

// ServeHTTP answers a request of the public interface. To cut a connection it panics with http.ErrAbortHandler, as
// net/http provides; a test that calls ServeHTTP directly recovers from that, or uses Transport.
func (v *Venue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := v.receive(r)
	if err != nil || !v.wait(0) || v.refuses(c) {
		panic(http.ErrAbortHandler) // the client left within its own body, or nobody is there
	}
	if r.Header.Get("Upgrade") != "" || isFeed(c.path) {
		v.serveFeed(w, r, c)
		return
	}
	a, d := v.answer(c)
	v.deliver(w, r, c, a, d)
}

// receive reads a request to its end, so that its connection notices when the client leaves.
func (v *Venue) receive(r *http.Request) (*call, error) {
	c := &call{method: r.Method, path: r.URL.Path, remote: r.RemoteAddr, query: r.URL.RawQuery}
	var body []byte
	if r.ContentLength != 0 {
		var err error
		// One byte more than allowed is enough to see that a body is too large.
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return nil, err
		}
	}
	v.take(c, r.Header, body)
	return c, nil
}

// take reads the rest of a request.
func (v *Venue) take(c *call, h http.Header, body []byte) {
	if c.tooLarge = len(body) > maxBody; !c.tooLarge {
		c.body = string(body)
	}
	if strings.HasPrefix(c.path, alpacaPrefix) {
		c.takeAlpaca(h)
		return
	}
	c.style = v.profile.ErrorStyle
	c.key = h.Get("X-MBX-APIKEY")
	c.read()
	c.about()
	if field := v.profile.Deadline; field != "" {
		c.deadline = cmp.Or(c.params.Get(field), h.Get(field))
	}
	c.methods = routes[c.path]
	c.route = c.methods[c.method]
}

// answer takes a request through bans, limits and fault rules.
func (v *Venue) answer(c *call) (Answer, Delivery) {
	if err := v.admit(c); err != nil {
		return err.answer(c.style), Whole
	}
	if f := v.Faults.pick(stageClock, c.subject()); f != nil {
		c.shift = f.Shift
	}
	if f := v.Faults.pick(stageRequest, c.subject()); f != nil {
		c.fault = f.Name
		return v.suffer(c, f)
	}
	return v.pass(c)
}

// number gives a request its place in the order of all of them.
func (v *Venue) number(c *call) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c.world = v.world
	c.world.seq++
	c.seq = c.world.seq
	c.arrived = time.Now()
	if v.cfg.ReplicaLag > 0 {
		c.lag = time.Duration(draw(c.world.seed, "replica", c.seq) * float64(v.cfg.ReplicaLag))
	}
}

// refuses numbers a request and says whether its connection comes about at all.
func (v *Venue) refuses(c *call) bool {
	v.number(c)
	f := v.Faults.pick(stageConnect, c.subject())
	if f == nil {
		return false
	}
	c.fault, c.decision = f.Name, "unconnected"
	v.record(c, Answer{}, Nothing)
	return true
}

func (v *Venue) admit(c *call) *apiError {
	cost := 1
	if c.route != nil {
		cost = c.route.cost(c.params)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.route != nil && c.route.places {
		c.world.ledger.sent(v.keys[c.key]+1, c) // of a stranger to the first account, which is no loss
	}
	return c.world.limits.admit(c, cost, c.arrived)
}

// pass is the way of a request that the network and the limits let through.
func (v *Venue) pass(c *call) (Answer, Delivery) {
	refused := func(err *apiError) (Answer, Delivery) {
		c.decision = "refused"
		return err.answer(c.style), Whole
	}
	if err := v.check(c); err != nil {
		return refused(err)
	}
	if !v.wait(v.cfg.GatewayDelay + c.hold) {
		return c.lost()
	}
	if err := v.checkWindow(c, time.Now()); err != nil {
		return refused(err)
	}
	if !v.wait(c.slow) {
		return c.lost()
	}
	value, err, ok := v.forward(c)
	switch {
	case !ok:
		return c.lost()
	case err != nil:
		return refused(err)
	}
	if a, ok := value.(Answer); ok {
		return a, Whole
	}
	return Answer{Status: http.StatusOK, Body: encode(value)}, Whole
}

// forward gives a request to the engine, unless the venue was reset since it came.
func (v *Venue) forward(c *call) (value any, err *apiError, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.world != v.world {
		return nil, nil, false
	}
	now := time.Now()
	c.forwarded, c.decision = now, "accepted"
	c.world.log.seq, c.world.engine.ahead = c.seq, v.cfg.Clock+c.shift
	if c.stress != nil {
		if err := c.stress(c.world.engine, now); err != nil {
			return nil, err, true
		}
	}
	value, err = c.route.serve(c.world.engine, c, now)
	if c.release != nil {
		c.release()
	}
	return value, err, true
}

func (c *call) lost() (Answer, Delivery) {
	c.decision = "lost"
	return Answer{}, Nothing
}
