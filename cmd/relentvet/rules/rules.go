// Package rules finds retry loops written by hand, and mistakes around retries, in source.
//
// A rule would rather say nothing than be wrong: what it cannot decide from one function, it leaves alone.
package rules

import "golang.org/x/tools/go/analysis"

// All holds the rules.
var All = []*analysis.Analyzer{NoCap, NoDelay, Sleep, Hint, Defer, Leak, Nested, Shadow, Verb, Class, State, Shared, Batch, Post, Overlap}
