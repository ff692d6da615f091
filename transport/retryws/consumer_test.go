package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// feed starts a session with topics and a consumer of it.
func feed(t *testing.T, c *retryws.Consumer, topics ...string) (*venue, *retryws.Session) {
	v := &venue{}
	s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: v})
	s.Attach(c)
	s.Want(wanted(topics)...)
	go s.Run(t.Context())
	t.Cleanup(s.Close)
	synctest.Wait()
	return v, s
}

// What does not fit becomes a Hole at its place, with its first and last number.
func TestHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &retryws.Consumer{Size: 4}
		quick := &retryws.Consumer{Size: 1 << 10}
		v, s := feed(t, c, "a", "b")
		s.Attach(quick)
		for i := range 10 {
			v.publish("a", fmt.Sprint(i+1, " ", i+1))
		}
		v.publish("b", "7 7")
		synctest.Wait()
		if n := c.Missed(); n != 9 {
			t.Errorf("%d missed; want 9", n)
		}
		if n := quick.Len(); n != 13 {
			t.Errorf("the quick consumer has %d; want 13", n)
		}
		events := take(c)
		var holes []string
		for _, e := range events {
			if e.Kind == retryws.Hole {
				holes = append(holes, fmt.Sprint(e.Topic, " ", e.First, " ", e.Last, " ", e.Missed, " ", e.Data == nil))
			}
		}
		if want := []string{"a 3 10 8 true", "b 7 7 1 true"}; !slices.Equal(holes, want) {
			t.Errorf("holes %q; want %q", holes, want)
		}
		v.publish("a", "11 11")
		synctest.Wait()
		if got := lasts(take(c)); !slices.Equal(got, []int64{11}) {
			t.Errorf("then %v; want 11", got)
		}
	})
}

// Of a state only the newest message is kept, and it says how many it stands for.
func TestConflation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &retryws.Consumer{Size: 3, Overflow: retryws.Conflate}
		v, _ := feed(t, c, "a")
		for i := range 10 {
			v.publish("a", fmt.Sprint(i+1, " ", i+1))
		}
		synctest.Wait()
		events := take(c)
		if got, want := lasts(events), []int64{-1, 1, 2, 10}; !slices.Equal(got, want) || events[3].Missed != 7 {
			t.Errorf("events %v, standing for %d; want %v, 7", got, events[len(events)-1].Missed, want)
		}
	})
}

// Live and Broken are never lost, and a message of before a break does not follow it.
func TestStatesSurviveAFullQueue(t *testing.T) {
	for _, overflow := range []retryws.Overflow{retryws.MakeHole, retryws.Conflate} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &retryws.Consumer{Size: 2, Overflow: overflow}
				v, _ := feed(t, c, "a")
				for i := range 5 {
					v.publish("a", fmt.Sprint(i+1, " ", i+1))
				}
				synctest.Wait()
				v.wire(0).fail(errReset)
				synctest.Wait()
				want := []int64{-1, 1, -3, -2}
				if overflow == retryws.Conflate {
					want = []int64{-1, 1, -2}
				}
				if got := lasts(take(c)); !slices.Equal(got, want) {
					t.Errorf("events %v; want %v", got, want)
				}
			})
		})
	}
}

func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &retryws.Consumer{Match: func(t retryws.Topic) bool { return t.Channel == "a" }}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errReset) })
		if _, err := c.Next(ctx); !errors.Is(err, errReset) {
			t.Errorf("Next = %v; want the cause of the context", err)
		}
		v, s := feed(t, c, "a", "b")
		v.publish("a", "1 1")
		v.publish("b", "1 1")
		synctest.Wait()
		late := &retryws.Consumer{Match: c.Match}
		s.Attach(late)
		if got := lasts(take(late)); !slices.Equal(got, []int64{-1}) {
			t.Errorf("attached later: %v; want a Live", got)
		}
		done := make(chan int, 2)
		for range 2 { // both wake when the consumer ends
			go func() {
				n := 0
				for range c.Events(t.Context()) {
					n++
				}
				done <- n
			}()
		}
		synctest.Wait()
		s.Close()
		if n := <-done + <-done; n != 3 {
			t.Errorf("%d events; want Live, a message, Broken", n)
		}
		if _, err := c.Next(t.Context()); !errors.Is(err, retryws.ErrClosed) {
			t.Errorf("Next = %v; want %v", err, retryws.ErrClosed)
		}
		s.Attach(&retryws.Consumer{}) // ended at once
		late.Close()
		for range late.Events(t.Context()) {
			break
		}
	})
}

// A closed consumer takes nothing more, and holds nobody up.
func TestClosedConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &retryws.Consumer{Size: 1, Overflow: retryws.Cut}
		v, s := feed(t, c, "a")
		c.Close()
		for i := range 10 {
			v.publish("a", fmt.Sprint(i+1, " ", i+1))
		}
		synctest.Wait()
		if got := lasts(take(c)); !slices.Equal(got, []int64{-1}) || s.Stats().Cuts != 0 {
			t.Errorf("events %v, %d cuts; want what came before, none", got, s.Stats().Cuts)
		}
	})
}
