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
			policy, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			set := fields(policy)
			fn, ok := set["Classify"].(*ast.FuncLit)
			if !ok || len(fn.Body.List) != 1 || once(pass, set["MaxAttempts"]) {
				return true
			}
			r, ok := fn.Body.List[0].(*ast.ReturnStmt)
			if !ok || len(r.Results) != 1 {
				return true
			}
			switch c := constantName(pass, r.Results[0]); c {
			case retryPath + ".Transient", retryPath + ".Throttled":
				pass.Reportf(fn.Pos(), "every error counts as %s, also one that says not to try again, and one after which the call may have had its effect; look at the error, or leave Classify out and mark errors where they arise (R1, R17)", text(r.Results[0]))
			}
			return true
		})
	}
	return nil, nil
}}

// once reports whether a number of attempts is 1, so that no class matters.
func once(pass *analysis.Pass, attempts ast.Expr) bool {
	v := pass.TypesInfo.Types[attempts].Value
	return v != nil && v.ExactString() == "1"
}
