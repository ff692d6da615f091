package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

// judges reports whether a loop decides by more than a count whether to go around: by the error, or by something that it does not
// change itself. Its author has thought about what is repeated.
func judges(pass *analysis.Pass, l loop) (judged bool) {
	changed := changedIn(pass, l.Stmt)
	tells := []types.Object{l.failed} // the error, and what is made from it
	within(l.body, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, x := range n.Rhs {
				if mentions(pass, x, l.failed) && x != l.call {
					for _, y := range n.Lhs {
						tells = append(tells, pass.TypesInfo.ObjectOf(identOf(y)))
					}
				}
			}
		case *ast.IfStmt:
			if op := against(pass, n.Cond, l.failed); op == token.EQL || op == token.NEQ {
				return
			}
			for _, obj := range tells {
				judged = judged || mentions(pass, n.Init, obj) || mentions(pass, n.Cond, obj)
			}
			judged = judged || exits(n.Body) && !counts(pass, n.Cond, changed)
		case *ast.SwitchStmt:
			judged = judged || mentions(pass, n, l.failed)
		case *ast.TypeSwitchStmt:
			judged = judged || mentions(pass, n.Assign, l.failed)
		}
	})
	return judged
}

// identOf returns an identifier, or one that stands for nothing.
func identOf(x ast.Expr) *ast.Ident {
	if id, ok := x.(*ast.Ident); ok {
		return id
	}
	return &ast.Ident{}
}

// exits reports whether a block leaves the loop or the function.
func exits(b *ast.BlockStmt) (found bool) {
	within(b, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.ReturnStmt:
			found = true
		case *ast.BranchStmt:
			found = found || n.Tok != token.CONTINUE
		}
	})
	return found
}

// counts reports whether a condition speaks of something that the loop changes, or of a context or the time.
func counts(pass *analysis.Pass, cond ast.Expr, changed map[types.Object]bool) (counting bool) {
	ast.Inspect(cond, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			obj := pass.TypesInfo.ObjectOf(n)
			counting = counting || changed[obj] || obj != nil && isContext(obj.Type())
		case *ast.CallExpr:
			name := called(pass, n)
			counting = counting || name == "time.Since" || name == "time.Now"
		}
		return true
	})
	return counting
}

// mentions reports whether a node uses obj.
func mentions(pass *analysis.Pass, n ast.Node, obj types.Object) (found bool) {
	if n == nil || obj == nil {
		return false
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && pass.TypesInfo.Uses[id] == obj {
			found = true
		}
		return true
	})
	return found
}

var ends = regexp.MustCompile(`(?i)^(fatal|crit|panic|exit|die|abort)`)

// endsProgram reports whether a call ends the program, or the test.
func endsProgram(n *ast.CallExpr) bool { return ends.MatchString(text(n.Fun)) }

// text returns the name in a call.
func text(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.IndexExpr:
		return text(f.X)
	}
	return ""
}
