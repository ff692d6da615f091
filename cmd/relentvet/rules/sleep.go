package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"time"

	"golang.org/x/tools/go/analysis"
)

// Sleep finds waits before another try that a context cannot end (R14).
var Sleep = &analysis.Analyzer{Name: "retrysleep", Doc: "find time.Sleep before another try where there is a context", Run: func(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		walk(file, func(n ast.Node, around []ast.Node) {
			if called(pass, n) != "time.Sleep" || short(pass, n.(*ast.CallExpr).Args[0]) {
				return
			}
			l, failed := again(pass, around)
			if l.body == nil || watches(pass, l.Stmt) {
				return
			}
			if asks(pass, l, n) || failed && hasContext(pass, around) {
				pass.Reportf(n.Pos(), "time.Sleep in a loop does not end with the context: the caller has gone and this still waits; select on a timer and ctx.Done(), or use retry.Do (R14)")
			}
		})
	}
	return nil, nil
}}

// short reports whether a wait is a constant too short to matter, or grows from one of 100 ms at most.
func short(pass *analysis.Pass, wait ast.Expr) bool {
	d, constant := product(pass, wait)
	return constant && d < 250*time.Millisecond || d > time.Millisecond && d <= 100*time.Millisecond
}

// product returns the constant factor of a wait, and whether that is all of it.
func product(pass *analysis.Pass, x ast.Expr) (d time.Duration, all bool) {
	if v := pass.TypesInfo.Types[x].Value; v != nil {
		n, _ := constant.Int64Val(constant.ToInt(v)) // 0 of what is no whole number
		return time.Duration(n), true
	}
	switch x := x.(type) {
	case *ast.BinaryExpr:
		if x.Op == token.MUL {
			left, _ := product(pass, x.X)
			right, _ := product(pass, x.Y)
			return left * right, false
		}
	case *ast.CallExpr:
		if pass.TypesInfo.Types[x.Fun].IsType() && len(x.Args) == 1 { // a conversion
			d, _ := product(pass, x.Args[0])
			return d, false
		}
	case *ast.ParenExpr:
		return product(pass, x.X)
	}
	return 1, false
}

// again returns the innermost loop around a wait, and whether that waits because something failed: it is a retry loop, or the wait
// is where an error is not nil.
func again(pass *analysis.Pass, around []ast.Node) (l loop, failed bool) {
	for i := len(around) - 1; i >= 0; i-- {
		switch n := around[i].(type) {
		case *ast.FuncLit, *ast.FuncDecl:
			return loop{}, false
		case *ast.IfStmt:
			inside := i+1 < len(around) && around[i+1] == n.Body
			failed = failed || inside && notNil(pass, n.Cond) && !leaves(n.Body)
		case *ast.RangeStmt, *ast.ForStmt:
			l, _ := rounds(pass, n)
			if l.body == nil {
				return l, false
			}
			call, _ := retried(pass, l)
			return l, failed || call != nil
		}
	}
	return loop{}, false
}

// asks reports whether a loop looks whether something has come true, and passes what it asks a context that it has.
func asks(pass *analysis.Pass, l loop, wait ast.Node) (found bool) {
	within(l.body, func(n ast.Node) {
		a, ok := n.(*ast.AssignStmt)
		if !ok {
			return
		}
		call, _ := fallible(pass, a)
		found = found || call != nil && len(call.Args) > 0 && isContext(pass.TypesInfo.TypeOf(call.Args[0])) && lasting(pass, l.body, call.Args[0])
	})
	return found && until(pass, l.body, wait)
}

// lasting reports whether a context can end while a loop goes on: it is not made in the loop, but from one that is not, and it is
// not one that never ends.
func lasting(pass *analysis.Pass, body *ast.BlockStmt, ctx ast.Expr) bool {
	if call, made := ctx.(*ast.CallExpr); made {
		return !endless.MatchString(called(pass, call))
	}
	id, ok := ctx.(*ast.Ident)
	if !ok {
		return true
	}
	obj := pass.TypesInfo.ObjectOf(id)
	if obj.Parent() == pass.Pkg.Scope() {
		return false // made when the program begins, for as long as it runs
	}
	inside := body.Pos() <= obj.Pos() && obj.Pos() < body.End()
	from, sets := false, 0
	if endless.MatchString(called(pass, initial(pass, obj))) {
		sets++
	}
	for _, a := range assignments(pass, obj) {
		call, ok := a.Rhs[0].(*ast.CallExpr)
		switch {
		case !ok || len(call.Args) > 0 && mentions(pass, call.Args[0], obj):
		case !inside && endless.MatchString(called(pass, call)):
			sets++
		case inside && len(call.Args) > 0 && isContext(pass.TypesInfo.TypeOf(call.Args[0])):
			from = from || lasting(pass, body, call.Args[0])
		}
	}
	return from || !inside && sets == 0
}

// endless are the functions whose context does not end, or only after the test.
var endless = regexp.MustCompile(`^context\.(Background|TODO)$|^\(\*testing\.common\)\.Context$`)

// initial returns the value that a var declaration gives a variable, if any.
func initial(pass *analysis.Pass, obj types.Object) (value ast.Expr) {
	for _, file := range pass.Files {
		if obj.Pos() < file.FileStart || file.FileEnd < obj.Pos() {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Names) == len(s.Values) {
				for i, id := range s.Names {
					if pass.TypesInfo.Defs[id] == obj {
						value = s.Values[i]
					}
				}
			}
			return true
		})
	}
	return value
}

// assignments returns the statements that set a variable first or alone.
func assignments(pass *analysis.Pass, obj types.Object) (all []*ast.AssignStmt) {
	for _, file := range pass.Files {
		if obj.Pos() < file.FileStart || file.FileEnd < obj.Pos() {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if ok && len(a.Rhs) == 1 && pass.TypesInfo.ObjectOf(identOf(a.Lhs[0])) == obj {
				all = append(all, a)
			}
			return true
		})
	}
	return all
}

// until reports whether a loop waits until something has come true: it waits where a condition says so, or has a way out that is not
// for an error. A loop that does neither keeps a pace.
func until(pass *analysis.Pass, body *ast.BlockStmt, wait ast.Node) (found bool) {
	walkWithin(body, func(n ast.Node, around []ast.Node) {
		out := n == wait
		switch n := n.(type) {
		case *ast.ReturnStmt:
			out = true
		case *ast.BranchStmt:
			out = n.Tok == token.BREAK
		}
		if !out {
			return
		}
		for i := len(around) - 1; i >= 0; i-- {
			if check, ok := around[i].(*ast.IfStmt); ok {
				found = found || !notNil(pass, check.Cond) || n == wait
				return
			}
		}
	})
	return found
}

// notNil reports whether a condition is, or can be, that an error is not nil.
func notNil(pass *analysis.Pass, cond ast.Expr) bool {
	b, ok := cond.(*ast.BinaryExpr)
	if ok && b.Op == token.LOR {
		return notNil(pass, b.X) || notNil(pass, b.Y)
	}
	if !ok || b.Op != token.NEQ {
		return false
	}
	id, ok := b.Y.(*ast.Ident)
	return ok && id.Name == "nil" && isError(pass.TypesInfo.TypeOf(b.X))
}

// watches reports whether a body asks a context whether it has ended.
func watches(pass *analysis.Pass, body ast.Node) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "Done" || s.Sel.Name == "Err") && isContext(pass.TypesInfo.TypeOf(s.X)) {
			found = true
		}
		return true
	})
	return found
}

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
