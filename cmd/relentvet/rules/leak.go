package rules

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// Leak finds loops that ask again for an answer whose body they have not closed (R15).
var Leak = &analysis.Analyzer{Name: "retryleak", Doc: "find retry loops that do not close the response of a failed attempt", Run: func(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		walk(file, func(n ast.Node, around []ast.Node) {
			l, ok := rounds(pass, n)
			if !ok {
				return
			}
			var asked ast.Node
			var answer types.Object
			for _, s := range l.body.List {
				if a, ok := s.(*ast.AssignStmt); ok && len(a.Lhs) == 2 {
					id, named := a.Lhs[0].(*ast.Ident)
					call, _ := fallible(pass, a)
					if named && call != nil && id.Name != "_" && isResponse(pass.TypesInfo.TypeOf(id)) {
						asked, answer = call, pass.TypesInfo.ObjectOf(id)
					}
				}
			}
			if answer == nil {
				return
			}
			status, handed := false, false
			ast.Inspect(l.body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.IfStmt:
					status = status || mentionsField(pass, n.Cond, answer, "StatusCode")
				case *ast.SwitchStmt:
					status = status || n.Tag != nil && mentionsField(pass, n.Tag, answer, "StatusCode")
				case *ast.SelectorExpr:
					if n.Sel.Name == "Body" && mentions(pass, n.X, answer) {
						handed = true
					}
				case *ast.CallExpr:
					for _, a := range n.Args {
						id, ok := a.(*ast.Ident)
						handed = handed || ok && pass.TypesInfo.ObjectOf(id) == answer
					}
				case *ast.AssignStmt:
					for _, x := range n.Rhs {
						id, ok := x.(*ast.Ident)
						handed = handed || ok && pass.TypesInfo.ObjectOf(id) == answer
					}
				}
				return true
			})
			if status && !handed && goesAround(l.body) {
				pass.Reportf(asked.Pos(), "a response whose status does not please is left open and asked for again: each attempt keeps a connection; close its body first (R15)")
			}
		})
	}
	return nil, nil
}}

// goesAround reports whether a body can end without leaving the loop.
func goesAround(body *ast.BlockStmt) bool {
	if !leaves(body) {
		return true
	}
	again := false
	within(body, func(n ast.Node) {
		if b, ok := n.(*ast.BranchStmt); ok {
			again = again || b.Tok.String() == "continue"
		}
	})
	return again
}

// mentionsField reports whether a node uses a field of obj.
func mentionsField(pass *analysis.Pass, n ast.Node, obj types.Object, field string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == field && mentions(pass, s.X, obj) {
			found = true
		}
		return true
	})
	return found
}
