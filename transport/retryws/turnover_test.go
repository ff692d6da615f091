package retryws_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// load publishes messages 1, 2, 3 … of each topic until stopped, and returns how many there are.
func load(v *venue, every time.Duration, format string, topics ...string) (stop func() int) {
	ended := make(chan struct{})
	var n atomic.Int64
	go func() {
		for {
			i := n.Add(1)
			for _, topic := range topics {
				v.publish(topic, fmt.Sprintf(format, i))
			}
			select {
			case <-time.After(every):
			case <-ended:
				return
			}
		}
	}()
	return func() int {
		close(ended)
		time.Sleep(5 * time.Second) // until the last has come
		return int(n.Load())
	}
}

// once checks that a consumer got messages first to last of each topic, each once and in order, after one Live.
func once(t *testing.T, events []retryws.Event, number func(retryws.Event) int64, last int, topics ...string) {
	t.Helper()
	next := map[retryws.Topic]int64{}
	for _, e := range events {
		switch {
		case e.Kind == retryws.Live && next[e.Topic] == 0:
			next[e.Topic] = -1
		case e.Kind == retryws.Message && (next[e.Topic] == -1 || next[e.Topic] == number(e)):
			next[e.Topic] = number(e) + 1
		default:
			t.Fatalf("%v of %v %d; want message %d", e.Kind, e.Topic, number(e), next[e.Topic])
		}
	}
	for _, name := range topics {
		if got := next[topic(name)] - 1; got != int64(last) {
			t.Errorf("%s ends with %d; want %d", name, got, last)
		}
	}
}

func byLast(e retryws.Event) int64 { return e.Last }
func byKey(e retryws.Event) (n int64) {
	fmt.Sscanf(e.Key, "k%d", &n)
	return n
}

// 8: each event once, in order, whichever link is slower.
func TestStreams8Turnover(t *testing.T) {
	for _, test := range []struct {
		name   string
		delays [3]time.Duration // of links 1, 2, 3
		format string
		number func(retryws.Event) int64
		age    time.Duration
	}{
		{"by sequence, the new link slower", [3]time.Duration{1: 700 * time.Millisecond, 2: 0}, "%[1]d %[1]d", byLast, 24 * time.Hour},
		{"by sequence, the new link faster", [3]time.Duration{0: 700 * time.Millisecond}, "%[1]d %[1]d", byLast, 24 * time.Hour},
		{"by sequence, the first link far behind", [3]time.Duration{0: 3 * time.Second}, "%[1]d %[1]d", byLast, time.Hour},
		{"by sequence, the second link far behind", [3]time.Duration{1: 3 * time.Second}, "%[1]d %[1]d", byLast, time.Hour},
		{"by key, the new link faster", [3]time.Duration{0: 700 * time.Millisecond}, "0 0 k%d", byKey, time.Hour},
		{"by key, the new link slower", [3]time.Duration{1: 700 * time.Millisecond}, "0 0 k%d", byKey, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{latency: func(n int) time.Duration { return test.delays[min(n-1, 2)] }}
				l := &log{}
				s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, MaxAge: test.age, Rand: seeded(8)})
				c := &retryws.Consumer{Size: 1 << 20}
				s.Attach(c)
				s.Want(topic("trades.A"), topic("trades.B"), topic("trades.C"))
				go s.Run(t.Context())
				every := test.age / 24 / 500
				stop := load(v, every, test.format, "trades.A", "trades.B")
				time.Sleep(test.age / 24 * 21)
				v.publish("trades.C", "1 1 k1")
				time.Sleep(test.age/24 + 30*time.Second)
				synctest.Wait()
				if n := s.Stats().Turnovers; n != 0 {
					t.Errorf("%d turnovers before 22/24 of the age; want none", n)
				}
				time.Sleep(test.age / 24 * 3 / 2)
				v.publish("trades.C", "2 2 k2")
				last := stop()
				s.Close()
				st := s.Stats()
				if st.Turnovers != 1 || st.Reconnects[retryws.Requested] != 1 || st.Dials != 2 {
					t.Errorf("%d turnovers, %d dials; want 1, 2", st.Turnovers, st.Dials)
				}
				events := take(c)
				quiet := slices.DeleteFunc(slices.Clone(events), func(e retryws.Event) bool { return e.Topic.Symbol != "C" })
				busy := slices.DeleteFunc(events, func(e retryws.Event) bool { return e.Topic.Symbol == "C" || e.Kind == retryws.Broken })
				once(t, busy, test.number, last, "trades.A", "trades.B")
				if len(quiet) != 4 { // Live, two messages, Broken by Close
					t.Errorf("quiet topic: %v", lasts(quiet))
				}
			})
		})
	}
}

// 8 again: the first link stays when the second does not become READY, whatever it lacks.
func TestStreams8NeverReady(t *testing.T) {
	for _, test := range []struct {
		name    string
		refuse  func(n int) error
		message func(w *wire, m string) bool
		ping    string
	}{
		{name: "refused", refuse: func(n int) error {
			if n == 2 {
				return errReset
			}
			return nil
		}},
		{name: "never confirmed", message: func(w *wire, m string) bool { return w.n == 2 }},
		{name: "no message", message: func(w *wire, m string) bool {
			if w.n == 2 {
				w.say("ok " + m[4:5])
			}
			return w.n == 2
		}},
		{name: "dies", message: func(w *wire, m string) bool {
			if w.n == 2 {
				w.fail(errReset)
			}
			return w.n == 2
		}},
		{name: "no overlap", message: func(w *wire, m string) bool {
			if w.n == 2 {
				w.answer(m)
				for i := range 40 {
					w.say(fmt.Sprintf("d trades.A %[1]d %[1]d", 1000000+i))
				}
			}
			return w.n == 2
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{refuse: test.refuse, message: test.message}
				l := &log{}
				s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe})
				c := &retryws.Consumer{Size: 1 << 20}
				s.Attach(c)
				s.Want(topic("trades.A"))
				go s.Run(t.Context())
				stop := load(v, 100*time.Millisecond, "%[1]d %[1]d", "trades.A")
				expect(t, s, retryws.Ready, time.Second)
				s.Reconnect()
				time.Sleep(29 * time.Second)
				synctest.Wait()
				if test.name == "no message" && len(l.of(retryws.TurnoverEnded)) != 0 {
					t.Error("given up before 30 s")
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if e := l.of(retryws.TurnoverEnded); len(e) != 1 || e[0].Err == nil {
					t.Errorf("turnover %+v; want one that failed", e)
				}
				time.Sleep(time.Minute)
				last := stop()
				st := s.Stats()
				if st.Turnovers != 0 || st.Kept != 1 || st.State != retryws.Ready || v.open.Load() != 1 {
					t.Errorf("%d turnovers, %d kept, %v, %d open; want 0, 1, READY, 1", st.Turnovers, st.Kept, st.State, v.open.Load())
				}
				once(t, take(c), byLast, last, "trades.A")
				v.wire(0).fail(errReset)
				expect(t, s, retryws.Subscribing, 2*time.Second)
				s.Close()
			})
		})
	}
}

// 9: a notice while subscriptions are not confirmed yet.
func TestStreams9NoticeDuringAResubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{message: func(w *wire, m string) bool {
			if w.n == 1 && len(w.sent("sub")) > 1 {
				return true // the first link confirms nothing any more
			}
			return false
		}}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
		c := &retryws.Consumer{Size: 1 << 20}
		s.Attach(c)
		s.Want(topic("trades.A"), topic("trades.B"))
		go s.Run(t.Context())
		stop := load(v, 50*time.Millisecond, "%[1]d %[1]d", "trades.A", "trades.B", "trades.C")
		expect(t, s, retryws.Ready, time.Second)
		s.Want(topic("trades.A"), topic("trades.B"), topic("trades.C")) // never confirmed on the first link
		synctest.Wait()
		v.wire(0).say("bye 20")
		v.wire(0).say("bye 20")
		time.Sleep(50 * time.Millisecond)
		s.Want(topic("trades.A"), topic("trades.C")) // merged into what the second link subscribes
		expect(t, s, retryws.Ready, 10*time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(v.times()); n != 2 || s.Stats().Turnovers != 1 || v.open.Load() != 1 {
			t.Errorf("%d dials, %d turnovers, %d open; want 2, 1, 1", n, s.Stats().Turnovers, v.open.Load())
		}
		if v.wire(1).has("trades.B") || !v.wire(1).has("trades.C") {
			t.Error("the second link has not what is wanted")
		}
		last := stop()
		s.Close()
		a := slices.DeleteFunc(take(c), func(e retryws.Event) bool { return e.Topic.Symbol == "B" || e.Kind == retryws.Broken })
		once(t, a, byLast, last, "trades.A", "trades.C")
	})
}

// The first link dies before the second one overlaps: the second is adopted, and consumers see the break.
func TestFirstLinkDiesDuringTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		l := &log{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(topic("trades.A"))
		go s.Run(t.Context())
		synctest.Wait()
		v.wire(0).say("d trades.A 1 1")
		synctest.Wait()
		s.Reconnect()
		synctest.Wait()
		v.wire(1).say("d trades.A 5 5") // no overlap
		time.Sleep(5 * time.Second)
		v.wire(0).fail(errReset)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got, want := lasts(take(c)), []int64{-1, 1, -2, -1, 5}; !slices.Equal(got, want) {
			t.Errorf("events %v; want %v", got, want)
		}
		if st := s.Stats(); st.Dials != 2 || st.Turnovers != 0 || st.Reconnects[retryws.EOF] != 1 || st.State != retryws.Ready {
			t.Errorf("%+v", st)
		}
		s.Close()
	})
}

// Without sequence numbers and keys a topic begins anew on the second link, from its first message on.
func TestTurnoverWithoutIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(topic("book.A"), topic("book.B"))
		go s.Run(t.Context())
		synctest.Wait()
		v.publish("book.A", "0 0")
		v.publish("book.B", "0 0")
		synctest.Wait()
		s.Reconnect()
		synctest.Wait()
		v.wire(1).say("d book.A 0 0 - 1000") // a snapshot, which comes on the second link only
		v.publish("book.A", "0 0")
		time.Sleep(1500 * time.Millisecond) // taken over, and draining
		v.publish("book.A", "0 0")
		v.publish("book.B", "0 0")
		time.Sleep(5 * time.Second)
		var got []string
		for _, e := range take(c) {
			if e.Topic.Symbol == "A" {
				got = append(got, fmt.Sprint(e.Kind, " on ", e.Link))
			}
		}
		want := []string{"1 on 1", "0 on 1", "0 on 1", "1 on 2", "0 on 2", "0 on 2", "0 on 2"}
		if !slices.Equal(got, want) {
			t.Errorf("events %q; want %q", got, want)
		}
		if n := s.Stats().Duplicates; n != 2 {
			t.Errorf("%d dropped; want 2, those of the first link after the switch", n)
		}
		s.Close()
	})
}

// A venue that counts anew is followed on the newer link.
func TestSequenceResetDuringTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{}
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(topic("book.A"))
		go s.Run(t.Context())
		synctest.Wait()
		v.publish("book.A", "10 10")
		synctest.Wait()
		s.Reconnect()
		synctest.Wait()
		v.publish("book.A", "11 11")
		time.Sleep(500 * time.Millisecond) // taken over, and draining
		for i := 1; i <= 3; i++ {
			v.publish("book.A", fmt.Sprint(i, i))
			v.publish("book.A", fmt.Sprint(i, " ", i))
		}
		time.Sleep(5 * time.Second)
		v.publish("book.A", "4 4")
		s.Close()
		if got := lasts(take(c)); !slices.Equal(got[:3], []int64{-1, 10, 11}) || !slices.Contains(got, 3) {
			t.Errorf("events %v", got)
		}
	})
}

// Where a second link is impossible: break, then make, without a grown backoff.
func TestSingleLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := 0
		l := &log{}
		v := &venue{}
		v.opened = func(w *wire) { most = max(most, int(v.open.Load())); w.say("hb") } // one at a time
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, SingleLink: true, MaxAge: time.Hour, Observe: l.observe, Rand: func() float64 { return 0.999 }, Clocks: retryws.Clocks{Message: -1}}, "trades.A")
		s.Reconnect() // before there is a link: nothing to replace
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if n := len(v.times()); n != 1 {
			t.Fatalf("%d dials; want 1", n)
		}
		time.Sleep(8 * time.Minute)
		v.wire(1).say("bye 0")
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(v.times()); n != 3 || most != 1 || s.State() != retryws.Ready {
			t.Errorf("%d dials, at most %d at once, %v; want 3, 1, READY", n, most, s.State())
		}
		for _, e := range l.of(retryws.LinkEnded) {
			if e.Wait > 500*time.Millisecond || e.Reason != retryws.Requested {
				t.Errorf("%v, and a wait of %v; want requested, and at most 500 ms", e.Reason, e.Wait)
			}
		}
	})
}

// Closing while a second link is being opened leaves nothing behind.
func TestCloseDuringTurnover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		b := &retryws.Budget{Connects: 1, Per: time.Hour}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Budgets: []*retryws.Budget{b}}, "trades.A")
		synctest.Wait()
		s.Reconnect()
		s.Reconnect()
		synctest.Wait()
		s.Close()
		if e := l.of(retryws.TurnoverEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrClosed) && e[0].Err == nil {
			t.Errorf("turnover %+v", e)
		}
		if private, public := b.Waiting(); private+public != 0 {
			t.Errorf("%d still wait", private+public)
		}
	})
}
