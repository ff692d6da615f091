package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// Shadow finds loops over retry.Attempts that never set the error they promised to set.
var Shadow = &analysis.Analyzer{Name: "retryshadow", Doc: "find loops over retry.Attempts that set another error", Run: func(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			r, obj := attempts(pass, n)
			if r == nil || obj == nil {
				return true
			}
			var shadow *ast.Ident
			var sets *ast.AssignStmt
			used := false // set, or its address taken
			ast.Inspect(r.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for _, x := range n.Lhs {
						id, ok := x.(*ast.Ident)
						if !ok || id.Name != obj.Name() {
							continue
						}
						if n.Tok == token.DEFINE && pass.TypesInfo.Defs[id] != nil {
							shadow, sets = id, n
						} else if pass.TypesInfo.ObjectOf(id) == obj {
							used = true
						}
					}
				case *ast.UnaryExpr:
					if id, ok := n.X.(*ast.Ident); ok && n.Op == token.AND && pass.TypesInfo.ObjectOf(id) == obj {
						used = true
					}
				}
				return true
			})
			if shadow != nil && !used {
				d := analysis.Diagnostic{Pos: shadow.Pos(), Message: shadow.Name + " is another variable than the one that retry.Attempts reads, so the call ends with ErrUnreported; write = and not :="}
				if declared(pass, sets) {
					d.SuggestedFixes = []analysis.SuggestedFix{{Message: "write =", TextEdits: []analysis.TextEdit{{Pos: sets.TokPos, End: sets.TokPos + 2, NewText: []byte("=")}}}}
				}
				pass.Report(d)
			}
			return true
		})
	}
	return nil, nil
}}

// declared reports whether each variable that a statement declares has a namesake of its type outside, which it could set instead.
func declared(pass *analysis.Pass, a *ast.AssignStmt) bool {
	for _, x := range a.Lhs {
		v, ok := pass.TypesInfo.Defs[x.(*ast.Ident)].(*types.Var)
		if !ok {
			continue // it sets one that is there, or the blank
		}
		_, outer := v.Parent().Parent().LookupParent(v.Name(), a.Pos())
		if outer == nil || !types.Identical(outer.Type(), v.Type()) {
			return false
		}
	}
	return true
}
