package sqldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// bourse is a small venue with its own truth. It takes nothing after a request's deadline.
type bourse struct {
	mu     sync.Mutex
	orders map[string][]order.Terms // by client id
	deaf   bool                     // nothing arrives, and nothing is answered
}

func (b *bourse) has(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.orders[id])
}

// sdk is how one process reaches the venue.
type sdk struct {
	*bourse
	desk exchange.Desk
}

func (s *sdk) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	now := time.Now()
	sending := &exchange.Sending{
		Venue: "v", Kind: exchange.Order, Account: "a", Symbol: o.Symbol, ClientID: o.Wire, Signed: now, Deadline: now.Add(100 * time.Millisecond),
	}
	if err := s.desk.Begin(ctx, sending); err != nil {
		return order.Report{}, err
	}
	if s.deaf {
		s.desk.End(ctx, sending, &exchange.Verdict{Kind: exchange.Order, Outcome: exchange.Unknown})
		return order.Report{}, errKilled
	}
	s.mu.Lock()
	s.orders[o.Wire] = append(s.orders[o.Wire], o.Terms)
	s.mu.Unlock()
	s.desk.End(ctx, sending, &exchange.Verdict{Kind: exchange.Order, Outcome: exchange.Exists, Status: 200})
	return s.Query(ctx, order.Ref{Wire: o.Wire})
}

func (s *sdk) Query(_ context.Context, r order.Ref) (order.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders[r.Wire]) == 0 {
		return order.Report{}, order.ErrNotFound
	}
	return order.Report{Wire: r.Wire, VenueID: "v" + r.Wire, Status: order.StatusNew, Terms: s.orders[r.Wire][0]}, nil
}

func (s *sdk) Cancel(context.Context, order.Ref, string) error { return order.ErrUnsupported }

func (s *sdk) Canary(context.Context, string) error { return nil }

type wall struct{}

func (wall) Venue() (time.Time, time.Duration, bool)          { return time.Now(), 0, true }
func (wall) Gapless(time.Time) bool                           { return true }
func (wall) Raise(context.Context, order.Alarm)               {}
func (wall) Permit(context.Context, *order.Intent, int) error { return nil }

var errKilled = errors.New("killed")

// mortal is the log of a process that is killed at a point: after that it neither writes to the database nor reads
// from it.
type mortal struct {
	order.Log
	before, after order.Kind // the write that is never made, or that nobody hears of
	dead          atomic.Bool
	cut           atomic.Bool // from renewing its lease only
}

func (m *mortal) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	if len(entries) > 0 && entries[0].Kind == m.before {
		m.dead.Store(true)
	}
	if m.dead.Load() {
		return errKilled
	}
	err := m.Log.Append(ctx, l, entries...)
	if len(entries) > 0 && entries[0].Kind == m.after {
		m.dead.Store(true)
		return errKilled
	}
	return err
}

func (m *mortal) Acquire(ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if m.dead.Load() || m.cut.Load() {
		return order.Lease{}, errKilled
	}
	return m.Log.Acquire(ctx, s, owner, span)
}

func (m *mortal) Release(ctx context.Context, l order.Lease) error {
	if m.dead.Load() {
		return errKilled
	}
	return m.Log.Release(ctx, l)
}

func (m *mortal) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if m.dead.Load() {
		return nil, errKilled
	}
	return m.Log.Load(ctx, s, id)
}

func (m *mortal) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	if m.dead.Load() {
		return nil, errKilled
	}
	return m.Log.Open(ctx, s, after, limit)
}

const machineLease = 500 * time.Millisecond

// process is a machine with a connection to the database of its own.
func process(t *testing.T, url, owner string, b *bourse, log *mortal) *order.Machine {
	log.Log = reopen(t, url).Orders()
	s := &sdk{bourse: b}
	m := &order.Machine{
		Scope: order.Scope{Venue: "v", Account: "a", Prefix: "A1"}, Adapter: s, Log: log, Owner: owner,
		Rules: order.Rules{
			Venue: "v", Fence: true, Residual: 50 * time.Millisecond, Resend: order.ResendAfterProof, QueryClosed: true, AckIsEngine: true,
			FirstWait: 10 * time.Millisecond, Spacing: 20 * time.Millisecond,
		},
		Clock: wall{}, Alert: wall{}, Risk: wall{}, Stream: wall{}, Unguarded: true, Lease: machineLease,
	}
	s.desk = m
	return m
}

// run runs a machine until the test ends.
func run(t *testing.T, m *order.Machine) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- m.Run(context.Background()) }()
	select {
	case <-m.Ready():
	case err := <-ended:
		t.Fatalf("Run = %v; want it to run", err)
	}
	t.Cleanup(func() {
		m.Close()
		<-ended
	})
}

func resting(n uint64) order.Intent {
	return order.Intent{Strategy: "s", Counter: n, MaxAge: time.Minute, Terms: order.Terms{
		Symbol: "BTC", Side: order.Buy, Type: order.Limit, Quantity: "1", Price: "90", PostOnly: true,
	}}
}

func restingID(n uint64) string { return order.NewID("A1", "s", n) }

// onEach runs a test on both engines.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": fileURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) { test(t, url(t)) })
	}
}

// R9, and what DESIGN calls the window between intent, attempt and answer: wherever a process is killed, the next one makes
// one order of each intent, or finds the one that there is.
func TestMachineIsKilled(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		for i, point := range []struct {
			name          string
			before, after order.Kind
			there         int // orders at the venue when it died
			attempts      int // after all
		}{
			{"before the intent is written", order.KindIntent, "", 0, 0},
			{"when the intent is written", "", order.KindIntent, 0, 0},
			{"before the attempt is written", order.KindSending, "", 0, 1},
			{"when the attempt is written", "", order.KindSending, 0, 2},
			{"before the answer is written", order.KindReport, "", 1, 1},
			{"when the answer is written", "", order.KindReport, 1, 1},
		} {
			t.Run(point.name, func(t *testing.T) {
				b := &bourse{orders: make(map[string][]order.Terms)}
				n := uint64(i)
				first := process(t, url, "first", b, &mortal{before: point.before, after: point.after})
				first.Account = point.name // a scope, and a lease, of its own
				run(t, first)
				_, _ = first.Submit(t.Context(), resting(n))
				if got := b.has(restingID(n)); got != point.there {
					t.Fatalf("the venue has %d orders when the process dies; want %d", got, point.there)
				}
				second := process(t, url, "second", b, &mortal{})
				second.Account = point.name
				if err := second.Run(t.Context()); !errors.Is(err, order.ErrHeld) {
					t.Errorf("Run before the lease has ended = %v; want %v", err, order.ErrHeld)
				}
				time.Sleep(machineLease)
				third := process(t, url, "third", b, &mortal{})
				third.Account = point.name
				run(t, third)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				o, err := third.Wait(ctx, restingID(n))
				if point.before == order.KindIntent {
					if !errors.Is(err, order.ErrNoOrder) || b.has(restingID(n)) != 0 {
						t.Errorf("%+v, %v; want no trace of it", o, err)
					}
					return
				}
				want := max(1, point.attempts)
				if err != nil || o.State != order.Acked || len(o.Attempts) != want || b.has(restingID(n)) != 1 {
					t.Errorf("the order is %v (%s) after %d attempts, %v; the venue has %d; want it acked after %d, and one", o.State, o.Why, len(o.Attempts), err, b.has(restingID(n)), want)
				}
				if _, err := third.Submit(ctx, resting(n)); !errors.Is(err, order.ErrExists) {
					t.Errorf("Submit again = %v; want %v", err, order.ErrExists)
				}
			})
		}
	})
}

// R10: of processes with one prefix one writes, and one that has lost its lease in its sleep sends nothing.
func TestMachinesOfOnePrefix(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		b := &bourse{orders: make(map[string][]order.Terms)}
		log := &mortal{}
		var ready, held atomic.Int32
		refused := make(chan struct{}, 4)
		var group sync.WaitGroup
		for n := range 4 {
			m := process(t, url, fmt.Sprint("racer ", n), b, &mortal{})
			group.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					select {
					case <-m.Ready():
						ready.Add(1)
						for range 3 {
							select {
							case <-refused:
							case <-time.After(2 * time.Second):
							}
						}
						cancel()
					case <-ctx.Done():
					}
				}()
				if err := m.Run(ctx); errors.Is(err, order.ErrHeld) {
					held.Add(1)
					refused <- struct{}{}
				} else if err != nil {
					t.Errorf("Run = %v; want nil", err)
				}
			})
		}
		group.Wait()
		if ready.Load() != 1 || held.Load() != 3 {
			t.Fatalf("%d of 4 processes run, %d were told that another does; want 1 and 3", ready.Load(), held.Load())
		}
		sleeper := process(t, url, "sleeper", b, log)
		run(t, sleeper)
		if o, err := sleeper.Submit(t.Context(), resting(1)); err != nil || o.State != order.Acked {
			t.Fatalf("Submit = %v, %v; want it acked", o.State, err)
		}
		log.cut.Store(true)
		time.Sleep(machineLease + machineLease/2)
		heir := process(t, url, "heir", b, &mortal{})
		run(t, heir)
		if _, err := sleeper.Submit(t.Context(), resting(2)); !errors.Is(err, order.ErrFenced) || b.has(restingID(2)) != 0 {
			t.Errorf("Submit by the one who slept = %v, %d orders; want %v, none", err, b.has(restingID(2)), order.ErrFenced)
		}
		if o, err := heir.Wait(t.Context(), restingID(1)); err != nil || o.State != order.Acked {
			t.Errorf("the heir has %v, %v; want what was acked", o.State, err)
		}
		// Many at once with one id: one order. BTC may still be closed, as what was restored is being read.
		other := resting(3)
		other.Symbol = "ETH"
		var sent atomic.Int32
		for range 16 {
			group.Go(func() {
				switch _, err := heir.Submit(t.Context(), other); {
				case err == nil:
					sent.Add(1)
				case !errors.Is(err, order.ErrExists) && !errors.Is(err, order.ErrReused):
					t.Errorf("Submit = %v; want it made or taken", err)
				}
			})
		}
		group.Wait()
		if sent.Load() != 1 || b.has(restingID(3)) != 1 {
			t.Errorf("%d of 16 callers sent, the venue has %d; want one, and one", sent.Load(), b.has(restingID(3)))
		}
	})
}
