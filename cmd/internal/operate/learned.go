package operate

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
)

// A live is what is known about the learning of one operation.
type live struct {
	V         int                   `json:"v"`
	Server    string                `json:"server"`
	At        time.Time             `json:"at"`
	Operation string                `json:"operation"`
	Component string                `json:"component,omitempty"`
	Policy    string                `json:"policy"`
	Version   uint64                `json:"version"`
	Adaptive  string                `json:"adaptive"` // mode and terms, as configured or overridden
	Budgeted  bool                  `json:"budgeted"` // so that it may be active
	Learning  *control.LearningView `json:"learning"` // null: nothing is learned
}

// ExplainLive prints what a learner knows about an operation, and its last choices, for the command policy explain.
func ExplainLive(p Program, cmd *cobra.Command, operation string) error {
	s := settings{p.complete(), cmd}
	c, err := s.connect()
	if err != nil {
		return err
	}
	v, one, err := c.operation(cmd.Context(), operation)
	if err != nil {
		return s.nowhere(err)
	}
	l := live{1, c.base, v.At, one.Name, one.Component, one.Policy, one.Version, learns(one), one.Budgeted, one.Learning}
	out := cmd.OutOrStdout()
	if format(cmd) != "table" {
		return document(out, l)
	}
	if l.Learning == nil {
		return failed(cmd, fmt.Errorf("nothing is learned about %s: it is %s", operation, l.Adaptive), "relent policy mode "+quoted(operation)+" shadow --reason WHY")
	}
	width, _ := size(out)
	return s.explainLive(out, width, &l)
}

func (s settings) explainLive(out io.Writer, width int, l *live) error {
	x, color := l.Learning, s.color(out)
	facts := &table{Flex: -1, Wrap: true, Color: color}
	add := func(name, format string, args ...any) {
		facts.add(dim(name), text(fmt.Sprintf(format, args...)))
	}
	add("mode", "%s: %s", l.Adaptive, modesInWords[x.Mode])
	if !l.Budgeted {
		add("", "it cannot be active: no budget is among the gates")
	}
	if x.Promotion != "" {
		add("promotion", "%s", x.Promotion)
	}
	add("stands", "%s: %s", x.By, stood[x.By])
	down := "down " + percent(ratio(x.Down))
	if x.DownFor > 0 {
		down += " for " + brief(x.DownFor)
	}
	add("belief", "%s, %s outages seen", down, many(uint64(x.Outages)))
	add("seen", "%s results, %s of them of retries", many(x.Results), many(x.Retries))
	proof := "not proven yet"
	if x.Proven {
		proof = "proven"
	}
	if x.Scored > 0 {
		add("forecasts", "%s, with a score of %.3f (the base rate's %.3f; 0 is perfect), off by %.3f; %s", many(x.Scored), x.Brier, x.Base, x.Calibration, proof)
	} else {
		add("forecasts", "none yet")
	}
	add("saved", "%s calls ended because a retry did not pay; %s retries against the advice, which earned %.1f", many(x.Stopped), many(x.Against), x.Earned)
	add("fallback", "%s", onOff(x.Fallback))
	add("guard", "%s; trips so far: %s", onOff(x.Guard), many(uint64(x.GuardTrips)))
	add("waiting", "%s retries that it leads; %s of retries may go", many(uint64(x.Waiting)), percent(ratio(x.Open)))
	var decisions []string
	for _, by := range slices.Sorted(maps.Keys(x.Decisions)) {
		if n := x.Decisions[by]; n > 0 {
			decisions = append(decisions, fmt.Sprintf("%s %s", by, many(n)))
		}
	}
	add("decided", "%s", strings.Join(decisions, ", "))
	if x.Odd > 0 {
		add("odd", "%s times that could not be, and were ignored", many(x.Odd))
	}
	head := &table{Color: color}
	head.add(bold(l.Operation), text(l.Policy))
	err := errors.Join(head.write(out, width), facts.write(out, width))
	if err != nil || len(x.Choices) == 0 {
		return err
	}
	choices := &table{Flex: 1, Color: color}
	choices.add(dim("CHOSEN"), dim("AFTER"), dim("BY"), number("DOWN").in(faint), number("CONFIGURED").in(faint), number("ADVISED").in(faint), dim("SO IT"))
	for _, c := range x.Choices {
		advised, did := brief(c.Advised), "waits "+brief(c.Waited)
		if c.Stop {
			advised = "give up"
		}
		if c.Stopped {
			did = "gives up"
		}
		choices.add(text(span(max(0, l.At.Sub(c.At)))+" ago"), text(c.Kind), text(c.By), number(percent(ratio(c.Down))), number(brief(c.Configured)), number(advised), text(did))
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	if err := choices.write(out, width); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nlast: %s\n", plain(x.Choices[0].Text))
	return err
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
