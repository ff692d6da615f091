// Package analytics recognises patterns in what calls do, and tells a person what to do about them.
//
//	retry.Policy ──observer──▶ Analyzer ──queue──▶ Engine ──Finding──▶ Sink: log, webhook, audit
//	breakers, stops ──Add─────▶                       └────Findings()──▶ dashboard, metrics
//
// An [Analyzer] is a [retry.Observer]. It never blocks a call and never changes one. Its memory is bounded: by a queue of
// [QueueSize] records, by [Config.MaxSubjects] names, and by rings of fixed size for each. A name for which there is no room
// is counted under [Other], and [Stats] says how often that was.
//
// An [Engine] is the same without the queue and the goroutine: it takes time from the records only, so the same records give
// the same findings. Package streamtest makes records whose truth is known.
//
// An alarm needs three things: a statistic (is it chance?), an effect size (does it matter?) and a minimum count (is there
// enough?). The thresholds, and what they reach on streams of known truth, are in docs/analytics.md.
package analytics
