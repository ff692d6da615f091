package analytics

import (
	"fmt"
	"time"
)

const payAttempts = 8

// payback counts attempts and successes by number of the attempt, in six slots of ten minutes.
type payback struct {
	open  [payAttempts + 1][2]uint32 // of the second that is open: attempts, successes
	slots [6][payAttempts + 1][2]uint32
}

func (p *payback) fold(r *Record, n uint32) {
	if !r.Ended || r.Attempt < 2 {
		return
	}
	k := min(r.Attempt, payAttempts)
	p.open[k][0] += n
	if r.OK {
		p.open[k][1] += n
	}
}

// close takes over a second, unless it was of an outage: then no retry pays.
func (p *payback) close(second int64, outage bool) {
	if !outage {
		slot := &p.slots[mod(second/600, 6)]
		for k := range p.open {
			slot[k][0] += p.open[k][0]
			slot[k][1] += p.open[k][1]
		}
	}
	p.open = [payAttempts + 1][2]uint32{}
	if mod(second+1, 600) == 0 {
		p.slots[mod((second+1)/600, 6)] = [payAttempts + 1][2]uint32{}
	}
}

// totals returns retries and successes, and the fewest attempts that keep 99 % of the successes.
func (p *payback) totals() (tries, won, enough int) {
	var by [payAttempts + 1]int
	for _, slot := range p.slots {
		for k, x := range slot {
			tries, won, by[k] = tries+int(x[0]), won+int(x[1]), by[k]+int(x[1])
		}
	}
	enough = payAttempts
	for beyond := 0; enough > 1; enough-- {
		if beyond += by[enough]; beyond*100 >= max(won, 1) {
			break
		}
	}
	return tries, won, enough
}

// ineffective looks, at the end of a minute, for retries that do not pay.
func (e *Engine) ineffective(s *subject, at int64) {
	tries, won, enough := s.pay.totals()
	if tries < 200 || at-s.born*int64(time.Second) < int64(30*time.Minute) {
		return
	}
	bound := upperBound(won, tries)
	if bound >= 0.1 {
		return
	}
	e.raise(alarm{kind: Ineffective, subject: policy(s), severity: Info, started: at - int64(time.Hour), at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "clopper_pearson", Value: bound, Threshold: 0.1, Effect: float64(won) / float64(tries), N: uint64(tries), Window: time.Hour, Fingerprints: s.prints.top()}
		},
		action: Action{Kind: LowerAttempts, Count: enough},
		text: func() string {
			return fmt.Sprintf("Of %d retries of %s, %d succeeded.", tries, s.name, won)
		}})
}
