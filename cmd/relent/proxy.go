package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/gateway"
	"github.com/relent-go/relent/cmd/internal/rerun"
)

const proxyHelp = `Put a retrying HTTP proxy in front of services, for clients in any language.

The section proxy of the configuration says where requests go, and by which policies. What may have been carried out
is not sent again unless that is safe; an order of unknown outcome is never sent again, and its sender is told how to
find out. The file is followed: after a change of it, and after SIGHUP, new requests go by what it says; those under
way end as they began. A file with a mistake changes nothing. Health, metrics, dashboard and emergency stop are on an address of their own. See docs/proxy.md.

With --chaos upstreams fail on purpose, for tests and drills: rules with semicolons between them, each a fault, a rate,
and what it is for. The faults are fail, apply-then-fail, cut, apply-then-cut, hang, apply-then-hang, slow, duplicate.
They can be read and changed at /chaos of the admin address while the proxy runs.`

const proxyExample = `  relent proxy -c relent.yaml
  relent proxy --chaos 'apply-then-fail 2% on POST /api/v3/order; slow 10% 250ms'
  curl -X PUT --data 'fail 5%' http://127.0.0.1:8481/chaos`

func newProxy() *cobra.Command {
	var faults string
	var seed uint64
	cmd := &cobra.Command{Use: "proxy", Short: "retrying HTTP proxy in front of services", Long: proxyHelp, Example: proxyExample, Args: cobra.NoArgs}
	flags := cmd.Flags()
	flags.StringVar(&faults, "chaos", "", "`RULES` of how upstreams fail on purpose; none with an empty text, to be set later")
	flags.Uint64Var(&seed, "chaos-seed", 1, "`SEED` of the faults")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("proxy", err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o := gateway.Options{Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))}
		if flags.Changed("chaos") {
			rules, err := chaos.Parse(faults)
			if err != nil {
				return usage("proxy", fmt.Errorf("--chaos: %w", err))
			}
			o.Chaos = chaos.New(seed, rules...)
		}
		file, err := readConfig(cmd, configFile(cmd))
		if err != nil {
			return err
		}
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		o.Follow, o.Hangups = true, hangups
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		g, err := gateway.New(ctx, file, o)
		if err != nil {
			return &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("proxy: %w", err)}
		}
		err = g.Run(ctx, func(a gateway.Address) {
			fmt.Fprintf(cmd.OutOrStdout(), "relent proxies http://%s/, dashboard http://%s/\n", a.Proxy, a.Admin)
			context.AfterFunc(ctx, stop) // a second signal ends the program at once
		})
		if err != nil {
			return &rerun.Exit{Code: 1, Err: fmt.Errorf("proxy: %w", err)}
		}
		return nil
	}
	return cmd
}
