// Command generate writes the dashboard into a file.
package main

import (
	"fmt"
	"os"

	"github.com/relent-go/relent/contrib/prom/grafana"
	"github.com/relent-go/relent/contrib/prom/rules"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FILE")
		os.Exit(2)
	}
	text, err := grafana.Dashboard(rules.Objective{})
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
