package rules

import (
	"go/ast"
	"go/constant"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var keyed = regexp.MustCompile(`(?i)idempotency|request-?id|client-?order`)

// Post finds POST requests without a key whose policy says that they may run twice (R11).
var Post = &analysis.Analyzer{Name: "retrypost", Doc: "find POST without an idempotency key under Idempotent: true", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(body *ast.BlockStmt, policy ast.Expr) {
		if !idempotent(policy) {
			return
		}
		var post ast.Node
		key := false
		within(body, func(n ast.Node) {
			switch called(pass, n) {
			case "net/http.Post", "net/http.PostForm", "(*net/http.Client).Post", "(*net/http.Client).PostForm":
				post = n
			case "net/http.NewRequest", "net/http.NewRequestWithContext":
				for _, a := range n.(*ast.CallExpr).Args[:2] {
					if v := pass.TypesInfo.Types[a].Value; v != nil && v.Kind() == constant.String && constant.StringVal(v) == "POST" {
						post = n
					}
				}
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

// idempotent reports whether a policy is written here and says so.
func idempotent(policy ast.Expr) bool {
	if u, ok := policy.(*ast.UnaryExpr); ok {
		policy = u.X
	}
	lit, ok := policy.(*ast.CompositeLit)
	if !ok {
		return false
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && text(kv.Key) == "Idempotent" {
			v, ok := kv.Value.(*ast.Ident)
			return ok && v.Name == "true"
		}
	}
	return false
}
