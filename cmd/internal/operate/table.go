package operate

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Colours (ECMA-48, SGR). Words say the same.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	strong = "1"
	faint  = "2"
)

// A cell is a piece of text in a table.
type cell struct {
	text  string
	style string
	right bool // numbers end at the same place
}

func text(s string) cell { return cell{text: plain(s)} }
func number(s string) cell {
	return cell{text: s, right: true}
}
func bold(s string) cell { return text(s).in(strong) }
func dim(s string) cell  { return text(s).in(faint) }
func bad(s string) cell  { return text(s).in(red) }

func (c cell) in(style string) cell {
	c.style = style
	return c
}

// unless drops the colour.
func (c cell) unless(calm bool) cell {
	if calm {
		c.style = ""
	}
	return c
}

// A table aligns its rows. Its zero value is ready.
type table struct {
	Indent int
	Flex   int  // the column that gives way where the width does not do; its text is cut; -1: none does
	Wrap   bool // the last column goes on in the next line, where it has room; else it is cut, too
	Color  bool
	rows   [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

const (
	gap       = 2
	narrowest = 24 // column that is worth a second line
)

// lines are the rows as text, no wider than width; 0 means that there is no limit.
func (t *table) lines(width int) []string {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 || len(row) == 1 || c.right { // the last one takes what is left
				widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
			}
		}
	}
	if width > 0 && t.Flex >= 0 && t.Flex < len(widths) {
		all := t.Indent + t.least()
		for _, w := range widths {
			all += w + gap
		}
		widths[t.Flex] -= min(max(0, all-width), max(0, widths[t.Flex]-8))
	}
	var lines []string
	for _, row := range t.rows {
		var b strings.Builder
		var more []string
		used := t.Indent
		b.WriteString(strings.Repeat(" ", t.Indent))
		for i, c := range row {
			last := i == len(row)-1
			room := widths[i]
			s := c.text
			if last && !c.right {
				if room = 0; width > 0 {
					room = max(1, width-used)
				}
				if t.Wrap && room >= narrowest {
					wrapped := wrap(s, width, used)
					for _, line := range wrapped[min(1, len(wrapped)):] {
						more = append(more, line[:used]+t.paint(line[used:], c.style))
					}
					if len(wrapped) > 0 {
						s = wrapped[0][used:]
					}
				}
			}
			if room > 0 {
				s = cut(s, room)
			}
			pad := max(0, widths[i]-utf8.RuneCountInString(s))
			if c.right {
				b.WriteString(strings.Repeat(" ", pad))
			}
			b.WriteString(t.paint(s, c.style))
			if !last && !c.right {
				b.WriteString(strings.Repeat(" ", pad))
			}
			if !last {
				b.WriteString(strings.Repeat(" ", gap))
			}
			used += widths[i] + gap
		}
		lines = append(append(lines, strings.TrimRight(b.String(), " ")), more...)
	}
	return lines
}

// least is what the last column wants at least, less the gap that none follows.
func (t *table) least() int {
	n := 0
	for _, row := range t.rows {
		if c := row[len(row)-1]; len(row) > 1 && !c.right {
			n = max(n, utf8.RuneCountInString(c.text))
		}
	}
	return min(n, narrowest) - gap
}

func (t *table) write(w io.Writer, width int) error {
	for _, line := range t.lines(width) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) paint(s, style string) string {
	if !t.Color || style == "" || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// cut shortens a text to n characters, and shows that it did.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(0, n-1)]) + "…"
}

// plain is text that does nothing to a terminal: what is not seen is escaped.
func plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// quoted is a word for a shell.
func quoted(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:%+,=@", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// span is a length of time in its two largest units.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// many is a count with separators.
func many[N int64 | uint64 | int](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// color says whether what goes to w is coloured.
func (s settings) color(w io.Writer) bool { return s.program.Colored(s.cmd, w) }
