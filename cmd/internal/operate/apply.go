package operate

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/rerun"
)

const applyHelp = `Have the server read its configuration file now, and put it in force in the whole fleet.

If there is a configuration here (--config, else relent.yaml), it is checked first, and the server is told which text is
meant: if the file that it reads has another one, nothing changes. So copy the file to the server, then apply it.

A file with a mistake changes nothing, and neither does one that changes what needs a restart.`

const reloadPath = "/api/v1/config/reload"

// A reloading is how the server's reload ended.
type reloading struct {
	V       int      `json:"v"`
	Result  string   `json:"result"`
	Hash    string   `json:"hash"`
	Before  string   `json:"before,omitempty"`
	Changes []string `json:"changes,omitempty"`
}

// NewApply returns the command policy apply.
func NewApply(p Program) *cobra.Command {
	p = p.complete()
	cmd := strict(&cobra.Command{
		Use: "apply", Short: "have the server put its configuration in force", Long: applyHelp,
		Example: "  relent policy apply\n  relent policy apply -c relent.yaml --server https://ops.example:8470 --token-file ann.token",
	}, exactly())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return settings{p, cmd}.apply() }
	return cmd
}

func (s settings) apply() error {
	file, _, _, err := s.program.Config(s.cmd)
	if err != nil {
		return err
	}
	what := map[string]string{}
	if file != nil {
		what["hash"] = file.Hash
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	var answer reloading
	if err := c.ask(s.cmd.Context(), "POST", reloadPath, "", what, &answer); err != nil {
		err = failed(s.cmd, err, next(err, "relent policy check, relent policy diff"))
		if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusConflict {
			err.(*rerun.Exit).Code = 3
		}
		return err
	}
	out := s.cmd.OutOrStdout()
	if format(s.cmd) != "table" {
		return document(out, answer)
	}
	t := &table{Color: s.color(out)}
	word := text("applied").in(green)
	if answer.Result == "unchanged" {
		word = text("in force already")
	}
	t.add(word, dim(fmt.Sprintf("%.12s", answer.Hash)))
	if err := t.write(out, 0); err != nil {
		return err
	}
	for _, change := range answer.Changes {
		if _, err := fmt.Fprintln(out, "  "+plain(change)); err != nil {
			return err
		}
	}
	return nil
}
