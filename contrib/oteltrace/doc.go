// Package oteltrace shows retried calls as OpenTelemetry spans. A call that succeeds at once makes none.
//
//	t := &oteltrace.Tracer{}
//	book, err := oteltrace.Do(ctx, t, fetchBook, fetch)
//
// # Spans
//
//	GET /book                        yours, or your framework's: the incoming span
//	└─ binance.book                  INTERNAL: the call, from its beginning
//	   ├─ binance.book attempt       CLIENT, status Error
//	   ├─ binance.book attempt       CLIENT, status Error
//	   └─ binance.book attempt       CLIENT
//
// The span of a call has relent.policy, relent.outcome (what the caller got: one of [control.Outcomes]) and
// relent.attempts. Its status is Error if the call failed. Each wait is an event relent.backoff on it, with delay_ms and
// source: policy, or hint where the other side asked for the wait. A part that refused a further attempt, or the first,
// is an event relent.refused with the reason.
//
// The span of an attempt has relent.attempt, counted from 1, or, from a Tracer that says HTTP,
// http.request.resend_count on attempts after the first, as the semantic conventions have it. One that failed has
// error.type and relent.class, and the status Error. error.type is a status ("503"), a gRPC code ("UNAVAILABLE"), timeout,
// canceled, panic, or the type of the error.
//
// Spans are made where the incoming span is recording, and only there. The first failure, or a refusal before the first attempt, makes
// the spans of the call and of its first attempt, with the times at which they began. What an attempt after the first does, it does below its own span: the spans of HTTP
// and gRPC clients nest there, and the trace goes on in the process that they call. With AlwaysSpan that is so for
// first attempts, too, and calls that succeed at once have spans.
//
// # Two ways
//
// [Do], [Run] and [Attempts] take the place of those of package retry. A [Tracer] is also a [retry.Observer], for
// calls that something else makes: a retryhttp.Transport, or an operation of a registry.
//
//	client := retryhttp.Client(&retry.Policy{Observer: t})
//
// Where no span is recording, Do adds 8 to 10 ns to retry.Do, 1 with a nil Tracer, and the observer as good as nothing; where one is, a call with a
// failure costs a sixth to a fifth more than the same spans written by hand (go test -bench . ./oteltrace, on two busy cores).
//
// As an observer it makes the same spans from what it is told, when an attempt has ended. It cannot give attempts a context, so
// what they do appears beside their spans, below the incoming one. The first attempt of a call whose time nobody
// took has no length, and says relent.untimed: see Tracer.Timed. A call that both ways reach is shown once.
//
// # Across processes
//
// Propagators carry the span of an attempt to the process that serves it. Work that another process takes up later, after a crash or from
// a queue, is no child of the span that began it. Write [Reference] down with the work, and hand it to [WithLinks] where it goes on:
// the span of the call there links back. The two ends of an order, before and after a restart, are then one click apart.
//
// # What stays out
//
// Attributes come from configuration or closed lists, and never hold order ids, symbols or URLs. An order is named by
// [KeyHash]. The text of an error is the description of a status, as Tracer.Redact gives it.
//
// # Metrics
//
// [Metrics] shows the counters of a [control.Registry] through one callback, which runs when a reader collects. Calls
// pay nothing for it.
package oteltrace
