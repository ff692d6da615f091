package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of the work that a file can ask for.
const (
	MaxSize    = 1 << 20
	maxAliases = 1000
	maxNodes   = 200_000
)

// A place is where a field is in the file.
type place struct{ key, value *yaml.Node }

// A loader walks a file and notes what is wrong.
type loader struct {
	*source
	Mistakes
	places  map[string]place // by path
	secrets map[string]bool  // paths of secret values
	said    map[string]bool  // what was noted, and where
	aliases int
	nodes   int
	full    bool // a bound was passed: the rest is not looked at
	lookup  func(string) (string, bool)
}

// separator parts the segments of a path, since names have dots in them.
const separator = "\x1f"

func join(path string, segments ...string) string {
	for _, s := range segments {
		if path != "" && !strings.HasPrefix(s, "[") {
			path += separator
		}
		path += s
	}
	return path
}

// dotted is a path for people.
func dotted(path string) string { return strings.ReplaceAll(path, separator, ".") }

// note records a mistake at a node, or at the beginning of the file.
func (l *loader) note(n *yaml.Node, path string, kind Kind, format string, args ...any) *Mistake {
	m := Mistake{Line: 1, Column: 1, Kind: kind, Path: dotted(path), Message: fmt.Sprintf(format, args...), length: 1}
	if n != nil {
		m.Line, m.Column, m.length = n.Line, n.Column, l.extent(n)
		if l.secrets[path] {
			m.length = len(mask)
		}
	}
	m.Warning = kind == Unused || kind == Unwise
	if said := fmt.Sprint(m.Line, ":", m.Column, m.Message); l.said[said] {
		return &Mistake{} // of an alias, again
	} else if len(l.List) < mostMistakes {
		l.said[said] = true
	}
	if len(l.List) == mostMistakes {
		if !m.Warning {
			l.More++
		}
		return &Mistake{}
	}
	l.List = append(l.List, m)
	return &l.List[len(l.List)-1]
}

// suggest adds the names that may have been meant. Very many mistakes do without.
func (l *loader) suggest(m *Mistake, name string, names []string) {
	if len(l.List) <= 100 {
		m.Suggestions = suggest(name, names)
	}
}

// extent is how many characters of its line a node takes.
func (l *loader) extent(n *yaml.Node) int {
	line, column := l.place(n.Line, n.Column)
	rest := []rune(l.lines[line-1])[column-1:]
	switch {
	case n.Kind == yaml.AliasNode:
		return len([]rune(n.Value)) + 1
	case n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 1
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		for i := 1; i < len(rest); i++ {
			switch {
			case rest[i] == '\\' && rest[0] == '"':
				i++
			case rest[i] == '\'' && rest[0] == '\'' && i+1 < len(rest) && rest[i+1] == '\'':
				i++
			case rest[i] == rest[0]:
				return i + 1
			}
		}
		return max(1, len(rest))
	}
	return max(1, min(len([]rune(n.Value)), len(rest)))
}

// missing says that a value is left out, as in "key:" and nothing after it.
func missing(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// spot is the node to point at for a value.
func spot(key, n *yaml.Node) *yaml.Node {
	if key != nil && missing(n) && n.Value == "" {
		return key
	}
	return n
}

// value reads a node into v. key is nil in lists and for the whole file.
func (l *loader) value(path string, key, n *yaml.Node, v reflect.Value, f *field) {
	if l.nodes++; l.nodes > maxNodes && !l.full {
		l.full = true
		l.note(n, path, TooLarge, "the file has more than %d values, aliases expanded", maxNodes)
	}
	at := spot(key, n)
	for n.Kind == yaml.AliasNode && !l.full {
		if l.aliases++; l.aliases > maxAliases {
			l.full = true
			l.note(n, path, TooLarge, "more than %d aliases are expanded: write the values out", maxAliases)
		}
		n = n.Alias
	}
	if l.full {
		return
	}
	if f.secret {
		l.hide(at, n)
		l.secrets[path] = true
		l.hidden = append(l.hidden, n.Value)
	}
	l.places[path] = place{key, at}
	if n.Style&yaml.TaggedStyle != 0 {
		l.note(at, path, WrongType, "tags such as %s are not supported: leave it out", quote(n.ShortTag()))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		l.text(path, at, n, s)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if l.want(path, at, n, yaml.MappingNode, "fields") {
			l.fields(path, key, n, v)
		}
	case reflect.Map:
		if l.want(path, at, n, yaml.MappingNode, "names and what they stand for") {
			l.named(path, n, v, f)
		}
	case reflect.Slice:
		if l.want(path, at, n, yaml.SequenceNode, "a list") {
			for i, item := range n.Content {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
				l.value(join(path, fmt.Sprintf("[%d]", i)), nil, item, v.Index(i), f)
			}
		}
	default:
		if l.want(path, at, n, yaml.ScalarNode, nouns[v.Kind()]) {
			l.plain(path, at, n, v, f)
		}
	}
}

var nouns = map[reflect.Kind]string{
	reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Float64: "a number", reflect.String: "a text",
}

// want notes a node of another sort than is wanted.
func (l *loader) want(path string, at, n *yaml.Node, kind yaml.Kind, what string) bool {
	if n.Kind == kind && !missing(n) {
		return true
	}
	where := dotted(path)
	if where == "" {
		where = "the file"
	}
	hint := ""
	switch {
	case missing(n) && kind == yaml.MappingNode:
		hint = ": write {} to leave everything at its default"
	case kind == yaml.SequenceNode && n.Kind == yaml.ScalarNode && !missing(n) && !l.secrets[path]:
		hint = fmt.Sprintf(": write [%s]", strings.Trim(quote(n.Value), `"`))
	}
	l.note(at, path, WrongType, "%s: want %s, not %s%s", where, what, sortOf(n), hint)
	return false
}

// sortOf names what a node is.
func sortOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int":
		return "a number"
	case "!!float":
		return "a fraction"
	}
	return "a text"
}

// text reads a value that has a text form of its own.
func (l *loader) text(path string, at, n *yaml.Node, s scalar) {
	if !l.want(path, at, n, yaml.ScalarNode, "a "+s.noun()) {
		return
	}
	_, number := s.(*Attempts)
	if tag := n.ShortTag(); tag == "!!bool" || number && tag != "!!int" && n.Value != "unlimited" && tag != "!!str" && tag != "!!float" {
		l.note(at, path, WrongType, "%s: want a %s, not %s", dotted(path), s.noun(), sortOf(n))
		return
	} else if number && tag == "!!str" && n.Value != "unlimited" {
		if _, err := strconv.Atoi(n.Value); err == nil {
			l.note(at, path, WrongType, "%s: want a number without quotes", dotted(path))
			return
		}
	}
	err := s.parse(n.Value)
	switch {
	case err == nil:
	case s.noun() == "backoff":
		l.note(at, path, BadValue, "bad %v", err) // begins with what it is and the value
	default:
		kind := BadValue
		if errors.Is(err, errRange) {
			kind = OutOfRange
		}
		l.note(at, path, kind, "bad %s %s: %v", s.noun(), quote(n.Value), err)
	}
}

// plain reads a value of a sort that YAML knows.
func (l *loader) plain(path string, at, n *yaml.Node, v reflect.Value, f *field) {
	where, tag := dotted(path), n.ShortTag()
	wrong := func() {
		hint := ""
		if tag == "!!str" && v.Kind() != reflect.String && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			hint = ": leave the quotes out"
		}
		if v.Kind() == reflect.String {
			hint = ": write it in quotes"
		}
		l.note(at, path, WrongType, "%s: want %s, not %s%s", where, nouns[v.Kind()], sortOf(n), hint)
	}
	switch v.Kind() {
	case reflect.Bool:
		if tag != "!!bool" {
			wrong()
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Float64:
		if digits := strings.TrimLeft(n.Value, "+-"); tag == "!!float" && strings.Trim(digits, "0123456789") == "" {
			tag = "!!int" // one that is too large
		}
		if tag != "!!int" && (tag != "!!float" || v.Kind() == reflect.Int) {
			wrong()
			return
		}
		x, err := strconv.ParseFloat(n.Value, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(x) || math.IsInf(x, 0) && err == nil {
			l.note(at, path, BadValue, "%s: %s: write it in decimal digits", where, quote(n.Value))
			return
		}
		switch {
		case f.least != nil && x < *f.least:
			l.note(at, path, OutOfRange, "%s: %s is less than %v, the least", where, shorten(n.Value), plainNumber(*f.least))
		case f.most != nil && x > *f.most:
			l.note(at, path, OutOfRange, "%s: %s is more than %v, the most", where, shorten(n.Value), plainNumber(*f.most))
		case v.Kind() == reflect.Int:
			v.SetInt(int64(x))
		default:
			v.SetFloat(x)
		}
	case reflect.String:
		if tag != "!!str" {
			wrong()
			return
		}
		text, ok := l.expand(path, at, n.Value, f)
		if !ok {
			return
		}
		if len(f.words) > 0 && !contains(f.words, text) {
			m := l.note(at, path, BadValue, "%s: %s is none of %s", where, quote(text), list(f.words, "and"))
			l.suggest(m, text, f.words)
			return
		}
		if text == "" && !f.secret {
			l.note(at, path, BadValue, "%s: empty: leave the field out", where)
			return
		}
		v.SetString(text)
	}
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func shorten(text string) string { return strings.Trim(quote(text), `"`) }

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// fields reads a mapping into a struct.
func (l *loader) fields(path string, key, n *yaml.Node, v reflect.Value) {
	t := tableOf(v.Type())
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		name, ok := l.name(path, k, seen)
		if !ok {
			continue
		}
		f := t.byName[name]
		if f == nil {
			l.unknown(path, k, value, name, t)
			continue
		}
		l.value(join(path, name), k, value, v.Field(f.index), f)
		if l.full {
			return
		}
	}
	for _, f := range t.fields {
		if _, given := seen[f.name]; f.required && !given {
			at, in := key, " of "+dotted(path)
			switch {
			case path == "":
				in = ""
			case at == nil: // in a list
				at = n
			}
			l.note(at, join(path, f.name), MissingRequired, "missing field %s%s", quote(f.name), in)
		}
	}
}

// unknown notes a field that there is not. What might be a secret whose name is misspelt is not printed.
func (l *loader) unknown(path string, k, value *yaml.Node, name string, t *table) {
	m := l.note(k, join(path, name), UnknownField, "unknown field %s", quote(name))
	if name == "<<" {
		m.Message = "merge keys are not supported: write the fields out"
		return
	}
	l.suggest(m, name, t.names)
	for _, s := range suggest(name, t.names) {
		if t.byName[s].secret {
			l.hide(k, value)
		}
	}
}

// name reads a key.
func (l *loader) name(path string, k *yaml.Node, seen map[string]*yaml.Node) (string, bool) {
	for k.Kind == yaml.AliasNode {
		l.aliases++
		k = k.Alias
	}
	if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" && k.ShortTag() != "!!merge" || k.Style&yaml.TaggedStyle != 0 {
		hint := ""
		if k.Kind == yaml.ScalarNode {
			hint = ": write it in quotes"
		}
		l.note(k, path, WrongType, "a name has to be a text, not %s%s", sortOf(k), hint)
		return "", false
	}
	if first, twice := seen[k.Value]; twice {
		l.note(k, join(path, k.Value), DuplicateKey, "duplicate key %s: it is in line %d, too", quote(k.Value), first.Line)
		return "", false
	}
	seen[k.Value] = k
	return k.Value, true
}

// named reads a mapping into a map.
func (l *loader) named(path string, n *yaml.Node, v reflect.Value, f *field) {
	v.Set(reflect.MakeMap(v.Type()))
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		name, ok := l.name(path, k, seen)
		if !ok {
			continue
		}
		if complaint := checkName(name, f.names); complaint != "" {
			l.note(k, join(path, name), BadValue, "bad name %s: %s", quote(name), complaint)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		l.value(join(path, name), k, value, item, &field{})
		if l.full {
			return
		}
		v.SetMapIndex(reflect.ValueOf(name), item)
	}
}

// expand puts environment variables in where they may be.
func (l *loader) expand(path string, at *yaml.Node, text string, f *field) (string, bool) {
	if !f.env {
		if i := strings.Index(text, "${"); i >= 0 && strings.Contains(text[i:], "}") {
			l.note(at, path, BadValue, "%s: environment variables are allowed in server.store and in names of files only", dotted(path))
			return "", false
		}
		return text, true
	}
	var b strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			b.WriteString(text)
			return b.String(), true
		}
		name, rest, closed := strings.Cut(text[start+2:], "}")
		if !closed || !variable.MatchString(name) {
			l.note(at, path, BadValue, "%s: write an environment variable as ${NAME}", dotted(path))
			return "", false
		}
		value, set := l.lookup(name)
		if !set {
			l.note(at, path, BadValue, "%s: the environment variable %s is not set", dotted(path), name)
			return "", false
		}
		b.WriteString(text[:start] + value)
		text = rest
	}
}
