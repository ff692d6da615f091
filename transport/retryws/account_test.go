package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// books is an account that merges fills by their key, whoever brings them.
type books struct {
	v     *venue
	fail  atomic.Int64 // reads
	slow  time.Duration
	since []time.Time

	mu    sync.Mutex
	truth []string // the venue's fills
	fills []string // ours, in the order they came
	dirty int
	clean int
}

func (b *books) merge(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.fills, key) {
		return false
	}
	b.fills = append(b.fills, key)
	return true
}

// reads returns since when the account was read, each time.
func (b *books) reads() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.since)
}

// fill happens at the venue, and is sent to whoever listens unless it is lost.
func (b *books) fill(key string, lost bool) {
	b.mu.Lock()
	b.truth = append(b.truth, key)
	b.mu.Unlock()
	if !lost {
		b.v.publish("fills", "0 0 "+key)
	}
}

func (b *books) account() *retryws.Account {
	return &retryws.Account{
		Dirty: func(error) { b.mu.Lock(); b.dirty++; b.mu.Unlock() },
		Clean: func() { b.mu.Lock(); b.clean++; b.mu.Unlock() },
		Reconcile: func(ctx context.Context, since time.Time) (n int, err error) {
			b.mu.Lock()
			b.since = append(b.since, since)
			truth := slices.Clone(b.truth)
			b.mu.Unlock()
			time.Sleep(b.slow)
			if b.fail.Add(-1) >= 0 {
				return 0, errReset
			}
			for _, key := range truth {
				if b.merge(key) {
					n++
				}
			}
			return n, nil
		},
	}
}

func (b *books) state() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%v dirty %d clean %d", b.fills, b.dirty, b.clean)
}

// follow merges what the consumer gets.
func (b *books) follow(c *retryws.Consumer) {
	for e := range c.Events(context.Background()) {
		if e.Kind == retryws.Message {
			b.merge(e.Key)
		}
	}
}

// private starts a session with an account.
func private(t *testing.T, v *venue, b *books, l *log, c *retryws.Consumer) *retryws.Session {
	b.v = v
	s := retryws.New(retryws.Config{Protocol: &words{auth: true}, Dialer: v, Observe: l.observe, Account: b.account()})
	s.Attach(c)
	s.Want(topic("fills"))
	go s.Run(t.Context())
	t.Cleanup(s.Close)
	return s
}

// 14: found by the reconcile, delivered once.
func TestStreams14PrivateEventLostDuringAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := &venue{}, &log{}
		b := &books{slow: 200 * time.Millisecond}
		c := &retryws.Consumer{Overflow: retryws.Cut}
		s := private(t, v, b, l, c)
		go b.follow(c)
		expect(t, s, retryws.Ready, time.Second) // without a message: the first pong stands for one
		b.fill("1", false)
		synctest.Wait()
		before := time.Now()
		time.Sleep(5 * time.Second)
		v.wire(0).fail(errReset)
		synctest.Wait()
		if got := b.state(); got != "[1] dirty 2 clean 1" {
			t.Errorf("after the break: %s", got)
		}
		b.fill("2", false) // nobody listens
		until(t, time.Second, func() bool { return len(b.reads()) == 2 }, func() string { return "no reconcile" })
		b.fill("3", false) // while the account is read
		synctest.Wait()
		if got := b.state(); got != "[1] dirty 2 clean 1" || s.State() != retryws.Subscribing {
			t.Errorf("while the account is read: %s, %v; want nothing delivered, SUBSCRIBING", got, s.State())
		}
		expect(t, s, retryws.Ready, time.Second)
		synctest.Wait()
		if got := b.state(); got != "[1 2 3] dirty 2 clean 2" {
			t.Errorf("after the read: %s; want each fill once, in order", got)
		}
		if want := before.Add(-time.Minute); !b.reads()[0].IsZero() || !b.reads()[1].Equal(want) {
			t.Errorf("read since %v; want nothing, and a minute before the last fill, %v", b.reads(), want)
		}
		if st := s.Stats(); st.Differences != 1 || st.Lost != 0 {
			t.Errorf("%d differences, %d lost; want 1, 0", st.Differences, st.Lost)
		}
	})
}

// Open orders and fills are read every 30 to 60 s, and each difference counts as a lost event.
func TestPeriodicRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{}
		c := &retryws.Consumer{}
		s := private(t, v, b, l, c)
		go b.follow(c)
		expect(t, s, retryws.Ready, time.Second)
		for i := range 10 {
			b.fill(fmt.Sprint(i), false)
			b.fill(fmt.Sprint("lost", i), true)
			n := len(b.reads())
			start := time.Now()
			keep := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					select {
					case <-keep:
						return
					case <-time.After(10 * time.Second):
						v.publish("fills", fmt.Sprint("0 0 more", i, n))
					}
				}
			}()
			until(t, 61*time.Second, func() bool { return len(b.reads()) > n }, func() string { return "no read" })
			close(keep)
			if took := time.Since(start); i > 0 && took < 29*time.Second {
				t.Errorf("read %d after %v; want 30 to 60 s", i, took)
			}
		}
		synctest.Wait()
		if st := s.Stats(); st.Lost != 10 || st.Dials != 1 {
			t.Errorf("%d lost, %d dials; want 10, 1", st.Lost, st.Dials)
		}
		if n := len(l.of(retryws.LostFound)); n != 10 {
			t.Errorf("told %d times; want 10", n)
		}
		// A link that has been silent besides is given up.
		b.fill("x", true)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		ended := l.of(retryws.LinkEnded)
		if len(ended) == 0 || !errors.Is(ended[0].Err, retryws.ErrLost) {
			t.Errorf("%+v; want ended by %v", ended, retryws.ErrLost)
		}
	})
}

// Silence alone does not end a private link.
func TestQuietPrivateStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{}
		s := private(t, v, b, l, &retryws.Consumer{})
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := s.Stats(); st.Dials != 1 || st.State != retryws.Ready {
			t.Errorf("%d dials, %v; want 1, READY", st.Dials, st.State)
		}
	})
}

// A read that fails is made again by backoff, and the account stays dirty.
func TestReconcileFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{}
		b.fail.Store(4)
		s := private(t, v, b, l, &retryws.Consumer{})
		expect(t, s, retryws.Ready, time.Minute)
		if got := b.state(); got != "[] dirty 1 clean 1" || len(b.reads()) != 5 {
			t.Errorf("%s after %d reads; want clean after 5", got, len(b.reads()))
		}
		if n := len(l.of(retryws.ReconcileError)); n != 4 {
			t.Errorf("told %d times; want 4", n)
		}
		b.fail.Store(1 << 30)
		v.wire(0).fail(errReset)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s.State() != retryws.Subscribing || b.state() != "[] dirty 2 clean 1" {
			t.Errorf("%v, %s; want SUBSCRIBING, dirty", s.State(), b.state())
		}
		v.wire(1).fail(errReset) // while it waits
		time.Sleep(time.Second)
		b.fail.Store(0)
		expect(t, s, retryws.Ready, time.Minute)
	})
}

// The link is lost while the account is read: it is read again on the next one.
func TestLinkLostDuringReconcile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{slow: 5 * time.Second}
		s := private(t, v, b, l, &retryws.Consumer{})
		time.Sleep(time.Second)
		v.wire(0).fail(errReset)
		expect(t, s, retryws.Ready, 15*time.Second)
		if got := b.state(); got != "[] dirty 1 clean 1" || len(b.reads()) != 2 {
			t.Errorf("%s after %d reads; want clean after 2", got, len(b.reads()))
		}
	})
}

// More events while the account is read than the buffer holds: the link is cut, and all is read again.
func TestReconcileBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := &venue{}, &log{}
		b := &books{v: v, slow: time.Second}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Account: b.account(), Buffer: 3})
		s.Want(topic("fills"))
		go s.Run(t.Context())
		time.Sleep(500 * time.Millisecond)
		for i := range 4 {
			b.fill(fmt.Sprint(i), false)
		}
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrBuffer) || e[0].Reason != retryws.Gap {
			t.Errorf("%+v; want ended by %v", e, retryws.ErrBuffer)
		}
		expect(t, s, retryws.Ready, 5*time.Second)
		s.Close()
	})
}

// A consumer of private events that is full: the session is cut, the account dirty, and nothing is lost in the end.
func TestCutConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := &venue{}, &log{}
		b := &books{}
		c := &retryws.Consumer{Size: 3, Overflow: retryws.Cut}
		s := private(t, v, b, l, c)
		expect(t, s, retryws.Ready, time.Second)
		for i := range 3 { // behind the Live there is room for two
			b.fill(fmt.Sprint(i), false)
		}
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrSlow) || s.Stats().Cuts != 1 {
			t.Errorf("%+v; want ended by %v", e, retryws.ErrSlow)
		}
		if got := b.state(); got != "[] dirty 2 clean 1" {
			t.Errorf("%s; want dirty", got)
		}
		go b.follow(c)
		expect(t, s, retryws.Ready, 5*time.Second)
		synctest.Wait()
		if got := b.state(); got != "[0 1 2] dirty 2 clean 2" {
			t.Errorf("%s; want all fills, clean", got)
		}
	})
}

// The buffer of a reconcile does not fit either: the link is cut once more, and the account stays dirty.
func TestCutByTheBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := &venue{}, &log{}
		b := &books{slow: time.Second}
		s := private(t, v, b, l, &retryws.Consumer{Size: 2, Overflow: retryws.Cut})
		time.Sleep(500 * time.Millisecond)
		for i := range 3 {
			b.fill(fmt.Sprint(i), false)
		}
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if got := b.state(); got != "[] dirty 1 clean 0" || s.Stats().Cuts != 1 {
			t.Errorf("%s, %d cuts; want never clean, one", got, s.Stats().Cuts)
		}
	})
}

// Turnover of a private stream: nothing is dirty, and the account is read once more afterwards.
func TestPrivateTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{}
		c := &retryws.Consumer{}
		s := private(t, v, b, l, c)
		go b.follow(c)
		expect(t, s, retryws.Ready, time.Second)
		s.Reconnect()
		for i := range 50 {
			b.fill(fmt.Sprint("k", i), false)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if st := s.Stats(); st.Turnovers != 1 || st.State != retryws.Ready || st.Duplicates == 0 {
			t.Errorf("%+v; want one turnover", st)
		}
		if len(b.fills) != 50 || b.dirty != 1 || b.clean != 1 || len(b.reads()) != 2 {
			t.Errorf("%s after %d reads; want 50 fills, never dirty again, 2 reads", b.state(), len(b.reads()))
		}
	})
}

// A second link has to wait for a first one whose account is not known yet; when that dies it is adopted.
func TestPrivateTurnoverBeforeClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l, b := &venue{}, &log{}, &books{slow: 10 * time.Second}
		s := private(t, v, b, l, &retryws.Consumer{})
		time.Sleep(time.Second)
		s.Reconnect()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s.Stats().Turnovers != 0 {
			t.Error("taken over before the account is clean")
		}
		v.wire(0).fail(errReset)
		expect(t, s, retryws.Ready, 30*time.Second)
		if st := s.Stats(); st.Dials != 2 || b.clean != 1 {
			t.Errorf("%d dials, %s; want 2, clean once", st.Dials, b.state())
		}
	})
}

// Credentials are renewed at two thirds of their life.
func TestRenewal(t *testing.T) {
	for _, test := range []struct {
		name      string
		renew     func(n int) (value string, err error)
		turnovers uint64
		renewals  int
		auths     uint64
	}{
		{"prolonged", func(int) (string, error) { return "key", nil }, 0, 3, 0},
		{"changed: a link with the new ones takes over", func(n int) (string, error) { return fmt.Sprint("key", n), nil }, 3, 3, 0},
		{"failed once: again by backoff", func(n int) (string, error) {
			if n == 1 {
				return "", errReset
			}
			return "key", nil
		}, 0, 4, 0},
		{"failed until they expire: a new link with fresh ones", func(n int) (string, error) { return "", errReset }, 0, -1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{opened: func(w *wire) { w.say("hb") }}
				var fetched, renewed int
				var times []time.Time
				start := time.Now()
				s := run(t, retryws.Config{
					Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Message: -1},
					Credentials: func(context.Context) (retryws.Credentials, error) {
						fetched++
						return retryws.Credentials{Value: "key", Expires: time.Now().Add(time.Hour)}, nil
					},
					Renew: func(context.Context, retryws.Credentials) (retryws.Credentials, error) {
						renewed++
						times = append(times, time.Now())
						value, err := test.renew(renewed)
						return retryws.Credentials{Value: value, Expires: time.Now().Add(time.Hour)}, err
					},
				}, "a")
				time.Sleep(2*time.Hour + 5*time.Minute)
				synctest.Wait()
				if got := times[0].Sub(start); got != 40*time.Minute {
					t.Errorf("first renewed after %v; want 40 min of an hour", got)
				}
				st := s.Stats()
				if test.renewals > 0 && renewed != test.renewals || st.Turnovers != test.turnovers || st.Reconnects[retryws.AuthReason] != test.auths {
					t.Errorf("%d renewals, %d turnovers, %d ends; want %d, %d, %d",
						renewed, st.Turnovers, st.Reconnects[retryws.AuthReason], test.renewals, test.turnovers, test.auths)
				}
				if fetched != 1+int(test.auths) || st.State != retryws.Ready {
					t.Errorf("fetched %d times, %v; want %d, READY", fetched, st.State, 1+test.auths)
				}
			})
		})
	}
}

// Without Renew, Credentials does it. A token that is forgotten meanwhile is not renewed.
func TestRenewalByCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{opened: func(w *wire) { w.say("hb") }}
		var fetched int
		s := run(t, retryws.Config{
			Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Message: -1},
			Credentials: func(context.Context) (retryws.Credentials, error) {
				fetched++
				c := retryws.Credentials{Value: fmt.Sprint(fetched)}
				if fetched < 3 {
					c.Expires = time.Now().Add(time.Hour)
				}
				return c, nil
			},
		}, "a")
		time.Sleep(41 * time.Minute)
		synctest.Wait()
		if fetched != 2 || v.wire(-1).to.URL != "wss://stream.venue.example/ws?token=2" {
			t.Errorf("fetched %d times, connected to %s", fetched, v.wire(-1).to.URL)
		}
		v.refuse = func(n int) error {
			if n == 3 {
				time.Sleep(50 * time.Minute)
				return &retryws.HandshakeError{Status: 401}
			}
			return nil
		}
		v.wire(-1).fail(errReset)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if s.State() != retryws.Ready {
			t.Errorf("state %v; want READY", s.State())
		}
	})
}
