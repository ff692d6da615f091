package exchange

import (
	"net/http"
	"strings"

	"github.com/relent-go/relent/retry"
)

// maxMessage is how much of a venue's message is kept.
const maxMessage = 1 << 10

// Classify says what an answer means by the facts of the venue. body may be nil for a successful read of which nobody
// wants to know more; it is kept in the verdict if the request is guarded. What no fact covers has the strict meaning:
// an order may exist, a read may be tried again.
//
// Weak facts mean less: "not placed" is unknown then, and "overloaded" counts as a rate limit. It blocks nobody, and is
// safe for concurrent use.
func (p *Profile) Classify(kind Kind, status int, h http.Header, body []byte) Verdict {
	return p.classify(kind, status, h, body, nil)
}

// classify is Classify; s is what was sent, if that is known.
func (p *Profile) classify(kind Kind, status int, h http.Header, body []byte, s *Sending) Verdict {
	v := Verdict{Kind: kind, Status: status}
	if kind.Guarded() {
		v.Body = body
	}
	a := p.table.read(body)
	if s != nil {
		a.known = s.ClientID
	}
	v.Code, v.Message = a.code, a.message
	if len(v.Message) > maxMessage {
		v.Message = strings.ToValidUTF8(v.Message[:maxMessage], "")
	}
	if status/100 == 2 && !a.failed {
		p.succeeded(&v, &a)
		return v
	}
	r := p.table.judge(&a, status, h)
	if r == nil {
		r = unlisted
	}
	outcome := r.outcome
	if a.mixed {
		outcome = "partial"
	}
	if outcome == "not_placed" && (!r.trusted || r.wide && a.code == "" || a.foreign) {
		outcome = "unknown"
	}
	v.Meaning, v.Advice = r.meaning, r.advice
	if v.Meaning == Overloaded && !r.trusted {
		v.Meaning = RateLimited
	}
	v.Outcome = outcomeOf(kind, outcome)
	v.Class = classOf(kind, v.Outcome, v.Meaning)
	if v.Class == retry.Ambiguous && v.Advice != AdviseContext && v.Advice != AdviseStop {
		v.Advice = AdviseVerify
	}
	return v
}

// unlisted is what a row would say that is missing.
var unlisted = &row{meaning: UnknownOutcome, outcome: "unknown", advice: AdviseVerify}

// succeeded fills in the verdict on an answer without an error. That the order exists takes an answer which can be read.
func (p *Profile) succeeded(v *Verdict, a *answer) {
	switch {
	case !v.Kind.Guarded():
		v.Outcome = NoOrder
		return
	case v.Kind == Order || v.Kind == Replace:
		v.OrderID, v.EchoID = a.first(p.table.orderID), a.first(p.table.echoID)
		if a.parsed && (len(p.table.orderID) == 0 || v.OrderID != "") {
			v.Outcome = Exists
			return
		}
	case a.parsed || len(v.Body) == 0 && v.Status == http.StatusNoContent:
		v.Outcome = Exists
		return
	}
	v.Meaning, v.Advice = UnknownOutcome, AdviseVerify
}

// An answer is what a body says.
type answer struct {
	tree    any
	flat    bool // there is no tree, and peek finds what is asked for
	parsed  bool
	foreign bool   // holds something, but no JSON: others than the venue's interface wrote it
	failed  bool   // holds an error code
	mixed   bool   // of several results some failed
	code    string // the first that is one
	codes   []string
	message string
	body    []byte
	known   string // is likely to be in it
}

// read looks for the codes and messages in a body.
func (t *table) read(body []byte) answer {
	if flat(body) {
		if a, ok := t.skim(body); ok {
			return a
		}
	}
	a := answer{body: body}
	a.tree, a.parsed = decode(body)
	a.foreign = !a.parsed && len(strings.TrimSpace(string(body[:min(len(body), 64)]))) > 0
	for _, path := range t.code {
		good := false
		many := lookup(a.tree, path, func(code string) {
			if code == "" || t.ok[code] {
				good = true
			} else {
				a.codes = append(a.codes, code)
			}
		})
		a.mixed = a.mixed || many && good && len(a.codes) > 0
	}
	var texts []string
	for _, path := range t.message {
		lookup(a.tree, path, func(text string) { texts = append(texts, text) })
	}
	a.message = strings.Join(texts, "; ")
	if a.failed = len(a.codes) > 0; a.failed {
		a.code = a.codes[0]
	}
	return a
}

// skim is read for a body that is flat. It is false if the body must be decoded.
func (t *table) skim(body []byte) (answer, bool) {
	a := answer{body: body, parsed: true, flat: true}
	for _, path := range t.code {
		code, sure := peek(body, path)
		if !sure {
			return a, false
		}
		if code != "" && !t.ok[code] {
			a.codes = append(a.codes, code)
		}
	}
	for _, path := range t.message {
		text, sure := peek(body, path)
		switch {
		case !sure:
			return a, false
		case a.message != "" && text != "":
			a.message += "; "
		}
		a.message += text
	}
	if a.failed = len(a.codes) > 0; a.failed {
		a.code = a.codes[0]
	}
	return a, true
}

// first returns the first scalar that is not empty at any of the paths.
func (a *answer) first(paths [][]string) string {
	for i := 0; a.flat && i < len(paths); i++ {
		raw, sure := find(a.body, paths[i])
		value := ""
		if n := len(raw); n > 2 && raw[0] == '"' && string(raw[1:n-1]) == a.known && strings.IndexByte(a.known, '\\') < 0 {
			return a.known // an id is kept, and this copy of it is there already
		}
		if sure {
			value, sure = scalar(raw)
		}
		switch {
		case !sure:
			a.tree, _ = decode(a.body)
			a.flat = false
		case value != "":
			return value
		}
	}
	return first(a.tree, paths)
}

// judge returns the row that counts, or nil if there is none. The venue's code comes before the status; but a ban is one
// in either.
func (t *table) judge(a *answer, status int, h http.Header) *row {
	var byCode *row
	for _, code := range a.codes {
		if byCode = t.byCode(code, a.message); byCode != nil {
			a.code = code
			break
		}
	}
	if byCode == nil && status/100 != 2 || byCode == nil && a.failed {
		if byCode = t.byText(a.message + " " + a.code); byCode != nil && a.code == "" {
			a.code = byCode.texts[0]
		}
	}
	byStatus := t.byStatus(a, status, h)
	switch {
	case byStatus == nil && byCode == nil && t.isBan(status):
		return &row{meaning: Banned, outcome: "unknown", advice: AdviseStop}
	case byStatus != nil && byStatus.meaning == Banned && (byCode == nil || byCode.meaning == RateLimited || byCode.meaning == Overloaded):
		banned := *byStatus
		banned.advice = AdviseStop
		return &banned
	case byCode != nil:
		return byCode
	case byStatus != nil:
		r := *byStatus
		r.advice = adviceOf(r.meaning)
		return &r
	}
	return nil
}

// byStatus returns what a status means, or nil if that depends on a code, or on nothing known.
func (t *table) byStatus(a *answer, status int, h http.Header) *row {
	for _, r := range t.statuses {
		if status < r.low || status > r.high || r.meaning == InContext {
			continue
		}
		if r.texts == nil {
			return r
		}
		for _, text := range r.texts {
			name, value, isHeader := strings.Cut(text, "=")
			if isHeader && h.Get(name) == value || strings.Contains(string(a.body), text) {
				return r
			}
		}
	}
	return nil
}

// outcomeOf turns a word of the tables, which speak of a new order, into what it says about a request of some kind.
func outcomeOf(kind Kind, word string) Outcome {
	if !kind.Guarded() {
		switch word {
		case "not_proof", "context":
			return NotProof
		case "existed":
			return Existed
		}
		return NoOrder
	}
	places := kind == Order || kind == Replace
	switch word {
	case "not_placed":
		if places {
			return NotPlaced
		}
		return Unchanged // what was not accepted has changed nothing
	case "exists":
		return Exists
	case "existed":
		return Existed
	case "partial":
		return Partial
	}
	if places {
		return Unknown
	}
	switch word {
	case "not_proof", "context":
		return NotProof
	case "unchanged":
		return Unchanged
	}
	return Unknown
}

// classOf is the class of a failure. What may have changed an order is ambiguous as long as nothing proves the opposite.
func classOf(kind Kind, o Outcome, m Meaning) retry.Class {
	if kind.Guarded() {
		switch o {
		case NotPlaced, Unchanged:
		case Exists, Existed:
			return retry.Permanent
		default:
			return retry.Ambiguous
		}
	}
	switch m {
	case RateLimited, Banned:
		return retry.Throttled
	case Overloaded, Maintenance, ClockOff, UnknownOutcome:
		return retry.Transient
	}
	return retry.Permanent
}

// adviceOf is the advice for a status, which has none of its own in the tables.
func adviceOf(m Meaning) Advice {
	switch m {
	case RateLimited, Overloaded:
		return AdviseWaitVerify
	case Maintenance:
		return AdviseWait
	case UnknownOutcome:
		return AdviseVerify
	case ClockOff:
		return AdviseResync
	case OrderNotFound:
		return AdviseContext
	}
	return AdviseNever
}
