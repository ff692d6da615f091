package exchange

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A row is a row of the fact tables as the classifier uses it.
type row struct {
	meaning Meaning
	outcome string // as in the tables
	advice  Advice
	trusted bool
	wide    bool           // a status such as 4xx
	match   *regexp.Regexp // on the message; nil: any
	low     int            // of a range of codes, or statuses
	high    int
	texts   []string // of a code that is no number, or of a status: any of them
}

// A table is what the answers of one venue mean.
type table struct {
	exact    map[string][]*row // by code
	ranges   []*row
	texts    []*row // codes with letters, which also occur within messages
	statuses []*row
	bans     []ban
	ok       map[string]bool
	code     [][]string // paths
	message  [][]string
	orderID  [][]string
	echoID   [][]string
	time     [][]string
	inBody   bool // errors come inside a 200
}

// A ban is one way to be locked out.
type ban struct {
	signal   string
	statuses []int
	scope    string
	least    time.Duration
	doubtful bool // the fact is too weak to believe in a short one
}

func newTable(p *Profile) *table {
	t := &table{
		exact: make(map[string][]*row), ok: make(map[string]bool),
		code: paths(p.Wire.Code), message: paths(p.Wire.Message), orderID: paths(p.Wire.OrderID),
		echoID: paths(p.Wire.EchoID), time: paths(p.Wire.Time),
	}
	for _, code := range p.Wire.OK {
		t.ok[code] = true
	}
	for i := range p.Errors {
		t.addError(&p.Errors[i])
	}
	for i := range p.Rest.HTTPStatus {
		f := &p.Rest.HTTPStatus[i]
		r := &row{meaning: f.Class, outcome: f.OrderOutcome, trusted: f.Trusted(), wide: strings.HasSuffix(f.Status, "xx")}
		r.low, r.high, _ = statusRange(f.Status) // valid
		if f.Match != nil {
			r.texts = strings.Split(*f.Match, " / ")
		}
		t.inBody = t.inBody || r.low == 200 && f.Class == InContext
		t.statuses = append(t.statuses, r)
	}
	for _, f := range p.Rest.Ban {
		t.bans = append(t.bans, newBan(f))
	}
	return t
}

func (t *table) addError(f *ErrorFact) {
	r := &row{meaning: f.Class, outcome: f.OrderOutcome, advice: f.Retry, trusted: f.Trusted()}
	if f.Match != "" {
		r.match = regexp.MustCompile(f.Match) // valid
	}
	from, to, isRange := strings.Cut(f.Code, "..")
	low, err := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	switch {
	case isRange && err == nil && err2 == nil:
		r.low, r.high = min(low, high), max(low, high)
		t.ranges = append(t.ranges, r)
	case err == nil && !isRange:
		t.exact[f.Code] = append(t.exact[f.Code], r)
	default:
		r.texts = strings.Split(f.Code, " / ")
		t.exact[f.Code] = append(t.exact[f.Code], r)
		t.texts = append(t.texts, r)
	}
}

// byCode returns what a code means, or nil if it is not listed.
func (t *table) byCode(code, message string) *row {
	for _, r := range t.exact[code] {
		if r.match == nil || r.match.MatchString(message) {
			return r
		}
	}
	if n, err := strconv.Atoi(code); err == nil {
		for _, r := range t.ranges {
			if r.low <= n && n <= r.high && (r.match == nil || r.match.MatchString(message)) {
				return r
			}
		}
	}
	return nil
}

// byText returns what a message means that holds one of the codes with letters, or nil.
func (t *table) byText(message string) *row {
	for _, r := range t.texts {
		for _, text := range r.texts {
			if strings.Contains(message, text) && (r.match == nil || r.match.MatchString(message)) {
				return r
			}
		}
	}
	return nil
}

// newBan reads the prose of a ban fact.
func newBan(f BanFact) ban {
	b := ban{signal: f.Signal, scope: f.Scope, doubtful: !f.Trusted()}
	for i, part := range strings.Split(f.Signal, "HTTP ") {
		for status := range strings.SplitSeq(part, " / ") {
			status, _, _ = strings.Cut(status, " ")
			n, err := strconv.Atoi(strings.Trim(status, ","))
			if i == 0 || err != nil {
				break
			}
			b.statuses = append(b.statuses, n)
		}
	}
	if b.doubtful {
		b.least = max(leastBan, longest(f.Duration))
	} else if b.least = shortest(f.Duration); b.least == 0 {
		b.least = leastBan
	}
	return b
}

// leastBan is how long a ban lasts of which nobody says for how long.
const leastBan = 10 * time.Minute

var durations = regexp.MustCompile(`(\d+) ?(s|second|min|minute|h|hour|d|day)s?\b`)

// spans returns the durations in a text.
func spans(text string) (all []time.Duration) {
	for _, m := range durations.FindAllStringSubmatch(text, 100) {
		n, err := strconv.Atoi(m[1])
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[m[2][0]]
		if err == nil && n > 0 && time.Duration(n) <= maxWait/unit {
			all = append(all, time.Duration(n)*unit)
		}
	}
	return all
}

func shortest(text string) time.Duration {
	var d time.Duration
	for _, s := range spans(text) {
		if d == 0 || s < d {
			d = s
		}
	}
	return d
}

func longest(text string) time.Duration {
	var d time.Duration
	for _, s := range spans(text) {
		d = max(d, s)
	}
	return d
}

// ban returns how the venue locks out that answers with a status; code and message may name it, too.
func (t *table) ban(status int, code, message string) ban {
	best := ban{scope: "ip", least: 0}
	for _, b := range t.bans {
		for _, s := range b.statuses {
			if s == status {
				return b
			}
		}
		if code != "" && strings.Contains(b.signal, code) {
			return b
		}
		if b.least > best.least {
			best = b
		}
	}
	best.scope, best.least = "ip", max(best.least, leastBan)
	return best
}

// isBan says whether a status without a row of its own is known as the sign of a ban.
func (t *table) isBan(status int) bool {
	for _, b := range t.bans {
		for _, s := range b.statuses {
			if s == status {
				return true
			}
		}
	}
	return false
}

func paths(list []string) [][]string {
	all := make([][]string, len(list))
	for i, p := range list {
		all[i] = strings.Split(p, ".")
	}
	return all
}
