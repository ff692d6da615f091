// Package lease shares one retry budget among the processes of a fleet. Budgets of single processes multiply by their
// number: a hundred processes that may each make ten retries a second are a thousand retries a second.
//
// A [Coordinator] holds the bucket and lends out of it, for a short time. A [Lease] is the gate of one process and
// spends what it was lent, without asking anybody. Both are state machines that take the time as an
// argument; the way between them is somebody else's:
//
//	first attempts ──earn──> Lease ──Request{Deposit, Return, Want}──> Coordinator
//	       retries <──pays── Lease <──────Grant{Tokens, Valid}──────── (capacity, floor)
//
// # What it promises
//
// Over any time W, all processes together spend at most
//
//	Capacity + Floor·(W+Valid) + Ratio·calls(W+Valid+History)
//
// where calls are the first attempts in W and the Valid+History before it; History includes the time that a message
// takes. Processes that are cut off spend no more than what their own first attempts earn, and
// their own Floor.
//
// The reasons are these.
//
//   - What is spent in W was lent in W or in the Valid before it, and what is lent was in the bucket before
//     that, at most Capacity, or came in.
//   - What is returned is credited only as far as that process still holds it, and as far as the bucket and
//     all running leases stay within Capacity. What ran out is burnt.
//   - A process counts Valid from before it sent the request (for the first time); the coordinator
//     counts from when it answered, and a little longer. So a lease is over for the process first.
//   - (Process, Epoch, Seq) names a request: repeated it has the same answer, overtaken it has no effect.
//   - A deposit travels once, and is at most History old then.
//   - A new coordinator lends nothing until all leases of the one before have run out, and a stop voids them
//     by a new epoch, of which a process that cannot be reached learns by its lease running out.
//
// In plain words: when in doubt, tokens are lost, never made.
//
// The state of a coordinator is in memory. Whoever starts it must give it a higher epoch than any before it.
// Processes that start again must take a new name.
package lease
