// Package lines measures relent and its peers side by side. A line is one piece of work; a subject is
// one library. Everything is in the tests:
//
//	go test -bench . ./internal/lines
//
// The same loops run once with a counter, to show that each does the work that its line claims.
package lines
