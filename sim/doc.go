// Package sim shows what a retry policy does to a server in trouble, before it ships.
//
// A metastable failure has a trigger that ends and a sustaining effect that does not (Bronson et al.,
// "Metastable Failures in Distributed Systems", HotOS 2021). Retries are the commonest sustaining effect, and no
// test of one component shows it. [Run] plays it: clients with policies meet one server, which stalls, and
// the [Result] says how long the way back took.
//
// # The model
//
//   - Arrivals are an open loop: a Poisson process that does not slow down for anybody.
//   - One server works on one request at a time, for an exponential time. Its queue is unlimited or rejects
//     when it is full, first come first served or, above a depth, last come first served.
//   - A client gives an attempt up after its timeout. The request stays in the queue and is still served, unless
//     the server knows deadlines: most of the work in a storm is for nobody.
//   - Trouble is a stall of the server, in which its work is kept but not done, or a spike of the arrivals.
//   - Recovery is counted from the end of the trouble to the first second from which the mean goodput of
//     10 s is at least 0.95 of the arrivals. Goodput is operations answered within the timeout of the attempt that
//     was answered.
//
// The policies are the real ones: [retry.Policy] with its backoff, gates, validator and observer. Only time is invented. A test
// compares what a policy is asked and told here with what [retry.Run] asks and tells it. What is left out: Nudge, scopes, panics, and gates that wait inside Admit or Start; gates that read the clock would read another one.
//
// Runs are repeatable from the scenario and its seed. Each purpose has a random stream of its own, so that another
// policy meets the same arrivals.
//
// # What it is not
//
// It ranks policies. It is no forecast for a real venue, whose service times are not exponential, whose servers
// are many, and whose clients do not share a breaker. Where the model says never, believe it; where it says 40 s,
// believe that it recovers.
//
// [Trial] plays an hour of calls of several operations in a [World] that goes wrong in known ways, for one [Rival], which may be a learner of package
// adaptive. [Rehearse] makes such a world from what a learner knows, before it is trusted.
//
// [Forecast] is the arithmetic behind it, and [Contest] the experiment that compares jitters.
package sim
