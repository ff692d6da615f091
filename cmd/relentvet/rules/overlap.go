package rules

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// Overlap finds attempts that a timeout leaves running (R23).
var Overlap = &analysis.Analyzer{Name: "retryoverlap", Doc: "find attempts that go on after their timeout", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(b body) {
		if timeout := fields(b.policy)["AttemptTimeout"]; timeout != nil && b.fn != nil && deaf(b.fn) && !inTestAt(pass, b.Pos()) {
			pass.Reportf(b.fn.Pos(), "the attempt takes no notice of its context, so AttemptTimeout cannot end it; pass the context on to what it calls (R23)")
		}
		abandons(pass, b.BlockStmt)
	})
	loops(pass, func(l loop, _ []ast.Node) { abandons(pass, l.body) })
	return nil, nil
}}

// deaf reports whether a function does not name its context.
func deaf(fn *ast.FuncLit) bool {
	p := fn.Type.Params.List
	return len(p) > 0 && (len(p[0].Names) == 0 || p[0].Names[0].Name == "_")
}

// abandons reports goroutines that send their result to a select with another way out, and have no context that could end them.
func abandons(pass *analysis.Pass, body *ast.BlockStmt) {
	var started []*ast.GoStmt
	out := false
	within(body, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.GoStmt:
			started = append(started, n)
		case *ast.SelectStmt:
			for _, c := range n.Body.List {
				if c := c.(*ast.CommClause); c.Comm != nil {
					out = out || timeout(pass, c.Comm)
				}
			}
		}
	})
	for _, g := range started {
		fn, ok := g.Call.Fun.(*ast.FuncLit)
		if !ok || !out {
			continue
		}
		sends, heard := false, false
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SendStmt:
				_, call := n.Value.(*ast.CallExpr)
				sends = sends || call || isError(pass.TypesInfo.TypeOf(n.Value))
			case *ast.Ident:
				obj := pass.TypesInfo.ObjectOf(n)
				heard = heard || obj != nil && obj.Type() != nil && isContext(obj.Type())
			}
			return true
		})
		if sends && !heard {
			pass.Reportf(g.Pos(), "after the timeout this goroutine still runs, and the next attempt runs beside it; give what it calls a context that ends with the attempt (R23)")
		}
	}
}

// timeout reports whether a case receives from a timer or a context.
func timeout(pass *analysis.Pass, comm ast.Stmt) (found bool) {
	ast.Inspect(comm, func(n ast.Node) bool {
		u, ok := n.(*ast.UnaryExpr)
		if !ok || u.Op != token.ARROW {
			return true
		}
		switch called(pass, u.X) {
		case "time.After", "(context.Context).Done":
			found = true
		}
		if s, ok := u.X.(*ast.SelectorExpr); ok && s.Sel.Name == "C" {
			found = true
		}
		return true
	})
	return found
}
