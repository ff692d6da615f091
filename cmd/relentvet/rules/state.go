package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// State finds variables that collect something over all attempts (R7).
var State = &analysis.Analyzer{Name: "retrystate", Doc: "find appends to variables that an attempt does not reset", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(body *ast.BlockStmt, _ ast.Expr) {
		grown := map[types.Object]ast.Node{}
		reset := map[types.Object]bool{}
		within(body, func(n ast.Node) {
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
				if obj == nil || body.Pos() <= obj.Pos() && obj.Pos() < body.End() {
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

// grows reports whether x is append of obj to itself.
func grows(pass *analysis.Pass, x ast.Expr, obj types.Object) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok || text(call.Fun) != "append" {
		return false
	}
	id, ok := call.Args[0].(*ast.Ident)
	return ok && pass.TypesInfo.ObjectOf(id) == obj
}
