package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/operate"
	"github.com/relent-go/relent/cmd/internal/rerun"
)

// defaultConfig is the file that is read when neither a flag nor the environment names one.
const defaultConfig = "relent.yaml"

// globals adds the flags that all commands have.
func globals(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.BoolP("quiet", "q", false, "no progress and no messages on stderr")
	flags.StringP("config", "c", "", "configuration `FILE` (default $RELENT_CONFIG, else relent.yaml)")
	flags.StringP("output", "o", "table", "`FORMAT`: table, json or ndjson")
	flags.String("color", "auto", "`WHEN` to colour: auto, always or never")
	operate.Flags(flags)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return checkGlobals(cmd) }
}

// checkGlobals refuses values that no command knows, and hands -o json to commands that have a flag --json.
func checkGlobals(cmd *cobra.Command) error {
	output := text(cmd, "output")
	var mistakes []error
	if output != "table" && output != "json" && output != "ndjson" {
		mistakes = append(mistakes, fmt.Errorf("--output: %q is none of table, json and ndjson", output))
	}
	if when := text(cmd, "color"); when != "auto" && when != "always" && when != "never" {
		mistakes = append(mistakes, fmt.Errorf("--color: %q is none of auto, always and never", when))
	}
	if len(mistakes) > 0 {
		return usage(commandPath(cmd), errors.Join(mistakes...))
	}
	if f := cmd.Flags().Lookup("json"); f != nil && output != "table" {
		return f.Value.Set("true")
	}
	return nil
}

// commandPath is the command without the name of the program.
func commandPath(cmd *cobra.Command) string {
	path := ""
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		path = cmd.Name() + " " + path
	}
	return path[:max(0, len(path)-1)]
}

// text is the value of a flag; empty if the command does not have it.
func text(cmd *cobra.Command, flag string) string {
	if f := cmd.Flags().Lookup(flag); f != nil {
		return f.Value.String()
	}
	return ""
}

// configFile is the file to read: of the flag, else of the environment, else the default.
func configFile(cmd *cobra.Command) string {
	if name := text(cmd, "config"); name != "" {
		return name
	}
	if name := os.Getenv("RELENT_CONFIG"); name != "" {
		return name
	}
	return defaultConfig
}

// exitInvalid is the exit code of an invalid configuration.
const exitInvalid = 3

// readConfig reads the configuration. Mistakes in it are written to stderr, and end the command with code 3.
func readConfig(cmd *cobra.Command, name string) (*config.File, error) {
	file, err := config.Read(name, os.LookupEnv)
	if invalid, ok := errors.AsType[*config.Invalid](err); ok {
		if err := invalid.Mistakes.Write(cmd.ErrOrStderr(), config.Style{Color: colored(cmd, cmd.ErrOrStderr())}); err != nil {
			return nil, err
		}
		return nil, &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("%s: %s is not valid\ntry: relent policy check %s", commandPath(cmd), name, name)}
	}
	if err != nil {
		hint := ""
		if errors.Is(err, os.ErrNotExist) {
			hint = "\ntry: relent " + commandPath(cmd) + " --config FILE"
		}
		return nil, &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("%s: %w%s", commandPath(cmd), err, hint)}
	}
	return file, nil
}

// colored says whether what goes to w is coloured: by the flag, else NO_COLOR, else CLICOLOR_FORCE, else if it is a
// terminal.
func colored(cmd *cobra.Command, w io.Writer) bool {
	switch when := text(cmd, "color"); {
	case when == "always":
		return true
	case when == "never", os.Getenv("NO_COLOR") != "":
		return false
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	return isTerminal(w)
}
