package rules

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"
)

const retryPath = "github.com/relent-go/relent/retry"

func isError(t types.Type) bool { return t != nil && t.String() == "error" }

func isContext(t types.Type) bool { return t != nil && t.String() == "context.Context" }

// called returns the full name of the function that is called, such as time.Sleep, or nothing.
func called(pass *analysis.Pass, n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	f, ok := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
	if !ok {
		return ""
	}
	return f.FullName()
}

// retrying returns what relent runs in a call of Do, Run, Wrap or Go, and its policy.
func retrying(pass *analysis.Pass, n ast.Node) (fn *ast.FuncLit, policy ast.Expr) {
	name, ok := strings.CutPrefix(called(pass, n), retryPath+".")
	if !ok {
		return nil, nil
	}
	call := n.(*ast.CallExpr)
	at := map[string]int{"Do": 2, "Run": 2, "Go": 2, "Wrap": 1}[name]
	if at == 0 || at >= len(call.Args) {
		return nil, nil
	}
	fn, _ = call.Args[at].(*ast.FuncLit)
	return fn, call.Args[at-1]
}

// attempts returns the variable whose address a loop over retry.Attempts has.
func attempts(pass *analysis.Pass, n ast.Node) (*ast.RangeStmt, types.Object) {
	r, ok := n.(*ast.RangeStmt)
	if !ok || called(pass, r.X) != retryPath+".Attempts" {
		return nil, nil
	}
	if u, ok := r.X.(*ast.CallExpr).Args[2].(*ast.UnaryExpr); ok {
		if id, ok := u.X.(*ast.Ident); ok {
			return r, pass.TypesInfo.ObjectOf(id)
		}
	}
	return r, nil
}

// bodies calls f with each body that relent attempts.
func bodies(pass *analysis.Pass, f func(body *ast.BlockStmt, policy ast.Expr)) {
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if fn, policy := retrying(pass, n); fn != nil {
				f(fn.Body, policy)
			}
			if r, _ := attempts(pass, n); r != nil {
				f(r.Body, r.X.(*ast.CallExpr).Args[1])
			}
			return true
		})
	}
}
