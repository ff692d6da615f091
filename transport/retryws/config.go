package retryws

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// What zero fields of a [Config] mean.
const (
	DefaultDialTimeout = 15 * time.Second
	DefaultAuthTimeout = 10 * time.Second
	DefaultConfirm     = 5 * time.Second
	DefaultBuffer      = 10_000
	DefaultMaxLag      = 5 * time.Second
)

// A Config says how a [Session] works. It is plain data, and not modified while in use.
type Config struct {
	Name     string   // in changes: the venue, or venue and account
	Protocol Protocol // required
	Dialer   Dialer   // required

	// Budgets must all grant each connect, asked in order. Without one, connects are limited by the
	// backoff alone: a program with more than one session should share one among all of a venue.
	Budgets []*Budget
	Limits  Limits
	Clocks  Clocks

	DialTimeout time.Duration // not positive means 15 s
	MaxAge      time.Duration // that the venue gives a link, planned turnover comes before; not positive means without end
	SingleLink  bool          // a second link beside the first is impossible: break before make (Alpaca)
	Buffer      int           // most events kept by a link that is not live yet; not positive means 10,000

	// Credentials fetches those of a private stream. Renew prolongs them at two thirds of their life; nil
	// means Credentials does. If the value changes then, a link with it takes over from the one without. An error
	// that retry.DefaultClassify takes for Permanent counts as a refused authentication, and a hint is obeyed.
	Credentials func(ctx context.Context) (Credentials, error)
	Renew       func(ctx context.Context, c Credentials) (Credentials, error)

	Account *Account // makes the stream a private one; nil for public ones
	Private bool     // takes the budget's private share even without an Account

	// Halt is asked directly before each dial. An error stops dialing; it is asked again each second. Open links
	// stay: they only listen. nil means never.
	Halt func() error

	// Verify is one read, by other means than the stream, of whether the venue has had anything for a topic after
	// since, as a last trade or an update id. True, or an error, means the subscription is dead; false, that the market
	// is quiet. Without it, and without heartbeats, silence of a topic proves nothing. The zero Topic asks for any.
	Verify func(ctx context.Context, t Topic, since time.Time) (bool, error)

	Offset  func() time.Duration // the venue's clock minus the local one, for the lag; nil means 0
	MaxLag  time.Duration        // above which the observer is told; not positive means 5 s
	Observe func(Change)         // told of changes, one at a time and in order; must be quick; nil for nobody
	Rand    func() float64       // uniform in [0, 1), safe for concurrent use; nil means math/rand/v2
}

// Limits are those of a venue for one link. Zero fields mean none.
type Limits struct {
	Messages   int           // sent in any time Per; a tenth, and at least one of several, is kept back for pongs
	Per        time.Duration // not positive means a second
	Topics     int           // subscribed on one link
	LinkBytes  int           // of their names in all, with three bytes each for punctuation
	Batch      int           // topics in one message; 0 means 100
	BatchBytes int           // of one message
}

// Clocks say when silence means death. Negative fields switch a clock off.
type Clocks struct {
	Ping      time.Duration // between our pings; two without an answer, a server's ping included, end the link; 0 means 10 s
	Heartbeat time.Duration // between the venue's; 0 means that it has none
	Message   time.Duration // longest silence of all topics; 0 means three heartbeats, or 30 s without
	Topic     time.Duration // shortest limit for one topic, which is 5 times the 99th percentile of its own gaps; 0 means 10 s
	Confirm   time.Duration // longest wait for a confirmation; not positive means 5 s
}

// An Account is the private side of a session: what must be read again when the stream may have lacked something.
// The functions are called one at a time, apart from Dirty and Clean, which must be quick.
type Account struct {
	// Dirty says that orders of the account may differ from what is known: when the session begins,
	// and as soon as a link is lost.
	Dirty func(why error)

	// Reconcile reads open orders, then fills since the given moment, then balances, and merges them. It
	// returns how many differences it found. since is a minute before the last event that was delivered, and the
	// zero time if there was none. Events that come meanwhile are delivered after it.
	Reconcile func(ctx context.Context, since time.Time) (differences int, err error)

	// Clean says that the account is known again, and that what came meanwhile is in the consumers' queues.
	Clean func()

	Every time.Duration // between reads when nothing is wrong, spread by a third either way; 0 means 45 s, negative means never
}

// Check returns what is wrong with c, each mistake beginning with its field, or nil.
func (c *Config) Check() error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(c.Protocol == nil, "Protocol: is required")
	wrong(c.Dialer == nil, "Dialer: is required")
	wrong(c.DialTimeout < 0, "DialTimeout: is negative: %v", c.DialTimeout)
	wrong(c.MaxAge < 0, "MaxAge: is negative: %v", c.MaxAge)
	wrong(c.MaxAge > 0 && c.MaxAge < time.Minute, "MaxAge: is below a minute: %v", c.MaxAge)
	wrong(c.Buffer < 0, "Buffer: is negative: %d", c.Buffer)
	wrong(c.MaxLag < 0, "MaxLag: is negative: %v", c.MaxLag)
	wrong(c.Renew != nil && c.Credentials == nil, "Renew: has nothing to prolong without Credentials")
	wrong(c.Account != nil && c.Account.Reconcile == nil, "Account.Reconcile: is required")
	for i, b := range c.Budgets {
		wrong(b == nil, "Budgets[%d]: is nil", i)
	}
	for _, n := range []struct {
		name string
		n    int
	}{{"Messages", c.Limits.Messages}, {"Topics", c.Limits.Topics}, {"LinkBytes", c.Limits.LinkBytes}, {"Batch", c.Limits.Batch}, {"BatchBytes", c.Limits.BatchBytes}} {
		wrong(n.n < 0, "Limits.%s: is negative: %d", n.name, n.n)
	}
	wrong(c.Limits.Per < 0, "Limits.Per: is negative: %v", c.Limits.Per)
	wrong(c.Clocks.Confirm < 0, "Clocks.Confirm: is negative: %v", c.Clocks.Confirm)
	return errors.Join(errs...)
}

// settle returns a copy of c with its defaults in place.
func (c *Config) settle() Config {
	s := *c
	s.DialTimeout = positive(s.DialTimeout, DefaultDialTimeout)
	s.Buffer = positive(s.Buffer, DefaultBuffer)
	s.MaxLag = positive(s.MaxLag, DefaultMaxLag)
	s.Private = s.Private || s.Account != nil
	s.Limits.Per = positive(s.Limits.Per, time.Second)
	s.Limits.Batch = positive(s.Limits.Batch, 100)
	s.Clocks.Confirm = positive(s.Clocks.Confirm, DefaultConfirm)
	s.Clocks.Ping = nonzero(s.Clocks.Ping, 10*time.Second)
	s.Clocks.Heartbeat = max(0, s.Clocks.Heartbeat)
	s.Clocks.Topic = nonzero(s.Clocks.Topic, 10*time.Second)
	if s.Clocks.Message == 0 && s.Clocks.Heartbeat > 0 {
		s.Clocks.Message = 3 * s.Clocks.Heartbeat
	}
	s.Clocks.Message = nonzero(s.Clocks.Message, 30*time.Second)
	if s.Rand == nil {
		s.Rand = rand.Float64
	}
	if s.Halt == nil {
		s.Halt = func() error { return nil }
	}
	if s.Offset == nil {
		s.Offset = func() time.Duration { return 0 }
	}
	if s.Account != nil {
		a := *s.Account
		a.Every = nonzero(a.Every, 45*time.Second)
		if a.Dirty == nil {
			a.Dirty = func(error) {}
		}
		if a.Clean == nil {
			a.Clean = func() {}
		}
		s.Account = &a
	}
	return s
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

func nonzero(v, otherwise time.Duration) time.Duration {
	if v != 0 {
		return v
	}
	return otherwise
}
