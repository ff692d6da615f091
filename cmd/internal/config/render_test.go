package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parse returns what is wrong with a text.
func parse(t *testing.T, text string) *Mistakes {
	t.Helper()
	file, err := Parse("f", []byte(text), environment)
	if invalid, ok := errors.AsType[*Invalid](err); ok {
		return &invalid.Mistakes
	}
	if err != nil {
		t.Fatal(err)
	}
	return &file.Warnings
}

func TestSnippetOfALongLine(t *testing.T) {
	m := parse(t, "version: 1\npolicies: {"+strings.Repeat("a.b: {}, ", 1)+strings.Repeat(" ", 300)+"c.d: {cots: 1},"+strings.Repeat(" ", 300)+"}\n")
	var b bytes.Buffer
	m.Write(&b, Style{})
	lines := strings.Split(b.String(), "\n")
	if len(lines[1]) > 160 || !strings.HasPrefix(lines[1], "    2 | …") || !strings.HasSuffix(lines[1], "…") || strings.Index(lines[1], "cots") != strings.Index(lines[2], "^")+len("…")-1 {
		t.Errorf("snippet\n%s", b.String())
	}
}

func TestVeryManyMistakes(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\npolicies:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  p%d: {x: 1}\n", i)
	}
	m := parse(t, b.String())
	if len(m.List) != 1000 || m.More != 2000 || m.Errors() != 3000 || m.Warnings() != 0 {
		t.Errorf("%d mistakes and %d more; want 1000 and 2000", len(m.List), m.More)
	}
	var out bytes.Buffer
	m.Write(&out, Style{})
	if !strings.HasSuffix(out.String(), "… and 2000 more\n3000 mistakes\n") {
		t.Errorf("end of the text: %s", out.String()[out.Len()-60:])
	}
	// Warnings beyond the bound are not errors.
	b.Reset()
	b.WriteString("version: 1\nbudgets:\n")
	for i := range 1500 {
		fmt.Fprintf(&b, "  b%d: {}\n", i)
	}
	if m := parse(t, b.String()); m.Errors() != 0 || m.Warnings() != 1000 {
		t.Errorf("%s; want 1000 warnings", m.Count())
	}
}

func TestTexts(t *testing.T) {
	for want, m := range map[string]Mistakes{
		"no mistakes":           {},
		"1 mistake":             {List: make([]Mistake, 1)},
		"2 mistakes, 1 warning": {List: []Mistake{{}, {}, {Warning: true}}},
		"3 mistakes":            {List: make([]Mistake, 1), More: 2},
	} {
		if got := m.Count(); got != want {
			t.Errorf("%+v: %q; want %q", m, got, want)
		}
	}
	err := &Invalid{Mistakes{File: "f", List: []Mistake{{Line: 1, Column: 1, Message: "careful", Warning: true}, {Line: 2, Column: 3, Message: "no", Suggestions: []string{"a", "b", "c"}}}}}
	if got := err.Error(); got != `f:2:3: no; did you mean "a", "b" or "c"?` {
		t.Errorf("error %q", got)
	}
	err.More = 1
	if got := err.Error(); !strings.HasSuffix(got, " (and 1 more)") {
		t.Errorf("error %q", got)
	}
	if got := quote(strings.Repeat("ä", 100)); len([]rune(got)) != 82 {
		t.Errorf("quote of a long text: %s", got)
	}
	if got := err.Mistakes.Write(broken{}, Style{}); got == nil {
		t.Error("a writer that fails is not told of")
	}
	if got, want := (&UnknownPolicy{Name: "x"}).Error(), `unknown policy "x": there are none`; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	names := strings.Fields("a b c d e f g h i")
	if got, want := (&UnknownPolicy{Name: "x", Names: names}).Error(), `unknown policy "x": there are a, b, c, d, e, f, g, h, …`; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

// No secret is printed, however it is written, and whatever else is wrong beside it.
func TestSecretsAreNeverPrinted(t *testing.T) {
	for _, text := range []string{
		"version: 1\nserver: {store: hunter2}\n",
		"version: 1\nserver: {store: hunter2, listen: 3, x: 1}\n",
		"version: 1\nserver: {x: 1, 'store': \"hunter2\"}\n",
		"version: 1\nserver:\n  store: >\n    hunter2\n    hunter2\n  x: 1\n",
		"version: 1\nserver:\n  store:\n    hunter2\n",
		"version: 1\nserver:\n  store:\n    x: hunter2\n    y: [hunter2]\n",
		"version: 1\nserver: {store: 'hun\nhunter2\n', x: 1}\n",
		"version: 1\nserver: {store: 'hun\nhunter2', x: 1}\n",
		"version: 1\nserver: {stoer: hunter2}\n",
		"version: 1\nserver: {sotre: [hunter2]}\n",
		"version: 1\nserver: {stroe:\n  hunter2}\n",
		"version: 1\nserver: {store: \"postgres://u:hunter2@h/${NOWHERE}\"}\n",
		"version: 1\nserver: {store: \"${STORE}\"}\n",
		"version: 1\nserver: {store: \"${\"}\n",
		"version: 1\nserver:\n  store: \"postgres://u:hunter2@h\n x: [\n",
		"version: 1\nserver:\n store: 'postgres://u:hunter2@h'\n  x: 1\n",
		"version: 1\nserver: &s {store: hunter2}\naudit: *s\n",
		"version: 1\nserver: {store: &x hunter2, listen: *x}\n",
		"version: 1\nserver: {listen: &x hunter2, store: *x}\n",
		"version: 1\nserver: {password: hunter2, \"api-key\": hunter2}\n",
		"store: hunter2\ntoken=hunter2\n",
		"version: 1\nserver: {store: !!str hunter2}\n",
	} {
		m := parse(t, text)
		var b bytes.Buffer
		m.Write(&b, Style{})
		answer, _ := m.MarshalJSON()
		if m.Errors() == 0 || strings.Contains(b.String()+string(answer), "hunter2") {
			t.Errorf("%q: %s\n%s", text, b.String(), answer)
		}
	}
}

func TestParsingWithoutEnvironment(t *testing.T) {
	if _, err := Parse("f", []byte("version: 1\nserver: {store: \"${STORE}\"}\n"), nil); err == nil || !strings.Contains(err.Error(), "STORE is not set") {
		t.Errorf("%v; want that the variable is not set", err)
	}
}

func TestBounds(t *testing.T) {
	large := parse(t, "version: 1\n#"+strings.Repeat("x", MaxSize))
	many := parse(t, "version: 1\nhalt: {approvers: ["+strings.Repeat("a,", 210_000)+"]}\n")
	listed := "[" + strings.Repeat("a,", 1000) + "]"
	bomb := parse(t, "version: 1\nhalt: {approvers: &a "+listed+"}\npolicies: {"+func() (s string) {
		for i := range 900 {
			s += fmt.Sprintf("p%d: {gates: *a},", i)
		}
		return s
	}()+"}\n")
	for name, m := range map[string]*Mistakes{"size": large, "values": many, "aliases of a list": bomb} {
		found := false
		for _, one := range m.List {
			found = found || one.Kind == TooLarge
		}
		if !found && m.More == 0 {
			t.Errorf("%s: %s; want that it is too large", name, m.Count())
		}
	}
}

// Each mistake lies within the file, however odd it is, and finding them takes bounded time.
func FuzzParse(f *testing.F) {
	for _, kind := range []string{"good", "warn", "bad"} {
		for _, name := range corpusFiles(kind) {
			f.Add(name)
		}
	}
	f.Add([]byte("a: &a [*a]\nversion: *a\n"))
	f.Add([]byte("? [a]\n: 1\n"))
	f.Add([]byte("version: 1\nserver: {store: \"x\n\n y\"}\n\u2028x: 1"))
	f.Add([]byte("%YAML 1.2\n---\nversion: 1\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data, environment)
		if (file == nil) == (err == nil) {
			t.Fatal("neither a file nor an error")
		}
		var m Mistakes
		if invalid, ok := errors.AsType[*Invalid](err); ok {
			m = invalid.Mistakes
		} else if err != nil {
			t.Fatal(err)
		} else {
			m = file.Warnings
			if _, err := file.Preview(); err != nil {
				t.Logf("build: %v", err) // such as too many scopes
			}
		}
		lines := newSource(data).lines
		last := 0
		for _, one := range m.List {
			if one.Line < 1 || one.Line > len(lines) || one.Column < 1 || one.Column > len([]rune(lines[one.Line-1]))+1 {
				t.Errorf("%d:%d is not within the file: %s", one.Line, one.Column, one.Message)
			}
			if one.Line < last {
				t.Errorf("%d:%d comes after line %d", one.Line, one.Column, last)
			}
			last = one.Line
			if strings.ContainsAny(one.Message+one.snippet, "\n\x1b") {
				t.Errorf("%q %q: not one line", one.Message, one.snippet)
			}
		}
		if _, err := m.MarshalJSON(); err != nil {
			t.Error(err)
		}
	})
}
