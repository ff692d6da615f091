package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
)

// ErrTampered says that a chain is not what it was. The error is a [*BadError].
var ErrTampered = errors.New("the audit chain was tampered with")

// A BadError names the first bad record of a chain.
type BadError struct {
	Chain    string
	Sequence uint64 // of the first record that is bad or missing
	Last     uint64 // if it may also be a later one, up to this
	Why      string
}

// Error names the place.
func (e *BadError) Error() string {
	if e.Last > e.Sequence {
		return fmt.Sprintf("audit chain %s: first bad sequence is one of %d to %d: %s", e.Chain, e.Sequence, e.Last, e.Why)
	}
	return fmt.Sprintf("audit chain %s: first bad sequence %d: %s", e.Chain, e.Sequence, e.Why)
}

// Unwrap returns [ErrTampered].
func (e *BadError) Unwrap() error { return ErrTampered }

// A Verification says what a chain must agree with. The zero value checks the chain alone, from its first record on: that
// finds what was changed, dropped, put in or moved, but neither a tail that was cut off nor a chain that was written anew by somebody
// who computes all hashes again. Those take checkpoints from elsewhere.
type Verification struct {
	// Start is the head that the chain goes on from, if older records were removed. Unless it is Genesis, it is only as good as
	// the checkpoints: one at or after it has to agree.
	Start Head

	// Checkpoints of the chain, in any order. Those of other chains are left out.
	Checkpoints []Checkpoint

	// Trusted are the keys of which every checkpoint must have a signature. Without any, checkpoints are believed as
	// they are.
	Trusted []ed25519.PublicKey
}

// A Report is what was verified.
type Report struct {
	Chain       string `json:"chain"`
	Records     uint64 `json:"records"`     // that were looked at
	Head        Head   `json:"head"`        // that they end with
	Checkpoints int    `json:"checkpoints"` // that agree
	Anchored    uint64 `json:"anchored"`    // sequence of the last of them: no record up to it can have been changed
}

// Links is the part of a [Store] that is verified. A [Store] need not run for that: [Segments] reads files.
type Links interface {
	Links(ctx context.Context, chain string, from uint64, limit int) ([]Link, error)
}

// Verify reads a chain and returns what it found sound. The error is a [*BadError] for the first record that is not, [ErrUnsigned] for a
// checkpoint that cannot be trusted, or what the store returned.
func Verify(ctx context.Context, s Links, chain string, v Verification) (Report, error) {
	points, err := v.points(chain)
	w := &walk{points: points, anchored: v.Start.Sequence}
	w.report = Report{Chain: chain, Head: Head{chain, v.Start.Sequence, v.Start.Hash}}
	if err != nil {
		return w.report, err
	}
	if err := w.pass(); err != nil {
		return w.report, err
	}
	for from := v.Start.Sequence + 1; ; {
		links, err := s.Links(ctx, chain, from, DefaultLimit)
		if err != nil {
			return w.report, fmt.Errorf("audit chain %s: %w", chain, err)
		}
		if len(links) == 0 {
			return w.report, w.end(v.Start)
		}
		for i := range links {
			if err := w.step(&links[i]); err != nil {
				return w.report, err
			}
		}
		from = w.report.Head.Sequence + 1
	}
}

// points returns the checkpoints of a chain from the start on, in order.
func (v *Verification) points(chain string) (points []Checkpoint, err error) {
	for _, c := range v.Checkpoints {
		if c.Chain != chain || c.Sequence < v.Start.Sequence || c.Sequence == 0 {
			continue
		}
		if len(v.Trusted) > 0 {
			if err := c.Check(v.Trusted...); err != nil {
				return nil, fmt.Errorf("checkpoint %d of audit chain %s: %w", c.Sequence, chain, err)
			}
		}
		points = append(points, c)
	}
	slices.SortStableFunc(points, bySequence)
	return points, nil
}

// A walk is a verification on its way.
type walk struct {
	report   Report
	points   []Checkpoint // yet to come
	anchored uint64       // sequence of the last checkpoint that agreed, or of the start
}

func (w *walk) bad(why string, args ...any) error {
	return &BadError{Chain: w.report.Chain, Sequence: w.report.Head.Sequence + 1, Why: fmt.Sprintf(why, args...)}
}

// step goes on by one link.
func (w *walk) step(l *Link) error {
	head := &w.report.Head
	want := head.Sequence + 1
	if l.Sequence != want {
		return w.bad("number %d is in its place", l.Sequence)
	}
	next := Next(head.Hash, l.Body)
	if next != l.Hash {
		return w.bad("the hash is not that of the record and the one before it")
	}
	r, err := ParseRecord(l.Body)
	if err != nil {
		return w.bad("%v", err)
	}
	if r.Sequence != want || r.Chain != head.Chain {
		return w.bad("the record says that it is number %d of chain %s", r.Sequence, r.Chain)
	}
	head.Sequence, head.Hash = want, next
	w.report.Records++
	return w.pass()
}

// pass compares the head with the checkpoints that are there for it.
func (w *walk) pass() error {
	head := &w.report.Head
	for len(w.points) > 0 && w.points[0].Sequence == head.Sequence {
		if w.points[0].Hash != head.Hash {
			return &BadError{
				Chain: head.Chain, Sequence: min(w.anchored+1, head.Sequence), Last: head.Sequence,
				Why: fmt.Sprintf("the checkpoint for %d has another hash", head.Sequence),
			}
		}
		w.anchored = head.Sequence
		w.report.Anchored = head.Sequence
		w.report.Checkpoints++
		w.points = w.points[1:]
	}
	return nil
}

// end looks for what should have come.
func (w *walk) end(start Head) error {
	if len(w.points) > 0 {
		return w.bad("the chain ends here, and a checkpoint was made at %d", w.points[len(w.points)-1].Sequence)
	}
	if start.Hash != Genesis && w.report.Checkpoints == 0 {
		return &BadError{Chain: w.report.Chain, Sequence: 1, Last: start.Sequence, Why: "they are missing, and no checkpoint vouches for what follows"}
	}
	return nil
}

func bySequence(a, b Checkpoint) int { return cmp.Compare(a.Sequence, b.Sequence) }
