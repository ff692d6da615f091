package rules

import "golang.org/x/tools/go/analysis"

// Together runs all rules as one, so that a line may expect what several say.
func Together() *analysis.Analyzer {
	return &analysis.Analyzer{Name: "all", Doc: "all rules", Run: func(pass *analysis.Pass) (any, error) {
		for _, a := range All {
			if _, err := a.Run(pass); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}}
}
