// Package inference calls models, and answers with a simpler one or with an earlier answer when the best one fails.
//
//	prices := &inference.Ladder[Quote, float64]{
//		Models: []inference.Model[Quote, float64]{
//			{Name: "net", Version: "7", Quality: "full", Predict: net, Policy: &retry.Policy{Idempotent: true, Gates: []retry.Gate{breaker}}},
//			{Name: "mean", Quality: "rule of thumb", Predict: mean},
//		},
//		Key: Quote.String, Cache: &inference.Cache[float64]{}, TTL: time.Second, StaleFor: time.Minute,
//	}
//	a, err := prices.Predict(ctx, quote) // a.Value, a.Model, a.Quality, a.Source, a.Age, a.Degraded, a.Why
//
// A [Ladder] is an order of models behind one call. A [Cache] keeps what they said. [Features] fetch what models need. An
// [Answer] always says which model gave it, of what quality, how long ago, and why it is not the best one's.
//
// # The order of answers
//
// For each model, best first:
//
//  1. Its answer from the cache, up to TTL: Cached.
//  2. The model itself, through its own policy with its own gates: Live.
//  3. If that fails, its answer from the cache, up to StaleFor: Stale. With FreshFirst, this comes after all models.
//
// Then the Default, and else an [*Error] with what each model said. A Permanent error says that the input is bad: it ends the call, since
// a simpler model would be given the same. A number that is NaN or infinite is a Permanent error too, and not retried; but it is
// the model's fault, so the next one is asked.
//
// # Time
//
// Of a deadline, each model may use what is left less the P95 of the simpler ones after it. One whose P50 does not fit is not asked. Ages
// are counted on the monotonic clock, from the beginning of the attempt that answered.
//
// # Calls that are one
//
// Calls with one key are one call at a time. Who cancels leaves it to the others; the last one ends it. A caller whose deadline comes before that of
// the shared call makes its own, as does each beyond [Ladder.Flights].
//
// # Degraded mode
//
// Each model but the last is left out when it fails, and comes back by itself:
//
//	         3 failed calls in a row,               3 good probes
//	         or its breaker is open                 over 10 s or more
//	Normal ────────────────────────────▶ Degraded ──────────────────▶ Ramp 10, 50, 100 % ───▶ Normal
//	                                      ▲  ▲  │                      │   10 s each
//	                                      │  └──┘ bad probe:           │
//	                                      │       twice the wait       │
//	                                      └────────────────────────────┘ failed call or probe: twice the 10 s
//	Held: by an operator, from any state, without its cached answers either; then Degraded
//
// In plain words: while a model is left out, no caller waits for it. Calls that come by lend their input to a probe, one at a time, after 5 s and
// up to 1 min; its answer is not used. Then a growing share of the keys is asked again, so that one key sees one model as long as the
// share stays. A step of the ramp also needs a call or probe that went well in it. A model that fails in the ramp, or within 1 min of
// its return, must do well for twice as long, up to 5 min; 10 min of Normal make up for that. [Rules] has the numbers, [Ladder.Status]
// the present state, OnChange each step with its evidence.
//
// A failed call is one that was made and brought no answer. A caller who gave up, a bad input, and a gate that refuses say
// nothing about a model, except for a breaker that is open. Without calls there are no probes.
//
// # Memory and goroutines
//
// A cache is bounded by entries and bytes, what features keep by values, shared calls and fetches by number, changes for a slow listener too.
// Ladder.Close and Features.Close end what runs, and wait for it. A function that does not obey its context is waited for there.
//
// # Training
//
// Training jobs resume from their checkpoints with package work/job: see examples/training. The example
// examples/inference kills a model's server, and shows what callers see until it is back.
package inference
