package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxRules is how many rules a text may have.
const MaxRules = 1000

// Parse reads rules as people write them, with semicolons or new lines between them:
//
//	fail 5%
//	apply-then-fail 2% on POST /api/v3/order
//	slow 100% 250ms from 10s to 40s every 1m on GET /api/*
//	first fail,pass,cut on dial
//
// A rule is a fault, or first and a script of them; then, in any order, a rate (100% if none is given and there is no script), a
// delay, and the times of Rule.From, To and Every; then on and the operation, which may hold spaces. Nothing, and a rule that
// begins with #, is none. The error names every mistake.
func Parse(text string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		part = strings.TrimSpace(part)
		if part == "" || part[0] == '#' {
			continue
		}
		r, err := parseRule(part)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %q: %w", part, err))
		}
		if rules = append(rules, r); len(rules) > MaxRules {
			return nil, fmt.Errorf("more than %d rules", MaxRules)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return rules, nil
}

func parseRule(text string) (r Rule, err error) {
	head, op, on := strings.Cut(" "+text+" ", " on ")
	if r.Op = strings.TrimSpace(op); on && r.Op == "" {
		return r, errors.New("on: say which operation")
	}
	words := strings.Fields(head)
	if len(words) == 0 {
		return r, errors.New("say what happens: " + strings.Join(faultNames(), ", "))
	}
	if words[0] == "first" {
		if len(words) < 2 {
			return r, errors.New("first: say the faults, as in first fail,pass")
		}
		for name := range strings.SplitSeq(words[1], ",") {
			f, err := ParseFault(name)
			if err != nil {
				return r, err
			}
			r.Script = append(r.Script, f)
		}
		words = words[1:]
	} else if r.Fault, err = ParseFault(words[0]); err != nil {
		return r, err
	} else {
		r.Rate = 1
	}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		word := words[0]
		into := map[string]*time.Duration{"from": &r.From, "to": &r.To, "every": &r.Every}[word]
		if into != nil {
			if words = words[1:]; len(words) == 0 {
				return r, fmt.Errorf("%s: say when, as in %s 10s", word, word)
			}
			if *into, err = parseTime(words[0]); err != nil {
				return r, fmt.Errorf("%s: %w", word, err)
			}
			continue
		}
		if number, ok := strings.CutSuffix(word, "%"); ok {
			rate, err := strconv.ParseFloat(number, 64)
			if err != nil || !(rate >= 0 && rate <= 100) || len(r.Script) > 0 {
				return r, fmt.Errorf("%q is no rate: want 0%% to 100%%, of a fault that is not in a script", word)
			}
			r.Rate = rate / 100
			continue
		}
		if r.Delay, err = parseTime(word); err != nil {
			return r, err
		}
	}
	return r, r.check()
}

// check says what is odd about the times.
func (r *Rule) check() error {
	switch {
	case r.To > 0 && r.To <= r.From:
		return fmt.Errorf("to %v is not after from %v", r.To, r.From)
	case r.Every > 0 && (r.To == 0 || r.To > r.Every):
		return fmt.Errorf("every %v needs a to within it", r.Every)
	}
	return nil
}

func parseTime(word string) (time.Duration, error) {
	d, err := time.ParseDuration(word)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time: want one above 0, such as 250ms", word)
	}
	return d, nil
}

// ParseFault reads the name of a fault, with hyphens for the spaces.
func ParseFault(name string) (Fault, error) {
	if i := slices.Index(faultNames(), strings.ToLower(name)); i >= 0 {
		return Fault(i), nil
	}
	return Pass, fmt.Errorf("%q is no fault: there are %s", name, strings.Join(faultNames(), ", "))
}

func faultNames() []string {
	names := make([]string, len(faults))
	for i, name := range faults {
		names[i] = strings.ReplaceAll(name, " ", "-")
	}
	return names
}

// String returns the text form, which [Parse] reads. It leaves Err out, and what a script is followed by.
func (r Rule) String() string {
	var b strings.Builder
	if len(r.Script) > 0 {
		for i, f := range r.Script {
			b.WriteString([]string{"first ", ","}[min(i, 1)] + strings.ReplaceAll(f.String(), " ", "-"))
		}
	} else {
		fmt.Fprintf(&b, "%s %s%%", strings.ReplaceAll(r.Fault.String(), " ", "-"), strconv.FormatFloat(100*r.Rate, 'g', 12, 64))
	}
	if r.Delay > 0 {
		fmt.Fprintf(&b, " %v", r.Delay)
	}
	for _, t := range []struct {
		word string
		at   time.Duration
	}{{"from", r.From}, {"to", r.To}, {"every", r.Every}} {
		if t.at > 0 {
			fmt.Fprintf(&b, " %s %v", t.word, t.at)
		}
	}
	if r.Op != "" {
		b.WriteString(" on " + r.Op)
	}
	return b.String()
}
