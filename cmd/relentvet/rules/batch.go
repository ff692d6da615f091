package rules

import (
	"go/ast"
	"regexp"

	"golang.org/x/tools/go/analysis"
)

var writes = regexp.MustCompile(`^(?i)(send|post|put|publish|write|insert|create|place|submit|pay|transfer|upload|produce|enqueue|push|append|emit|notify|order|buy|sell)`)

// Batch finds attempts that do all of a batch again because one item failed (R19).
var Batch = &analysis.Analyzer{Name: "retrybatch", Doc: "find attempts that repeat a whole batch after one item failed", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(b body) {
		if isTrue(fields(b.policy)["Idempotent"]) {
			return
		}
		within(b.BlockStmt, func(n ast.Node) {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return
			}
			items, ok := r.X.(*ast.Ident)
			if !ok {
				return
			}
			obj := pass.TypesInfo.ObjectOf(items)
			value, _ := r.Value.(*ast.Ident)
			if obj == nil || value == nil || b.Pos() <= obj.Pos() && obj.Pos() < b.End() || changedIn(pass, b.BlockStmt)[obj] {
				return
			}
			item := pass.TypesInfo.ObjectOf(value)
			for i, s := range r.Body.List {
				var call *ast.CallExpr
				check, ok := s.(*ast.IfStmt)
				if !ok || !notNil(pass, check.Cond) || !leaves(check.Body) {
					continue
				}
				a, _ := check.Init.(*ast.AssignStmt)
				if a == nil && i > 0 {
					a, _ = r.Body.List[i-1].(*ast.AssignStmt)
				}
				if call, _ = fallible(pass, a); call != nil && writes.MatchString(text(call.Fun)) && mentions(pass, call, item) {
					pass.Reportf(call.Pos(), "after a failure the next attempt does this again for the items before it, which succeeded; keep the items that failed, or use work/batch (R19)")
				}
			}
		})
	})
	return nil, nil
}}
