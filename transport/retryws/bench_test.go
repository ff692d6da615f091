package retryws

import (
	"context"
	"testing"
	"time"
)

// fixed classifies every message as the same topic, so that what is measured is the path around it.
type fixed struct {
	topic Topic
	seq   int64
	key   string
}

func (*fixed) Address(Credentials) Address          { return Address{} }
func (*fixed) Auth(*Request) ([]byte, error)        { return nil, nil }
func (*fixed) Subscribe(*Request) ([]byte, error)   { return []byte("s"), nil }
func (*fixed) Unsubscribe(*Request) ([]byte, error) { return []byte("u"), nil }
func (*fixed) Ping() []byte                         { return nil }
func (p *fixed) Classify(_ []byte, f *Frame) {
	p.seq++
	f.Kind, f.Topic, f.First, f.Last, f.Key = Data, p.topic, p.seq, p.seq, p.key
}

// path returns a link that is live, without goroutines, and its consumers.
func path(consumers int) (*link, []*Consumer) {
	p := &fixed{topic: Topic{Channel: "trades", Symbol: "BTCUSDT"}}
	s := New(Config{Protocol: p})
	var all []*Consumer
	for range consumers {
		c := &Consumer{}
		s.Attach(c)
		all = append(all, c)
	}
	l := &link{s: s, number: 1, subs: make(map[Topic]*subscription), authed: true, playing: true, kick: make(chan struct{}, 1)}
	l.ctx = context.Background()
	s.Want(p.topic)
	for i := range 100 { // a map of the usual size
		t := Topic{Channel: "trades", Symbol: time.Duration(i).String()}
		l.subs[t] = &subscription{flow: s.flow(t), at: on}
	}
	l.subs[p.topic] = &subscription{flow: s.flow(p.topic), at: on, seen: time.Now()}
	s.active = l
	l.receive(nil)
	return l, all
}

func drain(all []*Consumer) {
	for _, c := range all {
		c.mu.Lock()
		for _, ok := c.pop(); ok; _, ok = c.pop() {
		}
		c.mu.Unlock()
	}
}

// The path of a message allocates nothing.
func TestFrameAllocs(t *testing.T) {
	l, all := path(2)
	for range 2000 {
		l.receive(nil)
		drain(all)
	}
	if n := testing.AllocsPerRun(1000, func() {
		l.receive(nil)
		drain(all)
	}); n != 0 {
		t.Errorf("%v allocations for each message; want none", n)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, test := range []struct {
		name      string
		consumers int
	}{{"1 consumer", 1}, {"4 consumers", 4}} {
		b.Run(test.name, func(b *testing.B) {
			l, all := path(test.consumers)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.receive(nil)
				if i%512 == 0 {
					drain(all)
				}
			}
		})
	}
	b.Run("full queue", func(b *testing.B) {
		l, _ := path(1)
		b.ReportAllocs()
		for b.Loop() {
			l.receive(nil)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	l, all := path(1)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		l.receive(nil)
		all[0].Next(ctx)
	}
}
