package rules

import (
	"go/ast"
	"go/token"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var waits = regexp.MustCompile(`(?i)sleep|wait|after|timer|tick|backoff|delay|pause|throttle|limit|poll|accept|gosched|block|until`)

// NoDelay finds retry loops that repeat the same call at once (R5).
var NoDelay = &analysis.Analyzer{Name: "retrynodelay", Doc: "find retry loops that repeat the same call without a wait", Run: func(pass *analysis.Pass) (any, error) {
	loops(pass, func(l loop, _ []ast.Node) {
		pauses := false
		within(l.Stmt, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.SelectStmt, *ast.SendStmt:
				pauses = true
			case *ast.UnaryExpr:
				pauses = pauses || n.Op == token.ARROW
			case *ast.CallExpr:
				pauses = pauses || waits.MatchString(text(n.Fun))
			}
		})
		ast.Inspect(l.call, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			pauses = pauses || ok && waits.MatchString(id.Name)
			return true
		})
		if !pauses && !judges(pass, l) && !varies(pass, l) {
			pass.Reportf(l.Pos(), "retry loop without a wait: it hits what is failing as fast as it can; wait longer each time and at random, or use retry.Do (R5)")
		}
	})
	return nil, nil
}}
