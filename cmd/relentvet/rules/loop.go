package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// A loop is a retry loop written by hand: it calls something that may fail, and goes around again because it failed.
type loop struct {
	ast.Stmt
	cond   ast.Expr // nil if none, or if a number of rounds is ranged over
	ranged bool     // over a number of rounds
	body   *ast.BlockStmt
	call   *ast.CallExpr // what is retried
	failed types.Object  // the variable of its error
}

// loops calls f with each retry loop, and with the nodes around it, outermost first.
func loops(pass *analysis.Pass, f func(l loop, around []ast.Node)) {
	for _, file := range pass.Files {
		walk(file, func(n ast.Node, around []ast.Node) {
			l, ok := rounds(pass, n)
			if !ok {
				return
			}
			if l.call, l.failed = retried(pass, l); l.call != nil {
				f(l, around)
			}
		})
	}
}

// rounds returns a loop that is not over a collection.
func rounds(pass *analysis.Pass, n ast.Node) (loop, bool) {
	switch s := n.(type) {
	case *ast.ForStmt:
		return loop{Stmt: s, cond: s.Cond, body: s.Body}, true
	case *ast.RangeStmt:
		t, ok := pass.TypesInfo.TypeOf(s.X).Underlying().(*types.Basic)
		if ok && t.Info()&types.IsInteger != 0 {
			return loop{Stmt: s, ranged: true, body: s.Body}, true
		}
	}
	return loop{}, false
}

// walk visits all nodes, with the nodes around each.
func walk(root ast.Node, visit func(n ast.Node, around []ast.Node)) {
	var around []ast.Node
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		visit(n, around)
		around = append(around, n)
		return true
	})
}

// within visits the nodes of a body that run in the function it is part of: not those of function literals.
func within(body ast.Node, visit func(ast.Node)) {
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false
		}
		if n != nil {
			visit(n)
		}
		return true
	})
}

// retried returns the call that a loop retries, and the variable of its error: the loop ends with its success, and goes around after its failure. The shapes are
//
//	for … { err = call(); if err == nil { return } … }
//	for … { err = call(); if err != nil { … } else { return } }
//	for … { err = call(); if err != nil { …; continue }; return }
//	for err != nil { err = call() … }
func retried(pass *analysis.Pass, l loop) (*ast.CallExpr, types.Object) {
	list := l.body.List
	var call *ast.CallExpr
	var failed types.Object
	for i, s := range list {
		if a, ok := s.(*ast.AssignStmt); ok {
			if c, obj := fallible(pass, a); c != nil {
				call, failed = c, obj
				if unless(pass, l.cond, obj) {
					return c, obj
				}
			}
			continue
		}
		check, ok := s.(*ast.IfStmt)
		if !ok {
			continue
		}
		c, obj := call, failed
		if a, ok := check.Init.(*ast.AssignStmt); ok {
			c, obj = fallible(pass, a)
		}
		if c == nil {
			continue
		}
		failure, success := check.Body, (*ast.BlockStmt)(nil)
		switch against(pass, check.Cond, obj) {
		case token.EQL:
			success, failure = check.Body, nil
			if b, ok := check.Else.(*ast.BlockStmt); ok {
				failure = b
			} else if check.Else != nil {
				continue
			}
		case token.NEQ:
			if b, ok := check.Else.(*ast.BlockStmt); ok {
				success = b
			} else if check.Else != nil {
				continue
			}
		default:
			continue
		}
		rest := &ast.BlockStmt{List: list[i+1:]}
		switch {
		case success != nil && leaves(success) && !leaves(failure): // all else goes around
			if leaves(rest) && !continues(failure) {
				return nil, nil // it never goes around
			}
			return c, obj
		case success == nil && continues(failure) && leaves(rest):
			return c, obj
		}
	}
	return nil, nil
}

// fallible returns the call of an assignment whose last value is an error, and the variable of that.
func fallible(pass *analysis.Pass, a *ast.AssignStmt) (*ast.CallExpr, types.Object) {
	if a == nil || len(a.Rhs) != 1 {
		return nil, nil
	}
	call, ok := a.Rhs[0].(*ast.CallExpr)
	id, named := a.Lhs[len(a.Lhs)-1].(*ast.Ident)
	if !ok || !named {
		return nil, nil
	}
	obj := pass.TypesInfo.ObjectOf(id)
	if obj == nil || !isError(obj.Type()) {
		return nil, nil
	}
	return call, obj
}

// against returns the operator with which cond compares obj with nil, if that is all it does.
func against(pass *analysis.Pass, cond ast.Expr, obj types.Object) token.Token {
	b, ok := cond.(*ast.BinaryExpr)
	if !ok || obj == nil {
		return token.ILLEGAL
	}
	x, ok := b.X.(*ast.Ident)
	y, nothing := b.Y.(*ast.Ident)
	if !ok || !nothing || y.Name != "nil" || pass.TypesInfo.ObjectOf(x) != obj {
		return token.ILLEGAL
	}
	return b.Op
}

// unless reports whether a loop's condition is, or demands, that obj is an error.
func unless(pass *analysis.Pass, cond ast.Expr, obj types.Object) bool {
	if b, ok := cond.(*ast.BinaryExpr); ok && b.Op == token.LAND {
		return unless(pass, b.X, obj) || unless(pass, b.Y, obj)
	}
	return against(pass, cond, obj) == token.NEQ
}

func last(b *ast.BlockStmt) ast.Stmt {
	if b == nil || len(b.List) == 0 {
		return nil
	}
	return b.List[len(b.List)-1]
}

// leaves reports whether a block ends by leaving the loop.
func leaves(b *ast.BlockStmt) bool {
	switch s := last(b).(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.BranchStmt:
		return s.Tok == token.BREAK
	}
	return false
}

// continues reports whether a block ends by going around.
func continues(b *ast.BlockStmt) bool {
	s, ok := last(b).(*ast.BranchStmt)
	return ok && s.Tok == token.CONTINUE && s.Label == nil
}

// walkWithin is walk without the bodies of function literals.
func walkWithin(root ast.Node, visit func(n ast.Node, around []ast.Node)) {
	walk(root, func(n ast.Node, around []ast.Node) {
		for _, a := range around {
			if _, ok := a.(*ast.FuncLit); ok {
				return
			}
		}
		visit(n, around)
	})
}
