package rules

import (
	"go/ast"
	"go/types"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var moves = regexp.MustCompile(`(?i)^(next|read|scan|recv|receive|accept|pop|take|dequeue|fetchmessage|decode|unmarshal|parse|prompt|input|ask|pick|choose|random|rand|generate|gen|uuid|new)`)

// varies reports whether a loop calls something else each time, and so does not retry: it changes what the call is made with, or
// the call's name says that it takes the next of something.
func varies(pass *analysis.Pass, l loop) (other bool) {
	changed := changedIn(pass, l.Stmt)
	ast.Inspect(l.call, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			other = other || changed[pass.TypesInfo.ObjectOf(n)]
		case *ast.CallExpr:
			other = other || moves.MatchString(text(n.Fun))
		}
		return true
	})
	return other
}

// changedIn returns the variables that a statement sets, those it declares included.
func changedIn(pass *analysis.Pass, s ast.Stmt) map[types.Object]bool {
	changed := map[types.Object]bool{}
	within(s, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, x := range n.Lhs {
				changes(pass, changed, x)
			}
		case *ast.IncDecStmt:
			changes(pass, changed, n.X)
		case *ast.RangeStmt:
			changes(pass, changed, n.Key)
			changes(pass, changed, n.Value)
		case *ast.ValueSpec:
			for _, id := range n.Names {
				changes(pass, changed, id)
			}
		}
	})
	return changed
}

// changes notes the variable that x is part of.
func changes(pass *analysis.Pass, changed map[types.Object]bool, x ast.Expr) {
	for {
		switch y := x.(type) {
		case *ast.Ident:
			changed[pass.TypesInfo.ObjectOf(y)] = true
			return
		case *ast.SelectorExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		default:
			return
		}
	}
}
