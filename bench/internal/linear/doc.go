// Package linear checks that relent's gates are linearizable: that whatever many goroutines saw of a gate can be
// explained by some order in which the operations happened one at a time, each at some moment between its call and its
// return, on a plain sequential model of the gate. Everything is in the tests:
//
//	go test -v ./internal/linear                        a hundred thousand histories, under a minute
//	go test -v ./internal/linear -args -times 20        twenty times as many
//	go test -v ./internal/linear -args -seed 7          others
//	go test ./internal/linear -artifacts -outputdir .   keep the picture of a history that has no explanation
//
// A history is a gate of its own, with settings drawn by lot, that two to four goroutines use for two to five operations
// each. They start together, and now and then yield: between operations, and where a gate calls the code of its user. The
// call and the return of each operation are stamped by one shared counter, what it returned is written down, and so is
// what the gate says of itself at the end. Attempts are made by hand, at times that are part of the history, for gates read
// no clock. The search for an order is porcupine's: Athalye, github.com/anishathalye/porcupine, after Lowe, "Testing for
// linearizability", 2017.
//
// # What is checked
//
//   - budget.Budget: reserve, give back, consume, earn, trickle, change. Each decision, the numbers in each refusal, and the
//     final Stats.
//   - breaker.Breaker with Rules.Classic, over the last calls and over time: windows, transitions, generations, permits,
//     leases, the ramp, and orders by people. Each decision, the wait in each refusal, the changes told to OnChange in their
//     order, and the final Snapshot.
//   - halt.Tree: Stop and Resume of scopes against Admit and Start of gates below. Once Stop has returned nothing
//     starts in the scope; a resume with an old epoch is refused, also when the stop comes while it is being saved.
//   - limit.Concurrency, limit.Retries and limit.Rate, without waits.
//
// # Where the models are loose
//
// A model allows for what a gate documents, or does, less strictly than one operation at a time, and only for operations that
// overlap with those that may cause it. All others are held to the exact answer.
//
//   - Budget counts the first attempts in flight in shards, and one that comes or goes while the ceiling is computed may or may
//     not be counted. So the ceiling is checked between the two bounds. The bucket is exact.
//   - A first attempt that succeeds while Change replaces the Ratio may earn either.
//   - The counts in Stats that first attempts change are not all of one moment.
//   - A success while a breaker is closed takes no lock. It may be counted after a transition that happens meanwhile. A failure
//     that is weighed at the same time may be weighed without it, and the sample that completes MinSamples may be
//     noticed with the next outcome only; and an Admit that finds it closed may or may not have shown it the time. In all
//     other states a breaker is exact.
//   - A Stop takes effect gate by gate, and lane by lane within a gate, until it returns. So each lane of each gate
//     is an object of its own, which the commands share.
//
// # How the checks are checked
//
// Each model meets a gate that is broken on purpose in the way that such gates are broken, such as a look at the
// balance before, and not while, it is reduced. Porcupine must refuse one of its histories.
package linear
