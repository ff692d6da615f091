package order

import (
	"context"
	"slices"
	"time"

	"github.com/relent-go/relent/retry"
)

// A pass takes one attempt through gates, as the engine would: Admit in order, Start in reverse order and a stop switch
// last, Settle once in reverse order. The number is the intent's: a stop of retries stops a resend.
type pass struct {
	gates    []retry.Gate
	attempts []retry.Attempt // one for each gate, with a note of its own
	notes    []uint64
	start    time.Time
}

// admit asks the gates, and may wait as they do.
func admit(ctx context.Context, gates []retry.Gate, policy *retry.Policy, n int, doubt bool) (*pass, error) {
	p := &pass{notes: make([]uint64, len(gates))}
	now := time.Now()
	for i, g := range gates {
		if g == nil {
			continue
		}
		a := retry.Attempt{Policy: policy, Number: n, At: now, Unknown: doubt, Note: &p.notes[i]}
		if err := g.Admit(ctx, &a); err != nil {
			p.settle(retry.Outcome{State: retry.NotStarted})
			return nil, err
		}
		p.gates = append(p.gates, g)
		p.attempts = append(p.attempts, a)
	}
	return p, nil
}

// begin asks those gates that have a word directly before the first byte.
func (p *pass) begin(ctx context.Context) error {
	p.start = time.Now()
	for _, last := range []bool{false, true} {
		for i, g := range slices.Backward(p.gates) {
			s, starter := g.(retry.Starter)
			if _, halter := g.(retry.Halter); !starter || halter != last {
				continue
			}
			p.attempts[i].Begins = p.start
			if err := s.Start(ctx, &p.attempts[i]); err != nil {
				p.start = time.Time{}
				return err
			}
		}
	}
	return nil
}

// settle gives the attempt back. It does nothing the second time.
func (p *pass) settle(o retry.Outcome) {
	o.Start, o.End = p.start, time.Now()
	for i, g := range slices.Backward(p.gates) {
		g.Settle(&p.attempts[i], &o)
	}
	p.gates = nil
}
