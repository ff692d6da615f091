package rules

import (
	"go/ast"
	"go/token"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var retryAfter = regexp.MustCompile(`(?i)retry-?_?after|rate-?limit|reset`)

// Hint finds loops that try again after 429 Too Many Requests and do not read how long the server asked to wait (R12).
var Hint = &analysis.Analyzer{Name: "retryhint", Doc: "find retries after 429 that ignore Retry-After", Run: func(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		walk(file, func(n ast.Node, around []ast.Node) {
			l, ok := rounds(pass, n)
			if !ok || inTest(pass, file) {
				return
			}
			var limited *ast.BinaryExpr
			read := false
			within(l.Stmt, func(n ast.Node) {
				switch n := n.(type) {
				case *ast.IfStmt:
					if b := tooMany(pass, n.Cond); b != nil && !leaves(n.Body) {
						limited = b
					}
				case *ast.Ident:
					read = read || retryAfter.MatchString(n.Name)
				case *ast.BasicLit:
					read = read || retryAfter.MatchString(n.Value)
				case *ast.CallExpr: // what is given the answer may read it
					for _, a := range n.Args {
						read = read || isResponse(pass.TypesInfo.TypeOf(a)) || text(a) == "Header"
					}
				}
			})
			if limited != nil && !read {
				pass.Reportf(limited.Pos(), "the server may say in Retry-After how long to wait after 429 Too Many Requests, and this does not read it; wait at least that long, or use retryhttp.Transport (R12)")
			}
		})
	}
	return nil, nil
}}

// tooMany returns the comparison of a response's status with 429 in a condition.
func tooMany(pass *analysis.Pass, cond ast.Expr) (found *ast.BinaryExpr) {
	ast.Inspect(cond, func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryExpr)
		if !ok || b.Op != token.EQL {
			return true
		}
		s, ok := b.X.(*ast.SelectorExpr)
		v := pass.TypesInfo.Types[b.Y].Value
		if ok && s.Sel.Name == "StatusCode" && isResponse(pass.TypesInfo.TypeOf(s.X)) && v != nil && v.ExactString() == "429" {
			found = b
		}
		return true
	})
	return found
}
