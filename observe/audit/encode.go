package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the record in canonical JSON (RFC 8785): fields in the order of their names, without those that are zero.
func (r *Record) AppendJSON(b []byte) []byte {
	o := object{buf: append(b, '{')}
	o.text("actor", r.Actor)
	o.text("approver", r.Approver)
	o.number("attempt", r.Attempt)
	o.text("breaker", r.Breaker)
	o.float("budget_after", r.BudgetAfter)
	o.float("budget_before", r.BudgetBefore)
	o.text("build", r.Build)
	o.text("call", r.Call)
	o.text("chain", r.Chain)
	o.text("class", r.Class)
	o.text("config", r.Config)
	o.number("cost", r.Cost)
	o.number("count", r.Count)
	o.text("decision", string(r.Decision))
	o.number("delay", r.Delay)
	o.number("epoch", r.Epoch)
	o.number("hint", r.Hint)
	o.text("id", r.ID)
	o.text("key", r.Key)
	o.number("left", r.Left)
	o.number("mono", r.Mono)
	o.text("node", r.Node)
	o.text("operation", r.Operation)
	o.text("outcome", string(r.Outcome))
	o.text("parent", r.Parent)
	o.text("payload", r.Payload)
	o.text("rule", r.Rule)
	o.text("scope", r.Scope)
	o.number("seq", r.Sequence)
	o.text("state", r.State)
	o.text("strategy", r.Strategy)
	o.text("tenant", r.Tenant)
	o.text("ticket", r.Ticket)
	o.time("time", r.Time)
	o.text("validation", r.Validation)
	o.text("why", r.Why)
	return append(o.buf, '}')
}

// An object writes the members of one, in the order in which it is told of them. Names need no escapes.
type object struct {
	buf  []byte
	more bool
}

func (o *object) name(name string) {
	if o.more {
		o.buf = append(o.buf, ',')
	}
	o.more = true
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

func (o *object) text(name, value string) {
	if value != "" {
		o.name(name)
		o.buf = appendString(o.buf, value)
	}
}

func (o *object) number(name string, value any) {
	var n int64
	switch v := value.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case uint64:
		n = whole(v)
	case time.Duration:
		n = int64(v)
	}
	if n != 0 {
		o.name(name)
		o.buf = strconv.AppendInt(o.buf, n, 10)
	}
}

func (o *object) float(name string, value *float64) {
	if value != nil && finite(*value) {
		o.name(name)
		o.buf = appendNumber(o.buf, *value)
	}
}

func (o *object) time(name string, value time.Time) {
	o.name(name)
	o.buf = append(o.buf, '"')
	o.buf = value.UTC().Truncate(time.Microsecond).AppendFormat(o.buf, time.RFC3339Nano)
	o.buf = append(o.buf, '"')
}

// appendString appends s as RFC 8785, section 3.2.2.2, wants it: with as few escapes as JSON allows. What is not
// UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0 // s[plain:i] is yet to be copied
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[plain:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			if c >= utf8.RuneSelf {
				b = append(b, "\uFFFD"...)
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i += size
		plain = i
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

// appendNumber appends a finite number as ECMAScript prints it (RFC 8785, section 3.2.2.3; ECMA-262, Number::toString).
func appendNumber(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0') // minus zero, too
	}
	abs := max(f, -f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// Go writes at least two digits of an exponent, ECMAScript no leading zero.
	if n := len(b); n-4 >= start && b[n-4] == 'e' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}
