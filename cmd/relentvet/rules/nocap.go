package rules

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// NoCap finds retry loops that nothing ends but success (R4).
var NoCap = &analysis.Analyzer{Name: "retrynocap", Doc: "find retry loops that nothing ends but success", Run: func(pass *analysis.Pass) (any, error) {
	loops(pass, func(l loop, _ []ast.Node) {
		if l.Cond != nil || varies(pass, l) {
			return
		}
		exits := 0
		within(l.Body, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.ReturnStmt, *ast.SelectStmt:
				exits++
			case *ast.BranchStmt:
				if n.Tok != token.CONTINUE {
					exits++
				}
			case *ast.CallExpr:
				if endsProgram(pass, n) {
					exits++
				}
			}
		})
		if exits == 1 { // the success
			pass.Reportf(l.Pos(), "retry loop without a cap: while the call fails it goes around for ever; bound the attempts or the time, or use retry.Do with MaxAttempts or MaxElapsed (R4)")
		}
	})
	return nil, nil
}}

func endsProgram(pass *analysis.Pass, n *ast.CallExpr) bool {
	switch called(pass, n) {
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "(*testing.common).Fatal", "(*testing.common).Fatalf":
		return true
	}
	id, ok := n.Fun.(*ast.Ident)
	return ok && id.Name == "panic"
}
