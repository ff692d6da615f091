package linear

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// bucketTerms are the settings of a bucket in whole numbers: milli-tokens, thousandths, nanoseconds.
type bucketTerms struct {
	capacity, gain int64
	costs          [4]int64 // by class
	share, least   int64    // the ceiling
	floors         [3]int64 // by priority: sheddable, normal, critical
	every          int64    // a milli-token trickles in; 0 for never
	suspect        bool
}

// bucketState is what a bucket is between two operations.
type bucketState struct {
	terms             *bucketTerms
	balance           int64
	retries, firsts   int64 // in flight
	ticking           bool
	ticked            int64           // up to which the trickle was given out
	paid              [attempts]int16 // by retries in flight
	started           int64
	consumed          [4]int64
	tokens, floor     int64 // refusals
	ceiling, suspects int64
	defects           int64
}

type bucketOp uint8

const (
	bucketAdmit bucketOp = iota
	bucketSettle
	bucketAgain // Settle of an attempt that is settled already
	bucketChange
	bucketStats
)

type bucketIn struct {
	op       bucketOp
	id       uint8
	number   int
	class    retry.Class
	times    int64 // Policy.Cost
	priority retry.Priority
	at       int64 // ns
	state    retry.State
	begin    *bucketTerms // those that the history begins with
	terms    *bucketTerms // of a change

	defects int64   // of first attempts meanwhile
	passing int64   // first attempts that come or go meanwhile
	gains   []int64 // other gains than that in force, which a change meanwhile allows; of a settle
}

type bucketOut struct {
	err      error
	refused  bool
	rule     budget.Rule
	balance  int64
	cost     int64
	limit    int64
	kept     int64
	strange  string // what should not be
	stats    budget.Stats
	admitted bool
}

var bucketModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{bucketState{}} },
	Step: func(state, in, out any) []any {
		return state.(bucketState).step(in.(*bucketIn), out.(*bucketOut))
	},
	DescribeOperation: func(in, out any) string { return describeBucket(in.(*bucketIn), out.(*bucketOut)) },
	DescribeState: func(state any) string {
		s := state.(bucketState)
		if s.terms == nil {
			return "full"
		}
		return fmt.Sprintf("balance %d of %d, %d retries and %d first attempts in flight", s.balance, s.terms.capacity, s.retries, s.firsts)
	},
}

func (s bucketState) step(in *bucketIn, out *bucketOut) []any {
	if s.terms == nil {
		s.terms, s.balance = in.begin, in.begin.capacity
	}
	switch in.op {
	case bucketAdmit:
		return s.admit(in, out)
	case bucketSettle:
		return s.settle(in)
	case bucketAgain:
		s.defects++
	case bucketChange:
		s.balance = min(s.balance, in.terms.capacity)
		s.terms = in.terms
		s.ticking = false
	case bucketStats:
		if !s.agrees(&out.stats, in) {
			return nil
		}
	}
	return []any{s}
}

func (s *bucketState) earn(n int64) { s.balance = min(s.balance+n, s.terms.capacity) }

func (s *bucketState) ceilingAt(firsts int64) int64 {
	return max(s.terms.least, (max(0, firsts)+s.retries)*s.terms.share/1000)
}

func (s bucketState) admit(in *bucketIn, out *bucketOut) []any {
	if out.strange != "" {
		return nil
	}
	if in.number == 1 {
		s.firsts++
		return only(s, out.admitted)
	}
	t := s.terms
	if t.every > 0 {
		if !s.ticking {
			s.ticking, s.ticked = true, in.at
		} else if n := (in.at - s.ticked) / t.every; n > 0 {
			s.earn(n)
			s.ticked += n * t.every
		}
	}
	cost := t.costs[in.class] * in.times
	least, most := s.ceilingAt(s.firsts-in.passing), s.ceilingAt(s.firsts+in.passing)
	if out.refused && out.rule == budget.RuleCeiling {
		s.ceiling++
		return only(s, s.retries >= least && out.limit == s.retries && out.cost == 1)
	}
	if s.retries >= most {
		return nil
	}
	kept := t.floors[in.priority+1]
	var want bucketOut
	switch {
	case s.balance < cost:
		s.tokens++
		want = bucketOut{refused: true, rule: budget.RuleTokens}
	case s.balance-cost < kept:
		s.floor++
		want = bucketOut{refused: true, rule: budget.RuleFloor, kept: kept}
	case t.suspect && s.balance < t.capacity:
		s.suspects++
		want = bucketOut{refused: true, rule: budget.RuleSuspect}
	default:
		s.balance -= cost
		s.retries++
		s.paid[in.id] = int16(cost)
		return only(s, out.admitted)
	}
	return only(s, out.refused && out.rule == want.rule && out.kept == want.kept &&
		out.balance == s.balance && out.cost == cost && out.limit == t.capacity)
}

func only(s any, legal bool) []any {
	if !legal {
		return nil
	}
	return []any{s}
}

func (s bucketState) settle(in *bucketIn) (next []any) {
	if in.number == 1 {
		s.firsts--
	} else {
		s.retries--
		if in.state == retry.NotStarted {
			s.earn(int64(s.paid[in.id]))
		} else {
			s.started++
			s.consumed[in.class] += int64(s.paid[in.id])
		}
		s.paid[in.id] = 0
	}
	if in.state != retry.Succeeded {
		return []any{s}
	}
	for _, gain := range in.gains {
		other := s
		other.earn(gain)
		next = append(next, other)
	}
	s.earn(s.terms.gain)
	return append(next, s)
}

func (s *bucketState) agrees(n *budget.Stats, in *bucketIn) bool {
	firsts := n.Requests - n.Retries
	if !within(firsts, s.firsts, in.passing) || !within(n.Defects, s.defects, in.defects) || n.Ceiling != s.ceilingAt(firsts) {
		return false
	}
	for class, consumed := range s.consumed {
		if n.Consumed[retry.Class(class)] != consumed {
			return false
		}
	}
	return n.Balance == s.balance && n.Capacity == s.terms.capacity && n.Retries == s.retries && n.Started == s.started &&
		n.Denied[budget.RuleTokens] == s.tokens && n.Denied[budget.RuleFloor] == s.floor &&
		n.Denied[budget.RuleCeiling] == s.ceiling && n.Denied[budget.RuleSuspect] == s.suspects
}

// within says that n is x, give or take some.
func within(n, x, some int64) bool { return n >= x-some && n <= x+some }

// looseBucket tells an operation which others may or may not be seen by it.
func looseBucket(all []porcupine.Operation, i int) {
	in := all[i].Input.(*bucketIn)
	for j, op := range all {
		other := op.Input.(*bucketIn)
		if i == j || !overlap(all[i], op) {
			continue
		}
		if other.number == 1 && (other.op == bucketAdmit || other.op == bucketSettle) {
			in.passing++
		}
		if other.number == 1 && other.op == bucketAgain {
			in.defects++
		}
		if in.op == bucketSettle && in.number == 1 && other.op == bucketChange {
			for _, before := range all {
				if b := before.Input.(*bucketIn); b.op == bucketChange && before.Call < all[i].Return {
					in.gains = append(in.gains, b.terms.gain)
				}
			}
			in.gains = append(in.gains, in.begin.gain)
		}
	}
}

func describeBucket(in *bucketIn, out *bucketOut) string {
	var b strings.Builder
	switch in.op {
	case bucketAdmit:
		fmt.Fprintf(&b, "Admit(#%d, number %d", in.id, in.number)
		if in.number > 1 {
			fmt.Fprintf(&b, ", after %v, cost %d, priority %d, at %d ms", in.class, in.times, in.priority, in.at/1e6)
		}
		b.WriteString(")")
		switch {
		case out.strange != "":
			b.WriteString(" = " + out.strange)
		case out.refused:
			fmt.Fprintf(&b, " = refused by %v: balance %d, cost %d, limit %d, kept %d", out.rule, out.balance, out.cost, out.limit, out.kept)
		default:
			b.WriteString(" = admitted")
		}
		if in.passing > 0 && in.number > 1 {
			fmt.Fprintf(&b, " (%d first attempts pass by)", in.passing)
		}
	case bucketSettle:
		fmt.Fprintf(&b, "Settle(#%d, number %d, %v)", in.id, in.number, in.state)
	case bucketAgain:
		fmt.Fprintf(&b, "Settle(#%d) again", in.id)
	case bucketChange:
		fmt.Fprintf(&b, "Change(%+v)", *in.terms)
	case bucketStats:
		fmt.Fprintf(&b, "Stats() = %+v", out.stats)
	}
	return b.String()
}
