package linear

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/relent-go/relent/gate/limit"
)

// A bound is what a limit bounds.
type bound uint8

const (
	runningAttempts bound = iota // limit.Concurrency
	runningRetries               // limit.Retries
	beginnings                   // limit.Rate
)

// capRules are the settings of a limit.
type capRules struct {
	bound bound
	most  int64
	space time.Duration // between two beginnings
	ahead time.Duration // how far the bucket may be filled
}

// capState is what a limit is between two operations.
type capState struct {
	running, refused int64
	full             time.Duration           // when the bucket is full again
	then             [attempts]time.Duration // full, after the attempt took its token
}

type capOp uint8

const (
	capTake capOp = iota // Admit for retries, else Start
	capSettle
	capStats
)

type capIn struct {
	op    capOp
	rules *capRules
	id    uint8
	at    time.Duration
	began bool
	alone bool // nothing overlaps
}

type capOut struct {
	err     error
	refused bool
	after   time.Duration
	stats   limit.Stats
}

var capModel = porcupine.Model{
	Init: func() any { return capState{} },
	Step: func(state, in, out any) (bool, any) {
		s := state.(capState)
		ok := s.step(in.(*capIn), out.(*capOut))
		return ok, s
	},
	DescribeOperation: func(in, out any) string { return describeCap(in.(*capIn), out.(*capOut)) },
	DescribeState: func(state any) string {
		s := state.(capState)
		return fmt.Sprintf("%d running, %d refused, full at %v", s.running, s.refused, s.full)
	},
}

func (s *capState) step(in *capIn, out *capOut) bool {
	r := in.rules
	switch in.op {
	case capTake:
		from := max(s.full, in.at)
		if r.bound == beginnings && from-in.at > r.ahead || r.bound != beginnings && s.running >= r.most {
			s.refused++
			return out.refused && (r.bound != beginnings || !in.alone || out.after == s.full-r.ahead-in.at)
		}
		if r.bound == beginnings {
			s.full = from + r.space
			s.then[in.id] = s.full
		} else {
			s.running++
		}
		return !out.refused
	case capSettle:
		if r.bound != beginnings {
			s.running--
		} else if !in.began && s.full == s.then[in.id] { // else another token was taken since
			s.full -= r.space
		}
		return true
	}
	return out.stats == limit.Stats{Running: int(s.running), Refused: uint64(s.refused)}
}

func looseCap(all []porcupine.Operation, i int) {
	in := all[i].Input.(*capIn)
	in.alone = true
	for j, op := range all {
		if i != j && overlap(all[i], op) {
			in.alone = false
		}
	}
}

func describeCap(in *capIn, out *capOut) string {
	var b strings.Builder
	switch in.op {
	case capTake:
		fmt.Fprintf(&b, "take(#%d, at %v) = ", in.id, in.at)
		if out.refused {
			fmt.Fprintf(&b, "refused, room in %v", out.after)
		} else {
			b.WriteString("taken")
		}
	case capSettle:
		fmt.Fprintf(&b, "Settle(#%d, began %t)", in.id, in.began)
	case capStats:
		fmt.Fprintf(&b, "Stats() = %+v of %+v", out.stats, *in.rules)
	}
	return b.String()
}
