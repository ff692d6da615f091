package rules

import (
	"go/ast"
	"go/token"

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
							shadow = id
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
				pass.Reportf(shadow.Pos(), "%s is another variable than the one that retry.Attempts reads, so the call ends with ErrUnreported; write = and not :=", shadow.Name)
			}
			return true
		})
	}
	return nil, nil
}}
