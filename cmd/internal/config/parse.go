package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A File is a valid configuration.
type File struct {
	Content
	Name     string
	Hash     string   // of its text, SHA-256 in hexadecimal
	Warnings Mistakes // that do not make it invalid
}

// Read reads and checks a file. The error is an *[Invalid] if there are mistakes in it. lookup finds environment
// variables, as [os.LookupEnv] does; nil finds none.
func Read(name string, lookup func(string) (string, bool)) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return Parse(name, data, lookup)
}

// Parse checks the text of a file. The name is for messages.
func Parse(name string, data []byte, lookup func(string) (string, bool)) (*File, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	sum := sha256.Sum256(data)
	file := &File{Name: name, Hash: hex.EncodeToString(sum[:])}
	l := &loader{source: newSource(data), Mistakes: Mistakes{File: name}, places: map[string]place{}, secrets: map[string]bool{}, said: map[string]bool{}, lookup: lookup}
	if root := l.document(data); root != nil {
		l.value("", nil, root, reflect.ValueOf(&file.Content).Elem(), &field{})
		if !l.full && root.Kind == yaml.MappingNode {
			l.check(&file.Content)
		}
	}
	l.finish()
	if l.Errors() > 0 {
		return nil, &Invalid{l.Mistakes}
	}
	file.Warnings = l.Mistakes
	return file, nil
}

// finish puts the mistakes in order, with their places in the file and its lines.
func (l *loader) finish() {
	for i := range l.List {
		m := &l.List[i]
		m.Line, m.Column = l.place(m.Line, m.Column)
		m.Message = l.conceal(m.Message)
		m.snippet, m.caret = l.snippet(m.Line, m.Column, m.length)
	}
	l.sort()
}

// document returns the value of the one document that the file must be.
func (l *loader) document(data []byte) *yaml.Node {
	if len(data) > MaxSize {
		l.note(nil, "", TooLarge, "the file is larger than 1MiB")
		return nil
	}
	if line, column, ok := l.unreadable(data); !ok {
		l.note(&yaml.Node{Line: line, Column: column}, "", Syntax, "not UTF-8, or a character that is not allowed: save the file as UTF-8")
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var node, next yaml.Node
	switch err := d.Decode(&node); {
	case errors.Is(err, io.EOF):
		l.note(nil, "", MissingRequired, "the file is empty: it needs at least version: 1")
		return nil
	case err != nil:
		l.syntax(err)
		return nil
	}
	switch err := d.Decode(&next); {
	case err == nil:
		l.note(&next, "", Syntax, "a second document: a file has one")
	case !errors.Is(err, io.EOF):
		l.syntax(err)
		return nil
	}
	return node.Content[0]
}

// unreadable finds the first byte that is no part of a text.
func (l *loader) unreadable(data []byte) (line, column int, ok bool) {
	line, column = 1, 1
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == '\uFEFF', r == '\uFFFE', r == '\uFFFF':
			return line, column, false
		case r == '\r' && len(data) > 1 && data[1] == '\n':
		case r == '\n', r == '\r', r == 0x85, r == 0x2028, r == 0x2029:
			line, column = line+1, 0
			fallthrough
		default:
			column++
		}
		data = data[size:]
	}
	return 0, 0, true
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line \d+: )?`)

// complaint returns what the parser says without the line, which is often the one where it began to read something.
func complaint(err error) string {
	if err == nil {
		return ""
	}
	return yamlLine.ReplaceAllString(err.Error(), "")
}

// syntax notes what the parser says, in the first line up to which it says it.
func (l *loader) syntax(err error) {
	text := complaint(err)
	number := 1 + sort.Search(len(l.lines)-1, func(i int) bool {
		var n yaml.Node
		return complaint(yaml.Unmarshal([]byte(strings.Join(l.lines[:i+1], "\n")+"\n"), &n)) == text
	})
	line := l.lines[number-1]
	trimmed := strings.TrimLeft(line, " \t")
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: number, Column: utf8.RuneCountInString(line) - utf8.RuneCountInString(trimmed) + 1, Value: strings.TrimRight(trimmed, " \t")}
	if indent := line[:len(line)-len(trimmed)]; strings.Contains(indent, "\t") {
		text = "a tab where YAML wants spaces"
		n.Column, n.Value = strings.Index(indent, "\t")+1, "\t"
	}
	l.note(n, "", Syntax, "not YAML: %s", text)
}
