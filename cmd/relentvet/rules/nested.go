package rules

import (
	"go/ast"

	"golang.org/x/tools/go/analysis"
)

// Nested finds loops written by hand around calls that retry, and in them: the attempts multiply (R9). Calls of relent in
// calls of relent do not.
var Nested = &analysis.Analyzer{Name: "retrynested", Doc: "find retry loops around or inside calls that retry", Run: func(pass *analysis.Pass) (any, error) {
	attempted := map[ast.Node]bool{}
	bodies(pass, func(b body) { attempted[b.BlockStmt] = true })
	loops(pass, func(l loop, around []ast.Node) {
		twice := false
		for _, n := range around {
			twice = twice || attempted[n]
		}
		ast.Inspect(l.call, func(n ast.Node) bool {
			twice = twice || libraries.MatchString(called(pass, n))
			return true
		})
		if twice {
			pass.Reportf(l.Pos(), "a retry loop by hand together with a retried call: the attempts multiply; keep one of them, best the outer retry.Do (R9)")
		}
	})
	return nil, nil
}}
