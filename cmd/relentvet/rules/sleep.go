package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
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

// short reports whether a wait is a constant too short to matter, or a multiple of one.
func short(pass *analysis.Pass, wait ast.Expr) bool {
	d, constant := product(pass, wait)
	return constant && d < 250*time.Millisecond || d > time.Millisecond && d < 50*time.Millisecond
}

// product returns the constant factor of a wait, and whether that is all of it.
func product(pass *analysis.Pass, x ast.Expr) (d time.Duration, all bool) {
	if v := pass.TypesInfo.Types[x].Value; v != nil {
		n, ok := constant.Int64Val(v)
		return time.Duration(n), ok
	}
	if b, ok := x.(*ast.BinaryExpr); ok && b.Op == token.MUL {
		left, _ := product(pass, b.X)
		right, _ := product(pass, b.Y)
		return left * right, false
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

// lasting reports whether a context is from outside a loop, or made from one that is.
func lasting(pass *analysis.Pass, body *ast.BlockStmt, ctx ast.Expr) bool {
	if _, made := ctx.(*ast.CallExpr); made {
		return false // context.Background, most often
	}
	id, ok := ctx.(*ast.Ident)
	if !ok {
		return true
	}
	obj := pass.TypesInfo.ObjectOf(id)
	if obj.Pos() < body.Pos() || body.End() < obj.Pos() {
		return true
	}
	from := false
	within(body, func(n ast.Node) {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Rhs) != 1 || !mentions(pass, a.Lhs[0], obj) && pass.TypesInfo.Defs[identOf(a.Lhs[0])] != obj {
			return
		}
		call, ok := a.Rhs[0].(*ast.CallExpr)
		if ok && len(call.Args) > 0 && isContext(pass.TypesInfo.TypeOf(call.Args[0])) && !mentions(pass, call.Args[0], obj) {
			from = from || lasting(pass, body, call.Args[0])
		}
	})
	return from
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
