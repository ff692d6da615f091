package linear

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/relent-go/relent/gate/halt"
)

// place is a scope of the trees of all histories:
//
//	global
//	└── desk
//	    ├── a
//	    └── b
type place uint8

const (
	global place = iota
	desk
	scopeA
	scopeB

	places
)

var (
	above   = [places]place{global, global, desk, desk}
	scopes  = [places]halt.Scope{halt.Global, "desk", "desk/a", "desk/b"}
	persons = [...]string{"ops1", "ops2", "ops3", "ops4"}
)

// path returns p and the scopes above it, the highest first.
func (p place) path() []place {
	switch p {
	case global:
		return []place{global}
	case desk:
		return []place{global, desk}
	}
	return []place{global, desk, p}
}

// The ways in, as bits: those of a first attempt and of a retry, and the same two for what only reduces risk.
const (
	wayFirst    = 1 << iota
	wayAgain    = 1 << iota
	wayReducing = 1 << iota // of a first attempt
	wayReAgain  = 1 << iota
)

// shuts is what each state closes: the table in the comment of package halt.
var shuts = [...]uint8{
	halt.Running:          0,
	halt.NoRetries:        wayAgain | wayReAgain,
	halt.RiskReducingOnly: wayFirst | wayAgain,
	halt.DrainOnly:        wayFirst | wayAgain | wayReducing | wayReAgain,
	halt.Stopped:          wayFirst | wayAgain | wayReducing | wayReAgain,
}

// stopState is what a tree is between two operations.
type stopState [places]struct {
	epoch    uint8
	held     [halt.Stopped + 1]uint8 // the epoch of the stop in force; 0 for none
	stoppers uint8                   // who commanded them, as bits
	easing   uint8                   // ways that are let go step by step
}

type stopOp uint8

const (
	stopAdmit stopOp = iota
	stopStart
	stopStop
	stopResume
	stopLook
)

type stopIn struct {
	op     stopOp
	place  place
	id     uint8 // of the attempt
	lane   uint32
	way    uint8
	state  halt.State
	epoch  uint8
	person int // who stops, or approves
	asker  int
}

type stopOut struct {
	err   error
	epoch uint8
	state halt.State // of a refusal, with the epoch
	scope halt.Scope
	what  string // refused because
}

// What a resume is refused for.
const (
	noStop     = "not stopped"
	oldEpoch   = "another epoch"
	twoPersons = "two persons"
	paced      = "let go step by step"
	stopped    = "stopped"
)

var stopModel = porcupine.Model{
	Partition: partitionStops,
	Init:      func() any { return stopState{} },
	Step: func(state, in, out any) (bool, any) {
		s := state.(stopState)
		ok := s.step(in.(*stopIn), out.(*stopOut))
		return ok, s
	},
	DescribeOperation: func(in, out any) string { return describeStop(in.(*stopIn), out.(*stopOut)) },
	DescribeState: func(state any) string {
		var b strings.Builder
		for p, n := range state.(stopState) {
			fmt.Fprintf(&b, "%s: epoch %d, stops %v, easing %04b; ", scopes[p], n.epoch, n.held[1:], n.easing)
		}
		return b.String()
	},
}

// partitionStops makes a history of its own for each lane of each gate, with all commands.
func partitionStops(all []porcupine.Operation) (parts [][]porcupine.Operation) {
	type lane struct {
		place place
		lane  uint32
	}
	seen := make(map[lane]int)
	var commands []porcupine.Operation
	for _, op := range all {
		in := op.Input.(*stopIn)
		if in.op > stopStart {
			commands = append(commands, op)
			continue
		}
		l := lane{in.place, in.lane}
		i, ok := seen[l]
		if !ok {
			i = len(parts)
			seen[l] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	for i := range parts {
		parts[i] = append(parts[i], commands...)
	}
	return append(parts, commands)
}

func (s *stopState) step(in *stopIn, out *stopOut) bool {
	n := &s[in.place]
	switch in.op {
	case stopAdmit, stopStart:
		return s.pass(in, out)
	case stopStop:
		n.epoch++
		n.held[in.state] = n.epoch
		n.stoppers |= 1 << in.person
		return out.epoch == n.epoch
	case stopResume:
		what := ""
		switch {
		case n.held == [len(n.held)]uint8{}:
			what = noStop
		case n.epoch != in.epoch:
			what = oldEpoch
		case in.person == in.asker, n.stoppers&(1<<in.person) != 0:
			what = twoPersons
		}
		if what != "" || out.what != "" {
			return out.what == what
		}
		n.epoch++
		for state, epoch := range n.held {
			if epoch > 0 {
				n.easing |= shuts[state] & (wayFirst | wayAgain)
			}
		}
		n.held, n.stoppers = [len(n.held)]uint8{}, 0
		return out.epoch == n.epoch
	case stopLook:
		return out.epoch == n.epoch
	}
	return false
}

// pass is for an attempt: it is refused by the gravest stop on its path, and may be by what is let go in steps.
func (s *stopState) pass(in *stopIn, out *stopOut) bool {
	want := stopOut{}
	easing := false
	for _, p := range in.place.path() {
		for state, epoch := range s[p].held {
			if epoch == 0 || shuts[state]&in.way == 0 {
				continue
			}
			if state := halt.State(state); state > want.state || state == want.state && epoch > want.epoch {
				want = stopOut{state: state, epoch: epoch, scope: scopes[p], what: stopped}
			}
		}
		easing = easing || s[p].easing&in.way != 0
	}
	switch {
	case want.what != "":
		return out.what == stopped && out.state == want.state && out.epoch == want.epoch && out.scope == want.scope
	case out.what == paced:
		return easing
	}
	return out.what == ""
}

func describeStop(in *stopIn, out *stopOut) string {
	var b strings.Builder
	switch in.op {
	case stopAdmit, stopStart:
		fmt.Fprintf(&b, "%s(#%d, %s, lane %d, way %04b) = ", map[stopOp]string{stopAdmit: "Admit", stopStart: "Start"}[in.op], in.id, scopes[in.place], in.lane, in.way)
		switch out.what {
		case "":
			b.WriteString("passes")
		case stopped:
			fmt.Fprintf(&b, "refused: %s is %v, epoch %d", out.scope, out.state, out.epoch)
		default:
			b.WriteString("refused: " + out.what)
		}
		return b.String()
	case stopStop:
		fmt.Fprintf(&b, "Stop(%s, %v, by %s)", scopes[in.place], in.state, persons[in.person])
	case stopResume:
		fmt.Fprintf(&b, "Resume(%s, epoch %d, %s and %s)", scopes[in.place], in.epoch, persons[in.asker], persons[in.person])
	case stopLook:
		fmt.Fprintf(&b, "Look(%s)", scopes[in.place])
	}
	if out.what != "" {
		fmt.Fprintf(&b, " = refused: %s", out.what)
	} else {
		fmt.Fprintf(&b, " = epoch %d", out.epoch)
	}
	return b.String()
}
