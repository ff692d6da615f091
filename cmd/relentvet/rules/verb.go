package rules

import (
	"go/ast"
	"go/constant"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Verb finds errors whose class is lost in a text (R16).
var Verb = &analysis.Analyzer{Name: "retryverb", Doc: "find %v and %s that hide an error's class from a retry", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(body *ast.BlockStmt, _ ast.Expr) {
		within(body, func(n ast.Node) {
			if called(pass, n) != "fmt.Errorf" {
				return
			}
			call := n.(*ast.CallExpr)
			format := pass.TypesInfo.Types[call.Args[0]].Value
			if format == nil || format.Kind() != constant.String || strings.Contains(constant.StringVal(format), "%w") {
				return
			}
			for _, a := range call.Args[1:] {
				if isError(pass.TypesInfo.TypeOf(a)) {
					pass.Reportf(call.Pos(), "fmt.Errorf without %%w hides the class of the error from the retry, which then takes it as ambiguous; write %%w (R16)")
					return
				}
			}
		})
	})
	return nil, nil
}}
