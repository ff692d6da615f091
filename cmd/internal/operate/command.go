package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/rerun"
)

// A Program is what the commands are a part of.
type Program struct {
	// Config reads the configuration, and says which file that is and who named it: "--config", "RELENT_CONFIG" or
	// "default". The file is nil if nobody named one and the default is not there.
	Config func(cmd *cobra.Command) (file *config.File, name, source string, err error)

	Colored func(cmd *cobra.Command, w io.Writer) bool // whether what goes to w is coloured; nil: it is not
	Version string                                     // of the program
}

// DefaultTimeout is how long a server may take to answer.
const DefaultTimeout = 5 * time.Second

// Flags adds the flags that all commands have. They are meant to be the persistent flags of the root.
func Flags(fs *pflag.FlagSet) {
	fs.String("server", "", "`URL` of relent serve, or of a dashboard (default $RELENT_SERVER, else "+defaultServer+")")
	fs.String("token-file", "", "`FILE` that holds the bearer token for it (default $RELENT_TOKEN_FILE)")
	fs.Duration("timeout", DefaultTimeout, "how long a server may take to answer")
	fs.BoolP("verbose", "v", false, "say more")
}

// New returns the commands.
func New(p Program) []*cobra.Command {
	p = p.complete()
	return []*cobra.Command{newStop(p), newResume(p), newStatus(p), newOrders(p), newDoctor(p)}
}

// complete fills in what is nil.
func (p Program) complete() Program {
	if p.Config == nil {
		p.Config = func(*cobra.Command) (*config.File, string, string, error) { return nil, "", byDefault, nil }
	}
	if p.Colored == nil {
		p.Colored = func(*cobra.Command, io.Writer) bool { return false }
	}
	return p
}

// path is a command's name without that of the program.
func path(cmd *cobra.Command) string {
	_, rest, _ := strings.Cut(cmd.CommandPath(), " ")
	return rest
}

// usage is a mistake on the command line.
func usage(cmd *cobra.Command, err error) error {
	return &rerun.Exit{Code: 2, Err: fmt.Errorf("%s: %w\ntry: %s --help", path(cmd), err, cmd.CommandPath())}
}

// failed is what did not work out. A try is a command line that may help, without the word relent; empty for none.
func failed(cmd *cobra.Command, err error, try string) error {
	err = fmt.Errorf("%s: %w", path(cmd), err)
	if try != "" {
		err = fmt.Errorf("%w\ntry: %s", err, try)
	}
	return &rerun.Exit{Code: 1, Err: err}
}

// strict has mistakes in flags and arguments look alike.
func strict(cmd *cobra.Command, args cobra.PositionalArgs) *cobra.Command {
	cmd.SetFlagErrorFunc(usage)
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
	return cmd
}

// exactly wants arguments with these names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, given []string) error {
		switch {
		case len(given) < len(names):
			return fmt.Errorf("%s is missing", strings.Join(names[len(given):], ", "))
		case len(given) > len(names):
			return fmt.Errorf("%q is one word too many", given[len(names)])
		}
		return nil
	}
}

// given is the text of a flag, and whether the command line has it.
func given(cmd *cobra.Command, name string) (text string, ok bool) {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f.Value.String(), f.Changed
	}
	return "", false
}

// offer has the shell complete the values of a flag.
func offer(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that is not there
}

// is reports whether a flag is on.
func is(cmd *cobra.Command, name string) bool {
	text, _ := given(cmd, name)
	return text == "true"
}

// format is table, json or ndjson.
func format(cmd *cobra.Command) string {
	text, _ := given(cmd, "output")
	if text == "" {
		return "table"
	}
	return text
}

// document writes a value as one line of JSON.
func document(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// note tells a person something beside the answer.
func note(cmd *cobra.Command, text string, args ...any) {
	if !is(cmd, "quiet") {
		tell(cmd.ErrOrStderr(), fmt.Sprintf(text, args...))
	}
}

// tell writes sentences, each text as a paragraph that fits the terminal.
func tell(w io.Writer, texts ...string) error {
	width, _ := size(w)
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(strings.Join(wrap(text, width, 0), "\n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// isTerminal says whether w is one.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is that of the terminal w; the width is 0, for no limit, if it is none.
func size(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 0, 0
}

// because finds a reason that is worth something.
func because(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "", errors.New("--reason: say why, for whoever reads the audit log")
	}
	return text, nil
}
