package analytics

import (
	"fmt"
	"time"
)

// period is one whose phases are looked at, in seconds.
type period struct{ length, phases int64 }

// periods are anchored to UTC. Each phase lasts a whole number of seconds.
var periods = [...]period{{10, 10}, {15, 15}, {20, 10}, {30, 10}, {60, 12}, {300, 15}, {600, 15}, {900, 15}, {1800, 30}, {3600, 30},
	{4 * 3600, 24}, {8 * 3600, 24}, {24 * 3600, 24}}

const (
	maxPhases = 30
	maxVotes  = 60
	noVote    = 255
	periodicP = 1e-4
)

// cycle holds the phases of the cycle of one period that is open, and the votes of the last 60.
type cycle struct {
	calls, fails [maxPhases]uint32
	sumC, sumF   [maxPhases]float32 // of all cycles, older ones fading
	votes        [maxVotes]uint8
	n            int // cycles with traffic
}

// count adds a second, and says whether the cycle ended with it and had traffic.
func (y *cycle) count(p period, second int64, c *counts) bool {
	phase := mod(second, p.length) * p.phases / p.length
	y.calls[phase] += c.calls
	y.fails[phase] += c.fails
	if mod(second+1, p.length) != 0 {
		return false
	}
	vote, best, fails, calls := uint8(noVote), -1.0, uint32(0), uint32(0)
	for i := range p.phases {
		fails, calls = fails+y.fails[i], calls+y.calls[i]
		switch x := float64(y.fails[i]) / float64(max(y.calls[i], 1)); {
		case x > best:
			vote, best = uint8(i), x
		case x == best:
			vote = noVote
		}
		y.sumC[i] += (float32(y.calls[i]) - y.sumC[i]/maxVotes)
		y.sumF[i] += (float32(y.fails[i]) - y.sumF[i]/maxVotes)
	}
	y.calls, y.fails = [maxPhases]uint32{}, [maxPhases]uint32{}
	if calls == 0 {
		return false
	}
	if fails < 2 {
		vote = noVote
	}
	y.votes[y.n%maxVotes] = vote
	y.n++
	return true
}

// verdict returns the first of the three phases that most votes are for, those votes and all votes, and the chance of it.
func (y *cycle) verdict(p period) (first, m, n int, chance, effect float64, ok bool) {
	var by [maxPhases]int
	cycles := min(y.n, maxVotes)
	for _, v := range y.votes[:cycles] {
		if v != noVote {
			by[v]++
			n++
		}
	}
	b := int(p.phases)
	for i := range b {
		if sum := by[i] + by[(i+1)%b] + by[(i+2)%b]; sum > m {
			first, m = i, sum
		}
	}
	if n < 8 || n*10 < cycles*6 {
		return first, m, n, 1, 0, false
	}
	if chance = votesP(b, n, m); chance >= periodicP/float64(len(periods)) {
		return first, m, n, chance, 0, false
	}
	var inC, inF, outC, outF float64
	for i := range b {
		c, f := float64(y.sumC[i]), float64(y.sumF[i])
		if (i-first+b)%b < 3 {
			inC, inF = inC+c, inF+f
		} else {
			outC, outF = outC+c, outF+f
		}
	}
	inside, outside := ratio(inF, inC), ratio(outF, outC)
	return first, m, n, chance, inside / max(outside, 1e-6), outC >= 30 && inside >= 3*outside
}

// periodically counts a second for all periods. The shortest period that qualifies is reported.
func (e *Engine) periodically(s *subject, at int64) {
	for i, p := range periods {
		y := &s.cycle[i]
		if !y.count(p, e.second, &s.now) {
			continue
		}
		first, m, n, chance, effect, ok := y.verdict(p)
		if !ok || s.shorter(i) {
			continue
		}
		length := time.Duration(p.length) * time.Second
		phase := length / time.Duration(p.phases) * time.Duration(first)
		width := 3 * length / time.Duration(p.phases)
		e.raise(alarm{kind: Periodic, subject: policy(s), severity: Info, started: at - int64(length)*int64(n), at: at, hold: 3 * length,
			evidence: func() Evidence {
				return Evidence{Statistic: "phase_votes", Value: float64(m), P: chance, Effect: effect, N: uint64(n), Period: length, Phase: phase, Window: width}
			},
			action: Action{Kind: ShiftSchedule, Period: length},
			text: func() string {
				return fmt.Sprintf("%s fails from %v to %v of every %v, in %d of %d cycles.", s.name, phase, phase+width, length, m, n)
			}})
	}
}

// shorter says that a shorter period explains period i.
func (s *subject) shorter(i int) bool {
	for j, p := range periods[:i] {
		if periods[i].length%p.length == 0 {
			if _, _, _, _, _, ok := s.cycle[j].verdict(p); ok {
				return true
			}
		}
	}
	return false
}
