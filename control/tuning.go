package control

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// MostTunedAttempts bounds the max_attempts that an operator may set, unless the base says unlimited.
const MostTunedAttempts = 1000

// A field is one that can be tuned: the data of a policy. What is code (gates, functions, observers) comes only with
// the base.
type field struct {
	name  string // in text
	field string // of retry.Policy
	get   func(*retry.Policy) string
	set   func(p *retry.Policy, text string) error
}

// fields are in the order of retry.Policy.
var fields = []field{
	{"max_attempts", "MaxAttempts", func(p *retry.Policy) string {
		if n := attempts(p); n != retry.Unlimited {
			return strconv.Itoa(n)
		}
		return "unlimited"
	}, setAttempts},
	{"max_elapsed", "MaxElapsed", func(p *retry.Policy) string { return span(p.MaxElapsed) }, setSpan(func(p *retry.Policy) *time.Duration { return &p.MaxElapsed }, true)},
	{"attempt_timeout", "AttemptTimeout", func(p *retry.Policy) string { return span(p.AttemptTimeout) }, setSpan(func(p *retry.Policy) *time.Duration { return &p.AttemptTimeout }, true)},
	{"expected", "Expected", expected, setSpan(func(p *retry.Policy) *time.Duration { return &p.Expected }, false)},
	{"backoff", "Backoff", func(p *retry.Policy) string { return fmt.Sprint(strategy(p)) }, func(p *retry.Policy, text string) (err error) {
		p.Backoff, err = backoff.Parse(text)
		return err
	}},
	{"max_hint", "MaxHint", func(p *retry.Policy) string {
		if p.MaxHint == 0 {
			return retry.DefaultMaxHint.String()
		}
		return span(p.MaxHint)
	}, setSpan(func(p *retry.Policy) *time.Duration { return &p.MaxHint }, false)},
	{"idempotent", "Idempotent", func(p *retry.Policy) string { return strconv.FormatBool(p.Idempotent) },
		setFlag(func(p *retry.Policy) *bool { return &p.Idempotent }, "whether a call may run twice is for its code to say")},
	{"nested", "Nested", func(p *retry.Policy) string { return strconv.FormatBool(p.Nested) },
		setFlag(func(p *retry.Policy) *bool { return &p.Nested }, "attempts would multiply with those of the calls above")},
	{"priority", "Priority", func(p *retry.Policy) string { return p.Priority.String() }, func(p *retry.Policy, text string) error {
		for _, one := range []retry.Priority{retry.Sheddable, retry.Normal, retry.Critical} {
			if text == one.String() {
				p.Priority = one
				return nil
			}
		}
		return fmt.Errorf("%q is none of sheddable, normal, critical", text)
	}},
	{"cost", "Cost", func(p *retry.Policy) string { return strconv.FormatInt(max(1, p.Cost), 10) }, func(p *retry.Policy, text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no whole number from 1 on", text)
		}
		p.Cost = n
		return nil
	}},
	{"adaptive", "Learning", func(p *retry.Policy) string { return learningOf(p).String() }, setLearning},
}

// Fields returns the names of the fields that can be tuned.
func Fields() []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// Texts returns the fields of a policy that can be tuned, in their text form, with defaults spelled out.
func Texts(p *retry.Policy) map[string]string {
	p = p.Current()
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		m[f.name] = f.get(p)
	}
	return m
}

// Tuned returns base with some fields changed, each in its text form. It returns all mistakes, joined, each beginning with
// its field's name, or a policy that makes sense as a whole.
func Tuned(base *retry.Policy, texts map[string]string) (*retry.Policy, error) {
	p := *base.Current()
	var errs []error
	known := Fields()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if i := slices.Index(known, name); i < 0 {
			errs = append(errs, fmt.Errorf("%s: %w", name, unknown("field", name, known)))
		} else if err := fields[i].set(&p, texts[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if err := p.Check(); err != nil {
		errs = append(errs, errors.New(renamed(err.Error())))
	}
	if err := checkLearning(&p); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &p, nil
}

// renamed gives mistakes the names of fields that people type.
func renamed(mistakes string) string {
	lines := strings.Split(mistakes, "\n")
	for i, line := range lines {
		for _, f := range fields {
			if rest, ok := strings.CutPrefix(line, f.field+":"); ok {
				lines[i] = f.name + ":" + rest
			}
		}
	}
	return strings.Join(lines, "\n")
}

func setAttempts(p *retry.Policy, text string) error {
	if text == "unlimited" && p.MaxAttempts == retry.Unlimited {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MostTunedAttempts {
		return fmt.Errorf("%q is no whole number from 1 to %d", text, MostTunedAttempts)
	}
	p.MaxAttempts = n
	return nil
}

// setSpan reads a duration into a field, and none where that means no limit.
func setSpan(at func(*retry.Policy) *time.Duration, none bool) func(*retry.Policy, string) error {
	return func(p *retry.Policy, text string) error {
		if none && text == "none" {
			*at(p) = 0
			return nil
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration above 0, such as 250ms", text)
		}
		*at(p) = d
		return nil
	}
}

// setFlag reads a flag that may only be taken away.
func setFlag(at func(*retry.Policy) *bool, why string) func(*retry.Policy, string) error {
	return func(p *retry.Policy, text string) error {
		switch flag := at(p); {
		case text == "false":
			*flag = false
		case text != "true":
			return fmt.Errorf("%q is neither true nor false", text)
		case !*flag:
			return fmt.Errorf("can only be taken away while the program runs: %s", why)
		}
		return nil
	}
}

func span(d time.Duration) string {
	if d <= 0 {
		return "none"
	}
	return d.String()
}

func expected(p *retry.Policy) string {
	switch {
	case p.Expected == 0 && p.AttemptTimeout > 0:
		return min(p.AttemptTimeout, retry.DefaultExpected).String()
	case p.Expected == 0:
		return retry.DefaultExpected.String()
	}
	return span(p.Expected)
}

func strategy(p *retry.Policy) backoff.Strategy {
	if p.Backoff == nil {
		return backoff.Default()
	}
	return p.Backoff
}

// words says what a policy does.
func words(p *retry.Policy) string {
	var b strings.Builder
	switch n := attempts(p); n {
	case 1:
		b.WriteString("1 attempt")
	case retry.Unlimited:
		fmt.Fprintf(&b, "unlimited attempts, %v", strategy(p))
	default:
		fmt.Fprintf(&b, "%d attempts, %v", n, strategy(p))
	}
	if p.AttemptTimeout > 0 {
		fmt.Fprintf(&b, ", each up to %v", p.AttemptTimeout)
	}
	if p.MaxElapsed > 0 {
		fmt.Fprintf(&b, ", at most %v in all", p.MaxElapsed)
	}
	if p.Idempotent {
		b.WriteString(", idempotent")
	} else {
		b.WriteString(", never twice when the outcome is unknown")
	}
	if p.Priority != retry.Normal {
		fmt.Fprintf(&b, ", %v", p.Priority)
	}
	return b.String()
}
