package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// State finds variables that collect something over all attempts (R7). In tests that is how attempts are written down.
var State = &analysis.Analyzer{Name: "retrystate", Doc: "find appends to variables that an attempt does not reset", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(b body) {
		if strings.HasSuffix(pass.Fset.Position(b.Pos()).Filename, "_test.go") {
			return
		}
		grown := map[types.Object]ast.Node{}
		reset := map[types.Object]bool{}
		within(b.BlockStmt, func(n ast.Node) {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok != token.ASSIGN || len(a.Lhs) != len(a.Rhs) {
				return
			}
			for i, x := range a.Lhs {
				id, ok := x.(*ast.Ident)
				if !ok {
					continue
				}
				obj := pass.TypesInfo.ObjectOf(id)
				if obj == nil || b.Pos() <= obj.Pos() && obj.Pos() < b.End() {
					continue // it is the attempt's own
				}
				if grows(pass, a.Rhs[i], obj) {
					grown[obj] = a
				} else {
					reset[obj] = true
				}
			}
		})
		for obj, n := range grown {
			if !reset[obj] {
				pass.Reportf(n.Pos(), "%s keeps what failed attempts appended: the next attempt appends it again; empty it at the start of the attempt, or return it (R7)", obj.Name())
			}
		}
	})
	return nil, nil
}}

// grows reports whether x is append of obj to itself, of anything but an error: those are collected on purpose.
func grows(pass *analysis.Pass, x ast.Expr, obj types.Object) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok || text(call.Fun) != "append" {
		return false
	}
	if s, ok := obj.Type().Underlying().(*types.Slice); ok && isError(s.Elem()) {
		return false
	}
	id, ok := call.Args[0].(*ast.Ident)
	return ok && pass.TypesInfo.ObjectOf(id) == obj
}
