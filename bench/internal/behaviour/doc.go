// Package behaviour asks relent and its peers the same questions and writes down what they do.
// Every cell of the table is observed in a run, under the clock of testing/synctest; "n/a" stands
// where a subject lacks the feature. relent's own column is asserted. Everything is in the tests:
//
//	go test ./internal/behaviour -args -table table.json
package behaviour
