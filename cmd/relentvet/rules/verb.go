package rules

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Verb finds errors whose class is lost in a text (R16, and R17: "do not retry" is lost with it).
var Verb = &analysis.Analyzer{Name: "retryverb", Doc: "find %v and %s that hide an error's class from a retry", Run: func(pass *analysis.Pass) (any, error) {
	bodies(pass, func(b body) {
		if b.policy == nil {
			return
		}
		within(b.BlockStmt, func(n ast.Node) {
			if called(pass, n) != "fmt.Errorf" {
				return
			}
			call := n.(*ast.CallExpr)
			format, ok := constantString(pass, call.Args[0])
			if !ok || strings.Contains(format, "%w") {
				return
			}
			var hidden []int
			for i, a := range call.Args[1:] {
				if isError(pass.TypesInfo.TypeOf(a)) {
					hidden = append(hidden, i)
				}
			}
			if hidden == nil {
				return
			}
			d := analysis.Diagnostic{Pos: call.Pos(), Message: "fmt.Errorf without %w hides the class of the error from the retry, which then takes it as ambiguous; write %w (R16)"}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && len(hidden) == 1 {
				if at, ok := verbAt(lit.Value, hidden[0]); ok {
					pos := lit.Pos() + token.Pos(at)
					d.SuggestedFixes = []analysis.SuggestedFix{{Message: "write %w", TextEdits: []analysis.TextEdit{{Pos: pos, End: pos + 2, NewText: []byte("%w")}}}}
				}
			}
			pass.Report(d)
		})
	})
	return nil, nil
}}

// verbAt returns where in a format the verb of an argument is, if all verbs before it take one argument each and it is a plain %v or %s.
func verbAt(format string, arg int) (at int, ok bool) {
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		at = i
		i++
		if format[i] == '%' {
			continue
		}
		for i < len(format) && strings.IndexByte("+-# 0123456789.", format[i]) >= 0 {
			i++
		}
		if i == len(format) || format[i] == '*' || format[i] == '[' {
			return 0, false
		}
		if arg == 0 {
			return at, i == at+1 && (format[i] == 'v' || format[i] == 's')
		}
		arg--
	}
	return 0, false
}
