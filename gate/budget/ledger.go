package budget

import (
	"cmp"
	"maps"
	"math"
	"time"
)

// An account is what one limit has been charged with.
type account struct{ spent, reserved int64 }

// left is what may still be reserved under limit; 0 is no limit.
func (a *account) left(limit int64) int64 {
	if limit == 0 {
		return math.MaxInt64
	}
	return limit - plus(a.spent, a.reserved)
}

// A hold is what an attempt in flight has reserved.
type hold struct {
	estimate int64
	accounts [3]*account // the total, and those of the operation and the parent, or nil
	bill     *bill
	before   int64 // charged to the bill by earlier attempts
	charges  int   // of them
}

// book turns what was reserved into what was spent.
func (h *hold) book(cost int64) {
	for _, x := range h.accounts {
		if x != nil {
			x.reserved = max(0, x.reserved-h.estimate)
			x.spent = plus(x.spent, cost)
		}
	}
}

// accounts finds the accounts that an attempt is charged to. The caller holds mu.
func (s *Spend) accounts(h *hold, operation, parent string) (err error) {
	h.accounts[0] = &s.total
	if s.PerOperation != 0 {
		if h.accounts[1], err = s.account(&s.names, operation); err != nil {
			return err
		}
	}
	switch {
	case s.PerParent == 0, parent == "" && s.Loose:
		return nil
	case parent == "":
		return errNoParent
	case len(parent) > longestParent:
		return errLongParent
	}
	h.accounts[2], err = s.account(&s.parents, parent)
	return err
}

// account returns one account, a new one if there is room.
func (s *Spend) account(in *map[string]*account, name string) (*account, error) {
	if x := (*in)[name]; x != nil {
		return x, nil
	}
	if len(*in) >= cmp.Or(s.Remembered, DefaultRemembered) {
		return nil, errManyNames
	}
	if *in == nil {
		*in = make(map[string]*account)
	}
	x := new(account)
	(*in)[name] = x
	return x, nil
}

// roll begins a new window if the present one is over. What is reserved then counts in the new one, because that is
// where it will be spent.
func (s *Spend) roll(at time.Time) {
	if s.Window <= 0 || s.began.IsZero() {
		s.began = at
		return
	}
	windows := at.Sub(s.began) / s.Window
	if windows <= 0 {
		return
	}
	s.began = s.began.Add(windows * s.Window)
	s.total.spent = 0
	for _, x := range s.names {
		x.spent = 0
	}
	maps.DeleteFunc(s.names, func(_ string, x *account) bool { return x.reserved == 0 })
}

// hold remembers what an attempt has reserved, and returns where.
func (s *Spend) hold(h hold) int {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.held[i] = h
		return i
	}
	s.held = append(s.held, h)
	return len(s.held) - 1
}
