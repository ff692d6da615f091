package rules

import (
	"go/ast"

	"golang.org/x/tools/go/analysis"
)

// Class finds policies that take every error for one that may be tried again (R1, R17).
var Class = &analysis.Analyzer{Name: "retryclass", Doc: "find policies whose Classify does not look at the error", Run: func(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		if inTest(pass, file) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok || text(kv.Key) != "Classify" {
				return true
			}
			fn, ok := kv.Value.(*ast.FuncLit)
			if !ok || len(fn.Body.List) != 1 {
				return true
			}
			r, ok := fn.Body.List[0].(*ast.ReturnStmt)
			if !ok || len(r.Results) != 1 {
				return true
			}
			switch c := constantName(pass, r.Results[0]); c {
			case retryPath + ".Transient", retryPath + ".Throttled":
				pass.Reportf(kv.Pos(), "every error counts as %s, also one that says not to try again, and one after which the call may have had its effect; look at the error, or leave Classify out and mark errors where they arise (R1, R17)", text(r.Results[0]))
			}
			return true
		})
	}
	return nil, nil
}}
