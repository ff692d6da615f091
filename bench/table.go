package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table is printed for eyes or as Markdown. The first column is aligned left, the rest right.
type table struct {
	title string
	prose bool // the cells are words: all columns are aligned left
	head  []string
	rows  [][]cell
	notes []string
}

// A cell is a text, marked if it is the best of its group.
type cell struct {
	text string
	best bool
}

func (t *table) add(name string, cells ...cell) {
	t.rows = append(t.rows, append([]cell{{text: name}}, cells...))
}

// text prints the table in columns, with a star at the best.
func (t *table) text(w io.Writer) {
	widths := make([]int, len(t.head))
	show := func(c cell) string {
		if c.best {
			return c.text + "*"
		}
		return c.text + " "
	}
	for i, h := range t.head {
		widths[i] = utf8.RuneCountInString(h) + 1
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(show(r[i])))
		}
	}
	line := func(texts []string) {
		var b strings.Builder
		for i, s := range texts {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s))
			if i == 0 {
				b.WriteString(s + pad)
			} else if t.prose {
				b.WriteString("  " + s + pad)
			} else {
				b.WriteString("  " + pad + s)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	fmt.Fprintf(w, "\n%s\n\n", t.title)
	head := make([]string, len(t.head))
	for i, h := range t.head {
		head[i] = h + " "
	}
	line(head)
	for _, r := range t.rows {
		texts := make([]string, len(r))
		for i, c := range r {
			texts[i] = show(c)
		}
		line(texts)
	}
	for _, n := range t.notes {
		fmt.Fprintln(w, n)
	}
}

// markdown prints the table with the best in bold.
func (t *table) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n", t.title)
	align := "|--:"
	if t.prose {
		align = "|---"
	}
	fmt.Fprintf(w, "| %s |\n|---%s|\n", strings.Join(t.head, " | "), strings.Repeat(align, len(t.head)-1))
	for _, r := range t.rows {
		texts := make([]string, len(r))
		for i, c := range r {
			texts[i] = strings.ReplaceAll(c.text, "|", `\|`)
			if c.best {
				texts[i] = "**" + texts[i] + "**"
			}
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(texts, " | "))
	}
	for _, n := range t.notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
}
