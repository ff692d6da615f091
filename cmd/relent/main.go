// Command relent retries programs, shows and simulates what policies do, and demonstrates relent on a
// simulated exchange. See relent --help.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/rerun"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	code := 2 // what is not an Exit is cobra's word on the command line
	exit, ok := errors.AsType[*rerun.Exit](err)
	if ok {
		code = exit.Code
		err = exit.Err
	}
	if err != nil {
		fmt.Fprintf(stderr, "relent: %v\n", err)
		if !ok {
			fmt.Fprintln(stderr, "try: relent --help")
		}
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "relent",
		Short:         "retries that know when to stop",
		Long:          "relent: retries that know when to stop.\n\nIt retries what is safe to retry, at the right moment, within limits, and never sends an order twice.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	globals(root)
	root.AddCommand(rerun.NewCobra(standingPolicy), newAudit(), newDemo(), newPolicy(), newProxy(), newServe(), newSimulate(), newToken(), newVersion())
	root.AddCommand(newOperate()...)
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version, goVersion := "(unknown)", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "relent %s, built with %s\n", version, goVersion)
			return err
		},
	}
}

// usage is a mistake on the command line.
func usage(command string, err error) error {
	return &rerun.Exit{Code: 2, Err: fmt.Errorf("%s: %w\ntry: relent %s --help", command, err, command)}
}
