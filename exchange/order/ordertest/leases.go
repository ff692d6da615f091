package ordertest

import (
	"fmt"
	"sync"

	"github.com/relent-go/relent/exchange/order"
)

func oneOwner(t *trial) {
	t.acquire(scope, "one")
	t.held(scope, "two")
}

func oneWinner(t *trial) {
	for round := range t.Rounds {
		s := scope
		s.Account = fmt.Sprint("race", round)
		var wg sync.WaitGroup
		won := make(chan string, 4)
		for i := range cap(won) {
			owner := fmt.Sprint("owner", i)
			wg.Go(func() {
				if _, err := t.log.Acquire(t.t.Context(), s, owner, t.Lease); err == nil {
					won <- owner
				}
			})
		}
		wg.Wait()
		if n := len(won); n != 1 {
			t.report("%d of %d callers got the lease; want one", n, cap(won))
			return
		}
	}
}

func renews(t *trial) {
	first := t.acquire(scope, "one")
	for range 3 {
		t.Pass(t.t, t.Lease*2/3)
		if again := t.acquire(scope, "one"); again != first {
			t.report("the renewed lease is %+v; want %+v", again, first)
		}
	}
	t.held(scope, "two")
}

func endsLeases(t *trial) {
	first := t.acquire(scope, "one")
	t.Pass(t.t, t.Lease+t.Lease/2)
	if second := t.acquire(scope, "two"); second.Token <= first.Token {
		t.report("the token after %d is %d; want a higher one", first.Token, second.Token)
	}
	t.held(scope, "one")
}

func takesBack(t *trial) {
	first := t.acquire(scope, "one")
	for range 2 {
		if err := t.log.Release(t.t.Context(), first); err != nil {
			t.report("Release = %v; want nil", err)
		}
	}
	t.append(first, order.ErrFenced, intent(id(1)))
	second := t.acquire(scope, "one")
	if second.Token <= first.Token {
		t.report("the token after %d is %d; want a higher one, also for the same owner", first.Token, second.Token)
	}
	if err := t.log.Release(t.t.Context(), first); err != nil {
		t.report("Release of a lost lease = %v; want nil", err)
	}
	t.append(second, nil, intent(id(1)))
}

func keepsApart(t *trial) {
	l := t.acquire(scope, "one")
	t.append(l, nil, intent(id(1)))
	other := scope
	other.Account = "other"
	o := t.acquire(other, "two")
	t.holds(other, id(1))
	t.append(o, nil, intent(id(1)))
	third := scope
	third.Venue = "elsewhere"
	t.append(t.acquire(third, "three"), nil, intent(id(1)))
	prefix := scope
	prefix.Prefix = "B2"
	t.append(t.acquire(prefix, "four"), nil, intent("B2xxxxxxxxxxxxxxxx"))
	t.append(l, nil, sending(id(1), 1))
}

func fences(t *trial) {
	first := t.acquire(scope, "one")
	t.append(first, nil, intent(id(1)))
	t.Pass(t.t, t.Lease+t.Lease/2)
	second := t.acquire(scope, "two")
	t.append(first, order.ErrFenced, sending(id(1), 1))
	t.append(first, order.ErrFenced, intent(id(2)))
	t.holds(scope, id(1), intent(id(1)))
	t.append(second, nil, sending(id(1), 1))
	forged := second
	forged.Token++
	t.append(forged, order.ErrFenced, sending(id(1), 2))
	forged = second
	forged.Owner = "three"
	t.append(forged, order.ErrFenced, sending(id(1), 2))
}

func writesOn(t *trial) {
	l := t.acquire(scope, "one")
	t.Pass(t.t, t.Lease+t.Lease/2)
	t.append(l, nil, intent(id(1)))
}

func checksLease(t *trial) {
	l := t.acquire(scope, "one")
	t.append(l, nil)
	l.Token++
	t.append(l, order.ErrFenced)
}
