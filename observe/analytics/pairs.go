package analytics

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

const (
	pairBins   = 60 // of ten seconds that are remembered
	pairLeast  = 5  // bins in which both were bad
	pairTurns  = 3  // times that they went bad together: one outage of each may coincide
	pairLift   = 5
	pairP      = 1e-6
	mostPaired = 32 // policies that are compared
	mostPairs  = 8  // findings at one time: when everything fails together it is here
)

// track remembers the bins of the last ten minutes, the newest lowest.
type track struct{ active, bad uint64 }

func (t *track) add(active, bad bool) {
	const mask = 1<<pairBins - 1
	t.active, t.bad = t.active<<1&mask, t.bad<<1&mask
	if active {
		t.active |= 1
	}
	if bad {
		t.bad |= 1
	}
}

// pairs looks for policies that go bad together though nobody said that they share something.
func (e *Engine) pairs(at int64) {
	var list []*subject
	active := 0
	for _, s := range e.list {
		if s.track.active != 0 {
			active++
		}
		if bits.OnesCount64(s.track.bad) >= pairLeast && len(list) < mostPaired {
			list = append(list, s)
		}
	}
	most := pairP / (float64(active) * float64(max(active-1, 1)) / 2)
	for i, a := range list {
		for _, b := range list[i+1:] {
			both := a.track.active & b.track.active
			n, na, nb := bits.OnesCount64(both), bits.OnesCount64(a.track.bad&both), bits.OnesCount64(b.track.bad&both)
			common := a.track.bad & b.track.bad
			k := bits.OnesCount64(common)
			if k < pairLeast || bits.OnesCount64(common&^(common<<1)) < pairTurns || related(a, b) {
				continue
			}
			lift := float64(k) * float64(n) / (float64(na) * float64(nb))
			p := hypergeometricTail(n, na, nb, k)
			subject := Subject{OfPair, a.name, b.name}
			if lift < pairLift || p >= most || !e.isOpen(HiddenDependency, subject) && e.openPairs() >= mostPairs {
				continue
			}
			e.raise(alarm{kind: HiddenDependency, subject: subject, severity: Info, started: at - int64(10*time.Minute), at: at,
				evidence: func() Evidence {
					return Evidence{Statistic: "hypergeometric", Value: float64(k), Threshold: pairLeast, P: p, Effect: lift, N: uint64(n), Window: 10 * time.Minute}
				},
				action: Action{Kind: DeclareDependency, Name: a.name + " and " + b.name},
				text: func() string {
					return fmt.Sprintf("%s and %s were bad together in %d of the last %d times of ten seconds, %.3g times as often as by chance.", a.name, b.name, k, n, lift)
				}})
		}
	}
}

// related says that somebody said what two policies share.
func related(a, b *subject) bool {
	for d := range a.above {
		if b.above[d] > 0 || d == b.name {
			return true
		}
	}
	return b.above[a.name] > 0
}

func (e *Engine) openPairs() (n int) {
	for _, key := range e.order {
		if key.kind == HiddenDependency && e.known[key].Ended.IsZero() {
			n++
		}
	}
	return n
}

// hypergeometricTail is the chance that k or more of a drawn ones are marked, of n of which b are.
func hypergeometricTail(n, a, b, k int) float64 {
	sum := 0.0
	for x := max(k, 0, a+b-n); x <= min(a, b); x++ {
		sum += math.Exp(logChoose(a, x) + logChoose(n-a, b-x) - logChoose(n, b))
	}
	return min(sum, 1)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return a - b - c
}
