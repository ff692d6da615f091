package retryws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// words is the protocol of the tests: words with spaces between.
//
//	auth ID VALUE          sub ID TOPIC…         unsub ID TOPIC…        ping
//	d TOPIC FIRST LAST KEY MS    hb [TOPIC]    ok ID [TOPIC…]    no ID TEXT    authed    bye SECONDS    err SIGN SECONDS TEXT
type words struct {
	auth  bool
	pings bool // as messages
	fail  error
}

func (w *words) Address(c retryws.Credentials) retryws.Address {
	return retryws.Address{URL: "wss://stream.venue.example/ws?token=" + c.Value}
}

func (w *words) Auth(r *retryws.Request) ([]byte, error) {
	if !w.auth {
		return nil, nil
	}
	return fmt.Appendf(nil, "auth %d %s", r.ID, r.Credentials.Value), nil
}

func (w *words) Subscribe(r *retryws.Request) ([]byte, error)   { return w.topics("sub", r) }
func (w *words) Unsubscribe(r *retryws.Request) ([]byte, error) { return w.topics("unsub", r) }

func (w *words) topics(verb string, r *retryws.Request) ([]byte, error) {
	m := fmt.Appendf(nil, "%s %d", verb, r.ID)
	for _, t := range r.Topics {
		m = append(append(m, ' '), t.String()...)
	}
	return m, w.fail
}

func (w *words) Ping() []byte {
	if w.pings {
		return []byte("ping")
	}
	return nil
}

func topic(s string) retryws.Topic {
	channel, symbol, _ := strings.Cut(s, ".")
	return retryws.Topic{Channel: channel, Symbol: symbol}
}

func (w *words) Classify(m []byte, f *retryws.Frame) {
	v := strings.Fields(string(m))
	number := func(i int) int64 {
		if i >= len(v) {
			return 0
		}
		n, _ := strconv.ParseInt(v[i], 10, 64)
		return n
	}
	switch v[0] {
	case "d":
		f.Kind, f.Topic, f.First, f.Last = retryws.Data, topic(v[1]), number(2), number(3)
		if len(v) > 4 && v[4] != "-" {
			f.Key = v[4]
		}
		if ms := number(5); ms != 0 {
			f.Time = time.UnixMilli(ms)
		}
	case "hb":
		f.Kind = retryws.Heartbeat
		if len(v) > 1 {
			f.Topic = topic(v[1])
		}
	case "ok", "no":
		f.Kind = retryws.Confirmed
		if f.ID = uint64(number(1)); v[0] == "no" {
			f.Kind, f.Text = retryws.Refused, strings.Join(v[2:], " ")
			return
		}
		for _, t := range v[2:] {
			f.Topics = append(f.Topics, topic(t))
		}
	case "authed":
		f.Kind = retryws.Authed
	case "pong":
		f.Kind = retryws.Pong
	case "test":
		f.Kind, f.Answer = retryws.Heartbeat, []byte("tested")
	case "note":
		f.Kind, f.Text = retryws.Notice, strings.Join(v[1:], " ")
	case "bye":
		f.Kind, f.Closing, f.Within = retryws.Notice, true, time.Duration(number(1))*time.Second
	case "err":
		f.Kind, f.Sign, f.After, f.Text = retryws.Fault, retryws.Sign(number(1)), time.Duration(number(2))*time.Second, strings.Join(v[3:], " ")
	}
}

// A venue is the other side. Its hooks are set before it is used.
type venue struct {
	refuse  func(n int) error            // of dial n, from 1
	message func(w *wire, m string) bool // true: do not answer as usual
	ping    func(w *wire) bool           // false: no pong
	opened  func(w *wire)
	latency func(n int) time.Duration // from the venue to link n

	mu    sync.Mutex
	dials []time.Time
	wires []*wire
	open  atomic.Int64
}

var errReset = errors.New("connection reset")

func (v *venue) Dial(ctx context.Context, to retryws.Address, heard func()) (retryws.Conn, error) {
	v.mu.Lock()
	v.dials = append(v.dials, time.Now())
	n := len(v.dials)
	v.mu.Unlock()
	if v.refuse != nil {
		if err := v.refuse(n); err != nil {
			return nil, err
		}
	}
	w := &wire{v: v, n: n, to: to, heard: heard, in: make(chan timed, 1<<14), closed: make(chan struct{}), subs: map[string]bool{}}
	if v.latency != nil {
		w.latency = v.latency(n)
	}
	v.mu.Lock()
	v.wires = append(v.wires, w)
	v.mu.Unlock()
	v.open.Add(1)
	if v.opened != nil {
		v.opened(w)
	}
	return w, nil
}

func (v *venue) wire(i int) *wire {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i < 0 {
		i += len(v.wires)
	}
	return v.wires[i]
}

func (v *venue) times() []time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]time.Time(nil), v.dials...)
}

// publish sends a message to every open link that has the topic.
func (v *venue) publish(topic, rest string) {
	v.mu.Lock()
	wires := append([]*wire(nil), v.wires...)
	v.mu.Unlock()
	for _, w := range wires {
		if w.has(topic) {
			w.say("d " + topic + " " + rest)
		}
	}
}

type timed struct {
	at time.Time
	m  []byte
}

// A wire is one connection of the venue.
type wire struct {
	v       *venue
	n       int
	to      retryws.Address
	heard   func()
	latency time.Duration
	in      chan timed
	once    sync.Once
	closed  chan struct{}
	err     error

	mu   sync.Mutex
	subs map[string]bool
	got  []string
	code int
	stop bool // takes no writes any more
}

func (w *wire) say(m string) {
	select {
	case w.in <- timed{time.Now().Add(w.latency), []byte(m)}:
	default:
		panic("the wire is full")
	}
}

func (w *wire) has(topic string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.subs[topic]
}

// sent returns what the client has written, of the kind that begins so.
func (w *wire) sent(prefix string) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.got {
		if strings.HasPrefix(m, prefix) {
			out = append(out, m)
		}
	}
	return out
}

func (w *wire) fail(err error) {
	w.once.Do(func() {
		w.err = err
		close(w.closed)
		w.v.open.Add(-1)
	})
}

func (w *wire) Read(ctx context.Context) ([]byte, error) {
	select {
	case m := <-w.in:
		return w.arrive(ctx, m)
	default:
	}
	select {
	case m := <-w.in:
		return w.arrive(ctx, m)
	case <-w.closed:
		return nil, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) arrive(ctx context.Context, m timed) ([]byte, error) {
	if d := time.Until(m.at); d > 0 {
		select {
		case <-time.After(d):
		case <-w.closed:
			return nil, w.err
		}
	}
	return m.m, nil
}

func (w *wire) Write(ctx context.Context, m []byte) error {
	select {
	case <-w.closed:
		return w.err
	default:
	}
	w.mu.Lock()
	stop := w.stop
	w.got = append(w.got, string(m))
	w.mu.Unlock()
	if stop {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.v.message == nil || !w.v.message(w, string(m)) {
		w.answer(string(m))
	}
	return nil
}

// answer is what a venue in good health does.
func (w *wire) answer(m string) {
	v := strings.Fields(m)
	switch v[0] {
	case "auth":
		w.say("authed")
	case "ping":
		w.say("pong")
	case "sub", "unsub":
		w.mu.Lock()
		for _, t := range v[2:] {
			w.subs[t] = v[0] == "sub"
		}
		w.mu.Unlock()
		w.say("ok " + v[1])
	}
}

func (w *wire) Ping(ctx context.Context) error {
	if w.v.ping == nil || w.v.ping(w) {
		select {
		case <-w.closed:
			return w.err
		default:
			return nil
		}
	}
	select {
	case <-w.closed:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *wire) Close(code int) error {
	w.mu.Lock()
	w.code = code
	w.mu.Unlock()
	w.fail(io.EOF)
	return nil
}

// A log is an observer that remembers.
type log struct {
	mu      sync.Mutex
	changes []retryws.Change
}

func (l *log) observe(c retryws.Change) {
	l.mu.Lock()
	l.changes = append(l.changes, c)
	l.mu.Unlock()
}

func (l *log) of(kind retryws.ChangeKind) (out []retryws.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// states returns the states that were entered.
func (l *log) states() string {
	var b bytes.Buffer
	for _, c := range l.of(retryws.StateChanged) {
		fmt.Fprintf(&b, "%v ", c.State)
	}
	return strings.TrimSpace(b.String())
}

// run starts a session that is closed at the end of the test.
func run(t *testing.T, c retryws.Config, topics ...string) *retryws.Session {
	t.Helper()
	s := retryws.New(c)
	var want []retryws.Topic
	for _, name := range topics {
		want = append(want, topic(name))
	}
	if err := s.Want(want...); err != nil {
		t.Fatal(err)
	}
	go s.Run(t.Context())
	t.Cleanup(s.Close)
	return s
}

// expect waits until a session is in the state, at most d.
func expect(t *testing.T, s *retryws.Session, state retryws.State, d time.Duration) {
	t.Helper()
	until(t, d, func() bool { return s.State() == state }, func() string {
		return fmt.Sprintf("state %v; want %v", s.State(), state)
	})
}

func until(t *testing.T, d time.Duration, is func() bool, text func() string) {
	t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		synctest.Wait()
		if is() {
			return
		}
		if !time.Now().Before(end) {
			t.Fatalf("after %v: %s", d, text())
		}
	}
}

// take returns what is in a consumer's queue.
func take(c *retryws.Consumer) (events []retryws.Event) {
	for c.Len() > 0 {
		e, _ := c.Next(context.Background())
		events = append(events, e)
	}
	return events
}

// lasts are the sequence numbers of the messages among events; Live, Broken and Hole are -1, -2 and -3.
func lasts(events []retryws.Event) (out []int64) {
	for _, e := range events {
		if e.Kind == retryws.Message {
			out = append(out, e.Last)
		} else {
			out = append(out, -int64(e.Kind))
		}
	}
	return out
}
