package budget

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSpent is what every refusal of this package matches with errors.Is.
var ErrSpent = errors.New("retry budget spent")

// A Rule says which rule refused.
type Rule uint8

// The rules.
const (
	RuleTokens  Rule = iota // the bucket holds less than the retry costs
	RuleFloor               // what the bucket holds is kept for calls of a higher priority
	RuleCeiling             // as many retries are in flight as may be
	RuleSuspect             // the other side is suspect, and the bucket is not full
	RuleParent              // the parent has had its attempts
	RuleSpend               // the attempt would cost more than is left of a limit on money
	RuleWindow              // the window has had its retries

	rules = iota
)

// String returns the name in lower case.
func (r Rule) String() string {
	switch r {
	case RuleTokens:
		return "tokens"
	case RuleFloor:
		return "floor"
	case RuleCeiling:
		return "ceiling"
	case RuleSuspect:
		return "suspect"
	case RuleParent:
		return "parent"
	case RuleSpend:
		return "spend"
	case RuleWindow:
		return "window"
	}
	return fmt.Sprintf("rule(%d)", uint8(r))
}

// An Error is a refusal. It matches [ErrSpent], and is the Reason of the [retry.Error] with which
// the call ends, which also holds the last attempt's error.
//
// The unit of Balance, Cost and Limit is that of the rule: milli-tokens for tokens, floor and suspect;
// retries for ceiling and window; attempts for parent; millionths of Currency for spend.
type Error struct {
	Budget   string // name of the gate that refused; may be empty
	Policy   string // name of the call's policy
	Rule     Rule   // that refused
	Balance  int64  // what was left
	Cost     int64  // what the attempt would have taken
	Limit    int64  // what there may be at most: capacity, ceiling or cap
	Kept     int64  // of Balance, for calls of a higher priority; only with RuleFloor
	Parent   string // only with RuleParent, and RuleSpend if the parent's limit refused
	Currency string // only with RuleSpend
	Err      error  // why, if not for lack of budget: a store that failed, a mixed currency; usually nil
}

// Error says what refused, what was left, and what gives more.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(ErrSpent.Error())
	if e.Budget != "" {
		b.WriteString(": " + e.Budget)
	}
	b.WriteString(": ")
	switch e.Rule {
	case RuleFloor:
		fmt.Fprintf(&b, "%s of %s tokens left, and %s of them are kept for calls of a higher priority; successes earn more",
			tokens(e.Balance), tokens(e.Limit), tokens(e.Kept))
	case RuleCeiling:
		fmt.Fprintf(&b, "%d retries in flight, and no more may be; one more when one has ended", e.Limit)
	case RuleSuspect:
		fmt.Fprintf(&b, "the other side is suspect, and only a full bucket pays for a retry then; %s of %s tokens left",
			tokens(e.Balance), tokens(e.Limit))
	case RuleParent:
		e.parent(&b)
	case RuleSpend:
		e.spend(&b)
	case RuleWindow:
		fmt.Fprintf(&b, "all %d retries of this window made; more in the next", e.Limit)
	default:
		fmt.Fprintf(&b, "%s of %s tokens left, this retry costs %s; successes earn more",
			tokens(e.Balance), tokens(e.Limit), tokens(e.Cost))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *Error) parent(b *strings.Builder) {
	switch {
	case e.Err == nil:
		fmt.Fprintf(b, "parent %q has had its %d attempts; find out what they did, then go on under a new parent", e.Parent, e.Limit)
	case e.Parent == "":
		b.WriteString("attempt of no parent")
	default:
		fmt.Fprintf(b, "attempt of parent %q not counted, so not made", e.Parent)
	}
}

func (e *Error) spend(b *strings.Builder) {
	switch {
	case e.Err != nil:
		b.WriteString("attempt not accounted for, so not made")
		return
	case e.Parent != "":
		fmt.Fprintf(b, "parent %q has ", e.Parent)
	}
	fmt.Fprintf(b, "%s of %s %s left, this attempt may cost %s",
		micro(e.Balance), micro(e.Limit), e.Currency, micro(e.Cost))
}

// Is says that the error matches [ErrSpent].
func (e *Error) Is(target error) bool { return target == ErrSpent }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// tokens prints milli-tokens as tokens, micro prints millionths.
func tokens(milli int64) string { return decimal(milli, 3) }
func micro(n int64) string      { return decimal(n, 6) }

// decimal prints n / 10^digits without zeros at the end.
func decimal(n int64, digits int) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	s := fmt.Sprintf("%0*d", digits+1, u)
	whole, rest := s[:len(s)-digits], strings.TrimRight(s[len(s)-digits:], "0")
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}
