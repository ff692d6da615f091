package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

func TestSpread(t *testing.T) {
	rate := func(t retryws.Topic) float64 { return float64(len(t.Channel)) }
	for _, test := range []struct {
		name   string
		topics string
		limits retryws.Limits
		before []string
		want   string
	}{
		{"one link without limits", "a b c", retryws.Limits{}, nil, "a b c"},
		{"by number", "a b c", retryws.Limits{Topics: 2}, nil, "a c|b"},
		{"by rate", "a b cccc dd", retryws.Limits{Topics: 2}, nil, "cccc b|dd a"},
		{"by bytes", "aaaa b c", retryws.Limits{LinkBytes: 9}, nil, "aaaa|b c"},
		{"a topic that alone is too long", "aaaaaaaaaa b", retryws.Limits{LinkBytes: 9}, nil, "aaaaaaaaaa|b"},
		{"what was stays", "a b c d", retryws.Limits{Topics: 2}, []string{"d", "x a"}, "d b|a c"},
		{"and nothing moves when some go", "b", retryws.Limits{Topics: 2}, []string{"a", "b c"}, "|b"},
		{"more links when all are full", "a b c", retryws.Limits{Topics: 1}, []string{"a"}, "a|b|c"},
		{"twice the same", "a a", retryws.Limits{}, nil, "a"},
		{"none", "", retryws.Limits{}, nil, ""},
	} {
		var before [][]retryws.Topic
		for _, b := range test.before {
			before = append(before, wanted(strings.Fields(b)))
		}
		var got []string
		for _, link := range retryws.Spread(wanted(strings.Fields(test.topics)), rate, test.limits, before) {
			var names []string
			for _, t := range link {
				names = append(names, t.String())
			}
			got = append(got, strings.Join(names, " "))
		}
		if got := strings.Join(got, "|"); got != test.want {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
	}
}

// Whatever is wanted, each topic is on one link, no link has more than it may, and what stays wanted stays in place.
func TestSpreadProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var before [][]retryws.Topic
	limits := retryws.Limits{Topics: 7, LinkBytes: 80}
	for range 500 {
		all := names(100)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		topics := wanted(all[:r.IntN(100)])
		after := retryws.Spread(topics, nil, limits, before)
		seen := map[retryws.Topic]int{}
		for i, link := range after {
			bytes := 0
			for _, t := range link {
				seen[t] = i + 1
				bytes += len(t.String()) + 3
			}
			if len(link) > limits.Topics || bytes > limits.LinkBytes {
				t.Fatalf("link %d has %d topics of %d bytes", i, len(link), bytes)
			}
		}
		if len(seen) != len(topics) {
			t.Fatalf("%d topics are spread; want %d", len(seen), len(topics))
		}
		for i, link := range before {
			for _, topic := range link {
				if slices.Contains(topics, topic) && seen[topic] != i+1 {
					t.Fatalf("%v moved from link %d to %d", topic, i+1, seen[topic])
				}
			}
		}
		before = after
	}
}

// One link's loss does not move the others.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		var g *retryws.Group
		c := retryws.Config{Name: "venue", Protocol: &words{}, Dialer: v, Limits: retryws.Limits{Topics: 2}, Observe: func(c retryws.Change) {
			g.Sessions() // a hook may ask
			l.observe(c)
		}}
		g = retryws.NewGroup(c, 3, nil)
		q := &retryws.Consumer{}
		g.Attach(q)
		if err := g.Want(wanted(names(4))...); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- g.Run(t.Context()) }()
		synctest.Wait()
		if n := len(g.Sessions()); n != 2 || v.open.Load() != 2 {
			t.Errorf("%d sessions, %d links; want 2", n, v.open.Load())
		}
		late := &retryws.Consumer{}
		g.Attach(late)
		if err := g.Want(wanted(names(7))...); err == nil || !strings.Contains(err.Error(), "need 4 links") {
			t.Errorf("Want(7 topics) = %v; want refused", err)
		}
		g.Want(wanted(names(6))...)
		synctest.Wait()
		v.wire(0).fail(errReset)
		synctest.Wait()
		if v.open.Load() != 2 {
			t.Errorf("%d links; want the other two to stay", v.open.Load())
		}
		time.Sleep(time.Second)
		for _, name := range names(6) {
			v.publish(name, "1 1")
		}
		synctest.Wait()
		for _, c := range []*retryws.Consumer{q, late} {
			n := 0
			for _, e := range take(c) {
				if e.Kind == retryws.Message {
					n++
				}
			}
			if n != 6 {
				t.Errorf("%d messages; want 6", n)
			}
		}
		g.Want(topic("trades.000"))
		synctest.Wait()
		if n := len(g.Sessions()); n != 1 || v.open.Load() != 1 {
			t.Errorf("%d sessions, %d links; want 1", n, v.open.Load())
		}
		g.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v; want nil after Close", err)
		}
		g.Close()
		if err := g.Run(t.Context()); !errors.Is(err, retryws.ErrClosed) {
			t.Errorf("Run again = %v; want %v", err, retryws.ErrClosed)
		}
		take(q)
		if _, err := q.Next(t.Context()); !errors.Is(err, retryws.ErrClosed) {
			t.Errorf("Next = %v; want %v", err, retryws.ErrClosed)
		}
	})
}

// The errors of sessions that ended by themselves come with the end of the group.
func TestGroupErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{refuse: func(int) error { return &retryws.HandshakeError{Status: 401} }}
		g := retryws.NewGroup(retryws.Config{Protocol: &words{}, Dialer: v, Limits: retryws.Limits{LinkBytes: 20}}, 0, nil)
		if err := g.Want(topic(strings.Repeat("x", 21))); err == nil || !strings.Contains(err.Error(), "alone") {
			t.Errorf("Want = %v; want refused", err)
		}
		g.Want(topic("a"))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errReset) })
		if err := g.Run(ctx); !errors.Is(err, errReset) || !errors.Is(err, retryws.ErrAuth) {
			t.Errorf("Run = %v; want both errors", err)
		}
	})
}

// A group that is closed before it runs ends its consumers.
func TestGroupThatNeverRan(t *testing.T) {
	g := retryws.NewGroup(retryws.Config{Protocol: &words{}, Dialer: &venue{}}, 0, nil)
	c := &retryws.Consumer{}
	g.Attach(c)
	g.Want(topic("a"))
	g.Close()
	if _, err := c.Next(t.Context()); !errors.Is(err, retryws.ErrClosed) {
		t.Errorf("Next = %v; want %v", err, retryws.ErrClosed)
	}
	c = &retryws.Consumer{}
	g.Attach(c)
	if _, err := c.Next(t.Context()); !errors.Is(err, retryws.ErrClosed) {
		t.Errorf("Next = %v; want %v", err, retryws.ErrClosed)
	}
	g.Want(topic("a"), topic(fmt.Sprint("b"))) // changes nothing any more
}
