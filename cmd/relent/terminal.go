package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// isTerminal says whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns returns the width of the terminal w, or 80.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// A screen draws the same lines again and again in one place of a terminal.
type screen struct {
	w     io.Writer
	drawn int // lines
}

// draw replaces what was drawn before. One write, so that it does not flicker.
func (s *screen) draw(lines []string) {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn) // cursor up (ECMA-48, CUU)
	}
	for _, line := range lines {
		b.WriteString("\r" + line + "\x1b[K\n") // erase the rest of the line (EL)
	}
	s.drawn = len(lines)
	io.WriteString(s.w, b.String())
}
