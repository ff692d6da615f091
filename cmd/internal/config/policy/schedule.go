package policy

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// mostRows is how many attempts are listed of a policy with more.
const mostRows = 20

// A Schedule is when the attempts of a policy begin, if every one fails at once.
type Schedule struct {
	V           int    `json:"v"` // 1
	Policy      string `json:"policy,omitempty"`
	Backoff     string `json:"backoff"`
	MaxAttempts int    `json:"max_attempts"` // 0 for no limit of its own
	Idempotent  bool   `json:"idempotent"`
	Rows        []Row  `json:"attempts"`
	More        bool   `json:"more"` // attempts beyond the last row
	Note        string `json:"note,omitempty"`
}

// A Row is one attempt. Times are in milliseconds.
type Row struct {
	Attempt  int     `json:"attempt"`
	Shortest float64 `json:"wait_shortest_ms"` // the wait before it, with the luckiest draw
	Middle   float64 `json:"wait_middle_ms"`   // with every draw in the middle
	Longest  float64 `json:"wait_longest_ms"`
	Earliest float64 `json:"starts_earliest_ms"` // since the call began
	Latest   float64 `json:"starts_latest_ms"`
	Fits     string  `json:"fits"` // always, sometimes or never, within the whole time of the call
}

// NewSchedule returns the schedule of p.
func NewSchedule(p *retry.Policy) Schedule {
	strategy := p.Backoff
	if strategy == nil {
		strategy = backoff.Default()
	}
	attempts := p.Attempts()
	s := Schedule{V: 1, Policy: p.Name, Backoff: fmt.Sprint(strategy), MaxAttempts: attempts, Idempotent: p.Idempotent}
	if attempts == retry.Unlimited {
		s.MaxAttempts = 0
	}
	s.More = attempts > mostRows
	var last, at [3]time.Duration // by draw
	for n := range min(attempts, mostRows) {
		row := Row{Attempt: n + 1, Fits: "always"}
		if n > 0 {
			for i, u := range draws {
				last[i] = max(0, strategy.Delay(n, last[i], u))
				at[i] = add(at[i], last[i])
			}
			row.Shortest, row.Middle, row.Longest = ms(last[0]), ms(last[1]), ms(last[2])
			row.Earliest, row.Latest = ms(at[0]), ms(at[2])
			row.Fits = fits(p, at)
		}
		s.Rows = append(s.Rows, row)
	}
	if p.AttemptTimeout > 0 {
		s.Note = fmt.Sprintf("each attempt may take up to %v, which comes on top of the waits", p.AttemptTimeout)
	}
	return s
}

// draws are the luckiest, the middle and the unluckiest random number.
var draws = [3]float64{0, 0.5, math.Nextafter(1, 0)}

// fits says whether an attempt that begins at these times is within the whole time of the call. The
// engine begins no wait that would leave less than an attempt is expected to take.
func fits(p *retry.Policy, at [3]time.Duration) string {
	if p.MaxElapsed <= 0 {
		return "always"
	}
	expected := p.Expected
	if expected == 0 {
		expected = retry.DefaultExpected
		if p.AttemptTimeout > 0 {
			expected = min(expected, p.AttemptTimeout)
		}
	}
	room := p.MaxElapsed - max(0, expected)
	switch {
	case at[2] < room:
		return "always"
	case at[0] < room:
		return "sometimes"
	}
	return "never"
}

// WriteText writes the schedule as a table with a plot of the waits.
func (s Schedule) WriteText(w io.Writer, columns int) error {
	var b strings.Builder
	limit := fmt.Sprintf("up to %d attempts", s.MaxAttempts)
	if s.MaxAttempts == 0 {
		limit = "attempts without a limit of their own"
	}
	fmt.Fprintf(&b, "%s, waiting %s\n\n", limit, s.Backoff)
	longest := 0.0
	for _, r := range s.Rows {
		longest = max(longest, r.Longest)
	}
	width := min(max(columns-62, 10), 40)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ATTEMPT\tWAIT BEFORE IT\tMIDDLE\tBEGINS\tFITS\tWAIT, SHORTEST TO LONGEST")
	for _, r := range s.Rows {
		if r.Attempt == 1 {
			fmt.Fprintf(t, "1\tnone\t\tat once\t%s\t\n", r.Fits)
			continue
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Attempt, span(r.Shortest, r.Longest), text(r.Middle), span(r.Earliest, r.Latest), r.Fits, plot(r, longest, width))
	}
	t.Flush()
	if s.More {
		fmt.Fprintf(&b, "… and so on\n")
	}
	if s.Note != "" {
		fmt.Fprintf(&b, "\n%s\n", s.Note)
	}
	b.WriteString("\n" + s.classes())
	_, err := io.WriteString(w, trimLines(b.String()))
	return err
}

// classes says what is retried at all.
func (s Schedule) classes() string {
	ambiguous := "not retried, so an order is safe"
	if s.Idempotent {
		ambiguous = "retried: idempotent, may run twice"
	}
	return fmt.Sprintf(`transient  nothing happened, may work later       retried
throttled  nothing happened, asked to slow down   retried, not before the time asked for
ambiguous  may or may not have happened           %s
permanent  will never succeed as it stands        never retried
`, ambiguous)
}

// plot draws the range of a wait: . up to the shortest, # up to the longest, o in the middle.
func plot(r Row, longest float64, width int) string {
	if longest == 0 {
		return ""
	}
	column := func(v float64) int { return int(math.Round(v / longest * float64(width))) }
	line := []byte(strings.Repeat(".", column(r.Shortest)) + strings.Repeat("#", max(1, column(r.Longest)-column(r.Shortest))))
	line[min(max(column(r.Middle)-1, 0), len(line)-1)] = 'o'
	return string(line)
}

func span(low, high float64) string {
	if low == high {
		return text(low)
	}
	return text(low) + " to " + text(high)
}

func text(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

func add(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
