package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
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

// retrying returns what a call of a retry library runs again and again, and its policy if the library is relent.
func retrying(pass *analysis.Pass, n ast.Node) (fn *ast.FuncLit, policy ast.Expr) {
	name := called(pass, n)
	if !libraries.MatchString(name) {
		return nil, nil
	}
	args := n.(*ast.CallExpr).Args
	for i, a := range args {
		t := pass.TypesInfo.TypeOf(a)
		if t == nil {
			continue
		}
		sig, ok := t.Underlying().(*types.Signature)
		if !ok || sig.Results().Len() == 0 || !isError(sig.Results().At(sig.Results().Len()-1).Type()) {
			continue
		}
		if i > 0 && strings.HasPrefix(name, retryPath) {
			policy = args[i-1]
		}
		return literal(pass, a), policy
	}
	return nil, nil
}

// libraries are the functions that call what they are given until it succeeds.
var libraries = regexp.MustCompile(`^(github\.com/relent-go/relent/retry\.(Do|Run|Go|Wrap)|github\.com/cenkalti/backoff(/v\d+)?\.Retry(|Notify|WithData|NotifyWithData|NotifyWithTimer)|` +
	`github\.com/avast/retry-go(/v\d+)?\.Do(WithData)?|github\.com/sethvargo/go-retry\.(Do|DoValue|Constant|Exponential|Fibonacci)|k8s\.io/client-go/util/retry\.OnError)$`)

// literal returns the function that an expression is, or that the variable it names is once set to.
func literal(pass *analysis.Pass, x ast.Expr) (fn *ast.FuncLit) {
	if fn, ok := x.(*ast.FuncLit); ok {
		return fn
	}
	id, ok := x.(*ast.Ident)
	if !ok {
		return nil
	}
	sets := assignments(pass, pass.TypesInfo.ObjectOf(id))
	if len(sets) != 1 {
		return nil
	}
	fn, _ = sets[0].Rhs[0].(*ast.FuncLit)
	return fn
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

// A body is what is attempted again and again.
type body struct {
	*ast.BlockStmt
	fn     *ast.FuncLit // nil in a loop over retry.Attempts
	policy ast.Expr     // nil if the library is not relent
}

// bodies calls f with each body that a retry library attempts.
func bodies(pass *analysis.Pass, f func(body)) {
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if fn, policy := retrying(pass, n); fn != nil {
				f(body{fn.Body, fn, policy})
			}
			if r, _ := attempts(pass, n); r != nil {
				f(body{r.Body, nil, r.X.(*ast.CallExpr).Args[1]})
			}
			return true
		})
	}
}

// fields returns those of a policy that is written where it is used.
func fields(policy ast.Expr) map[string]ast.Expr {
	if u, ok := policy.(*ast.UnaryExpr); ok {
		policy = u.X
	}
	lit, ok := policy.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	set := map[string]ast.Expr{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			set[text(kv.Key)] = kv.Value
		}
	}
	return set
}

// isTrue reports whether x is the word true.
func isTrue(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == "true"
}

// constantString returns the text of a constant.
func constantString(pass *analysis.Pass, x ast.Expr) (string, bool) {
	v := pass.TypesInfo.Types[x].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// isResponse reports whether t is *http.Response.
func isResponse(t types.Type) bool { return t != nil && t.String() == "*net/http.Response" }

// constantName returns the full name of a constant.
func constantName(pass *analysis.Pass, x ast.Expr) string {
	s, ok := x.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	c, ok := pass.TypesInfo.Uses[s.Sel].(*types.Const)
	if !ok || c.Pkg() == nil {
		return ""
	}
	return c.Pkg().Path() + "." + c.Name()
}

// inTest reports whether a file is a test.
func inTest(pass *analysis.Pass, file *ast.File) bool { return inTestAt(pass, file.Pos()) }

func inTestAt(pass *analysis.Pass, pos token.Pos) bool {
	return strings.HasSuffix(pass.Fset.Position(pos).Filename, "_test.go")
}
