// Package rules makes the recording and alerting rules over relent's metrics, and the unit tests of those rules.
//
// The files in deploy/prometheus are what [File] and [Tests] write for the default objective; `relent policy rules`
// prints them for another one. Expressions work on Prometheus 2.42 and later, at a scrape interval of 15 s or less.
//
// # Principles
//
//   - Page for what users feel or what can lose money, open a ticket for the rest.
//   - A call that its caller cancelled counts neither as good nor as bad.
//   - Objectives are judged by what callers got, after retries. What retries hide has an alert of its own.
//   - Whoever divides has a volume guard: one failure at night is no outage.
//   - Each alert names its runbook, docs/runbooks/<name>.md.
package rules
