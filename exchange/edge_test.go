package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// rush sends many cancels at once, which may take from every share, and give up when they would have to wait.
func rush(t *testing.T, tr *Transport, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if resp, err := send(ctx, tr, "DELETE", host+"/api/v3/order", ""); err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
}

// edge sleeps until some time before or after the next full minute.
func edge(at time.Duration) {
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute + at)))
}

// A slowDesk takes its time to make an attempt durable.
type slowDesk struct {
	takes time.Duration
	mu    sync.Mutex
	ends  []Outcome // guarded by mu
}

func (d *slowDesk) Begin(context.Context, *Sending) error {
	time.Sleep(d.takes)
	return nil
}

func (d *slowDesk) End(_ context.Context, _ *Sending, v *Verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ends = append(d.ends, v.Outcome)
}

// What was reserved in one minute and is sent in the next is counted there, and goes only if there is room.
func TestSlowDeskReservesAnew(t *testing.T) {
	for _, test := range []struct {
		name            string
		cancels, orders int // cancels in the new minute, orders that were reserved before
		sent            int // orders
	}{
		{"room", 10, 40, 40},
		{"no room", 200, 40, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit = 200
				p, venue := testProfile(t, limit), newFakeVenue(limit)
				desk := &slowDesk{takes: 5 * time.Second}
				limits := &Limits{Profile: p, Clock: &Clock{}}
				slow := &Transport{Profile: p, Desk: desk, Base: venue, Limits: limits}
				quick := &Transport{Profile: p, PassOrders: true, Base: venue, Limits: limits}
				rush(t, quick, 1) // hears the clock
				edge(-2 * time.Second)
				var wg sync.WaitGroup
				for range test.orders {
					wg.Go(func() {
						resp, err := send(t.Context(), slow, "POST", orderURL, orderForm)
						if err == nil {
							resp.Body.Close()
						} else if e, ok := errors.AsType[*LimitError](err); !ok || e.After <= 0 {
							t.Errorf("%v; want a LimitError that says until when", err)
						}
					})
				}
				edge(2 * time.Second)
				rush(t, quick, test.cancels)
				wg.Wait()
				venue.check(t, limit)
				if n := venue.kinds["POST /api/v3/order"]; n != test.sent {
					t.Errorf("%d orders were sent; want %d", n, test.sent)
				}
				for _, o := range desk.ends {
					if (o == NotSent) != (test.sent == 0) {
						t.Errorf("the desk heard %v of an order; %d were sent", o, test.sent)
					}
				}
				if len(desk.ends) != test.orders {
					t.Errorf("the desk heard the end of %d orders; want %d", len(desk.ends), test.orders)
				}
			})
		})
	}
}

// What took longer to arrive than was allowed for counts in the minute in which it was answered.
func TestLateArrivalCounts(t *testing.T) {
	for _, test := range []struct {
		name     string
		answered bool
	}{{"answered", true}, {"no answer", false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit = 200
				p, venue := testProfile(t, limit), newFakeVenue(limit)
				way := 10 * time.Millisecond
				venue.latency = func() time.Duration { return way }
				base := http.RoundTripper(venue)
				if !test.answered {
					base = baseFunc(func(r *http.Request) (*http.Response, error) {
						resp, err := venue.RoundTrip(r)
						if way > time.Second {
							return nil, errors.New("connection reset")
						}
						return resp, err
					})
				}
				tr := &Transport{Profile: p, PassOrders: true, Base: base, Limits: &Limits{Profile: p, Clock: &Clock{}}}
				rush(t, tr, 1)
				edge(-3 * time.Second)
				way = 3500 * time.Millisecond
				rush(t, tr, 60) // arrive half a second after the edge
				way = 10 * time.Millisecond
				rush(t, tr, 200)
				venue.check(t, limit)
				if venue.total < limit/2 {
					t.Errorf("%v were used in all; want as much as there is room for", venue.total)
				}
			})
		})
	}
}

// What was signed for less than the wait for its grant took is not sent: the venue would only count and refuse it.
func TestWaitOutlivesSignature(t *testing.T) {
	for window, sent := range map[int]int{2_000: 0, 60_000: 1} {
		synctest.Test(t, func(t *testing.T) {
			const limit = 20
			p, venue := testProfile(t, limit), newFakeVenue(limit)
			desk := &slowDesk{}
			limits := &Limits{Profile: p, Clock: &Clock{}}
			tr := &Transport{Profile: p, Desk: desk, Base: venue, Limits: limits}
			edge(-10 * time.Second)
			for limits.Stats().Ledgers == nil || limits.Stats().Ledgers[0].Headroom > 0 {
				rush(t, tr, 1)
			}
			cancels := len(desk.ends)
			url := fmt.Sprintf("%s/api/v3/order?timestamp=%d&recvWindow=%d", host, time.Now().UnixMilli(), window)
			resp, err := send(t.Context(), tr, "POST", url, orderForm)
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != (sent == 1) || err != nil && retry.DefaultClassify(err) != retry.Transient {
				t.Errorf("window of %d ms: %v; want it sent %d times", window, err, sent)
			}
			if n := venue.kinds["POST /api/v3/order"]; n != sent || len(desk.ends)-cancels != sent {
				t.Errorf("window of %d ms: %d sent, %d known to the desk; want %d", window, n, len(desk.ends)-cancels, sent)
			}
			if used := limits.Stats().Ledgers[0].Used; used != float64(sent) {
				t.Errorf("window of %d ms: %v used of the new minute; want %d", window, used, sent)
			}
		})
	}
}

// A minute is over when all machines of the venue agree that it is: the one that writes the Date may be ahead of the one that
// counts.
func TestGatewaysDisagree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, venue := mustLoad(t, "binance"), newFakeVenue(6000)
		venue.latency = func() time.Duration { return 5 * time.Millisecond }
		ahead := baseFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := venue.RoundTrip(r)
			if err == nil {
				resp.Header.Set("Date", time.Now().Add(200*time.Millisecond).UTC().Format(http.TimeFormat))
			}
			return resp, err
		})
		tr := &Transport{Profile: p, PassOrders: true, Base: ahead, Limits: &Limits{Profile: p, Clock: &Clock{}}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+30*time.Second)
		defer cancel()
		floodAll(ctx, tr)
		venue.check(t, 6000)
	})
}
