package simulate

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/relent-go/relent/sim"
)

// WriteText writes a table for people: a line for each policy, with the range over its runs.
func (r StormReport) WriteText(w io.Writer) error {
	s := r.storm
	var b strings.Builder
	fmt.Fprintf(&b, "A server at %s utilisation by %s stalls for %.0f s. %s of each policy:\n\n",
		percent(s.Utilisation), count(s.Clients, "client"), sim.DefaultStall.Seconds(), count(s.Seeds, "run"))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "POLICY\tRECOVERY\tATTEMPTS/ARRIVAL\tWHAT IT IS")
	for i, name := range s.Policies {
		rows := r.Rows[i*s.Seeds : (i+1)*s.Seeds]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, recovery(rows), amplification(rows), r.about[i].About)
	}
	table.Flush()
	b.WriteString("\nRecovery is counted from the end of the stall. The model ranks policies; it is no forecast for a real server.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// recovery is the range of seconds over rows.
func recovery(rows []StormRow) string {
	low, high := math.Inf(1), 0.0
	for _, row := range rows {
		s := math.Inf(1)
		if row.RecoveryS != nil {
			s = *row.RecoveryS
		}
		low, high = min(low, s), max(high, s)
	}
	switch {
	case math.IsInf(low, 1):
		return "never"
	case math.IsInf(high, 1):
		return fmt.Sprintf("%.0f s to never", low)
	case low == high:
		return fmt.Sprintf("%.0f s", low)
	}
	return fmt.Sprintf("%.0f to %.0f s", low, high)
}

// amplification is the range of attempts for each arrival over rows.
func amplification(rows []StormRow) string {
	low, high := math.Inf(1), 0.0
	for _, row := range rows {
		low, high = min(low, row.Amplification), max(high, row.Amplification)
	}
	if a, b := fmt.Sprintf("%.2f", low), fmt.Sprintf("%.2f", high); a != b {
		return a + " to " + b
	}
	return fmt.Sprintf("%.2f", low)
}

// WriteText writes a table for people.
func (r JitterReport) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s write one row that they read before. Means of %s:\n\n", count(r.jitter.Clients, "client"), count(r.jitter.Runs, "run"))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "JITTER\tCALLS\tTIME\t")
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%s\t%.0f\t%.0f ms\t\n", row.Jitter, row.Calls, row.MS)
	}
	table.Flush()
	b.WriteString("\nContention costs nothing but calls here, so whoever does not wait is done first. Calls are what counts.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }
