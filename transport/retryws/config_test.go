package retryws_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

func TestConfigCheck(t *testing.T) {
	good := retryws.Config{Protocol: &words{}, Dialer: &venue{}}
	if err := good.Check(); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	bad := retryws.Config{
		DialTimeout: -1, MaxAge: -1, Buffer: -1, MaxLag: -1, Account: &retryws.Account{}, Budgets: []*retryws.Budget{nil},
		Renew:  func(context.Context, retryws.Credentials) (c retryws.Credentials, err error) { return },
		Limits: retryws.Limits{Messages: -1, Topics: -1, LinkBytes: -1, Batch: -1, BatchBytes: -1, Per: -1},
		Clocks: retryws.Clocks{Confirm: -1},
	}
	err := bad.Check()
	if err == nil {
		t.Fatal("Check = nil; want all the mistakes")
	}
	lines := strings.Split(err.Error(), "\n")
	fields := []string{"Protocol", "Dialer", "DialTimeout", "MaxAge", "Buffer", "MaxLag", "Renew", "Account.Reconcile", "Budgets[0]",
		"Limits.Messages", "Limits.Topics", "Limits.LinkBytes", "Limits.Batch", "Limits.BatchBytes", "Limits.Per", "Clocks.Confirm"}
	if len(lines) != len(fields) {
		t.Fatalf("Check = %v; want %d mistakes", err, len(fields))
	}
	for i, field := range fields {
		if !strings.HasPrefix(lines[i], field+": ") {
			t.Errorf("mistake %d is %q; want one of %s", i, lines[i], field)
		}
	}
	bad = good
	bad.MaxAge = time.Second
	if err := bad.Check(); err == nil || !strings.HasPrefix(err.Error(), "MaxAge: is below a minute") {
		t.Errorf("Check = %v", err)
	}
	if err := retryws.New(retryws.Config{Name: "x"}).Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "session x: Protocol: ") {
		t.Errorf("Run = %v; want what is wrong", err)
	}
}

func TestTexts(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{(&retryws.HandshakeError{Status: 429, After: time.Second, Body: "slow\n"}).Error(), `handshake refused with http 429, to be tried again in 1s: "slow\n"`},
		{(&retryws.HandshakeError{Status: 502}).Error(), "handshake refused with http 502"},
		{(&retryws.CloseError{Code: 1008}).Error(), "closed by the other side with 1008"},
		{(&retryws.CloseError{Code: 1008, Reason: "why"}).Error(), `closed by the other side with 1008: "why"`},
		{retryws.State(99).String(), "UNKNOWN"},
		{retryws.Stopped.String(), "STOPPED"},
		{retryws.Reason(99).String(), "unknown"},
		{retryws.Topic{Channel: "a"}.String(), "a"},
		{retryws.Topic{Channel: "a", Symbol: "b"}.String(), "a.b"},
	} {
		if test.got != test.want {
			t.Errorf("%q; want %q", test.got, test.want)
		}
	}
	if err := error(&retryws.HandshakeError{Err: errReset}); !errors.Is(err, errReset) {
		t.Errorf("%v does not unwrap", err)
	}
	var labels []string
	retryws.Stats{}.ByReason(func(reason string, n uint64) { labels = append(labels, reason) })
	if got := strings.Join(labels, "|"); got != "eof|timeout|heartbeat|refused|auth|gap|requested" {
		t.Errorf("labels %s", got)
	}
}

// A session runs once, and one that never ran lets its consumers go.
func TestRunOnce(t *testing.T) {
	s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: &venue{}})
	c := &retryws.Consumer{}
	s.Attach(c)
	s.Close()
	if err := s.Run(t.Context()); !errors.Is(err, retryws.ErrClosed) {
		t.Errorf("Run = %v; want %v", err, retryws.ErrClosed)
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, retryws.ErrClosed) {
		t.Errorf("Next = %v; want %v", err, retryws.ErrClosed)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errReset)
	if err := retryws.New(retryws.Config{Protocol: &words{}, Dialer: &venue{}}).Run(ctx); !errors.Is(err, errReset) {
		t.Errorf("Run = %v; want the cause of the context", err)
	}
}
