// Package promtest sees an alert through from end to end: relent's metrics, a real Prometheus with the rules of
// deploy/prometheus, a real Alertmanager, and who is paged. It holds tests only.
package promtest
