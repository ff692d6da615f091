// Command relentvet finds retry loops written by hand, and mistakes around retries: docs/relentvet.md lists its rules.
//
//	relentvet ./...
//	go vet -vettool=$(which relentvet) ./...
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/relent-go/relent/cmd/relentvet/rules"
)

func main() { multichecker.Main(rules.All...) }
