package operate

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/exchange"
)

const doctorHelp = `Check what relent needs on this machine: configuration, server, clock, port, database, audit folder, files of the
emergency stop, token. Each line is ok, warn or fail, and says what to do. The exit code is 1 if one failed.

Nothing is changed, but for files that are made and removed again to see whether they can be, and the tables of a
database that is older than this program. --venues sends one request to each venue of the configuration, for its time.`

// levels of a check.
const (
	ok   = "ok"
	warn = "warn"
	fail = "fail"
)

// A check is one line of doctor.
type check struct {
	Check string `json:"check"`
	Level string `json:"level"` // ok, warn, fail
	Text  string `json:"text"`
	Try   string `json:"try,omitempty"`
}

// A doctor looks at one thing after the other.
type doctor struct {
	settings
	ctx    context.Context
	file   *config.File      // nil: there is none
	venues map[string]string // a URL of each whose clock is asked
	checks []check
	there  *client // the server, if one answers
}

func newDoctor(p Program) *cobra.Command {
	var venues bool
	cmd := strict(&cobra.Command{Use: "doctor", Short: "check clock, ports, database, folders, token and configuration", Long: doctorHelp,
		Example: "  relent doctor\n  relent doctor -c relent.yaml --server https://ops.example:8470 --token-file ann.token"}, exactly())
	cmd.Flags().String("store", "", "`URL` of the database (default $RELENT_STORE, else server.store of the configuration)")
	cmd.Flags().BoolVar(&venues, "venues", false, "compare the clock with those of the configured venues, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d := &doctor{settings: settings{p, cmd}, ctx: cmd.Context()}
		d.versions()
		d.configuration()
		if venues {
			d.venues = d.profiles()
		}
		d.credentials()
		d.reach()
		d.clocks()
		d.port()
		d.database()
		d.auditFolder()
		d.stopFiles()
		return d.report()
	}
	return cmd
}

func (d *doctor) say(check_, level, text, try string) {
	d.checks = append(d.checks, check{check_, level, text, try})
}

func (d *doctor) report() error {
	out, n := d.cmd.OutOrStdout(), map[string]int{}
	for _, c := range d.checks {
		n[c.Level]++
	}
	switch format(d.cmd) {
	case "json":
		if err := document(out, map[string]any{"v": 1, "checks": d.checks, "ok": n[ok], "warn": n[warn], "fail": n[fail]}); err != nil {
			return err
		}
	case "ndjson":
		for _, c := range d.checks {
			if err := document(out, struct {
				V int `json:"v"`
				check
			}{1, c}); err != nil {
				return err
			}
		}
	default:
		d.table(n)
	}
	if n[fail] > 0 {
		return &rerun.Exit{Code: 1} // every line has said it
	}
	return nil
}

func (d *doctor) table(n map[string]int) {
	out := d.cmd.OutOrStdout()
	width, _ := size(out)
	paint := (&table{Color: d.color(out)}).paint
	styles := map[string]string{ok: green, warn: yellow, fail: red}
	const indent = 6 + 15
	for _, c := range d.checks {
		for i, line := range wrap(plain(c.Text), width, indent) {
			if i == 0 {
				line = paint(fmt.Sprintf("%-4s", c.Level), styles[c.Level]) + fmt.Sprintf("  %-13s  ", c.Check) + line[indent:]
			}
			fmt.Fprintln(out, line)
		}
		if c.Try != "" {
			for _, line := range wrap("do: "+plain(c.Try), width, indent) {
				fmt.Fprintln(out, paint(line, faint))
			}
		}
	}
	fmt.Fprintf(out, "\n%d ok, %d to look at, %d failed\n", n[ok], n[warn], n[fail])
}

// configuration reads the file, and says which it is.
func (d *doctor) configuration() {
	file, name, source, err := d.program.Config(d.cmd)
	switch {
	case err != nil:
		d.say("configuration", fail, firstLine(err), "relent policy check "+quoted(name))
		// what others find out without it is worth knowing all the same
		d.program.Config = func(*cobra.Command) (*config.File, string, string, error) { return nil, name, source, nil }
	case file == nil:
		d.say("configuration", ok, "none: there is no "+name+", and defaults hold", "")
	case file.Warnings.Warnings() > 0:
		d.file = file
		d.say("configuration", warn, fmt.Sprintf("%s is valid, with %s", name, file.Warnings.Count()), "relent policy check "+quoted(name))
	default:
		d.file = file
		d.say("configuration", ok, fmt.Sprintf("%s is valid: %d policies (from %s)", name, len(file.Policies), source), "")
	}
}

// profiles finds the URL of each venue of the configuration.
func (d *doctor) profiles() map[string]string {
	all := map[string]string{}
	if d.file == nil {
		return all
	}
	for name, v := range d.file.Venues {
		profile := v.Profile
		if profile == "" {
			profile = name
		}
		if p, err := exchange.Load(profile); err == nil && len(p.Rest.BaseURLs) > 0 {
			all[name] = p.Rest.BaseURLs[0]
		}
	}
	return all
}

// reach asks the server who we are.
func (d *doctor) reach() {
	v, err := d.server()
	if err != nil {
		d.say("server", fail, firstLine(err), "")
		return
	}
	c, err := d.client(v)
	if err != nil {
		d.say("server", fail, firstLine(err), "correct it, and run doctor again")
		return
	}
	var me struct {
		Name     string `json:"name"`
		Role     string `json:"role"`
		Auth     bool   `json:"auth"`
		ReadOnly bool   `json:"read_only"`
		Commands bool   `json:"commander"`
	}
	if err := c.get(d.ctx, "/api/v1/me", &me); err != nil {
		level := fail
		if _, refused := errors.AsType[*refusal](err); v.Source == byDefault && !refused {
			level = warn // nobody said that there is one
		}
		d.say("server", level, err.Error(), "relent serve, or name another one with --server URL")
		return
	}
	d.there = c
	switch {
	case me.Auth && (me.Role == "anyone" || me.Role == ""):
		d.say("server", fail, c.base+" answers, and does not know who asks", "--token-file FILE with a token that the server knows")
	case me.ReadOnly || !me.Commands:
		d.say("server", warn, c.base+" answers, and takes no commands", "stop through another server, or by the trigger file")
	case me.Role == "viewer":
		d.say("server", warn, fmt.Sprintf("%s answers; %s is viewer there, and cannot stop", c.base, me.Name), "relent token NAME operator, for those who shall")
	case c.token != "" && plainHTTP(c.base):
		d.say("server", warn, c.base+" answers; the token goes there unencrypted", "https, or a tunnel")
	default:
		d.say("server", ok, fmt.Sprintf("%s answers; %s is %s there", c.base, me.Name, me.Role), "")
	}
}
