// Package halt is the emergency stop: when [Tree.Stop] has returned, no attempt in its scope starts.
//
// A [Tree] holds scopes, by custom
//
//	global > tenant or desk > component > operation > key
//
// and each of them can be stopped by itself. A [Gate] is the place of one scope in a policy:
//
//	stops := &halt.Tree{File: "stops.json"}
//	stops.Mark(halt.Orders, "equities", "binance")
//	place := &retry.Policy{Name: "binance.place_order", Gates: []retry.Gate{
//		stops.Gate("equities", "binance", "place_order"), // first: it has the last word
//	}}
//
//	stops.Stop(halt.Command{Scope: "equities/binance", Who: "ops1", Why: "prices look wrong"})
//
// # States
//
//	state             new operations       retries              running   error        expires
//	Running           all                  all                  go on     -            -
//	NoRetries         all                  none                 finish    ErrHalted    may
//	RiskReducingOnly  risk-reducing only   risk-reducing only   finish    ErrHalted    may
//	DrainOnly         none                 none                 finish    ErrDraining  may
//	Stopped           none                 none                 finish *  ErrHalted    never
//
//	* or are cancelled, if the stop asks for it and the user's function listens: see Gate.Bind
//
// What a scope lets through is, column by column, the strictest on its path: its own stops, those of all
// scopes above it, and what the tree itself found wrong. Stops of one scope are merged the same way.
//
//	                   Stop, a trip, a trigger
//	     +---------------------------------------------------+
//	     |         +-------------------+                     v
//	     |         |  Stop: begins     |  Stop        +-------------+ --+ Stop: merged,
//	+---------+    |  anew after it    +------------> |   stopped   |   | epoch + 1
//	| running |    |                   |              | (one of 4   | <-+
//	+---------+    |  +-------+        |              |   states)   |
//	     ^         +--| ramp  |<-------+------------- +-------------+
//	     |            | 10 %  |  Resume: two persons, epoch as seen, saved and recorded first
//	     +------------| 50 %  |  expiry: not of Stopped
//	       100 % held | 100 % |--+ a burst of failures: the step
//	                  +-------+<-+ begins anew
//
// # The promise
//
//   - An attempt starts when [Gate.Start] lets it pass, directly before the user's function is called.
//   - Each attempt in the scope either has started before Stop returned, or is refused.
//   - Calls that wait for a retry are woken, end with the stop as their reason, and get back what they had
//     reserved. A call that is woken late starts nothing, either.
//   - A stop is in force before it is saved, and saved before Stop returns. A resume is recorded, then saved,
//     then in force.
//
// In plain words: a goroutine that has just passed the gate may call its function a moment after Stop
// returned, as an attempt that runs; nothing passes the gate after that. docs/models holds a model of
// this for the SPIN model checker, and of the obvious way that is wrong.
//
// # What makes a tree stricter by itself
//
// A lost control plane ([Tree.Lease]), an audit sink that fails, a state file that cannot be read, and limits
// ([Tree.Watch]). Other gates do not know the tree: their trips reach it through the caller's code, see the example
// of [Tree.Stop] with budgets. None of them ever makes it less strict than the stops in force.
//
// # Time
//
// Gates do not read the clock: a ramp passes with the times of attempts. Commands do, and [Tree.Run] does.
//
// Within a process, leases and expiries pass by the monotonic clock, and a wall clock that is set changes nothing. A
// state file knows only the wall clock: if that is set forward between the writing of a file and its reading at the
// next start, what expires does so earlier by as much, if it is set back, later. Stopped never expires, and
// nothing does before Run.
package halt
