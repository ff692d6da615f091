package operate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
)

// longestWindow is over how long rates are at most.
const longestWindow = time.Minute

// watch looks again and again, until ctx ends, which is no error. On a terminal it draws in place.
func (s settings) watch(ctx context.Context, c *client, every time.Duration) error {
	first, err := c.view(ctx)
	if err != nil {
		return s.unseen(err)
	}
	out := s.cmd.OutOrStdout()
	draw := &screen{w: out}
	terminal := isTerminal(out) && format(s.cmd) == "table"
	if terminal {
		draw.open()
	}
	past := []*control.View{first}
	last := s.status(c, first, first)
	var trouble time.Time // since when nothing is seen
	told := first.At
	for {
		if terminal {
			width, height := size(out)
			s.frame(draw, last, err, trouble, every, width, height)
		} else if err != nil {
			note(s.cmd, "relent: %s: %v", path(s.cmd), err)
		} else if last.At.After(told) { // the first look has no rates yet
			told = last.At
			var whole bytes.Buffer
			if err := s.block(&whole, last); err != nil {
				return failed(s.cmd, err, "")
			}
			if _, err := out.Write(whole.Bytes()); err != nil {
				return failed(s.cmd, err, "")
			}
		}
		if pause(ctx, every) != nil {
			break
		}
		now, e := c.view(ctx)
		if ctx.Err() != nil {
			break
		}
		if err = e; err != nil {
			if trouble.IsZero() {
				trouble = time.Now()
			}
			continue
		}
		trouble = time.Time{}
		if now.Epoch == past[len(past)-1].Epoch && !now.At.After(past[len(past)-1].At) {
			continue // a dashboard that nobody watches looks once a second
		}
		if past = append(past, now); past[0].Epoch != now.Epoch {
			past = past[len(past)-1:]
		}
		for len(past) > 2 && now.At.Sub(past[0].At) > longestWindow {
			past = past[1:]
		}
		last = s.status(c, past[0], now)
	}
	if terminal {
		draw.close()
		return s.print(out, last)
	}
	return nil
}

// block is one look of several that follow each other.
func (s settings) block(w io.Writer, st *status) error {
	if format(s.cmd) == "table" {
		fmt.Fprintf(w, "--- %s\n", st.At.UTC().Format(time.RFC3339))
	}
	if err := s.print(w, st); err != nil {
		return err
	}
	if format(s.cmd) == "table" {
		fmt.Fprintln(w)
	}
	return nil
}

// frame draws what fits on the screen.
func (s settings) frame(draw *screen, st *status, err error, trouble time.Time, every time.Duration, width, height int) {
	width = max(1, width-1) // in the last column terminals differ
	paint := (&table{Color: s.color(draw.w)}).paint
	top := paint(cut(fmt.Sprintf("every %v, ^C ends   %s", every, time.Now().Format("15:04:05")), width), faint)
	if err != nil {
		top = paint(cut(fmt.Sprintf("not current for %s: %s", span(time.Since(trouble)), plain(strings.ReplaceAll(err.Error(), "\n", "; "))), width), red)
	}
	lines := append([]string{top}, s.page(st, width)...)
	if over := len(lines) - height; over > 0 && height > 1 {
		lines = append(lines[:height-1], paint(cut(fmt.Sprintf("%d more lines: relent status shows all of it", over+1), width), faint))
	}
	draw.draw(lines)
}

// A screen draws pages in one place, on the second screen that terminals have for it.
type screen struct{ w io.Writer }

// The sequences are those of xterm, which tmux and others follow: second screen, cursor, synchronized output.
func (s *screen) open()  { io.WriteString(s.w, "\x1b[?1049h\x1b[?25l") }
func (s *screen) close() { io.WriteString(s.w, "\x1b[?25h\x1b[?1049l") }

// draw replaces the page before in one write, and erases only what is left of it: so nothing flickers.
func (s *screen) draw(lines []string) {
	var b strings.Builder
	b.WriteString("\x1b[?2026h\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J\x1b[?2026l")
	io.WriteString(s.w, b.String())
}
