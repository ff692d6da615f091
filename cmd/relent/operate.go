package main

import (
	"errors"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/operate"
)

// newOperate makes the commands of operators: stop, resume, status, orders, doctor.
func newOperate() []*cobra.Command {
	return operate.New(program())
}

// program is what the commands of operators are a part of.
func program() operate.Program {
	p := operate.Program{Config: standingConfig, Colored: colored}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.Version = info.Main.Version
	}
	return p
}

// standingConfig reads the configuration. There need not be one, unless somebody named it.
func standingConfig(cmd *cobra.Command) (file *config.File, name, source string, err error) {
	name, source = configFile(cmd), "default"
	if text(cmd, "config") != "" {
		source = "--config"
	} else if os.Getenv("RELENT_CONFIG") != "" {
		source = "RELENT_CONFIG"
	} else if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, name, source, nil
	}
	file, err = readConfig(cmd, name)
	return file, name, source, err
}
