package order

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A life is an intent in memory. Its story is read and changed by whoever holds the turn, also across writes to the log, so
// that the log has the order of what happened; everybody else reads what was shown last.
type life struct {
	turn  chan struct{} // holds one token while nobody has it
	story *story        // guarded by turn, as is all up to shown

	flight      *flight   // an attempt or command that is under way
	retries     int       // in a row, for backoff
	notBefore   time.Time // when the venue may be asked again
	idle        int       // attempts that sent nothing
	synced      bool      // the clock was read again after a refusal
	reads       reading
	tide        tide      // before the first attempt of this process
	repairs     int       // reads for missing fills
	cancels     int       // requests to cancel
	cancelAfter time.Time // when the next one may be made
	amends      int       // times that an amend was sent
	amended     time.Time // by the venue's clock: when an amend that has not shown cannot arrive any more
	alarmed     bool      // that fills are missing, or that a cancel does not work
	named       bool      // the assets of its symbol were asked for
	restored    bool      // found by a restart, and not read since
	unseen      bool      // missing in a list of working orders
	void        bool      // nobody knows whether the intent is in the log
	cause       error     // why it was given up, for the caller who waits for that: the log has only the text
	retired     bool

	shown atomic.Pointer[shown]
	due   time.Time // guarded by the machine's mu, as is index
	index int       // in the schedule, from 1
}

// shown is what others see.
type shown struct {
	order   Order
	changed chan struct{} // closed when there is something newer
}

func newLife(s *story) *life {
	l := &life{turn: make(chan struct{}, 1), story: s}
	l.turn <- struct{}{}
	l.shown.Store(&shown{s.show(), make(chan struct{})})
	return l
}

// take waits for the turn.
func (l *life) take(ctx context.Context) error {
	select {
	case <-l.turn:
		return nil
	default:
	}
	select {
	case <-l.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// must waits for the turn however long it takes: what happened must be written. Holders give it back after bounded work.
func (l *life) must() { <-l.turn }

func (l *life) give() { l.turn <- struct{}{} }

func (l *life) order() *Order { return &l.shown.Load().order }

// entry is a line on its way into the log.
type entry struct {
	kind Kind
	key  string
	line line
}

// writeTimeout bounds a write that must not depend on a caller's patience.
const writeTimeout = 5 * time.Second

// put writes entries of one intent, all or none, and then lets them count. It needs the turn.
func (m *Machine) put(ctx context.Context, l *life, entries ...entry) error {
	at := m.now()
	lines := make([]Entry, len(entries))
	for i, e := range entries {
		data, err := json.Marshal(e.line)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrLog, l.story.Intent.ID, err)
		}
		lines[i] = Entry{ID: l.story.Intent.ID, Kind: e.kind, Key: e.key, At: at, Data: data}
	}
	m.mu.Lock()
	lease := m.lease
	m.mu.Unlock()
	if err := m.Log.Append(ctx, lease, lines...); err != nil && !m.landed(ctx, err, lines) {
		m.counts.logErrors.Add(1)
		err = fmt.Errorf("%w: %w", ErrLog, err)
		switch {
		case errors.Is(err, ErrFenced):
			m.fail(err)
		case errors.Is(err, ErrTwice):
			m.reread(ctx, l)
		}
		return err
	}
	m.count(ctx, l, at, entries...)
	return nil
}

// landed says whether lines are in the log although it answered with an error after which nobody knows. Else what is known
// here and what a restart reads would go apart.
func (m *Machine) landed(ctx context.Context, err error, lines []Entry) bool {
	if errors.Is(err, ErrFenced) || errors.Is(err, ErrTwice) {
		return false // nothing was written
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.readTimeout())
	defer cancel()
	kept, err := m.Log.Load(ctx, m.Scope, lines[0].ID)
	if err != nil || len(kept) < len(lines) {
		return false
	}
	return slices.EqualFunc(kept[len(kept)-len(lines):], lines, func(a, b Entry) bool {
		return a.Kind == b.Kind && a.Key == b.Key && a.At.Truncate(time.Microsecond).Equal(b.At.Truncate(time.Microsecond)) && bytes.Equal(a.Data, b.Data)
	})
}

// write is put for what has happened already: it does not end with the caller, and if the log cannot take it the machine
// still acts on what is safe to act on.
func (m *Machine) write(ctx context.Context, l *life, entries ...entry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return m.put(ctx, l, entries...)
}

// note is write for what is safe to act on even if the log cannot take it: a restart finds SENDING, and reads.
func (m *Machine) note(ctx context.Context, l *life, entries ...entry) {
	if m.write(ctx, l, entries...) != nil {
		m.count(ctx, l, m.now(), entries...)
	}
}

// reread replaces the story by what the log says, which knows more: a write succeeded whose answer got lost.
func (m *Machine) reread(ctx context.Context, l *life) {
	entries, err := m.Log.Load(ctx, m.Scope, l.story.Intent.ID)
	if err != nil {
		return
	}
	s, err := replay(entries)
	if err != nil {
		return
	}
	m.regate(&s.Intent, l.story.closes(), s.closes())
	l.story = s
	m.show(l)
}

// show lets others see the story.
func (m *Machine) show(l *life) {
	was := l.shown.Load()
	l.shown.Store(&shown{l.story.show(), make(chan struct{})})
	close(was.changed)
}

// count lets entries count, and tells everybody.
func (m *Machine) count(ctx context.Context, l *life, at time.Time, entries ...entry) {
	s := l.story
	before, id, closed := s.State, s.VenueID, s.closes()
	for i := range entries {
		s.fold(entries[i].kind, at, &entries[i].line)
		if entries[i].kind == KindFill {
			m.flow(entries[i].line.Fill, &s.Intent)
		}
	}
	if s.VenueID != id {
		m.mu.Lock()
		m.byVenue[s.VenueID] = l
		m.mu.Unlock()
	}
	m.regate(&s.Intent, closed, s.closes())
	if s.State != before {
		m.entered(ctx, l, before) // who sees a parked order finds its alarm
	}
	m.show(l)
	if m.Watch != nil {
		m.Watch(s.show())
	}
}

// A closure is what an order closes for new ones.
type closure uint8

const (
	closesNothing closure = iota
	closesLane            // its symbol and side
	closesAccount
)

func (s *story) closes() closure {
	switch {
	case s.State == Parked:
		return closesLane
	case s.State == Breach && !s.Closed:
		return closesAccount
	}
	return closesNothing
}

// regate closes and opens what a change closes and opens.
func (m *Machine) regate(i *Intent, before, after closure) {
	if before == after {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for c, d := range map[closure]int{before: -1, after: +1} {
		switch c {
		case closesLane:
			k := lane{i.Symbol, i.Side}
			if m.parked[k] += d; m.parked[k] == 0 {
				delete(m.parked, k)
			}
		case closesAccount:
			m.breaches += d
		}
	}
}

// entered does what a new state asks for.
func (m *Machine) entered(ctx context.Context, l *life, before State) {
	s := l.story
	switch s.State {
	case Parked:
		m.counts.parked.Add(1)
		m.alarm(ctx, AlarmParked, l, "order %s cannot be proven to exist or not: %s. %s %s is closed for new orders. Look it up at the venue and resolve it",
			s.Intent.ID, s.Why, s.Intent.Symbol, s.Intent.Side)
	case Breach:
		m.counts.breaches.Add(1)
		m.alarm(ctx, AlarmBreach, l, "order %s: %s. The account is closed for new orders. Compare the venue's orders and resolve it", s.Intent.ID, s.Why)
	case Acked:
		m.mu.Lock()
		m.canary = l
		m.mu.Unlock()
	}
	if before == Parked && s.State != Parked {
		m.alarm(ctx, AlarmResolved, l, "parked order %s is resolved: %s", s.Intent.ID, s.Why)
	}
}
