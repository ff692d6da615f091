package analytics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

const (
	maxPrints = 16
	inFlight  = 256 // calls whose first error is remembered
)

// print counts one kind of error.
type print struct {
	key              uint64
	code             string
	class            retry.Class
	count            uint64
	since            int64 // second
	retried, won     int   // calls
	minRetried, minW int   // in the minute that is open
}

// prints are the most frequent errors, by Space-Saving (Metwally and others, 2005), and the calls that were retried for them.
type prints struct {
	list [maxPrints]print
	call [inFlight]struct{ call, key uint64 }
}

func (p *prints) reset() { *p = prints{} }

func (p *prints) of(key uint64) *print {
	for i := range p.list {
		if p.list[i].count > 0 && p.list[i].key == key {
			return &p.list[i]
		}
	}
	return nil
}

func (p *prints) fold(r *Record, n uint32) {
	key := uint64(0)
	if r.Code != "" {
		key = fingerprint(r.Class, r.Code)
	}
	if r.Ended && !r.OK && r.Attempt == 1 && key != 0 {
		p.count(r, key, n)
	}
	slot := &p.call[r.Call%inFlight]
	switch {
	case r.Ended && r.Attempt == 1 && !r.Last && r.Call != 0:
		slot.call, slot.key = r.Call, key // a newer call takes the place: what is lost is detail
	case r.Last && r.Attempt > 1:
		if r.Call != 0 {
			if key = 0; slot.call == r.Call {
				key = slot.key
			}
		}
		if x := p.of(key); x != nil {
			x.minRetried += int(n)
			if r.OK {
				x.minW += int(n)
			}
		}
	}
}

func (p *prints) count(r *Record, key uint64, n uint32) {
	x := p.of(key)
	if x == nil {
		x = &p.list[0]
		for i := range p.list {
			if p.list[i].count < x.count {
				x = &p.list[i]
			}
		}
		*x = print{key: key, code: strings.Clone(r.Code[:min(len(r.Code), maxName)]), class: r.Class, count: x.count, since: r.At.Unix()}
	}
	x.count += uint64(n)
}

// top returns the three most frequent errors.
func (p *prints) top() (names []string) {
	list := slices.Clone(p.list[:])
	slices.SortStableFunc(list, func(a, b print) int { return cmp.Compare(b.count, a.count) })
	for _, x := range list[:3] {
		if x.count > 0 {
			names = append(names, x.class.String()+" "+x.code)
		}
	}
	return names
}

// disguised looks, at the end of a minute, for errors that retries never mend. Minutes of an outage do not count.
func (e *Engine) disguised(s *subject, at int64) {
	outage := float64(s.mini.calls-min(s.mini.fails, s.mini.calls)) < 0.1*float64(s.mini.calls)
	for i := range s.prints.list {
		x := &s.prints.list[i]
		if !outage {
			x.retried, x.won = x.retried+x.minRetried, x.won+x.minW
		}
		x.minRetried, x.minW = 0, 0
		if x.retried > 10_000 { // the past fades
			x.retried, x.won = x.retried/2, x.won/2
		}
		if x.retried < 59 || e.second-x.since < 600 {
			continue
		}
		bound := upperBound(x.won, x.retried)
		if bound >= 0.05 {
			continue
		}
		e.raise(alarm{kind: PaperingOver, subject: policy(s), severity: Ticket, started: x.since * int64(time.Second), at: at,
			evidence: func() Evidence {
				return Evidence{Statistic: "clopper_pearson", Value: bound, Threshold: 0.05, Effect: ratio(float64(x.won), float64(x.retried)), N: uint64(x.retried),
					Window: time.Duration(e.second-x.since) * time.Second, Fingerprints: []string{x.class.String() + " " + x.code}}
			},
			action: Action{Kind: Reclassify, Name: x.code},
			text: func() string {
				return fmt.Sprintf("Of %d calls of %s that were retried for %s, %d recovered.", x.retried, s.name, x.code, x.won)
			}})
		return
	}
}
