// Package job does long work in steps, and goes on at the last one saved when a process dies.
//
//	r := &job.Runner{Store: store, Handlers: map[string]job.Handler{
//		"settle": {Steps: []job.Step{
//			{Name: "net", Effect: job.Safe, Do: net},
//			{Name: "pay", Effect: job.Unsafe, Do: pay, Reconcile: paid},
//		}, Policy: &retry.Policy{MaxAttempts: 10}},
//	}}
//	err := r.Enqueue(ctx, job.Job{ID: "settle-42", Kind: "settle"})
//	err = r.Run(ctx) // until ctx ends
//
// # The life of a job
//
//	         ┌── an attempt failed: after the backoff ──┐
//	         │   the runner stops, or a gate refuses    │
//	         │   the worker died: when its lease ends   │
//	         ▼                                          │
//	Enqueue ─▶ Waiting ──── taken, when it is due ────▶ Running ──────────────────▶ Done
//	             ▲                                      │
//	             │                                      ├─ Permanent, exhausted ─▶ Failed ────┐
//	             │                                      ├─ no longer wanted ─────▶ Abandoned ─┤ parked
//	             │                                      └─ may have happened ────▶ Unknown ───┘
//	             └────────────────────────── Redrive, by hand ────────────────────────────────┘
//
// In plain words: a job is done at least once, never before it is due, and by one worker at a time. It ends once, in
// one of four ways, with one event. What did not end well waits for a person, with all that went wrong.
//
// # What runs again
//
// A checkpoint is saved after each step, and wherever a step asks for it. What runs again after a crash is the step
// that was under way, from its own last checkpoint; never one that was saved as done. So each [Step] declares its [Effect]:
//
//   - Safe and Idempotent steps run again, after a crash and when their outcome is ambiguous.
//   - That an Unsafe step begins is saved before it does. If it is then not known what became of it, because
//     the process died or the error does not say, Reconcile is asked; and without an answer the job ends as
//     Unknown. Whoever redrives it must say what happened.
//
// # When the lease is lost
//
// A lease gives liveness, not safety: a worker that was paused for longer than its lease may wake up and act. Its saves
// are refused by the store. What it does elsewhere can only be refused there: show [Task.Fence] to resources that can compare
// it, and [Task.Key] to those that keep keys.
//
// # When the store is away
//
// A job waits at its last checkpoint until the store answers or the lease has ended, in which case another worker will go on from there.
// Nothing is begun meanwhile.
package job
