package config

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/width"
)

// A source is the text of a file, by lines.
type source struct {
	lines  []string     // without their ends
	cut    map[int]int  // the column from which on a line is secret
	masked map[int]bool // lines that are all part of a secret
	hidden []string     // texts that are secret wherever they stand
}

// breaks are the ends of lines in YAML, which count more than editors do.
var breaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func newSource(data []byte) *source {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	return &source{lines: breaks.Split(strings.ToValidUTF8(string(data), "\uFFFD"), -1), cut: map[int]int{}, masked: map[int]bool{}}
}

// place returns the nearest position that lies within the file.
func (s *source) place(line, column int) (int, int) {
	line = min(max(line, 1), len(s.lines))
	return line, min(max(column, 1), utf8.RuneCountInString(s.lines[line-1])+1)
}

// hide masks the value of a secret field, on all its lines.
func (s *source) hide(key, value *yaml.Node) {
	if value.Line < 1 || value.Line > len(s.lines) {
		return
	}
	if was, ok := s.cut[value.Line]; !ok || value.Column < was {
		s.cut[value.Line] = value.Column
	}
	quote := ""
	switch {
	case value.Style&yaml.DoubleQuotedStyle != 0:
		quote = `"`
	case value.Style&yaml.SingleQuotedStyle != 0:
		quote = "'"
	}
	if quote != "" {
		first := []rune(s.lines[value.Line-1])
		if strings.Contains(string(first[min(value.Column, len(first)):]), quote) {
			return
		}
	}
	for number := value.Line + 1; number <= len(s.lines); number++ {
		text := s.lines[number-1]
		indent := len(text) - len(strings.TrimLeft(text, " \t"))
		if quote == "" && strings.TrimSpace(text) != "" && indent < key.Column {
			return
		}
		s.masked[number] = true
		if quote != "" && strings.Contains(text, quote) {
			return
		}
	}
}

// columns that are shown at most of a line, before and after a mistake.
const before, after = 60, 60

// snippet returns the line, and what goes below it to point at some of its characters.
func (s *source) snippet(line, column, length int) (text, caret string) {
	runes := []rune(s.line(line))
	column = min(max(column, 1), len(runes)+1)
	from, to := max(0, column-1-before), min(len(runes), column-1+after)
	if len(runes) <= before+after {
		from, to = 0, len(runes)
	}
	var shown, below strings.Builder
	if from > 0 {
		shown.WriteString("…")
		below.WriteByte(' ')
	}
	wide := 0
	for i := from; i < to; i++ {
		r := printable(runes[i])
		shown.WriteRune(r)
		switch {
		case i < column-1 && r == '\t':
			below.WriteByte('\t')
		case i < column-1:
			below.WriteString(strings.Repeat(" ", columns(r)))
		case i < column-1+length:
			wide += columns(r)
		}
	}
	if to < len(runes) {
		shown.WriteString("…")
	}
	return shown.String(), below.String() + strings.Repeat("^", max(1, wide))
}

// printable replaces what would act on a terminal or hide the order of the letters.
func printable(r rune) rune {
	if r == '\t' || unicode.IsGraphic(r) {
		return r
	}
	return '\uFFFD'
}

// columns is how wide a terminal draws r.
func columns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// sensitive are fields that look as if their values were secret, whether they exist or not.
var sensitive = regexp.MustCompile(`(?i)(^|[\s{,"'?-])(["']?(?:[\w.-]*(?:secret|token|passw(?:or)?d|passphrase|credentials?|api_?key|private_?key|dsn)|store)["']?\s*[:=]\s*)([^\s#].*)$`)

// userinfo is the password part of a URL.
var userinfo = regexp.MustCompile(`(://)[^/\s]*@`)

const mask = "***"

// conceal replaces secrets in a text. Very short ones would take other words with them.
func (s *source) conceal(text string) string {
	for _, secret := range s.hidden {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, mask)
		}
	}
	return text
}

// line returns a line without the values of secret fields. What stands before the value keeps its place.
func (s *source) line(number int) string {
	text := s.lines[number-1]
	if s.masked[number] {
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		return indent + mask
	}
	if column, ok := s.cut[number]; ok {
		if runes := []rune(text); column <= len(runes) {
			text = string(runes[:column-1]) + mask
		}
	}
	text = s.conceal(text)
	text = sensitive.ReplaceAllString(text, "${1}${2}"+mask)
	return userinfo.ReplaceAllString(text, "${1}"+mask+"@")
}
