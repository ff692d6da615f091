package linear

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/relent-go/relent/gate/breaker"
)

// circuitRules are the settings of a breaker.
type circuitRules struct {
	calls      int // the window; 0 for one of time, which is longer than any history
	minSamples int
	openFor    time.Duration
	maxOpenFor time.Duration
	probes     int // permits at which one success more closes
}

const (
	failureRate = 0.5
	mostCalls   = 4
	mostLeases  = 4
	aCycle      = 3 // operations take a breaker from closed to closed
)

// sample is what an outcome counts as.
type sample uint8

const (
	neutral sample = iota // must be zero: an empty place in the window
	success
	transient
	throttled
	ambiguous

	samples
)

func (k sample) failure() bool { return k >= transient }

// circuitState is what a breaker is between two operations.
type circuitState struct {
	rules      *circuitRules
	state      breaker.State
	generation uint8
	latest     time.Duration // time seen
	until      time.Duration // the end of Open and Isolated
	since      time.Duration // the last transition
	rounds     uint8         // of probes that failed
	recent     [mostCalls]sample
	counts     [samples]int8 // of a window of time
	refused    int8
	incomplete bool // there are failures, but too few samples
	limit      int8 // permits
	leases     [mostLeases]circuitLease
	held       int8
	notes      [attempts]circuitNote
	log        string // the transitions
}

type circuitLease struct {
	id    uint8
	until time.Duration
}

// circuitNote is what an attempt was admitted under.
type circuitNote struct {
	state      breaker.State
	generation uint8
}

type circuitOp uint8

const (
	circuitAdmit circuitOp = iota
	circuitSettle
	circuitIsolate
	circuitRelease
	circuitSnapshot
)

type circuitIn struct {
	op         circuitOp
	rules      *circuitRules
	id         uint8
	number     int
	idempotent bool
	lease      time.Duration // a probe's, at most
	at         time.Duration
	kind       sample
	lasts      time.Duration // an order

	others   int // operations that overlap, and are more than a look
	unlocked int // among them successes, which may be counted without the lock
}

type circuitOut struct {
	err      error
	snapshot breaker.Snapshot

	refused bool
	state   breaker.State
	wait    time.Duration
	retry   bool
	log     string // of the transitions, in the order in which they were told
	all     bool   // log is complete
}

var circuitModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{circuitState{}} },
	Step: func(state, in, out any) []any {
		return state.(circuitState).step(in.(*circuitIn), out.(*circuitOut))
	},
	DescribeOperation: func(in, out any) string { return describeCircuit(in.(*circuitIn), out.(*circuitOut)) },
	DescribeState: func(state any) string {
		s := state.(circuitState)
		return fmt.Sprintf("%v, generation %d, %d of %d permits, window %v %v, latest %v, until %v",
			s.state, s.generation, s.held, s.limit, s.recent, s.counts, s.latest, s.until)
	},
}

func (s circuitState) step(in *circuitIn, out *circuitOut) []any {
	s.rules = in.rules
	switch in.op {
	case circuitAdmit:
		return s.admit(in, out)
	case circuitSettle:
		return s.settle(in)
	case circuitIsolate:
		s.see(in.at)
		s.until = s.latest + in.lasts
		s.change(breaker.Isolated, breaker.ByPerson, s.latest)
	case circuitRelease:
		if s.state == breaker.Isolated {
			s.see(in.at)
			s.change(breaker.HalfOpen, breaker.ByRelease, s.latest)
		}
	case circuitSnapshot:
		return only(s, s.agrees(out))
	}
	return []any{s}
}

func (s *circuitState) see(at time.Duration) { s.latest = max(s.latest, at) }

func (s *circuitState) change(to breaker.State, cause breaker.Cause, at time.Duration) {
	s.log += fmt.Sprintf("%v to %v at %v, %s; ", s.state, to, at, cause)
	from := s.state
	s.generation++
	s.state, s.since = to, at
	s.limit, s.held, s.leases = 1, 0, [mostLeases]circuitLease{}
	if to == breaker.Closed {
		s.rounds, s.incomplete = 0, false
		s.recent, s.counts = [mostCalls]sample{}, [samples]int8{}
		if s.rules.calls == 0 {
			s.refused = 0
		}
	}
	if from == breaker.HalfOpen {
		s.incomplete = false
	}
}

func (s *circuitState) open(cause breaker.Cause, at time.Duration) {
	d := s.rules.openFor << s.rounds
	s.until = at + min(d, s.rules.maxOpenFor)
	s.change(breaker.Open, cause, at)
}

// pass does what is due by time.
func (s *circuitState) pass() {
	if s.state == breaker.HalfOpen {
		over := time.Duration(-1)
		for _, l := range s.leases[:s.held] {
			if l.until <= s.latest && (over < 0 || l.until < over) {
				over = l.until
			}
		}
		if over >= 0 {
			s.rounds++
			s.open(breaker.ByLease, over)
		}
	}
	switch {
	case s.latest < s.until:
	case s.state == breaker.Open:
		s.change(breaker.HalfOpen, breaker.ByTime, s.latest)
	case s.state == breaker.Isolated:
		s.change(breaker.HalfOpen, breaker.ByExpiry, s.latest)
	}
}

func (s circuitState) admit(in *circuitIn, out *circuitOut) (next []any) {
	if s.state == breaker.Closed {
		if out.refused {
			return nil
		}
		s.notes[in.id] = circuitNote{s.state, s.generation}
		next = append(next, s)
		if in.others > 0 && in.at > s.latest { // it may have come for the lock before the breaker closed
			s.see(in.at)
			next = append(next, s)
		}
		return next
	}
	s.see(in.at)
	s.pass()
	wait := s.until - s.latest
	if s.state == breaker.HalfOpen {
		if in.idempotent && in.number == 1 && s.held < s.limit {
			s.leases[s.held] = circuitLease{in.id, s.latest + in.lease}
			s.held++
			s.notes[in.id] = circuitNote{s.state, s.generation}
			return only(s, !out.refused)
		}
		wait = 0
		for _, l := range s.leases[:s.held] {
			if d := l.until - s.latest; wait == 0 || d < wait {
				wait = d
			}
		}
	}
	if in.number == 1 {
		s.refused++
	}
	return only(s, out.refused && out.state == s.state && out.wait == wait && out.retry == (in.number > 1))
}

func (s circuitState) settle(in *circuitIn) []any {
	note := s.notes[in.id]
	s.notes[in.id] = circuitNote{}
	probe := note.state == breaker.HalfOpen
	if in.kind == neutral && !probe {
		return []any{s}
	}
	if s.state == breaker.Closed && note.generation == s.generation && !probe {
		return s.weighed(in)
	}
	before := s
	s.see(in.at)
	if s.state == breaker.HalfOpen && !in.kind.failure() {
		first := int64(-1)
		for _, l := range s.leases[:s.held] {
			if int64(l.until) <= int64(s.latest) && (first < 0 || int64(l.until) < first) {
				first = int64(l.until)
			}
		}
		if first >= 0 {
			s.rounds++
			s.open(breaker.ByLease, time.Duration(first))
		}
	}
	if s.state != breaker.HalfOpen || !probe || note.generation != s.generation || !s.end(in.id) {
		next := []any{s}
		if in.kind == success && !probe && (in.others >= aCycle || in.others > 0 && s.state != breaker.Closed) {
			// It found its generation closed, and was counted later.
			before.record(in.kind)
			next = append(next, before)
		}
		return next
	}
	s.record(in.kind)
	switch {
	case in.kind.failure():
		s.rounds++
		s.open(breaker.ByProbe, s.latest)
	case in.kind == neutral:
	case int(s.limit) >= s.rules.probes:
		s.change(breaker.Closed, breaker.ByRamp, s.latest)
	default:
		s.limit = int8(min(2*int(s.limit), s.rules.probes))
	}
	return []any{s}
}

// end takes a lease away.
func (s *circuitState) end(id uint8) bool {
	for i, l := range s.leases[:s.held] {
		if l.id == id {
			copy(s.leases[i:], s.leases[i+1:])
			s.held--
			s.leases[s.held] = circuitLease{}
			return true
		}
	}
	return false
}

func (s *circuitState) record(k sample) { s.insert(k, 0) }

// insert records k as if it had come before the last ones.
func (s *circuitState) insert(k sample, behind int) {
	n := s.rules.calls
	switch last := n - 1 - behind; {
	case k == neutral:
	case n == 0:
		s.counts[k]++
	case last >= 0:
		copy(s.recent[:last], s.recent[1:last+1])
		s.recent[last] = k
	}
}

func (s *circuitState) totals() (n [samples]int8) {
	if s.rules.calls == 0 {
		return s.counts
	}
	for _, k := range s.recent {
		n[k]++
	}
	n[neutral] = 0
	return n
}

// weighed is an outcome that counts while the breaker is closed.
func (s circuitState) weighed(in *circuitIn) (next []any) {
	easy := in.kind == success && !s.incomplete
	loose := in.kind == success && in.others > 0
	if easy || loose {
		free := s
		free.record(in.kind)
		next = append(next, free)
		if loose && free.incomplete {
			free.incomplete = false // it lowered the score that is the mark, too
			next = append(next, free)
		}
		if easy && !loose {
			return next
		}
	}
	s.see(in.at)
	for behind := range min(in.unlocked, s.rules.calls) + 1 {
		next = s.decide(next, in, behind)
	}
	return next
}

// decide adds what may become of s by an outcome that took its place in the window behind some successes, which came
// after it and before its decision was in force.
func (s circuitState) decide(next []any, in *circuitIn, behind int) []any {
	s.insert(in.kind, behind)
	n := s.totals()
	failures := int(n[transient] + n[throttled] + n[ambiguous])
	total := failures + int(n[success])
	// What succeeds at the same time may be counted later, or in two steps.
	for _, off := range spread(in.unlocked) {
		for _, away := range spread(in.unlocked) {
			next = add(next, s.verdict(failures-away, total-off))
		}
	}
	return next
}

// spread is 0, 1, -1 …, up to n.
func spread(n int) []int {
	all := []int{0}
	for i := range n {
		all = append(all, i+1, -i-1)
	}
	return all
}

func (s circuitState) verdict(failures, total int) circuitState {
	total = max(total, failures)
	enough := total >= s.rules.minSamples
	s.incomplete = !enough && failures > 0
	if enough && total > 0 && float64(failures) >= failureRate*float64(total) {
		s.open(breaker.ByFailureRate, s.latest)
	}
	return s
}

func add(next []any, s circuitState) []any {
	for _, have := range next {
		if have == any(s) {
			return next
		}
	}
	return append(next, s)
}

func (s *circuitState) agrees(out *circuitOut) bool {
	n := s.totals()
	want := breaker.Snapshot{
		Key: "venue", State: s.state, Generation: uint64(s.generation),
		Counts: breaker.Counts{
			OK: uint64(n[success]), Transient: uint64(n[transient]), Throttled: uint64(n[throttled]),
			Ambiguous: uint64(n[ambiguous]), Refused: uint64(s.refused),
		},
	}
	if s.generation > 0 {
		want.Since = epoch.Add(s.since)
	}
	switch s.state {
	case breaker.Open, breaker.Isolated:
		want.Until = epoch.Add(s.until)
	case breaker.HalfOpen:
		want.Probes, want.Permits = int(s.held), int(s.limit)
	}
	got := out.snapshot
	got.Order = breaker.Order{}
	return got == want && (!out.all || out.log == s.log)
}

// looseCircuit tells an operation what overlaps with it.
func looseCircuit(all []porcupine.Operation, i int) {
	in := all[i].Input.(*circuitIn)
	for j, op := range all {
		other := op.Input.(*circuitIn)
		if i == j || !overlap(all[i], op) || other.op == circuitSnapshot {
			continue
		}
		in.others++
		if other.op == circuitSettle && other.kind == success {
			in.unlocked++
		}
	}
}

func describeCircuit(in *circuitIn, out *circuitOut) string {
	var b strings.Builder
	switch in.op {
	case circuitAdmit:
		fmt.Fprintf(&b, "Admit(#%d, number %d, idempotent %t, at %v) = ", in.id, in.number, in.idempotent, in.at)
		if out.refused {
			fmt.Fprintf(&b, "refused while %v, wait %v, retry %t", out.state, out.wait, out.retry)
		} else {
			b.WriteString("admitted")
		}
	case circuitSettle:
		fmt.Fprintf(&b, "Settle(#%d, %v, at %v)", in.id, [...]string{"neutral", "success", "transient", "throttled", "ambiguous"}[in.kind], in.at)
	case circuitIsolate:
		fmt.Fprintf(&b, "Isolate(at %v, for %v)", in.at, in.lasts)
	case circuitRelease:
		fmt.Fprintf(&b, "Release(at %v)", in.at)
	case circuitSnapshot:
		s := out.snapshot
		fmt.Fprintf(&b, "Snapshot() = %v, generation %d, since %v, until %v, %+v, %d of %d permits", s.State, s.Generation,
			span(s.Since), span(s.Until), s.Counts, s.Probes, s.Permits)
		if out.all {
			fmt.Fprintf(&b, "; told: %s by %+v", out.log, *in.rules)
		}
	}
	return b.String()
}

// span is a time as it is written in a history.
func span(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Sub(epoch).String()
}
