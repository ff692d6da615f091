package rules

import (
	"go/ast"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Values of these types change as they are asked for the next wait or number, and are not safe for concurrent use.
var (
	changing = regexp.MustCompile(`^\*?github\.com/cenkalti/backoff(/v\d+)?\.(ExponentialBackOff|BackOff)$`)
	random   = regexp.MustCompile(`^\*math/rand(/v2)?\.Rand$`)
)

// Shared finds backoffs and sources of random numbers that all calls share (R18).
var Shared = &analysis.Analyzer{Name: "retryshared", Doc: "find package variables with a changing backoff or an unguarded random source", Run: func(pass *analysis.Pass) (any, error) {
	used := map[types.Object]*ast.Ident{} // each variable, and where it is used first
	for _, file := range pass.Files {
		if inTest(pass, file) || pass.Pkg.Name() == "main" {
			continue
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || f.Recv == nil && f.Name.Name == "init" || guarded(f.Body) {
				continue
			}
			walk(f.Body, func(n ast.Node, around []ast.Node) {
				id, ok := n.(*ast.Ident)
				if !ok {
					return
				}
				v, ok := pass.TypesInfo.Uses[id].(*types.Var)
				if !ok || v.Parent() != pass.Pkg.Scope() || used[v] != nil {
					return
				}
				switch name := v.Type().String(); {
				case changing.MatchString(name), random.MatchString(name) && waitOf(pass, around):
					used[v] = id
				}
			})
		}
	}
	for v, id := range used {
		pass.Reportf(id.Pos(), "%s is shared by all calls, and %s is not safe for concurrent use: calls at once race, and reset or lengthen each other's waits; make one for each call (R18)", v.Name(), strings.TrimPrefix(v.Type().String(), "*"))
	}
	return nil, nil
}}

// waitOf reports whether a node is part of the computation of a wait: of an expression that is a duration.
func waitOf(pass *analysis.Pass, around []ast.Node) bool {
	for _, n := range around {
		x, ok := n.(ast.Expr)
		if t := pass.TypesInfo.TypeOf; ok && t(x) != nil && t(x).String() == "time.Duration" {
			return true
		}
	}
	return false
}

// guarded reports whether a body locks something.
func guarded(body ast.Node) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Lock" {
			found = true
		}
		return true
	})
	return found
}
