package rules

import (
	"go/ast"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var keyed = regexp.MustCompile(`(?i)idempotency|request-?id|client-?order`)

// Post finds POST requests without a key whose policy says that they may run twice (R11).
var Post = &analysis.Analyzer{Name: "retrypost", Doc: "find POST without an idempotency key under Idempotent: true", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(b body) {
		if !isTrue(fields(b.policy)["Idempotent"]) {
			return
		}
		var post ast.Node
		key := false
		within(b.BlockStmt, func(n ast.Node) {
			if posts(pass, n) {
				post = n
			}
			if lit, ok := n.(*ast.BasicLit); ok {
				key = key || keyed.MatchString(lit.Value)
			}
		})
		if post != nil && !key {
			pass.Reportf(post.Pos(), "POST without an idempotency key under Idempotent: true: after a lost answer it has its effect twice; send a key that all attempts share, or take Idempotent away (R11)")
		}
	})
	return nil, nil
}}

// posts reports whether a call sends or makes a POST request.
func posts(pass *analysis.Pass, n ast.Node) bool {
	switch called(pass, n) {
	case "net/http.Post", "net/http.PostForm", "(*net/http.Client).Post", "(*net/http.Client).PostForm":
		return true
	case "net/http.NewRequest", "net/http.NewRequestWithContext":
		for _, a := range n.(*ast.CallExpr).Args[:2] {
			if method, _ := constantString(pass, a); method == "POST" {
				return true
			}
		}
	}
	return false
}
