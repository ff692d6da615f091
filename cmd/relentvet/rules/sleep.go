package rules

import (
	"go/ast"

	"golang.org/x/tools/go/analysis"
)

// Sleep finds waits in retry loops that a context cannot end (R14).
var Sleep = &analysis.Analyzer{Name: "retrysleep", Doc: "find time.Sleep in retry loops of functions that have a context", Run: func(pass *analysis.Pass) (any, error) {
	loops(pass, func(l loop, around []ast.Node) {
		if !hasContext(pass, around) {
			return
		}
		within(l.Body, func(n ast.Node) {
			if called(pass, n) == "time.Sleep" {
				pass.Reportf(n.Pos(), "time.Sleep in a retry loop does not end with the context: the caller has gone and this still waits; select on a timer and ctx.Done(), or use retry.Do (R14)")
			}
		})
	})
	return nil, nil
}}

// hasContext reports whether the innermost function has a context.
func hasContext(pass *analysis.Pass, around []ast.Node) bool {
	for i := len(around) - 1; i >= 0; i-- {
		var t *ast.FuncType
		switch f := around[i].(type) {
		case *ast.FuncDecl:
			t = f.Type
		case *ast.FuncLit:
			t = f.Type
		default:
			continue
		}
		for _, p := range t.Params.List {
			blank := len(p.Names) == 0 || p.Names[0].Name == "_"
			if !blank && isContext(pass.TypesInfo.TypeOf(p.Type)) {
				return true
			}
		}
		return false
	}
	return false
}
