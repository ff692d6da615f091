package policy

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// An Explanation is what a policy of a file does.
type Explanation struct {
	Schedule
	File     string   `json:"file"`
	Limits   []string `json:"limits"` // beside the number of attempts, in words
	Priority string   `json:"priority"`
	Gates    []Gate   `json:"gates"`
	Venue    *Venue   `json:"venue,omitempty"`
}

// A Gate is one that attempts pass.
type Gate struct {
	Name  string `json:"name"`
	Asked string `json:"asked"` // of which attempts: all or retries
	Does  string `json:"does"`
}

// Explain says what a policy of a set does. p is the policy as it is in force: flags may have changed fields of it.
func Explain(s *config.Set, p *retry.Policy) Explanation {
	def := s.File.Policies[p.Name]
	e := Explanation{Schedule: NewSchedule(p), File: s.File.Name, Priority: p.Priority.String(), Gates: []Gate{}, Limits: limits(p)}
	e.Note = "" // is among the limits
	for i, name := range def.Gates {
		e.Gates = append(e.Gates, gate(s.File, name, p.Gates[i], def))
	}
	if facts, ok := s.File.Facts(p.Name); ok {
		e.Venue = venue(facts)
	}
	return e
}

func limits(p *retry.Policy) []string {
	list := []string{}
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if p.AttemptTimeout > 0 {
		add("each attempt ends after %s", short(p.AttemptTimeout))
	}
	if p.MaxElapsed > 0 {
		add("the call ends after %s, waits included", short(p.MaxElapsed))
	}
	switch {
	case p.MaxHint < 0:
		add("the call ends when the other side asks to wait")
	default:
		add("a wait that the other side asks for is obeyed up to %s; beyond that the call ends", short(cmp.Or(p.MaxHint, retry.DefaultMaxHint)))
	}
	if p.Nested {
		add("retries also inside a call that retries: attempts multiply")
	}
	switch {
	case p.Priority > retry.Normal:
		add("critical: refused last")
	case p.Priority < retry.Normal:
		add("sheddable: refused first")
	}
	if p.Cost > 1 {
		add("a retry costs as much as %d", p.Cost)
	}
	switch text := control.Texts(p)["adaptive"]; {
	case strings.HasPrefix(text, "active"):
		add("a learner chooses waits, and ends calls whose retries do not pay: adaptive %s", text)
	case strings.HasPrefix(text, "shadow"):
		add("a learner watches, and changes nothing: adaptive %s", text)
	}
	return list
}

// gate says what one gate does.
func gate(f *config.File, name string, g retry.Gate, def config.Policy) Gate {
	out := Gate{Name: name, Asked: "all"}
	switch g := g.(type) {
	case *breaker.Breaker:
		r := g.Rules
		over := "in " + short(cmp.Or(r.Window, breaker.DefaultWindow))
		if r.Calls > 0 {
			over = fmt.Sprintf("of the last %d", r.Calls)
		}
		test := "surely more than"
		if r.Classic {
			test = "at least"
		}
		out.Does = fmt.Sprintf("opens when %s %s of %d or more attempts %s failed, for %s; while open, every attempt is refused at once",
			test, percent(cmp.Or(r.FailureRate, breaker.DefaultFailureRate)), cmp.Or(r.MinSamples, breaker.DefaultMinSamples), over, short(cmp.Or(r.OpenFor, breaker.DefaultOpenFor)))
	case *budget.Budget:
		out.Asked = "retries"
		out.Does = fmt.Sprintf("%s retries saved up at most, a success earns %s; a retry that is not paid for ends the call",
			decimal(float64(g.Stats().Capacity)/1000), decimal(max(0, cmp.Or(g.Ratio, budget.DefaultRatio))))
	case *budget.Window:
		out.Asked = "retries"
		out.Does = fmt.Sprintf("at most %d retries in any %s", zeroOr(g.Max, budget.DefaultWindowMax), short(g.Per))
	case *budget.Parents:
		out.Does = fmt.Sprintf("at most %d attempts for one business object, over its life", zeroOr(g.Max, budget.DefaultAttemptsPerParent))
	case *limit.Concurrency:
		out.Does = fmt.Sprintf("at most %d attempts at one time%s", g.Max, waiting(g.MaxWait))
	case *limit.Rate:
		out.Does = fmt.Sprintf("at most %d attempts per %s%s", g.Tokens, short(cmp.Or(g.Per, time.Second)), waiting(g.MaxWait))
	case *limit.Retries:
		out.Asked = "retries"
		out.Does = fmt.Sprintf("at most %d retries under way", zeroOr(g.Max, limit.DefaultRetries))
	case *halt.Gate:
		out.Does = "emergency stop of " + string(g.Scope()) + ", and of what is above it"
		if def.RiskReducing {
			out.Does += "; risk reducing passes a stop that lets that through"
		}
	default:
		out.Does = "by the rules of " + f.Profile(name)
	}
	return out
}

// zeroOr resolves a number whose zero has a default, and whose negative values stand for zero.
func zeroOr(n, zero int) int { return max(0, cmp.Or(n, zero)) }

func waiting(d time.Duration) string {
	if d <= 0 {
		return "; others are refused"
	}
	return "; others wait up to " + short(d)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 6, 64) + "%" }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func milliseconds(n int64) string { return short(time.Duration(n) * time.Millisecond) }

// short is a duration as people write it: 1m rather than 1m0s.
func short(d time.Duration) string {
	text := config.Duration(d)
	return text.String()
}

// WriteText writes the explanation for people.
func (e *Explanation) WriteText(w io.Writer, columns int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, of %s\n", e.Policy, e.File)
	if err := e.Schedule.WriteText(&b, columns); err != nil {
		return err
	}
	b.WriteByte('\n')
	for _, line := range e.Limits {
		fmt.Fprintf(&b, "%s\n", line)
	}
	if len(e.Gates) == 0 {
		b.WriteString("\nno gates: nothing bounds the retries of many calls together\n")
	} else {
		b.WriteString("\n")
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "GATE\tASKED\tDOES")
		for _, g := range e.Gates {
			fmt.Fprintf(t, "%s\t%s\t%s\n", g.Name, g.Asked, g.Does)
		}
		t.Flush()
	}
	if e.Venue != nil {
		b.WriteString("\n" + e.Venue.text())
	}
	_, err := io.WriteString(w, b.String())
	return err
}
