package operate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

const stopHelp = `Stop a scope: global, or segments joined by slashes, such as equities/binance/place_order.

States, from the mildest on:
  no-retries     first attempts pass, nothing is attempted twice
  risk-reducing  cancels and what reduces positions passes, nothing else starts
  drain          what runs may finish; no new calls and no retries
  stopped        nothing starts

With a server the stop reaches every process that is connected to it. Without one it is written into the trigger
file that processes of this machine watch: --file, or halt.trigger_file of the configuration.

A drill goes the same way, is recorded, and stops nothing. It says how many processes it reached, and how soon; when
one did not answer within a second, the exit code is 1.

A stop stops the next attempt. It does not unsend what was sent. It ends by relent resume, which takes two persons.`

const stopExample = `  relent stop global --state stopped --reason 'prices look wrong'
  relent stop equities/binance --state risk-reducing --reason 'venue is slow' --ticket OPS-12 --expires 30m
  relent stop global --state stopped --reason 'no network' --file /run/relent/STOP
  relent stop global --state drain --reason 'monthly drill' --drill`

// A stopped is what a stop led to.
type stopped struct {
	V     int    `json:"v"`
	Via   string `json:"via"`   // server or file
	Where string `json:"where"` // URL or path
	control.StopView
	InFlight *int64 `json:"in_flight,omitempty"` // attempts of the scope that still run, where the server says so
}

func newStop(p Program) *cobra.Command {
	var s control.Stop
	cmd := strict(&cobra.Command{Use: "stop SCOPE", Short: "emergency stop, with a server or without", Long: stopHelp, Example: stopExample}, exactly("SCOPE"))
	flags := cmd.Flags()
	flags.StringVar(&s.State, "state", "", "`STATE`: no-retries, risk-reducing, drain or stopped (required)")
	flags.StringVar(&s.Reason, "reason", "", "`WHY`, for whoever reads the audit log (required)")
	flags.StringVar(&s.Ticket, "ticket", "", "`ID` of a ticket")
	flags.DurationVar(&s.Expires, "expires", 0, "after which the stop ends by itself, in a ramp; not for stopped")
	flags.BoolVar(&s.Drill, "drill", false, "go the whole way, and stop nothing")
	flags.BoolVar(&s.Cancel, "cancel", false, "with stopped: also cancel attempts that run")
	offer(cmd, "state", "no-retries", "risk-reducing", "drain", "stopped")
	flags.String("file", "", "write this trigger `FILE`, and ask no server")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := checkStop(cmd, args[0], &s)
		if err != nil {
			return usage(cmd, err)
		}
		settings := settings{p, cmd}
		way, err := settings.way()
		if err != nil {
			return err
		}
		if way.Name != "server" {
			return settings.stopByFile(path, s, way)
		}
		return settings.stopByServer(s, way)
	}
	return cmd
}

// checkStop completes a stop, or says all that is wrong with it.
func checkStop(cmd *cobra.Command, scope string, s *control.Stop) (path []string, err error) {
	var errs []error
	if path, err = halt.Scope(scope).Path(); err != nil {
		errs = append(errs, fmt.Errorf("SCOPE: %w", err))
	} else if len(path) > halt.MaxDepth {
		errs = append(errs, fmt.Errorf("SCOPE: %d segments are more than %d", len(path), halt.MaxDepth))
	}
	s.Scope = string(halt.At(path...))
	if state, err := halt.ParseState(s.State); err != nil || state == halt.Running {
		errs = append(errs, fmt.Errorf("--state: %q is none of no-retries, risk-reducing, drain and stopped", s.State))
	} else if state == halt.Stopped && s.Expires != 0 {
		errs = append(errs, errors.New("--expires: a stop of everything never ends by itself: leave it out"))
	} else if state != halt.Stopped && s.Cancel {
		errs = append(errs, fmt.Errorf("--cancel: goes with --state stopped; %s lets what runs finish", state))
	}
	if s.Expires < 0 {
		errs = append(errs, fmt.Errorf("--expires: %v is not above 0", s.Expires))
	}
	if s.Reason, err = because(s.Reason); err != nil {
		errs = append(errs, err)
	}
	if _, file := given(cmd, "file"); file {
		if _, server := given(cmd, "server"); server {
			errs = append(errs, errors.New("--file, --server: give one of them, or run the command twice"))
		}
		if s.Drill {
			errs = append(errs, errors.New("--drill: a trigger file stops for real: leave one of them out"))
		}
		if s.Expires != 0 {
			errs = append(errs, errors.New("--expires: a stop by a trigger file has no end: leave one of them out"))
		}
	}
	return path, errors.Join(errs...)
}

// way decides between a server and a file: whichever the command line names, else the server of the environment, else the
// trigger file of the configuration, else its server, else the default one.
func (s settings) way() (setting, error) {
	if v, ok := s.said("file", ""); ok {
		return v, nil
	}
	if v, ok := s.said("server", "RELENT_SERVER"); ok {
		return v, nil
	}
	file, _, _, err := s.program.Config(s.cmd)
	if err != nil {
		return setting{}, err
	}
	if v := s.trigger(file); v.Value != "" {
		return v, nil
	}
	return s.server()
}

func (s settings) stopByServer(stop control.Stop, server setting) error {
	c, err := s.client(server)
	if err != nil {
		return err
	}
	stop.Key = rand.Text()
	answer := stopped{V: 1, Via: "server", Where: c.base}
	if err := c.ask(s.cmd.Context(), "POST", "/api/v1/stop", stop.Key, stop, &answer.StopView); err != nil {
		return s.notStopped(stop, err)
	}
	answer.InFlight = c.inFlight(s.cmd.Context(), stop.Scope)
	out := s.cmd.OutOrStdout()
	v := answer.StopView
	var missed error
	if v.Reached < v.Processes {
		missed = failed(s.cmd, fmt.Errorf("%s: drill: %d of %d processes did not say within a second that it arrived", v.Scope, v.Processes-v.Reached, v.Processes), "relent status")
	}
	if format(s.cmd) != "table" {
		return errors.Join(document(out, answer), missed)
	}
	verb := "stopped"
	if stop.Drill {
		verb = "drill, nothing is stopped"
	}
	t := &table{Color: s.color(out)}
	t.add(bad(verb).unless(stop.Drill), bold(v.Scope), text(v.State), dim(fmt.Sprintf("epoch %d", v.Epoch)))
	t.write(out, 0)
	if answer.InFlight != nil {
		runs := "finish"
		if stop.Cancel {
			runs = "are cancelled"
		}
		if stop.Drill {
			runs = "go on"
		}
		fmt.Fprintf(out, "in flight now: %d, which %s\n", *answer.InFlight, runs)
	}
	if stop.Drill {
		fmt.Fprintln(out, howFar(v))
	} else if !v.Expires.IsZero() {
		fmt.Fprintf(out, "ends by itself, in a ramp, in %s\n", span(time.Until(v.Expires)))
	}
	if !stop.Drill {
		note(s.cmd, "to release it: relent resume %s --epoch %d --reason WHY, and somebody else approves", quoted(v.Scope), v.Epoch)
	}
	return missed
}

// howFar says how far a drill came.
func howFar(v control.StopView) string {
	if v.Processes == 0 {
		return "no process is connected to this server"
	}
	return fmt.Sprintf("reached %d of %d processes, the last after %v", v.Reached, v.Processes, v.Took.Round(10*time.Microsecond))
}

// inFlight asks how much of a scope still runs. Nothing depends on the answer, so that it may take a second at most.
func (c *client) inFlight(ctx context.Context, scope string) *int64 {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var radius struct {
		InFlight *int64 `json:"in_flight"`
	}
	if c.get(ctx, "/api/v1/radius?scope="+url.QueryEscape(scope), &radius) != nil {
		return nil
	}
	return radius.InFlight
}

// notStopped says what else can be done.
func (s settings) notStopped(stop control.Stop, err error) error {
	if _, ok := errors.AsType[*refusal](err); ok {
		return failed(s.cmd, fmt.Errorf("%s: not stopped: %w", stop.Scope, err), next(err, "relent status"))
	}
	state := "perhaps not stopped, the server did not say"
	if errors.Is(err, errAbsent) {
		state = "not stopped"
	}
	trigger := "FILE, the trigger file that processes of this machine watch"
	if file, _, _, e := s.program.Config(s.cmd); e == nil && s.trigger(file).Value != "" {
		trigger = quoted(s.trigger(file).Value)
	}
	again := fmt.Sprintf("relent stop %s --state %s --reason %s --file %s", quoted(stop.Scope), stop.State, quoted(stop.Reason), trigger)
	if stop.Drill {
		again = "relent doctor"
	}
	return failed(s.cmd, fmt.Errorf("%s: %s: %w", stop.Scope, state, err), again)
}

func (s settings) stopByFile(path []string, stop control.Stop, file setting) error {
	if stop.Drill || stop.Expires != 0 { // the configuration named the file
		return usage(s.cmd, errors.New("--drill, --expires: the trigger file of the configuration has neither: leave them out, or name a --server"))
	}
	line := triggerLine(path, stop, actor())
	stands, err := addTrigger(s.cmd.Context(), file.Value, line)
	if err != nil {
		return failed(s.cmd, fmt.Errorf("%s: not stopped: %w", stop.Scope, err), "ls -la "+quoted(filepath.Dir(file.Value))+", or the same with --server URL")
	}
	if stop.Cancel {
		note(s.cmd, "relent: a trigger file cannot cancel what runs: attempts in flight finish")
	}
	out := s.cmd.OutOrStdout()
	if format(s.cmd) != "table" {
		return document(out, stopped{V: 1, Via: "file", Where: file.Value, StopView: control.StopView{
			Scope: stop.Scope, State: stop.State, Actor: actor(), Source: "file", Reason: stop.Reason, Ticket: stop.Ticket, Since: time.Now(),
		}})
	}
	return s.tellFile(out, stop, file, stands)
}

// tellFile says whom the file reaches, and whom it does not.
func (s settings) tellFile(out io.Writer, stop control.Stop, file setting, stands bool) error {
	what := "written"
	if stands {
		what = "there already"
	}
	t := &table{Color: s.color(out)}
	t.add(bad(what), bold(stop.Scope), text(stop.State), dim("in "+file.Value))
	t.write(out, 0)
	err := tell(out, "It reaches the processes of this machine that watch the file, within a quarter of a second: those with halt.trigger_file, or halt.Tree.Trigger, set to it. Which these are cannot be seen from here. Other machines are not reached.")
	note(s.cmd, "to release it: remove the file, and then resume in each process: removing it ends no stop")
	return err
}
