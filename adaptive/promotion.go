package adaptive

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Promotion sets operations from Shadow to Active by itself: those that may be, once their forecasts are proven
// ([Explanation.Proven]) and a rehearsal in a simulator does not lose. One that it promoted goes back to Shadow at once when the guard finds that stops do
// harm. What an operator sets stays until the operation is proven anew, which takes a day. A restart of the process begins the proof anew.
//
// The zero value promotes nothing. A Promotion is plain data, and copies of it are alike.
type Promotion struct {
	Learner *Learner

	// May says which operations may be promoted; nil means none.
	May func(operation string) bool

	// Rehearse plays what was learned in a simulator, as sim.Rehearse does, and returns what the learner gains over the configured policy, in
	// thousandths of a success per call. Nil means that nothing is promoted.
	Rehearse func(context.Context, Learned) (gain float64, err error)

	// Set makes an operation Active in place of the Promotion, for who keeps a record of each change; why are the words of the proof. Whoever sets it
	// takes it back, too, when the notice "guard on" comes. Nil means that the Promotion does both. An error is one of Review.
	Set func(ctx context.Context, operation, why string) error
}

// Review promotes what is due. Call it about once a minute; it blocks as long as the rehearsals do, and the end of ctx ends it. Changes are told
// to [Learner.Notice]. The error is nil, or joins those of rehearsals, which are tried again at the next review. An operation whose rehearsal loses
// is proven anew before the next one.
func (p Promotion) Review(ctx context.Context, now time.Time) error {
	if p.Learner == nil || p.May == nil || p.Rehearse == nil {
		return nil
	}
	var errs []error
	for _, name := range p.Learner.Operations() {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		m := p.Learner.known(name)
		if Mode(m.mode.Load()) != Shadow || !m.ripe() || !p.May(name) {
			continue
		}
		gain, err := p.Rehearse(ctx, m.learned(now))
		if err != nil {
			errs = append(errs, fmt.Errorf("adaptive: rehearse %s: %w", name, err))
			continue
		}
		if p.Set == nil || !(gain >= 0) {
			p.Learner.tell(m, m.promote(gain))
			continue
		}
		if err := p.Set(ctx, name, m.proof(gain)); err != nil {
			errs = append(errs, fmt.Errorf("adaptive: promote %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// ripe says that all but a rehearsal speaks for a promotion.
func (m *model) ripe() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.score.proven() && !m.score.fallback && !m.guard.on
}

// proof says why the operation may be Active.
func (m *model) proof(gain float64) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return proof(m.score.n-m.score.from, gain)
}

func proof(forecasts uint32, gain float64) string {
	return fmt.Sprintf("proven by %d forecasts, and the rehearsal gains %.2f", forecasts, gain)
}

// promote makes the operation Active if the rehearsal did not lose. It returns what is worth a notice.
func (m *model) promote(gain float64) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.score.n - m.score.from
	m.score.restart()
	switch {
	case !(gain >= 0): // nor NaN
		return fmt.Sprintf("mode shadow stays: proven by %d forecasts, but the rehearsal loses %.2f", n, -gain)
	case m.mode.CompareAndSwap(uint32(Shadow), uint32(Active)): // an operator may have set it meanwhile
		m.promoted = true
		return "mode active: " + proof(n, gain)
	}
	return ""
}

// demote takes a promotion back. m.mu is held.
func (m *model) demote() bool {
	if !m.promoted || !m.mode.CompareAndSwap(uint32(Active), uint32(Shadow)) {
		return false
	}
	m.promoted = false
	m.score.restart()
	return true
}
