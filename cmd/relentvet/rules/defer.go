package rules

import (
	"go/ast"

	"golang.org/x/tools/go/analysis"
)

// Defer finds defers that pile up with the attempts (R15).
var Defer = &analysis.Analyzer{Name: "retrydefer", Doc: "find defer in the body of a retry loop", Run: func(pass *analysis.Pass) (any, error) {
	report := func(body *ast.BlockStmt) {
		walkWithin(body, func(n ast.Node, around []ast.Node) {
			if d, ok := n.(*ast.DeferStmt); ok && !lastRound(d, around) {
				pass.Reportf(d.Pos(), "defer in a retry loop runs when the function returns, not after the attempt: each attempt keeps what it opened; close it in the loop, or put the attempt into a function (R15)")
			}
		})
	}
	loops(pass, func(l loop, _ []ast.Node) { report(l.body) })
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if r, _ := attempts(pass, n); r != nil {
				report(r.Body)
			}
			return true
		})
	}
	return nil, nil
}}

// lastRound reports whether the loop cannot go around after a defer: the rest of its block leaves, and nothing in it goes around.
func lastRound(d ast.Stmt, around []ast.Node) bool {
	block, ok := around[len(around)-1].(*ast.BlockStmt)
	if !ok || !leaves(block) {
		return false
	}
	ends := true
	for _, s := range block.List {
		if s.Pos() > d.Pos() {
			within(s, func(n ast.Node) {
				if b, ok := n.(*ast.BranchStmt); ok && b.Tok.String() == "continue" {
					ends = false
				}
			})
		}
	}
	return ends
}
