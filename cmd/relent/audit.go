package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/auditlog"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/observe/audit"
)

const auditHelp = `Look at an audit log, whether somebody writes it at the moment or not: a directory of audit files, or a database.

Times are how long ago (90m), a time (2026-03-14T15:09:26Z) or a day (2026-03-14, in UTC).`

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "list, follow, export and verify an audit log",
		Long:  auditHelp,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditTail(), newAuditQuery(), newAuditExport(), newAuditVerify())
	return cmd
}

// auditFlags are what the commands share.
type auditFlags struct {
	command           string
	store             string
	since, until      string
	outcome, decision string
	filter            audit.Filter
}

func (a *auditFlags) flags(cmd *cobra.Command, command string) {
	a.command = command
	f := cmd.Flags()
	f.StringVar(&a.store, "store", "", "where the log is: a directory of audit files, sqlite:`FILE` or postgres://...")
	f.StringVar(&a.filter.Chain, "chain", "", "only this chain")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(command, err) })
}

func (a *auditFlags) filters(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.since, "since", "", "only records from this `TIME` on")
	f.StringVar(&a.until, "until", "", "only records before this `TIME`")
	f.StringVar(&a.filter.Operation, "operation", "", "only of the operation `NAME`")
	f.StringVar(&a.filter.Call, "call", "", "only of the call `ID`")
	f.StringVar(&a.filter.Parent, "parent", "", "only of calls that are a part of `ID`")
	f.StringVar(&a.outcome, "outcome", "", "only what ended so: succeeded, failed, canceled, panicked, unknown, 'not started'")
	f.StringVar(&a.filter.Actor, "actor", "", "only on behalf of `NAME`")
	f.StringVar(&a.decision, "decision", "", "only this `WORD`: admit, retry, deny, end, stop, resume, trip, drill, ...")
}

// open checks the flags, and opens the store.
func (a *auditFlags) open() (auditlog.Store, error) {
	var mistakes []error
	now := time.Now()
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", a.since, &a.filter.From}, {"--until", a.until, &a.filter.To}} {
		var err error
		if *t.to, err = auditlog.ParseTime(t.text, now); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", t.flag, err))
		}
	}
	if a.store == "" {
		mistakes = append(mistakes, errors.New("--store: say where the audit log is"))
	}
	if len(mistakes) > 0 {
		return nil, usage(a.command, errors.Join(mistakes...))
	}
	a.filter.Outcome, a.filter.Decision = audit.Outcome(a.outcome), audit.Decision(a.decision)
	s, err := auditlog.Open(a.store)
	if err != nil {
		return nil, a.failed(fmt.Errorf("--store: %w", err))
	}
	return s, nil
}

// failed is how a command ends that did not do what it should.
func (a *auditFlags) failed(err error) error {
	if err == nil {
		return nil
	}
	code := 1
	if errors.Is(err, audit.ErrTampered) {
		code = 6
	}
	if s, ok := errors.AsType[*stopped](err); ok {
		code = 128 + int(s.signal)
	}
	return &rerun.Exit{Code: code, Err: fmt.Errorf("%s: %w", a.command, err)}
}

func newAuditTail() *cobra.Command {
	var a auditFlags
	var last int
	var every time.Duration
	var p auditlog.Printer
	cmd := &cobra.Command{
		Use:     "tail",
		Short:   "print the last records, and then those that come, until ^C",
		Example: "  relent audit tail --store /var/lib/relent/audit\n  relent audit tail --store audit --outcome unknown --json",
		Args:    cobra.NoArgs,
	}
	a.flags(cmd, "audit tail")
	a.filters(cmd)
	cmd.Flags().IntVarP(&last, "lines", "n", 10, "records from before")
	cmd.Flags().DurationVar(&every, "every", 500*time.Millisecond, "how often to look for new ones")
	cmd.Flags().BoolVar(&p.JSON, "json", false, "print one JSON object a line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every <= 0 {
			return usage(a.command, fmt.Errorf("--every: %v is not above 0", every))
		}
		s, err := a.open()
		if err != nil {
			return err
		}
		defer s.Close()
		ctx, release := signalled(cmd.Context())
		defer release()
		p.W = cmd.OutOrStdout()
		return a.failed(auditlog.Tail(ctx, s, a.filter, last, every, &p))
	}
	return cmd
}

func newAuditQuery() *cobra.Command {
	var a auditFlags
	var limit int
	var p auditlog.Printer
	cmd := &cobra.Command{
		Use:     "query",
		Short:   "print the records that flags select, the oldest first",
		Example: "  relent audit query --store audit --since 1h --decision stop\n  relent audit query --store audit --call 3f9a0c61d2b47e58 --json | jq .outcome",
		Args:    cobra.NoArgs,
	}
	a.flags(cmd, "audit query")
	a.filters(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1000, "most records; 0 for all")
	cmd.Flags().BoolVar(&p.JSON, "json", false, "print one JSON object a line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.read(cmd, func(ctx context.Context, s auditlog.Store, w *bufio.Writer) error {
			p.W = w
			more, err := auditlog.Query(ctx, s, a.filter, limit, &p)
			if more {
				err = errors.Join(err, w.Flush())
				fmt.Fprintf(cmd.ErrOrStderr(), "relent: audit query: there are more than %d records: see --limit\n", limit)
			}
			return err
		})
	}
	return cmd
}

// read runs a command that a signal ends.
func (a *auditFlags) read(cmd *cobra.Command, run func(context.Context, auditlog.Store, *bufio.Writer) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, release := signalled(cmd.Context())
	defer release()
	w := bufio.NewWriter(cmd.OutOrStdout())
	err = run(ctx, s, w)
	return a.failed(errors.Join(err, w.Flush()))
}

func newAuditExport() *cobra.Command {
	var a auditFlags
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "write the records with their hashes, one JSON object a line",
		Example: "  relent audit export --store audit --since 2026-03-14 > audit.jsonl",
		Args:    cobra.NoArgs,
	}
	a.flags(cmd, "audit export")
	a.filters(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.read(cmd, func(ctx context.Context, s auditlog.Store, w *bufio.Writer) error {
			return auditlog.Export(ctx, s, a.filter, w)
		})
	}
	return cmd
}

const verifyHelp = `Verify that no record was changed, dropped, moved or put in, and name the first that is bad.

Without checkpoints from elsewhere, nobody can tell a tail that was cut off, or a log that was written anew as a whole. With
them, and with the key that signs them, everything up to the last checkpoint is proven. It works offline, on copies, too.

It exits with 0 if all is sound, and with 6 if something is bad.`

func newAuditVerify() *cobra.Command {
	var a auditFlags
	var elsewhere, keys []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "find out whether the log was tampered with",
		Long:    verifyHelp,
		Example: "  relent audit verify --store audit\n  relent audit verify --store audit --checkpoints /mnt/worm/checkpoints.jsonl --key audit.pub",
		Args:    cobra.NoArgs,
	}
	a.flags(cmd, "audit verify")
	cmd.Flags().StringArrayVar(&elsewhere, "checkpoints", nil, "`FILE` of checkpoints kept elsewhere, or a directory of audit files that has them; may be given again")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public `KEY` (Ed25519, hexadecimal or base64, or a file) that must have signed them; may be given again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each chain")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, mistakes := readVerification(elsewhere, keys)
		if mistakes != nil {
			return usage(a.command, mistakes)
		}
		return a.read(cmd, func(ctx context.Context, s auditlog.Store, w *bufio.Writer) error {
			verdicts, err := auditlog.Verify(ctx, s, a.filter.Chain, v.Checkpoints, v.Trusted)
			if err != nil {
				return err
			}
			bad := 0
			for _, verdict := range verdicts {
				if !verdict.Sound {
					bad++
				}
				if asJSON {
					if err := json.NewEncoder(w).Encode(verdict); err != nil {
						return err
					}
				}
			}
			if !asJSON {
				err = auditlog.WriteVerdicts(w, verdicts)
			}
			if quiet, _ := cmd.Flags().GetBool("quiet"); !quiet && bad == 0 && !anchored(verdicts) {
				err = errors.Join(err, w.Flush())
				fmt.Fprintln(cmd.ErrOrStderr(), "relent: audit verify: what comes after the last checkpoint could have been cut off or written anew: see --checkpoints")
			}
			if bad > 0 {
				err = errors.Join(err, w.Flush(), fmt.Errorf("%d of %d chains are bad: %w", bad, len(verdicts), audit.ErrTampered))
			}
			return err
		})
	}
	return cmd
}

// anchored says that checkpoints vouch for all records.
func anchored(verdicts []auditlog.Verdict) bool {
	for _, v := range verdicts {
		if v.Anchored < v.Head.Sequence {
			return false
		}
	}
	return true
}

// readVerification reads the files that flags name.
func readVerification(elsewhere, keys []string) (v audit.Verification, err error) {
	var mistakes []error
	for _, name := range elsewhere {
		points, err := auditlog.ReadCheckpoints(name)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("--checkpoints: %w", err))
		}
		v.Checkpoints = append(v.Checkpoints, points...)
	}
	for _, text := range keys {
		key, err := auditlog.ParseKey(text)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("--key: %w", err))
		}
		v.Trusted = append(v.Trusted, key)
	}
	return v, errors.Join(mistakes...)
}
