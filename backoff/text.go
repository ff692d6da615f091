package backoff

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// String returns the text form, with defaults spelled out: "exponential(100ms, x2, max 30s, full)".
func (e Exponential) String() string {
	base, most := limits(e.Base, e.Max)
	return fmt.Sprintf("exponential(%s, x%s, max %s, %s)", short(base), number(e.multiplier()), short(most), e.Jitter)
}

// String returns the text form: "constant(1s, full)".
func (c Constant) String() string {
	return fmt.Sprintf("constant(%s, %s)", short(max(0, c.Wait)), c.Jitter)
}

// String returns the text form: "linear(100ms, step 50ms, max 30s, full)".
func (l Linear) String() string {
	base, most := limits(l.Base, l.Max)
	return fmt.Sprintf("linear(%s, step %s, max %s, %s)", short(base), short(max(0, l.Step)), short(most), l.Jitter)
}

// String returns the text form: "fibonacci(100ms, max 30s, full)".
func (f Fibonacci) String() string {
	base, most := limits(f.Base, f.Max)
	return fmt.Sprintf("fibonacci(%s, max %s, %s)", short(base), short(most), f.Jitter)
}

// String returns the text form: "decorrelated(100ms, max 30s)".
func (d Decorrelated) String() string {
	base, most := limits(d.Base, d.Max)
	return fmt.Sprintf("decorrelated(%s, max %s)", short(base), short(most))
}

// String returns "full", "equal", "none" or, for a proportional jitter, "proportional 0.1".
func (j Jitter) String() string {
	switch {
	case j == Equal:
		return "equal"
	case j == None:
		return "none"
	case j > 0:
		return "proportional " + number(min(float64(j), 1))
	default:
		return "full"
	}
}

// Parse reads the text form of a strategy. Arguments may be left out, from any place, and then
// have their defaults:
//
//	exponential(BASE, xMULTIPLIER, max MAX, JITTER)
//	constant(WAIT, JITTER)
//	linear(BASE, step STEP, max MAX, JITTER)
//	fibonacci(BASE, max MAX, JITTER)
//	decorrelated(BASE, max MAX)
//
// JITTER is full, equal, none or "proportional FRACTION"; durations are as in [time.ParseDuration].
// constant needs its wait. Durations other than WAIT and STEP must be above 0 and none may be
// negative. The error names the part that is wrong and what would be right.
func Parse(text string) (Strategy, error) {
	name, list, err := split(text)
	if err != nil {
		return nil, err
	}
	a, err := read(name, list)
	if err != nil {
		return nil, fmt.Errorf("backoff %q: %w", text, err)
	}
	switch name {
	case "exponential":
		return Exponential{Base: a.base, Max: a.most, Multiplier: a.multiplier, Jitter: a.jitter}, nil
	case "constant":
		return Constant{Wait: a.base, Jitter: a.jitter}, nil
	case "linear":
		return Linear{Base: a.base, Step: a.step, Max: a.most, Jitter: a.jitter}, nil
	case "fibonacci":
		return Fibonacci{Base: a.base, Max: a.most, Jitter: a.jitter}, nil
	default:
		return Decorrelated{Base: a.base, Max: a.most}, nil
	}
}

// accepts says which arguments a strategy takes beside its first duration:
// x the multiplier, s the step, m the maximum, j the jitter.
var accepts = map[string]string{
	"exponential":  "xmj",
	"constant":     "j",
	"linear":       "smj",
	"fibonacci":    "mj",
	"decorrelated": "m",
}

const names = "exponential, constant, linear, fibonacci or decorrelated"

// arguments are what stands between the parentheses. Zero fields were not given.
type arguments struct {
	base, step, most time.Duration
	multiplier       float64
	jitter           Jitter
}

func split(text string) (name, list string, err error) {
	name, rest, open := strings.Cut(text, "(")
	name = strings.ToLower(strings.TrimSpace(name))
	if _, known := accepts[name]; !known {
		return "", "", fmt.Errorf("backoff %q: unknown strategy %q: want %s", text, name, names)
	}
	if open {
		rest = strings.TrimSpace(rest)
		var closed bool
		if list, closed = strings.CutSuffix(rest, ")"); !closed {
			return "", "", fmt.Errorf("backoff %q: want one closing parenthesis, at the end", text)
		}
	}
	return name, strings.TrimSpace(list), nil
}

func read(name, list string) (a arguments, err error) {
	if list == "" {
		if name == "constant" {
			return a, fmt.Errorf("no wait: write for instance constant(1s)")
		}
		return a, nil
	}
	seen := ""
	for i, part := range strings.Split(list, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		kind, value := classify(part)
		if kind == 'b' && i > 0 {
			return a, fmt.Errorf("argument %q: want the duration first, then one of %s", part, others(name))
		}
		if kind != 'b' && !strings.ContainsRune(accepts[name], kind) {
			return a, fmt.Errorf("argument %q: %s takes a duration and %s", part, name, others(name))
		}
		if strings.ContainsRune(seen, kind) {
			return a, fmt.Errorf("argument %q: given twice", part)
		}
		seen += string(kind)
		if err := a.set(kind, value, name); err != nil {
			return a, fmt.Errorf("argument %q: %w", part, err)
		}
	}
	if name == "constant" && !strings.Contains(seen, "b") {
		return a, fmt.Errorf("no wait: write for instance constant(1s)")
	}
	return a, nil
}

// classify says which argument a part is, and returns what follows its keyword.
func classify(part string) (kind rune, value string) {
	word, rest, _ := strings.Cut(part, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "max":
		return 'm', rest
	case "step":
		return 's', rest
	case "full", "equal", "none", "proportional":
		return 'j', part
	}
	if value, ok := strings.CutPrefix(part, "x"); ok {
		return 'x', value
	}
	return 'b', part
}

func (a *arguments) set(kind rune, value, name string) (err error) {
	switch kind {
	case 'b':
		a.base, err = duration(value, name == "constant")
	case 'm':
		a.most, err = duration(value, false)
	case 's':
		a.step, err = duration(value, true)
	case 'x':
		a.multiplier, err = strconv.ParseFloat(value, 64)
		if err != nil || !(a.multiplier >= 1) || math.IsInf(a.multiplier, 1) {
			err = fmt.Errorf("want a multiplier of 1 or more, such as x2")
		}
	case 'j':
		a.jitter, err = parseJitter(value)
	}
	return err
}

func parseJitter(text string) (Jitter, error) {
	switch text {
	case "full":
		return Full, nil
	case "equal":
		return Equal, nil
	case "none":
		return None, nil
	}
	fraction, ok := strings.CutPrefix(text, "proportional ")
	f, err := strconv.ParseFloat(strings.TrimSpace(fraction), 64)
	if !ok || err != nil || !(f > 0 && f <= 1) {
		return 0, fmt.Errorf("want full, equal, none or proportional with a fraction above 0 and at most 1, such as proportional 0.1")
	}
	return Jitter(f), nil
}

func duration(text string, zero bool) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("want a duration such as 100ms or 1.5s")
	case d < 0:
		return 0, fmt.Errorf("want a duration that is not negative")
	case d == 0 && !zero:
		return 0, fmt.Errorf("want a duration above 0")
	}
	return d, nil
}

// others lists the arguments a strategy takes after its duration.
func others(name string) string {
	var list []string
	for _, kind := range accepts[name] {
		list = append(list, map[rune]string{'x': "xMULTIPLIER", 's': "step STEP", 'm': "max MAX", 'j': "a jitter"}[kind])
	}
	return strings.Join(list, ", ")
}

// short prints a duration as people write it: 1m rather than 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
