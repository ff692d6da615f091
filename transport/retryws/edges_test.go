package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// A hook may ask the session for something: it is told of the consequences later, in order.
func TestHookThatWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		var s *retryws.Session
		depth := 0
		s = retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: func(c retryws.Change) {
			if depth++; depth > 1 {
				t.Error("told of one change while another is being told")
			}
			if c.State == retryws.Ready && len(l.of(retryws.StateChanged)) < 5 {
				s.Want(topic("a"), topic("b"))
			}
			l.observe(c)
			depth--
		}})
		s.Want(topic("a"))
		go s.Run(t.Context())
		synctest.Wait()
		v.publish("a", "1 1")
		synctest.Wait()
		if want := "DIALING SUBSCRIBING READY SUBSCRIBING READY"; l.states() != strings.Replace(want, "DIALING ", "DIALING AUTH ", 1) {
			t.Errorf("states %s", l.states())
		}
		s.Close()
	})
}

// Pings as messages, answered.
func TestPingMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{pings: true}, Dialer: v, Private: true}, "a")
		expect(t, s, retryws.Ready, time.Second) // the first pong stands for a heartbeat
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(v.wire(0).sent("ping")); n < 6 || n > 7 || s.Stats().Dials != 1 {
			t.Errorf("%d pings, %d dials; want one each 10 s", n, s.Stats().Dials)
		}
	})
}

// A ping that fails for another reason than time ends the link at once.
func TestPingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		v.ping = func(w *wire) bool {
			w.fail(errReset)
			return true
		}
		run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe}, "a")
		time.Sleep(10*time.Second + 10*time.Millisecond)
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, errReset) {
			t.Errorf("%+v; want ended by the ping", e)
		}
	})
}

// An account without hooks, and clocks that are switched off.
func TestBareAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := run(t, retryws.Config{
			Protocol: &words{}, Dialer: &venue{}, Clocks: retryws.Clocks{Message: -1, Topic: -1},
			Account: &retryws.Account{Every: -1, Reconcile: func(context.Context, time.Time) (int, error) { n++; return -1, nil }},
		}, "a")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n != 1 || s.State() != retryws.Ready || s.Stats().Differences != 0 {
			t.Errorf("%d reads, %v; want one, READY", n, s.State())
		}
	})
}

// While one silence is looked into no other is.
func TestOneVerifyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		n := 0
		run(t, retryws.Config{Protocol: &words{}, Dialer: v, Verify: func(ctx context.Context, _ retryws.Topic, _ time.Time) (bool, error) {
			n++
			<-ctx.Done() // 15 s
			return false, nil
		}}, "a")
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if n != 1 {
			t.Errorf("asked %d times in 40 s; want once", n)
		}
	})
}

// A venue that announces its end long before: the second link has 30 s all the same.
func TestNoticeLongBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{opened: func(w *wire) { w.say("hb") }, message: func(w *wire, m string) bool { return w.n == 2 }}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Message: -1}}, "a")
		expect(t, s, retryws.Ready, time.Second)
		v.wire(0).say("bye 3600")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if e := l.of(retryws.TurnoverEnded); len(e) != 1 || s.State() != retryws.Ready {
			t.Errorf("%+v, %v; want given up after 30 s", e, s.State())
		}
		s.Want(topic("a")) // has the session look again
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(v.times()); n != 2 {
			t.Errorf("%d dials; want the first link kept until it dies", n)
		}
	})
}

// Both links die, in either order, before the second can take over.
func TestBothLinksDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{message: func(w *wire, m string) bool { return w.n == 2 }}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v}, "a")
		synctest.Wait()
		s.Reconnect()
		time.Sleep(150 * time.Millisecond)
		for i := range 2 { // in one moment
			v.wire(i).fail(errReset)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if v.open.Load() != 1 || s.Stats().Dials != 3 {
			t.Errorf("%d open, %d dials; want a third link", v.open.Load(), s.Stats().Dials)
		}
	})
}

// What happens in the second in which the first link is drained.
func TestDrain(t *testing.T) {
	for _, test := range []struct {
		name string
		act  func(v *venue, s *retryws.Session)
		open int64
	}{
		{"the first link dies", func(v *venue, s *retryws.Session) { v.wire(0).fail(errReset) }, 1},
		{"the second link dies", func(v *venue, s *retryws.Session) { v.wire(1).fail(errReset) }, 1},
		{"the session is closed", func(v *venue, s *retryws.Session) { s.Close() }, 0},
		{"a topic is added", func(v *venue, s *retryws.Session) { s.Want(topic("a"), topic("b")) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{}
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v}, "a")
				synctest.Wait()
				v.publish("a", "1 1")
				s.Reconnect()
				synctest.Wait()
				v.publish("a", "2 2")
				until(t, 2*time.Second, func() bool { return s.Stats().Turnovers == 1 }, func() string { return "no turnover" })
				test.act(v, s)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if v.open.Load() != test.open {
					t.Errorf("%d links are open; want %d", v.open.Load(), test.open)
				}
				if test.name == "a topic is added" && (v.wire(0).has("b") || !v.wire(1).has("b")) {
					t.Error("the new topic is not on the second link alone")
				}
			})
		})
	}
}

// A topic that only the second link has: it begins there.
func TestTopicAddedDuringTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{message: func(w *wire, m string) bool { return w.n == 1 && strings.Contains(m, "b") }}
		c := &retryws.Consumer{Match: func(t retryws.Topic) bool { return t.Channel == "b" }}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Limits: retryws.Limits{Messages: 2, Per: time.Hour}})
		s.Attach(c)
		s.Want(topic("a"))
		go s.Run(t.Context())
		synctest.Wait()
		v.publish("a", "1 1")
		s.Want(topic("a"), topic("b")) // the first link may not send any more
		s.Reconnect()
		time.Sleep(100 * time.Millisecond)
		v.publish("a", "1 1")
		time.Sleep(5 * time.Second)
		v.publish("b", "1 1")
		synctest.Wait()
		if got := lasts(take(c)); !slices.Equal(got, []int64{-1, 1}) || s.Stats().Turnovers != 1 {
			t.Errorf("events %v after %d turnovers; want Live and 1 after one", got, s.Stats().Turnovers)
		}
		s.Close()
	})
}

// A ban that a second link meets holds for all sessions, and refused credentials are fetched anew.
func TestSecondLinkRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{opened: func(w *wire) { w.say("hb") }, refuse: func(n int) error {
			switch n {
			case 2:
				return &retryws.HandshakeError{Status: 401}
			case 3:
				return &retryws.HandshakeError{Status: 418, After: time.Hour}
			}
			return nil
		}}
		b := &retryws.Budget{Connects: 100}
		fetched := 0
		s := run(t, retryws.Config{
			Protocol: &words{}, Dialer: v, Observe: l.observe, Budgets: []*retryws.Budget{b}, Clocks: retryws.Clocks{Message: -1},
			Credentials: func(context.Context) (retryws.Credentials, error) {
				if fetched++; fetched == 2 {
					return retryws.Credentials{}, errReset
				}
				return retryws.Credentials{Value: fmt.Sprint(fetched)}, nil
			},
		}, "a")
		synctest.Wait()
		for range 3 {
			s.Reconnect()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if until := time.Until(b.Held("stream.venue.example")); until < 59*time.Minute {
			t.Errorf("held for %v; want an hour", until)
		}
		if fetched != 3 || s.State() != retryws.Ready || s.Stats().Kept != 3 {
			t.Errorf("fetched %d times, %v, %d kept; want 3, READY, 3", fetched, s.State(), s.Stats().Kept)
		}
		if e := l.of(retryws.TurnoverEnded); !errors.Is(e[1].Err, errReset) || !strings.Contains(e[1].Err.Error(), "fetch credentials") {
			t.Errorf("second turnover %v; want no credentials", e[1].Err)
		}
	})
}

// The first link dies while the second waits for the budget.
func TestSecondLinkNeverOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Budgets: []*retryws.Budget{{Per: time.Minute}}}, "a")
		synctest.Wait()
		s.Reconnect()
		time.Sleep(time.Second)
		v.wire(0).fail(errReset)
		time.Sleep(time.Minute)
		synctest.Wait()
		if e := l.of(retryws.TurnoverEnded); len(e) != 1 || !errors.Is(e[0].Err, context.Canceled) || s.Stats().Dials != 2 {
			t.Errorf("turnover %+v, %d dials; want given up, and the next link by backoff", e, s.Stats().Dials)
		}
	})
}

// The renewal of credentials that are forgotten meanwhile, because the venue refused them, is left out.
func TestForgottenCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{refuse: func(n int) error {
			if n == 1 {
				time.Sleep(time.Second)
				return &retryws.HandshakeError{Status: 401, After: 2 * time.Hour}
			}
			return nil
		}}
		renewed, fetched := 0, 0
		run(t, retryws.Config{
			Protocol: &words{}, Dialer: v,
			Credentials: func(context.Context) (retryws.Credentials, error) {
				fetched++
				return retryws.Credentials{Value: "1", Expires: time.Now().Add(time.Hour)}, nil
			},
			Renew: func(_ context.Context, c retryws.Credentials) (retryws.Credentials, error) { renewed++; return c, nil },
		}, "a")
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if renewed != 0 || fetched != 2 {
			t.Errorf("renewed %d times, fetched %d times; want 0, 2", renewed, fetched)
		}
	})
}

// A second link that opens when nobody wants it any more is closed again.
func TestSecondLinkOpensTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{refuse: func(n int) error {
			if n == 2 {
				time.Sleep(5 * time.Second) // whatever the context says
			}
			return nil
		}}
		b := &retryws.Budget{Connects: 2, Per: time.Second, MaxOpen: 2}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Budgets: []*retryws.Budget{b}}, "a")
		synctest.Wait()
		s.Reconnect()
		time.Sleep(time.Second)
		s.Close()
		if v.open.Load() != 0 {
			t.Errorf("%d links are open after Close; want none", v.open.Load())
		}
		time.Sleep(time.Second)
		for range 2 { // both places are free again
			if err := b.Acquire(t.Context(), "host", true); err != nil {
				t.Error(err)
			}
		}
	})
}

// A topic that the first link has subscribed, but not brought yet: the second alone brings it.
func TestTopicUnconfirmedAtTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		v.message = func(w *wire, m string) bool {
			if w.n == 2 || !strings.HasSuffix(m, " b") {
				return false
			}
			w.mu.Lock()
			w.subs["b"] = true // without a word
			w.mu.Unlock()
			return true
		}
		c := &retryws.Consumer{Match: func(t retryws.Topic) bool { return t.Channel == "b" }}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
		s.Attach(c)
		s.Want(topic("a"))
		go s.Run(t.Context())
		synctest.Wait()
		v.publish("a", "1 1")
		s.Want(topic("a"), topic("b"))
		synctest.Wait()
		s.Reconnect()
		synctest.Wait()
		v.publish("a", "2 2")
		until(t, 2*time.Second, func() bool { return s.Stats().Turnovers == 1 }, func() string { return "no turnover" })
		v.publish("b", "1 1") // on both, while the first is drained
		synctest.Wait()
		if got := lasts(take(c)); !slices.Equal(got, []int64{-1, 1}) {
			t.Errorf("events %v; want Live and 1", got)
		}
		s.Close()
	})
}
