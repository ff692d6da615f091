package operate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

const resumeHelp = `Ask that a stop ends. It takes two persons, and neither may be who stopped:

  1. one asks:      relent resume SCOPE --epoch N --reason WHY
  2. another says:  relent resume approve ID

The epoch is that of the stop that was looked at (relent status): if somebody stopped again meanwhile, the release is
refused. What ends is the stops of this scope only; it then ramps, 10 %, 50 %, 100 %. Without a server nothing is
released: that takes a record of who did it.`

// A request is a release that waits for a second person.
type request struct {
	ID        string    `json:"id"`
	Scope     string    `json:"scope"`
	Epoch     uint64    `json:"epoch"`
	Reason    string    `json:"reason"`
	Requester string    `json:"requester"`
	Expires   time.Time `json:"expires"`
}

const requestsPath = "/api/v1/requests"

func newResume(p Program) *cobra.Command {
	var r control.Resume
	cmd := strict(&cobra.Command{
		Use: "resume SCOPE", Short: "end a stop, by two persons", Long: resumeHelp,
		Example: "  relent resume equities/binance --epoch 3 --reason 'venue is well again'\n  relent resume list\n  relent resume approve 7k2m",
	}, exactly("SCOPE"))
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`WHY` it is safe to go on (required)")
	cmd.Flags().Uint64Var(&r.Epoch, "epoch", 0, "`N` of the stop that you saw (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkResume(cmd, args[0], &r); err != nil {
			return usage(cmd, err)
		}
		return settings{p, cmd}.askResume(r)
	}
	list := strict(&cobra.Command{Use: "list", Short: "list releases that wait for a second person"}, exactly())
	list.RunE = func(cmd *cobra.Command, _ []string) error { return settings{p, cmd}.listRequests() }
	approve := strict(&cobra.Command{Use: "approve ID", Short: "approve a release that somebody else asked for"}, exactly("ID"))
	approve.RunE = func(cmd *cobra.Command, args []string) error { return settings{p, cmd}.approve(args[0]) }
	cmd.AddCommand(list, approve)
	return cmd
}

func checkResume(cmd *cobra.Command, scope string, r *control.Resume) error {
	var errs []error
	path, err := halt.Scope(scope).Path()
	if err != nil {
		errs = append(errs, fmt.Errorf("SCOPE: %w", err))
	}
	r.Scope = string(halt.At(path...))
	if _, given := given(cmd, "epoch"); !given {
		errs = append(errs, errors.New("--epoch: say which stop you saw: relent status shows its epoch"))
	}
	if r.Reason, err = because(r.Reason); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// noRelease says why a release got no further, and what to do.
func (s settings) noRelease(what string, err error) error {
	if r, ok := errors.AsType[*refusal](err); ok && (r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed) && what != "approve" {
		return failed(s.cmd, fmt.Errorf("%w: no releases by command line there: it is not relent serve", err), "the dialog of its dashboard, where both persons sign")
	}
	if errors.Is(err, errAbsent) {
		return failed(s.cmd, fmt.Errorf("a release takes a server, which records it: %w", err), "the same with --server URL")
	}
	return failed(s.cmd, err, next(err, "relent status, and relent resume list"))
}

func (s settings) askResume(r control.Resume) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	var answer request
	if err := c.ask(s.cmd.Context(), "POST", requestsPath, "", map[string]any{"scope": r.Scope, "epoch": r.Epoch, "reason": r.Reason}, &answer); err != nil {
		return s.noRelease("ask", err)
	}
	out := s.cmd.OutOrStdout()
	if format(s.cmd) != "table" {
		return document(out, struct {
			V int `json:"v"`
			request
		}{1, answer})
	}
	fmt.Fprintf(out, "%s is still stopped: the release waits for a second person, for %s\n", plain(answer.Scope), span(time.Until(answer.Expires)))
	_, err = fmt.Fprintf(out, "\n  relent resume approve %s\n\nby somebody who is neither %s nor who stopped it\n", quoted(answer.ID), plain(answer.Requester))
	return err
}

func (s settings) listRequests() error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	var answer struct {
		Requests []request `json:"requests"`
	}
	if err := c.get(s.cmd.Context(), requestsPath, &answer); err != nil {
		return s.noRelease("list", err)
	}
	out := s.cmd.OutOrStdout()
	switch format(s.cmd) {
	case "json":
		return document(out, map[string]any{"v": 1, "requests": append([]request{}, answer.Requests...)})
	case "ndjson":
		for _, r := range answer.Requests {
			if err := document(out, struct {
				V int `json:"v"`
				request
			}{1, r}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(answer.Requests) == 0 {
		_, err := fmt.Fprintln(out, "no release waits for a second person")
		return err
	}
	width, _ := size(out)
	t := &table{Color: s.color(out), Flex: 1}
	t.add(dim("id"), dim("scope"), dim("epoch"), dim("asked by"), dim("for another"), dim("why"))
	for _, r := range answer.Requests {
		t.add(bold(r.ID), text(r.Scope), number(many(r.Epoch)), text(r.Requester), text(span(time.Until(r.Expires))), text(r.Reason))
	}
	return t.write(out, width)
}

func (s settings) approve(id string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	answer := stopped{V: 1, Via: "server", Where: c.base}
	if err := c.ask(s.cmd.Context(), "POST", requestsPath+"/"+url.PathEscape(id)+"/approve", "", struct{}{}, &answer.StopView); err != nil {
		return s.noRelease("approve", err)
	}
	out := s.cmd.OutOrStdout()
	if format(s.cmd) != "table" {
		return document(out, answer)
	}
	t := &table{Color: s.color(out)}
	t.add(text("released").in(green), bold(answer.Scope), text(released(answer.StopView)), dim(fmt.Sprintf("epoch %d", answer.Epoch)))
	if err := t.write(out, 0); err != nil {
		return err
	}
	note(s.cmd, "relent status --watch shows how it goes; relent stop %s stops it again", quoted(answer.Scope))
	return nil
}

// released says how far a release is.
func released(v control.StopView) string {
	if v.State == "running" && v.Ramp > 0 && v.Ramp < 1 {
		return fmt.Sprintf("ramping, %.0f %% pass", 100*v.Ramp)
	}
	return v.State
}
