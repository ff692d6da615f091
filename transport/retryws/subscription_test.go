package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("trades.%03d", i))
	}
	return out
}

func wanted(topics []string) (out []retryws.Topic) {
	for _, t := range topics {
		out = append(out, topic(t))
	}
	return out
}

// 15: confirmed for 9 of 10: not READY, and only the tenth is asked again, alone, at most three times.
func TestStreams15ConfirmedFor9Of10(t *testing.T) {
	for _, confirmAt := range []int{2, 4, 0} { // which request for the tenth is confirmed
		t.Run(fmt.Sprint("request ", confirmAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				all := names(10)
				asked := 0
				v := &venue{opened: func(w *wire) { w.say("hb") }}
				v.message = func(w *wire, m string) bool {
					if !strings.Contains(m, all[9]) {
						return false
					}
					if asked++; asked == 1 {
						w.say("ok 0 " + strings.Join(all[:9], " ")) // by topic, as OKX does
					}
					return asked != confirmAt
				}
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Message: -1}}, all...)
				time.Sleep(4 * time.Second)
				synctest.Wait()
				if s.State() != retryws.Subscribing {
					t.Errorf("state %v with 9 of 10; want SUBSCRIBING", s.State())
				}
				time.Sleep(36 * time.Second)
				want := []string{"sub 1 " + strings.Join(all, " ")}
				for i := 2; i <= min(4, max(confirmAt, 4*(1-min(confirmAt, 1)))); i++ {
					want = append(want, fmt.Sprint("sub ", i, " ", all[9]))
				}
				if got := v.wire(0).sent("sub"); !slices.Equal(got, want) {
					t.Errorf("sent %q; want %q", got, want)
				}
				failed := l.of(retryws.TopicFailed)
				if confirmAt > 0 {
					if s.State() != retryws.Ready || len(failed) != 0 {
						t.Errorf("state %v, failed %+v; want READY, none", s.State(), failed)
					}
					return
				}
				if s.State() != retryws.Subscribing || len(failed) != 1 || failed[0].Topic != topic(all[9]) {
					t.Errorf("state %v, failed %+v; want SUBSCRIBING, the tenth", s.State(), failed)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := len(v.wire(0).sent("sub")); n < 5 || n > 8 {
					t.Errorf("%d requests; want the tenth asked again after a minute", n)
				}
			})
		})
	}
}

// A refused batch is asked for one by one, so that one bad topic does not take the others with it.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{message: func(w *wire, m string) bool {
			if strings.Contains(m, "trades.001") {
				w.say("no " + strings.Fields(m)[1] + " unknown symbol")
				return true
			}
			return false
		}}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe}, names(3)...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := v.wire(0).sent("sub"); len(got) != 4 {
			t.Errorf("sent %q; want the batch, and each alone", got)
		}
		if f := l.of(retryws.TopicFailed); len(f) != 1 || f[0].Topic.Symbol != "001" || f[0].Text != "unknown symbol" {
			t.Errorf("failed %+v; want the second", f)
		}
		v.publish("trades.000", "1 1")
		v.wire(0).say("no 99 what is this")
		synctest.Wait()
		if n := l.of(retryws.Noticed); len(n) != 1 || n[0].Text != "what is this" {
			t.Errorf("noticed %+v", n)
		}
		s.Want(topic("trades.000"), topic("trades.002"))
		expect(t, s, retryws.Ready, time.Second)
	})
}

// The difference of wanted and confirmed is what is sent, whatever changes meanwhile.
func TestWantChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{message: func(w *wire, m string) bool {
			time.AfterFunc(2*time.Second, func() { w.answer(m) })
			return true
		}}
		c := &retryws.Consumer{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
		s.Attach(c)
		s.Want(topic("a"), topic("b"), topic("b"))
		go s.Run(t.Context())
		time.Sleep(time.Second)
		s.Want(topic("b"), topic("c")) // a is asked for: it is unsubscribed when confirmed
		time.Sleep(2 * time.Second)    // leaving a
		s.Want(topic("a"), topic("c")) // a again, and without b
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []string{"sub 1 a b", "sub 2 c", "unsub 3 a", "unsub 4 b", "sub 5 a"}
		if got := v.wire(0).got; !slices.Equal(got, want) {
			t.Errorf("sent %q; want %q", got, want)
		}
		v.publish("a", "1 1")
		v.publish("b", "1 1")
		v.wire(0).say("d b 2 2")
		v.wire(0).say("what")
		synctest.Wait()
		if st := s.Stats(); st.Unexpected != 1 || st.Other != 1 || st.State != retryws.Ready || st.Delivered != 1 || st.Frames != 8 {
			t.Errorf("%+v; want one unexpected, one other, READY", st)
		}
		s.Close()
	})
}

// An unsubscribe that is never confirmed, or refused, is as good as done.
func TestUnsubscribeWithoutAnswer(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			v := &venue{opened: func(w *wire) { w.say("hb") }, message: func(w *wire, m string) bool {
				if refuse && m[0] == 'u' {
					w.say("no " + strings.Fields(m)[1] + " no")
				}
				return m[0] == 'u'
			}}
			s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Message: -1}}, "a", "b")
			synctest.Wait()
			s.Want(topic("a"))
			synctest.Wait()
			time.Sleep(7 * time.Second)
			s.Want(topic("a"), topic("b"))
			time.Sleep(time.Second)
			synctest.Wait()
			if got := v.wire(0).got; len(got) != 3 || s.State() != retryws.Ready {
				t.Errorf("sent %q, %v; want b subscribed again", got, s.State())
			}
		})
	}
}

// Messages keep to the limits of the venue: topics and bytes in each, and their number in any second.
func TestMessageLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		var sizes []int
		var mu sync.Mutex
		v := &venue{}
		v.opened = func(w *wire) { w.say("hb"); w.say("test") }
		v.message = func(w *wire, m string) bool {
			mu.Lock()
			defer mu.Unlock()
			if m != "tested" {
				times = append(times, time.Now())
			}
			sizes = append(sizes, len(m))
			return false
		}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Limits: retryws.Limits{
			Messages: 5, Per: time.Second, Topics: 200, Batch: 10, BatchBytes: 80, LinkBytes: 10_000,
		}}, names(200)...)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		mu.Lock()
		n := len(times)
		mu.Unlock()
		if n != 3 && n != 4 { // the answer, which does not wait, may have come first
			t.Errorf("%d messages at once; want 4 of 5, the answer included if it came before", n)
		}
		expect(t, s, retryws.Ready, 20*time.Second)
		if n := peak(times, time.Second); n > 4 {
			t.Errorf("%d messages in a second; want at most 4 of 5, since pongs count as well", n)
		}
		if n := slices.Max(sizes); n > 80 {
			t.Errorf("a message of %d bytes; want at most 80", n)
		}
		if len(sizes) < 34 {
			t.Errorf("%d messages; want batches of 5", len(sizes))
		}
		if err := s.Want(wanted(names(201))...); err == nil || !strings.Contains(err.Error(), "201 topics") {
			t.Errorf("Want(201 topics) = %v; want refused", err)
		}
		if err := s.Want(topic(strings.Repeat("x", 10_000))); err == nil || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("Want(10 kB) = %v; want refused", err)
		}
		if s.State() != retryws.Ready {
			t.Errorf("state %v; want unchanged", s.State())
		}
	})
}

// What the venue asks for is answered before all else, and too many questions end the link.
func TestServerQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Limits: retryws.Limits{Messages: 1, Per: time.Hour}}, "a")
		synctest.Wait()
		w := v.wire(0)
		w.say("test")
		synctest.Wait()
		if got := w.sent("tested"); len(got) != 1 {
			t.Errorf("answered %q; want at once", got)
		}
		expect(t, s, retryws.Ready, time.Second)
		w.mu.Lock()
		w.stop = true
		w.mu.Unlock()
		for range 18 {
			w.say("test")
		}
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrTransport) {
			t.Errorf("%+v; want ended by a writer that hangs", e)
		}
	})
}

// A write that hangs ends the link after 10 s.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{opened: func(w *wire) { w.stop = w.n == 1 }}
		run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe}, "a")
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if len(l.of(retryws.LinkEnded)) != 0 {
			t.Error("ended before 10 s")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || e[0].Reason != retryws.Timeout {
			t.Errorf("%+v; want one end by timeout", e)
		}
	})
}

func TestProtocolErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		w := &words{fail: errors.New("cannot sign")}
		s := run(t, retryws.Config{Protocol: w, Dialer: &venue{}, Observe: l.observe}, "a")
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, w.fail) || s.State() != retryws.Stopped {
			t.Errorf("%+v, %v; want ended by the Protocol's error", e, s.State())
		}
	})
}

func TestAuthTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{message: func(*wire, string) bool { return true }}
		s := run(t, retryws.Config{Protocol: &words{auth: true}, Dialer: v, Observe: l.observe}, "a")
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if s.State() != retryws.Auth {
			t.Errorf("state %v; want AUTH", s.State())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || e[0].Reason != retryws.Timeout {
			t.Errorf("%+v; want one end by timeout", e)
		}
	})
}

// learn lets topics become READY with a message each second.
func learn(t *testing.T, v *venue, s *retryws.Session, n int, topics ...string) {
	t.Helper()
	synctest.Wait()
	for i := range n {
		v.wire(-1).say("hb")
		for _, topic := range topics {
			v.publish(topic, fmt.Sprint(i+1, " ", i+1))
		}
		time.Sleep(time.Second)
	}
	if s.State() != retryws.Ready {
		t.Fatalf("state %v; want READY", s.State())
	}
}

// One dead subscription is subscribed again alone, and the third within a minute ends the link.
func TestDeadSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Heartbeat: 5 * time.Second}})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(wanted([]string{"a", "b", "c", "d"})...)
		go s.Run(t.Context())
		learn(t, v, s, 100, "a", "b", "c", "d")
		learn(t, v, s, 8, "b", "c", "d")
		if n := s.Stats().Resubscribed; n != 0 {
			t.Errorf("%d subscribed again after 9 s; want none before 10 s", n)
		}
		learn(t, v, s, 3, "b", "c", "d")
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got, want := v.wire(0).got, []string{"sub 1 a b c d", "unsub 2 a", "sub 3 a"}; !slices.Equal(got, want) {
			t.Errorf("sent %q; want %q", got, want)
		}
		if got := l.of(retryws.Resubscribed); len(got) != 1 || got[0].Topic != topic("a") {
			t.Errorf("told %+v; want a", got)
		}
		v.publish("a", "500 500")
		synctest.Wait()
		var a []retryws.Event
		for _, e := range take(c) {
			if e.Topic == topic("a") {
				a = append(a, e)
			}
		}
		if got, want := lasts(a[len(a)-4:]), []int64{100, -2, -1, 500}; !slices.Equal(got, want) {
			t.Errorf("events of a end with %v; want %v", got, want)
		}
		for range 20 { // all silent but for heartbeats
			v.wire(0).say("hb")
			time.Sleep(time.Second)
		}
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrDead) {
			t.Errorf("%+v; want ended by %v", e, retryws.ErrDead)
		}
		s.Close()
	})
}

// A heartbeat of the topic itself keeps it alive.
func TestTopicHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Heartbeat: 5 * time.Second}}, "a", "b")
		learn(t, v, s, 50, "a", "b")
		for range 60 {
			v.wire(0).say("hb a")
			v.wire(0).say("hb b")
			time.Sleep(time.Second)
		}
		if st := s.Stats(); st.Resubscribed != 0 || st.Dials != 1 {
			t.Errorf("%+v; want nothing done", st)
		}
	})
}

// Where the venue has no heartbeats, silence is checked by one read before anything is declared dead.
func TestVerify(t *testing.T) {
	for _, test := range []struct {
		name   string
		missed bool
		err    error
		late   bool // a message comes while the read is made
		resubs uint64
	}{
		{name: "a quiet market is not a dead one"},
		{name: "the venue has had something", missed: true, resubs: 1},
		{name: "the read fails", err: errReset, resubs: 1},
		{name: "a message comes meanwhile", missed: true, late: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{}
				var asked []retryws.Topic
				var since time.Time
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Verify: func(_ context.Context, topic retryws.Topic, at time.Time) (bool, error) {
					asked = append(asked, topic)
					since = at
					if test.late {
						v.publish("a", "100 100")
					}
					time.Sleep(time.Millisecond)
					return test.missed, test.err
				}}, "a", "b")
				learn(t, v, s, 50, "a", "b")
				last := time.Now().Add(-time.Second)
				learn(t, v, s, 11, "b")
				if !slices.Equal(asked, []retryws.Topic{topic("a")}) || !since.Equal(last) {
					t.Errorf("asked for %v since %v; want a, once, since %v", asked, since, last)
				}
				if n := s.Stats().Resubscribed; n != test.resubs {
					t.Errorf("%d subscribed again; want %d", n, test.resubs)
				}
			})
		})
	}
}

func TestVerifyLink(t *testing.T) {
	for _, test := range []struct {
		name   string
		missed bool
		late   bool
		dials  uint64
	}{
		{name: "quiet", dials: 1},
		{name: "dead", missed: true, dials: 2},
		{name: "a message comes meanwhile", missed: true, late: true, dials: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{}
				var n atomic.Int64
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Verify: func(_ context.Context, topic retryws.Topic, _ time.Time) (bool, error) {
					n.Add(1)
					if test.late {
						v.wire(0).say("hb")
					}
					time.Sleep(time.Millisecond)
					return test.missed, nil
				}}, "a")
				time.Sleep(32 * time.Second)
				synctest.Wait()
				if st := s.Stats(); st.Dials != test.dials || n.Load() != 1 {
					t.Errorf("%d dials, asked %d times; want %d, 1", st.Dials, n.Load(), test.dials)
				}
				if test.name == "quiet" && s.State() != retryws.Ready {
					t.Errorf("state %v; want READY, since the market is quiet", s.State())
				}
			})
		})
	}
}

// Three topics that the read finds dead end the link, and what it finds when the link has ended counts for nothing.
func TestVerifyThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Message: -1}, Verify: func(context.Context, retryws.Topic, time.Time) (bool, error) {
			return true, nil
		}}, "a", "b", "c", "d")
		learn(t, v, s, 30, "a", "b", "c", "d")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrDead) || s.Stats().Resubscribed != 2 {
			t.Errorf("%+v; want ended by %v", e, retryws.ErrDead)
		}
	})
}

// The lag is exchange time against local time, with the offset of the clocks.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Offset: func() time.Duration { return -time.Second }})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(topic("a"))
		go s.Run(t.Context())
		synctest.Wait()
		for _, lag := range []time.Duration{0, 6 * time.Second, 7 * time.Second, 5 * time.Second} {
			v.publish("a", fmt.Sprint("1 1 - ", time.Now().Add(-time.Second-lag).UnixMilli()))
			synctest.Wait()
			if got := s.Stats().Lag; got != lag {
				t.Errorf("lag %v; want %v", got, lag)
			}
		}
		if got := l.of(retryws.LagChanged); len(got) != 2 || !got[0].Late || got[1].Late {
			t.Errorf("told %+v; want late and not late", got)
		}
		if e := take(c); e[2].Lag != 6*time.Second {
			t.Errorf("event %+v; want its lag", e[2])
		}
		s.Close()
	})
}

// Each of several that were not confirmed is asked for in a message of its own.
func TestAskedAgainAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{opened: func(w *wire) { w.say("hb") }, message: func(w *wire, m string) bool { return len(strings.Fields(m)) > 3 }}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v}, "a", "b", "c")
		expect(t, s, retryws.Ready, 10*time.Second)
		if got := v.wire(0).sent("sub"); len(got) != 4 || got[0] != "sub 1 a b c" || s.Stats().AskedAgain != 3 {
			t.Errorf("sent %q, %d asked again; want the three, and each alone", got, s.Stats().AskedAgain)
		}
	})
}

// The limit of a topic is five times the 99th percentile of its own gaps.
func TestLearntLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Heartbeat: 5 * time.Second}}, "a")
		synctest.Wait()
		for range 30 {
			learn(t, v, s, 1, "a")
			learn(t, v, s, 3)
		}
		learn(t, v, s, 16)
		if n := s.Stats().Resubscribed; n != 0 {
			t.Errorf("subscribed again after 19 s; want none before 20 s, with gaps of 4 s")
		}
		learn(t, v, s, 8)
		if n := s.Stats().Resubscribed; n != 1 {
			t.Errorf("%d subscribed again after 27 s; want 1", n)
		}
	})
}
