package rules

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// NoCap finds retry loops that nothing ends but success (R4).
var NoCap = &analysis.Analyzer{Name: "retrynocap", Doc: "find retry loops that nothing ends but success", Run: func(pass *analysis.Pass) (any, error) {
	loops(pass, func(l loop, _ []ast.Node) {
		byError := l.cond != nil && against(pass, l.cond, l.failed) == token.NEQ
		if l.ranged || l.cond != nil && !byError || varies(pass, l) || judges(pass, l) {
			return
		}
		out := 0
		if byError {
			out++
		}
		within(l.body, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.ReturnStmt, *ast.SelectStmt:
				out++
			case *ast.BranchStmt:
				if n.Tok != token.CONTINUE {
					out++
				}
			case *ast.CallExpr:
				if endsProgram(n) {
					out++
				}
			}
		})
		if out == 1 { // the success
			pass.Reportf(l.Pos(), "retry loop without a cap: while the call fails it goes around for ever; bound the attempts or the time, or use retry.Do with MaxAttempts or MaxElapsed (R4)")
		}
	})
	return nil, nil
}}
