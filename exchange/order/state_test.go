package order

import (
	"fmt"
	"testing"
)

// The table of transitions, exhaustively: each edge of section 3 is here, and every pair that is not here is refused.
func TestNext(t *testing.T) {
	type edge struct {
		from  State
		event Event
		facts Facts
	}
	plain, doubt, proven := Facts{}, Facts{Doubt: true}, Facts{Doubt: true, Proven: true}
	odd := Facts{Proven: true} // proven without doubt is as good as none
	all := []Facts{plain, doubt, proven, odd}
	want := make(map[edge]State)
	add := func(from State, e Event, to State, facts ...Facts) {
		if len(facts) == 0 {
			facts = all
		}
		for _, f := range facts {
			want[edge{from, e, f}] = to
		}
	}

	add(Recorded, GuardsPassed, Sending)
	add(Recorded, GuardFailed, Abandoned)
	add(Sending, NothingSent, NotSent)
	add(NotSent, Returned, Recorded, plain, odd)
	add(NotSent, Returned, Verifying, doubt)
	add(NotSent, Returned, Absent, proven)
	add(Sending, Refused, Rejected, plain, odd)
	add(Sending, Refused, Verifying, doubt, proven)
	add(Sending, Deferred, Recorded, plain, odd)
	add(Sending, Deferred, Verifying, doubt, proven)
	add(Sending, DuplicateID, Verifying)
	add(Sending, Unproven, Unknown)
	add(Unknown, ReadDue, Verifying)
	add(Unknown, ProofImpossible, Parked)
	add(Verifying, ProofComplete, Absent)
	add(Verifying, ProbeAllowed, Sending)
	add(Verifying, ProofImpossible, Parked)
	add(Absent, GuardsPassed, Sending)
	add(Absent, GuardFailed, Abandoned)
	add(Parked, OperatorAbsent, Abandoned)

	// Evidence that the order exists wins in every state that is not terminal.
	for _, s := range []State{Recorded, Sending, NotSent, Acked, Unknown, Verifying, Absent, Parked} {
		add(s, SeenWorking, Acked)
		add(s, SeenFilled, Filled)
		add(s, SeenCanceled, Canceled)
		add(s, SeenExpired, Expired)
		add(s, SeenRejected, Rejected)
	}
	// A terminal order does not work again, but the venue's last word counts.
	for _, s := range []State{Filled, Canceled, Expired} {
		add(s, SeenFilled, Filled)
		add(s, SeenCanceled, Canceled)
		add(s, SeenExpired, Expired)
		add(s, SeenRejected, Rejected)
	}
	// Late evidence on what was given up.
	for e := SeenWorking; e < Mismatch; e++ {
		add(Abandoned, e, Breach)
		add(Rejected, e, Breach)
		add(Breach, e, Breach)
	}
	add(Rejected, SeenRejected, Rejected)
	for s := range states {
		add(s, Mismatch, Breach)
	}

	for s := range states + 1 {
		for e := range events + 1 {
			for _, f := range all {
				to, edge := want[edge{s, e, f}]
				if !edge {
					to = s
				}
				if got, ok := Next(s, e, f); got != to || ok != edge {
					t.Errorf("Next(%v, %v, %+v) = %v, %v; want %v, %v", s, e, f, got, ok, to, edge)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for s := range states + 1 {
		seen[fmt.Sprint(s)] = true
	}
	for e := range events + 1 {
		seen[fmt.Sprint(e)] = true
	}
	if n := int(states) + int(events) + 1; len(seen) != n {
		t.Errorf("%d names; want %d different ones: %v", len(seen), n, seen)
	}
	for r, want := range map[Resend]string{ResendNever: "never", ResendAfterProof: "after_proof", ResendIsQuery: "is_query", 9: "never"} {
		if r.String() != want {
			t.Errorf("Resend(%d) = %v; want %v", r, r, want)
		}
	}
}
