package control

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
)

// Modes returns the words for the modes of learners.
func Modes() []string {
	return []string{adaptive.Shadow.String(), adaptive.Active.String(), adaptive.Off.String()}
}

// String returns the text form, which the field adaptive of [Tune] has, too: the mode, and in parentheses the terms that
// are not the default, such as
//
//	shadow
//	active(attempt 0.05, second 0.01, max 10s, preserve-success)
//	shadow(promote)
//
// attempt and second are costs in successes, max is the longest wait that is considered, promote is [Learning.Promote].
func (l *Learning) String() string {
	if l == nil {
		return adaptive.Off.String()
	}
	var terms []string
	t := &l.Terms
	if t.AttemptCost != 0 {
		terms = append(terms, "attempt "+decimal(t.AttemptCost))
	}
	if t.DelayCost != 0 {
		terms = append(terms, "second "+decimal(t.DelayCost))
	}
	if t.MaxWait > 0 {
		terms = append(terms, "max "+t.MaxWait.String())
	}
	if t.Goal == adaptive.PreserveSuccess {
		terms = append(terms, preserve)
	}
	if l.Promote {
		terms = append(terms, promote)
	}
	if len(terms) == 0 {
		return l.mode().String()
	}
	return l.mode().String() + "(" + strings.Join(terms, ", ") + ")"
}

const (
	preserve = "preserve-success"
	promote  = "promote"
)

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// setLearning reads a text form into a policy. What it does not say of the terms has its default; functions are those of before.
func setLearning(p *retry.Policy, text string) error {
	word, terms, more := strings.Cut(text, "(")
	old := learningOf(p)
	next := Learning{}
	if old != nil {
		next = *old
	}
	switch strings.TrimSpace(word) {
	case adaptive.Shadow.String():
		next.Mode = adaptive.Shadow
	case adaptive.Active.String():
		next.Mode = adaptive.Active
	case adaptive.Off.String():
		next.Mode = adaptive.Off
	default:
		return fmt.Errorf("%q is none of %s", strings.TrimSpace(word), strings.Join(Modes(), ", "))
	}
	next.Promote = false
	t := &next.Terms
	t.AttemptCost, t.DelayCost, t.MaxWait, t.Goal = 0, 0, 0, adaptive.Utility
	if more {
		terms, more = strings.CutSuffix(strings.TrimSpace(terms), ")")
		if !more {
			return fmt.Errorf("%q lacks its closing parenthesis", text)
		}
		for term := range strings.SplitSeq(terms, ",") {
			if err := setTerm(&next, strings.TrimSpace(term)); err != nil {
				return err
			}
		}
	}
	if old == nil && next.String() == adaptive.Off.String() {
		return nil
	}
	p.Gates = taught(p.Gates, &next)
	return nil
}

// setTerm reads one of the terms.
func setTerm(l *Learning, text string) error {
	t := &l.Terms
	name, value, _ := strings.Cut(text, " ")
	value = strings.TrimSpace(value)
	switch {
	case name == "attempt":
		return setCost(&t.AttemptCost, name, value)
	case name == "second":
		return setCost(&t.DelayCost, name, value)
	case name == "max":
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("max: %q is no duration above 0, such as 10s", value)
		}
		t.MaxWait = d
		return nil
	case text == preserve:
		t.Goal = adaptive.PreserveSuccess
		return nil
	case text == promote:
		l.Promote = true
		return nil
	}
	return fmt.Errorf("%q is none of attempt COST, second COST, max DURATION, %s, %s", text, preserve, promote)
}

func setCost(at *float64, name, text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return fmt.Errorf("%s: %q is no cost above 0, in successes, such as 0.02", name, text)
	}
	*at = f
	return nil
}
