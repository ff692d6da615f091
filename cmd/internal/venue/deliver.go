package venue

import (
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
)

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
