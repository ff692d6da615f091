//go:build unix

package rerun

import (
	"bytes"
	"regexp"
)

// lineMax is how much of one line a matcher looks at together; a longer line is matched in pieces.
const lineMax = 64 << 10

// A matcher looks for expressions in each line that is written to it, as grep does: ^ and $ are
// the ends of a line, and no match spans two. One matcher serves one stream, so that the lines of
// stdout and stderr do not mix. A nil expression is never found.
type matcher struct {
	until, fail         *regexp.Regexp
	untilSeen, failSeen bool

	line []byte // the beginning of a line whose end was not written yet
}

// Write looks at p. It never fails.
func (m *matcher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		switch {
		case end >= 0 && len(m.line) == 0: // the usual case, without a copy
			m.look(p[:end])
			p = p[end+1:]
		case end >= 0:
			m.line = append(m.line, p[:end]...)
			m.finish()
			p = p[end+1:]
		default:
			m.line = append(m.line, p...)
			p = nil
		}
		if len(m.line) >= lineMax {
			m.finish()
		}
	}
	return n, nil
}

// finish looks at a last line that has no end.
func (m *matcher) finish() {
	if len(m.line) > 0 {
		m.look(m.line)
		m.line = m.line[:0]
	}
}

func (m *matcher) look(line []byte) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	m.untilSeen = m.untilSeen || m.until != nil && m.until.Match(line)
	m.failSeen = m.failSeen || m.fail != nil && m.fail.Match(line)
}
