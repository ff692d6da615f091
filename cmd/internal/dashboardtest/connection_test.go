package dashboardtest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

// A cable is a listener whose connections a test can cut or hold.
type cable struct {
	net.Listener
	handler http.Handler
	server  *http.Server
	addr    string
}

func plug(t *testing.T, addr string, h http.Handler) *cable {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, server: dashboard.Server("", h), addr: l.Addr().String()}
	go c.server.Serve(l)
	t.Cleanup(func() { c.server.Close() })
	return c
}

// A server that is restarted has a new epoch: the page says so, comes back, and shows the new state.
func TestServerRestart(t *testing.T) {
	w := newWorld()
	h := newDashboard(t, w)
	c := plug(t, "127.0.0.1:0", h)
	b := open(t, "http://"+c.addr)
	b.expected = append(b.expected, "ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "ERR_FAILED", "Failed to load resource")
	w.chatter(7)
	b.until(`document.querySelectorAll('#p-events tbody tr').length === 7`)
	c.server.Close()
	h.Close()
	b.until(`document.querySelector('#stream').innerText.includes('Reconnecting') && document.querySelector('#retry')`)
	b.until(`document.querySelector('main.stale') && document.querySelector('#p-policies').innerText.includes(' old')`) // five seconds later
	b.picture("stale-light")
	w.change(func(v *control.View) { v.Epoch, v.Instance = 8, "tokyo-2" })
	h2 := newDashboard(t, w)
	plug(t, c.addr, h2)
	b.click("#retry")
	b.until(`document.querySelector('.who').innerText.startsWith('tokyo-2 ') && document.querySelector('#stream').innerText.includes('Live') && !document.querySelector('main.stale')`)
	w.chatter(7)
	b.until(`document.querySelectorAll('#p-events tbody tr').length === 7`) // those of the old process are gone
}

func newDashboard(t *testing.T, w *world) *dashboard.Handler {
	h, err := dashboard.New(dashboard.Config{Source: w, Commander: w, Audit: w})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// A connection that breaks is taken up where it broke: no event is missing, none comes twice.
func TestReconnectWithoutGap(t *testing.T) {
	w := newWorld()
	h := newDashboard(t, w)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b := open(t, s.URL)
	b.expected = append(b.expected, "ERR_INCOMPLETE", "ERR_CONNECTION", "Failed to load resource", "ERR_EMPTY_RESPONSE")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			w.chatter(1)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	b.until(`document.querySelectorAll('#p-events tbody tr').length > 20`)
	s.CloseClientConnections()
	b.until(`document.querySelector('#stream').innerText.includes('Reconnecting')`)
	b.until(`document.querySelector('#stream').innerText.includes('Live')`)
	time.Sleep(time.Second)
	cancel()
	var last []control.Note
	b.rest(700)
	getJSON(t, s.URL+"/api/v1/events?limit=2000", &last)
	b.visit("?panel=events&x=1")
	b.until(`document.querySelector('#p-events table')`)
	n := eval[int](b, `+document.querySelector('#p-events table').getAttribute('aria-rowcount')`)
	if n != min(len(last), 500) {
		t.Errorf("the tail has %d events; the server %d", n, len(last))
	}
	for i := 1; i < len(last); i++ {
		if last[i].Seq != last[i-1].Seq+1 {
			t.Fatalf("event %d follows %d", last[i].Seq, last[i-1].Seq)
		}
	}
}

// Ten thousand events a second are too many to show. The page stays quick, and says what is missing.
func TestFlood(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	b.until(`document.querySelector('#p-policies td')`)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			w.chatter(100)
			<-tick.C
		}
	}()
	var worst time.Duration
	for ctx.Err() == nil {
		start := time.Now()
		eval[int](b, `1 + 1`)
		worst = max(worst, time.Since(start))
		time.Sleep(50 * time.Millisecond)
	}
	<-done
	t.Logf("the page answered within %v", worst)
	if worst > time.Second {
		t.Errorf("the page took %v to answer; want less than 200 ms on a machine of its own", worst)
	}
	b.until(`document.querySelector('#dropped')?.innerText.includes('dropped')`)
}

// Part of a fleet is away: every panel says who.
func TestPartOfAFleet(t *testing.T) {
	w := newWorld()
	w.change(func(v *control.View) {
		for i, name := range []string{"tokyo-1", "tokyo-2", "london-1"} {
			v.Instances = append(v.Instances, control.InstanceView{Name: name, Connected: i < 2, Seen: time.Now()})
		}
	})
	b := open(t, serve(t, w, nil))
	b.until(`[...document.querySelectorAll('.panel')].every(p => p.innerText.includes('2 of 3 instances, without london-1'))`)
}

// The API says what is wrong with an address; so does the page.
func TestWrongAddress(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	b.expected = append(b.expected, "404")
	b.do(navigate(url + "/dashbord"))
	b.until(`document.body.innerText.includes('There is nothing at this address')`)
}
