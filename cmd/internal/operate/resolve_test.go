package operate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

// trader is a venue that cannot be reached, and what else a machine needs.
type trader struct{}

var errAway = errors.New("the venue is away")

func (trader) Place(context.Context, *order.Intent) (order.Report, error) {
	return order.Report{}, errAway
}
func (trader) Query(context.Context, order.Ref) (order.Report, error) { return order.Report{}, errAway }
func (trader) Cancel(context.Context, order.Ref, string) error        { return errAway }
func (trader) Venue() (time.Time, time.Duration, bool)                { return time.Now(), 0, true }
func (trader) Raise(context.Context, order.Alarm)                     {}

// trading runs the machine that has the orders of orderLog, until the test ends.
func trading(t *testing.T, url string) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	m := &order.Machine{
		Scope:   order.Scope{Venue: "binance", Account: "main", Prefix: "R"},
		Adapter: trader{}, Log: db.Orders(), Rules: order.Rules{Venue: "binance"}, Clock: trader{}, Alert: trader{},
		Owner: "test", Unguarded: true, Sweep: 200 * time.Millisecond,
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), <-ended, db.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestOrdersResolve(t *testing.T) {
	t.Parallel()
	url := orderLog(t)
	resolve := func(id string, more ...string) (int, string, string) {
		t.Helper()
		return relent(t, append([]string{
			"orders", "resolve", id, "--store", url, "--venue", "binance", "--account", "main",
			"--actor", "ann", "--approver", "bob", "--reason", "not in the history",
		}, more...)...)
	}
	code, _, stderr := resolve("Rworking0000000000")
	if code != 1 {
		t.Errorf("code %d; want 1", code)
	}
	has(t, stderr, "order Rworking0000000000 is acked: only what is parked or in breach", "try: relent orders show Rworking0000000000 --venue binance")
	if code, _, stderr = resolve("Rnone"); code != 1 {
		t.Errorf("code %d; want 1", code)
	}
	has(t, stderr, "has no order Rnone")
	if code, _, stderr = resolve("Rparked00000000000", "--wait", "10ms"); code != 1 {
		t.Errorf("code %d; want 1", code)
	}
	has(t, stderr, "the decision waits for the process that trades as binance, account main", "nobody has taken the decision about Rparked00000000000 within 10ms", "when it runs")
	code, out, _ := resolve("Rparked00000000000", "--wait", "0")
	if code != 0 || !strings.HasPrefix(out, "Rparked00000000000  parked") {
		t.Errorf("code %d: %s; want it left", code, out)
	}
	if code, _, stderr = relent(t, "orders", "show", "Rparked00000000000", "--store", url, "--venue", "binance", "--account", "main", "-o", "json"); code != 0 || strings.Contains(stderr, "resolve") {
		t.Errorf("code %d: %s", code, stderr)
	}

	trading(t, url) // it finds the decision that was left, of before it ran
	code, out, stderr = resolve("Rparked00000000000", "--wait", "1m", "-o", "json")
	switch {
	case code == 0:
		if m := fields(t, out); m["state"] != "abandoned" || m["closed"] != true || m["why"] != "resolved by ann and bob: not in the history" {
			t.Errorf("json: %s", out)
		}
	case code == 1: // the machine was quicker than this program
		has(t, stderr, "order Rparked00000000000 is abandoned: only what is parked")
	default:
		t.Errorf("code %d: %s", code, stderr)
	}
	_, out, _ = relent(t, "orders", "show", "Rparked00000000000", "--store", url, "--venue", "binance", "--account", "main")
	has(t, out, "abandoned, done with", "why       resolved by ann and bob: not in the history", "resolve  operator absent; resolved by ann and bob")
}

// A decision about what has changed meanwhile is not taken, and whoever made it hears so.
func TestOrdersResolveTooLate(t *testing.T) {
	t.Parallel()
	url := orderLog(t)
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	scope := order.Scope{Venue: "binance", Account: "main", Prefix: "R"}
	go func() { // a machine that writes something about the order as soon as the decision is there
		for t.Context().Err() == nil {
			if _, ok, _ := db.Orders().Decision(t.Context(), scope, "Rparked00000000000"); ok {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		lease, err := db.Orders().Acquire(t.Context(), scope, "test", time.Minute)
		if err == nil {
			err = db.Orders().Append(t.Context(), lease, order.Entry{ID: "Rparked00000000000", Kind: order.KindMove, At: time.Now(), Data: []byte("{}")})
		}
		if err != nil {
			t.Error(err)
		}
	}()
	code, _, stderr := relent(t, "orders", "resolve", "Rparked00000000000", "--store", url, "--venue", "binance", "--account", "main",
		"--approver", "bob", "--reason", "not there", "--wait", "1m")
	if code != 1 {
		t.Errorf("code %d; want 1", code)
	}
	has(t, stderr, "order Rparked00000000000 has changed meanwhile, and is still parked: look again")
}

func TestOrdersResolveMistakes(t *testing.T) {
	t.Parallel()
	url := orderLog(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "ID is missing"},
		{[]string{"x", "--store", url}, "--venue: say which\n--account: say which\n--approver: say who agrees: it takes two persons\n--reason: say why"},
		{[]string{"x", "--store", url, "--venue", "v", "--account", "a", "--actor", "ann", "--approver", " ANN ", "--reason", "r"}, "two different persons must agree"},
	} {
		code, _, stderr := relent(t, append([]string{"orders", "resolve"}, test.args...)...)
		if code != 2 {
			t.Errorf("%v: code %d; want 2", test.args, code)
		}
		has(t, stderr, test.want)
	}
}
