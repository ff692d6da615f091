package ordertest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/relent-go/relent/exchange/order"
)

func givesBack(t *trial) {
	l := t.acquire(scope, "one")
	want := []order.Entry{
		intent(id(1)), sending(id(1), 1),
		entry(id(1), order.KindOutcome, "", `{"text":"\u0000 ö €"}`),
		entry(id(1), order.KindFill, "BTCUSDT/1/'\"%_\\", `{"q":"0.1"}`),
		entry(id(1), order.KindRead, "", ``),
	}
	t.append(l, nil, want[:2]...)
	t.append(l, nil, intent(id(2)))
	t.append(l, nil, want[2:]...)
	t.holds(scope, id(1), want...)
	t.holds(scope, id(2), intent(id(2)))
	t.holds(scope, id(3))

	data := []byte("mine")
	t.append(l, nil, order.Entry{ID: id(4), Kind: order.KindRead, Data: data})
	data[0] = 'M'
	if got, err := t.log.Load(t.t.Context(), scope, id(4)); err != nil || len(got) != 1 || !bytes.Equal(got[0].Data, []byte("mine")) {
		t.report("what the caller changes after Append changes the log: %v, %v", got, err)
	} else if got[0].Data[0] = 'x'; true {
		again, err := t.log.Load(t.t.Context(), scope, id(4))
		if err != nil || len(again) != 1 || string(again[0].Data) != "mine" {
			t.report("what the caller changes after Load changes the log: %v, %v", again, err)
		}
	}
}

func appendsAll(t *trial) {
	l := t.acquire(scope, "one")
	t.append(l, nil, intent(id(1)), sending(id(1), 1))
	t.append(l, order.ErrTwice, sending(id(1), 2), intent(id(2)), sending(id(1), 1))
	t.append(l, order.ErrTwice, sending(id(1), 3), sending(id(1), 3))
	t.holds(scope, id(1), intent(id(1)), sending(id(1), 1))
	t.holds(scope, id(2))
	t.append(l, nil, sending(id(1), 2))
}

func refusesTwice(t *trial) {
	l := t.acquire(scope, "one")
	t.append(l, nil, intent(id(1)), sending(id(1), 1))
	again := sending(id(1), 1)
	again.Data = []byte(`{"other":1}`)
	t.append(l, order.ErrTwice, again)
	if err := t.log.Release(t.t.Context(), l); err != nil {
		t.report("Release = %v; want nil", err)
	}
	t.append(t.acquire(scope, "two"), order.ErrTwice, again)
	t.holds(scope, id(1), intent(id(1)), sending(id(1), 1))
}

func refusesReuse(t *trial) {
	l := t.acquire(scope, "one")
	t.append(l, nil, intent(id(1)))
	t.append(l, nil, entry(id(1), order.KindClosed, "", ""))
	t.append(l, order.ErrTwice, intent(id(1)))
	other := scope
	other.Prefix = "A"
	t.append(t.acquire(other, "two"), order.ErrTwice, intent(id(1)))
	t.holds(other, id(1), intent(id(1)), entry(id(1), order.KindClosed, "", ""))
}

func repeats(t *trial) {
	l := t.acquire(scope, "one")
	read := entry(id(1), order.KindRead, "", `{}`)
	t.append(l, nil, read, read)
	t.append(l, nil, read)
	t.append(l, nil, entry(id(1), order.KindFill, "1", ""), entry(id(2), order.KindFill, "1", ""), entry(id(1), order.KindSending, "1", ""))
	t.holds(scope, id(1), read, read, read, entry(id(1), order.KindFill, "1", ""), entry(id(1), order.KindSending, "1", ""))
}

func oneAttempt(t *trial) {
	l := t.acquire(scope, "one")
	for round := range t.Rounds {
		t.append(l, nil, intent(id(round)))
		var wg sync.WaitGroup
		var won, refused atomic.Int32
		for range 4 {
			wg.Go(func() {
				switch err := t.log.Append(t.t.Context(), l, sending(id(round), 1)); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, order.ErrTwice):
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || refused.Load() != 3 {
			t.report("of 4 callers %d won and %d were refused; want 1 and 3", won.Load(), refused.Load())
			return
		}
	}
}

func lists(t *trial) {
	l := t.acquire(scope, "one")
	for _, n := range []int{3, 1, 2, 5} {
		t.append(l, nil, intent(id(n)), sending(id(n), 1))
	}
	for _, n := range []int{2, 3, 4} {
		t.append(l, nil, entry(id(n), order.KindReport, "", ""), entry(id(n), order.KindClosed, "", ""))
	}
	t.append(l, nil, entry(id(3), order.KindReport, "", "")) // opens it again
	t.append(l, nil, entry(id(2), order.KindReport, "", ""), entry(id(2), order.KindClosed, "", ""))
	other := scope
	other.Prefix = "B2"
	t.append(t.acquire(other, "two"), nil, intent("B2xxxxxxxxxxxxxxxx"))
	for _, test := range []struct {
		s     order.Scope
		after string
		limit int
		want  []string
	}{
		{scope, "", 10, []string{id(1), id(3), id(5)}},
		{scope, "", 2, []string{id(1), id(3)}},
		{scope, id(1), 10, []string{id(3), id(5)}},
		{scope, id(2), 1, []string{id(3)}},
		{scope, id(5), 10, nil},
		{scope, "", 0, nil},
		{other, "", 10, []string{"B2xxxxxxxxxxxxxxxx"}},
		{order.Scope{Venue: scope.Venue, Account: scope.Account}, "", 10, []string{id(1), id(3), id(5), "B2xxxxxxxxxxxxxxxx"}},
		{order.Scope{Venue: scope.Venue, Account: scope.Account, Prefix: "_1"}, "", 10, nil},
		{order.Scope{Venue: scope.Venue, Account: "none"}, "", 10, nil},
	} {
		got, err := t.log.Open(t.t.Context(), test.s, test.after, test.limit)
		if err != nil || !slices.Equal(got, test.want) {
			t.report("Open(%+v, %q, %d) = %q, %v; want %q", test.s, test.after, test.limit, got, err, test.want)
		}
	}
}

func comparesIDs(t *trial) {
	l := t.acquire(scope, "one")
	upper, lower := "A1ABCDEFGHIJKLMNOP", "A1abcdefghijklmnop"
	t.append(l, nil, intent(lower))
	t.append(l, nil, intent(upper))
	t.holds(scope, lower, intent(lower))
	t.append(l, nil, entry(upper, order.KindClosed, "", ""))
	got, err := t.log.Open(t.t.Context(), order.Scope{Venue: scope.Venue, Account: scope.Account, Prefix: "A1a"}, upper, 10)
	if err != nil || !slices.Equal(got, []string{lower}) {
		t.report("Open = %q, %v; want %q: capitals come first", got, err, []string{lower})
	}
}

func bearsLarge(t *trial) {
	l := t.acquire(scope, "one")
	e := entry(id(1), order.KindReport, "", strings.Repeat("x", 1<<20))
	t.append(l, nil, e)
	t.holds(scope, id(1), e)
}

func obeysContexts(t *trial) {
	l := t.acquire(scope, "one")
	if err := t.log.Append(ended(), l, intent(id(1))); !errors.Is(err, context.Canceled) {
		t.report("Append = %v; want %v", err, context.Canceled)
	}
	t.holds(scope, id(1))
	if _, err := t.log.Acquire(ended(), scope, "one", t.Lease); !errors.Is(err, context.Canceled) {
		t.report("Acquire = %v; want %v", err, context.Canceled)
	}
	if _, err := t.log.Load(ended(), scope, id(1)); !errors.Is(err, context.Canceled) {
		t.report("Load = %v; want %v", err, context.Canceled)
	}
	if _, err := t.log.Open(ended(), scope, "", 1); !errors.Is(err, context.Canceled) {
		t.report("Open = %v; want %v", err, context.Canceled)
	}
}
