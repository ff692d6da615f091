package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var waits = regexp.MustCompile(`(?i)sleep|wait|after|timer|tick|backoff|delay|pause|throttle|limit|poll|accept`)

// NoDelay finds retry loops that repeat the same call at once (R5).
var NoDelay = &analysis.Analyzer{Name: "retrynodelay", Doc: "find retry loops that repeat the same call without a wait", Run: func(pass *analysis.Pass) (any, error) {
	loops(pass, func(l loop, _ []ast.Node) {
		pauses, judged := false, false // judged: the error decides whether to go around
		within(l.ForStmt, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.IfStmt:
				judged = judged || against(pass, n.Cond, l.failed) == token.ILLEGAL && (mentions(pass, n.Init, l.failed) || mentions(pass, n.Cond, l.failed))
			case *ast.SwitchStmt:
				judged = judged || mentions(pass, n.Tag, l.failed)
			case *ast.SelectStmt, *ast.SendStmt:
				pauses = true
			case *ast.UnaryExpr:
				pauses = pauses || n.Op == token.ARROW
			case *ast.CallExpr:
				pauses = pauses || waits.MatchString(text(n.Fun))
			}
		})
		if !pauses && !judged && !varies(pass, l) {
			pass.Reportf(l.Pos(), "retry loop without a wait: it hits what is failing as fast as it can; wait longer each time and at random, or use retry.Do (R5)")
		}
	})
	return nil, nil
}}

// mentions reports whether a node uses obj.
func mentions(pass *analysis.Pass, n ast.Node, obj types.Object) (found bool) {
	if n == nil {
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

// text returns the name in a call.
func text(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
