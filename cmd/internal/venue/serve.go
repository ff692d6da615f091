package venue

import (
	"cmp"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is what a request's body may measure, in bytes; no order needs a tenth of it.
const maxBody = 64 << 10

// A call is a request on its way.
type call struct {
	world   *world
	seq     uint64
	arrived time.Time
	method  string
	path    string
	front   front
	style   ErrorStyle
	link    *link // over which it came, if it is a message of one
	remote  string
	key     string
	query   string
	body    string

	params    url.Values
	malformed bool
	signed    string // what the signature is of, if it is not query and body
	deadline  string // of the request, where the profile knows one
	repeated  string // a parameter that was sent more than once
	tooLarge  bool
	client    string // client id the request is about
	symbol    string
	methods   map[string]*route // of the path
	route     *route
	secret    string             // of the Alpaca interface, as are the next two
	orderID   string             // in the path
	order     alpacaOrderRequest // in the body
	account   int                // index, once the key is known

	hold         time.Duration // in the gateway, beside Config.GatewayDelay
	slow         time.Duration // in the engine, after the last check
	shift        time.Duration // of the venue's clock
	lag          time.Duration // of the replica that answers
	stale        time.Duration // of a depth snapshot
	ignoreWindow bool
	release      func()                                   // undoes it when the request is done
	stress       func(e *engine, now time.Time) *apiError // what a fault does to the engine first
	steps        []float64                                // in which an order is filled, by a fault
	stepDelay    time.Duration
	hidden       bool // a query of an order finds nothing
	reset        bool // if the connection is cut, it is by a reset

	fault     string
	decision  string
	forwarded time.Time
	weight    int
	placed    *order
}

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

// read parses query and body. A parameter in both counts as it is in the query (Binance spot REST docs, "General
// Information on Endpoints").
func (c *call) read() {
	var err, errBody error
	if c.params, err = url.ParseQuery(c.query); c.params == nil {
		c.params = url.Values{}
	}
	if c.body != "" && !c.tooLarge {
		var form url.Values
		form, errBody = url.ParseQuery(c.body)
		for name, values := range form {
			if _, ok := c.params[name]; !ok {
				c.params[name] = values
			}
		}
	}
	for name, values := range c.params {
		if len(values) > 1 && (c.repeated == "" || name < c.repeated) {
			c.repeated = name
		}
	}
	c.malformed = err != nil || errBody != nil
}

// about sets what a request is about, for fault rules and the log.
func (c *call) about() {
	c.symbol = c.params.Get("symbol")
	c.client = c.params.Get("origClientOrderId")
	if c.method == http.MethodPost {
		c.client = c.params.Get("newClientOrderId")
	}
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
	c.world.log.seq = c.seq
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

// deliver logs the decision and writes the answer. The log comes first: whoever reads it after an answer finds it.
func (v *Venue) deliver(w http.ResponseWriter, r *http.Request, c *call, a Answer, d Delivery) {
	if d != Nothing && r.Context().Err() != nil {
		d = Nothing
	}
	v.record(c, a, d)
	if d == Nothing {
		if c.reset {
			resetConnection(w)
		}
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), v.header(c, a))
	w.WriteHeader(a.Status)
	if d == Cut {
		_, _ = w.Write(a.Body[:len(a.Body)/2]) // the connection ends either way
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, err := w.Write(a.Body)
	if err == nil && c.placed != nil {
		// Only an answer that left tells the oracle that the order was acknowledged.
		err = http.NewResponseController(w).Flush()
	}
	if err != nil {
		v.withdraw(c, a)
	}
}

// header completes the header of an answer.
func (v *Venue) header(c *call, a Answer) http.Header {
	h := http.Header{"Content-Type": {"application/json;charset=UTF-8"}}
	if c.front == frontAlpaca {
		v.alpacaHeader(c, h)
	} else if c.weight > 0 && a.Header.Get("Content-Type") == "" { // a page of a proxy knows no weight
		h.Set("X-Mbx-Used-Weight-1m", strconv.Itoa(c.weight))
	}
	for name, values := range a.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if c.placed != nil && a.Status < 300 {
		v.countHeaders(h, c)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	return h
}

// resetConnection lets the operating system send a reset in place of an orderly end, where there is a socket.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the end is orderly, which a client must bear as well
	}
	_ = conn.Close()
}

// acknowledges says whether an answer tells the client of an order that came to be; a rejected one did not.
func (c *call) acknowledges(a Answer) bool {
	return c.placed != nil && c.placed.facts != nil && a.Status/100 == 2
}

func (v *Venue) record(c *call, a Answer, d Delivery) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := c.world
	if c.decision != "unconnected" { // else it was none
		w.ledger.totals.Requests++
	}
	if c.fault != "" {
		w.ledger.totals.Faulted++
	}
	if d == Whole && c.acknowledges(a) {
		c.placed.facts.acks++
	}
	w.log.seq = c.seq
	w.log.add(Entry{Kind: EntryRequest, Request: &RequestEntry{
		Arrival: c.arrived, Forwarded: c.forwarded, Method: clip(c.method), Path: clip(c.path), Symbol: clip(c.symbol),
		ClientID: clip(c.client), Decision: c.decision, Fault: c.fault, Status: a.Status, Bytes: len(a.Body), Delivery: d,
	}})
}

// withdraw notes that an answer was decided but could not be written.
func (v *Venue) withdraw(c *call, a Answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.acknowledges(a) {
		c.placed.facts.acks--
	}
	c.world.log.seq = c.seq
	c.world.log.add(Entry{Kind: EntryLost})
}

// clip bounds what a stranger can put into the log.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "?")
}
