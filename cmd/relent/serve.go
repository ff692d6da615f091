package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/dashboard"
)

const serveHelp = `Watch and steer a fleet: dashboard, API, metrics, emergency stop.

Processes connect to it through control.Fleet. It keeps its state in a database: several servers may share one, by
the URL of a PostgreSQL, behind any load balancer. Addresses that other machines can reach need --tokens.

The configuration is followed while the server runs: after a change of the file, SIGHUP, relent policy apply and
POST /api/v1/config/reload. What it says of policies reaches all processes of the fleet at once, below the overrides of
operators, and the budgets that are lent and who is told of findings (alerts) change. A file with a mistake changes nothing, and neither does one that
changes the sections server or halt: those are read once, at the start. Flags come before them. The other sections are
for programs that read the file themselves.`

const serveExample = `  relent serve
  relent serve --listen 0.0.0.0:8470 --tokens /etc/relent/tokens --host ops.example:8470
  relent serve --store 'postgres://relent@db/relent?sslmode=verify-full' --tokens tokens`

func newServe() *cobra.Command {
	var c server.Config
	cmd := &cobra.Command{Use: "serve", Short: "control plane and dashboard of a fleet", Long: serveHelp, Example: serveExample, Args: cobra.NoArgs}
	flags := cmd.Flags()
	flags.StringVar(&c.Listen, "listen", "", "`ADDRESS` and port (default "+server.DefaultListen+")")
	flags.StringVar(&c.Store, "store", "", "`URL` of the database: sqlite:FILE or postgres://... (default "+server.DefaultStore+")")
	flags.StringVar(&c.TokenFile, "tokens", "", "`FILE` of who may sign in, lines name:role:hash: see relent token")
	flags.StringArrayVar(&c.Hosts, "host", nil, "`NAME`:port under which browsers may ask for it, beside the loopback names")
	flags.BoolVar(&c.ReadOnly, "read-only", false, "take no commands from the dashboard")
	flags.StringVar(&c.Name, "name", "", "`NAME` of this server among several (default the host's name and the port)")
	flags.DurationVar(&c.Drain, "drain", 0, "how long to answer not ready before the end (default 5s on TERM)")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("serve", err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := serveDefaults(cmd, &c); err != nil {
			return err
		}
		if err := c.Check(); err != nil {
			return usage("serve", err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		c.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
		err := server.Run(ctx, c, func(s *server.Server) {
			fmt.Fprintf(cmd.OutOrStdout(), "relent serves %s\n", s.URL())
			context.AfterFunc(ctx, stop) // a second signal ends the program at once
		})
		if err != nil {
			return &rerun.Exit{Code: 1, Err: fmt.Errorf("serve: %w", err)}
		}
		return nil
	}
	return cmd
}

// serveDefaults fills in what no flag said from the configuration. There need not be one, unless it was named.
func serveDefaults(cmd *cobra.Command, c *server.Config) error {
	name := configFile(cmd)
	if name == defaultConfig {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			name = ""
		}
	}
	if !cmd.Flags().Changed("drain") {
		c.Drain = 5 * time.Second
	}
	if name == "" {
		return nil
	}
	file, err := readConfig(cmd, name)
	if err != nil {
		return err
	}
	if s := file.Server; s != nil {
		if c.Listen == "" {
			c.Listen = s.Listen
		}
		if c.Store == "" {
			c.Store = s.Store
		}
		if len(c.Hosts) == 0 {
			c.Hosts = s.Hosts
		}
		if s.Drain != nil && !cmd.Flags().Changed("drain") {
			c.Drain = time.Duration(*s.Drain)
		}
		c.ReadOnly = c.ReadOnly || s.ReadOnly
	}
	if h := file.Halt; h != nil {
		c.Approvers, c.Designated = h.Approvers, h.Designated
	}
	c.Budgets, c.Alerts = lent(file), told(file)
	if c.File, err = follow(file); err != nil {
		return &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("serve: %w", err)}
	}
	return nil
}

// lent are the budgets of a configuration that processes may share.
func lent(file *config.File) map[string]server.Budget {
	all := map[string]server.Budget{}
	for name, b := range file.Budgets {
		if b.Profile != "" {
			continue
		}
		one := server.Budget{Capacity: 10, Floor: b.Trickle}
		if b.Max != nil {
			one.Capacity = *b.Max
		}
		if one.Capacity > 0 {
			all[name] = one
		}
	}
	return all
}

const tokenHelp = `Make a bearer token for relent serve.

The token is printed once, for its holder to keep secret in a file (--token-file, RELENT_TOKEN_FILE). The line for
the server's file of tokens holds no secret: it is appended to --file, or printed on stderr.

Roles: viewer sees everything, and is enough for processes of the fleet; operator stops, releases and tunes; admin
also signs others out.`

func newToken() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "token NAME ROLE", Short: "make a bearer token for relent serve", Long: tokenHelp,
		Example: "  relent token ann operator --file tokens > ann.token", Args: cobra.ExactArgs(2),
	}
	cmd.Flags().StringVar(&path, "file", "", "`FILE` of tokens to append the line to")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("token", err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		role, err := dashboard.ParseRole(args[1])
		if err != nil {
			return usage("token", err)
		}
		secret, token := dashboard.NewToken(args[0], role)
		if _, err := dashboard.ParseToken(token.String()); err != nil { // a name that would not be read back
			return usage("token", err)
		}
		if path == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "for the server's file of tokens: %s\n", token)
		} else if err := appendLine(path, token.String()); err != nil {
			return &rerun.Exit{Code: 1, Err: fmt.Errorf("token: %w", err)}
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
		return err
	}
	return cmd
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Sync(), f.Close())
}
