package rules

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// varies reports whether a loop changes what its call is made with: then it is another call each time, and no retry.
func varies(pass *analysis.Pass, l loop) (other bool) {
	changed := map[types.Object]bool{}
	within(l.ForStmt, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, x := range n.Lhs {
				changes(pass, changed, x)
			}
		case *ast.IncDecStmt:
			changes(pass, changed, n.X)
		}
	})
	ast.Inspect(l.call, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && changed[pass.TypesInfo.ObjectOf(id)] {
			other = true
		}
		return true
	})
	return other
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
