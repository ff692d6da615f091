package dashboard

import (
	"path"
	"strings"

	"github.com/relent-go/relent/control"
)

// A filter selects events: words that all must match. A word is text that occurs anywhere, or
// field:pattern with * for anything, such as policy:binance.* or class:ambiguous; a minus before it
// turns it round. Case does not count.
type filter []term

type term struct {
	field, pattern string
	not            bool
}

// slashless lets * match scopes, too.
var slashless = strings.NewReplacer("/", "|")

// A filter of more words than this ignores the rest.
const maxTerms = 16

func parseFilter(s string) (f filter) {
	for _, w := range strings.Fields(strings.ToLower(s)) {
		var t term
		if rest, ok := strings.CutPrefix(w, "-"); ok && rest != "" {
			t.not, w = true, rest
		}
		t.pattern = w
		if field, pattern, ok := strings.Cut(w, ":"); ok && fieldOf(&control.Note{}, field) != nil {
			t.field, t.pattern = field, pattern
		}
		if len(f) < maxTerms {
			f = append(f, t)
		}
	}
	return f
}

// fieldOf returns the texts that a field's name means, nil for an unknown name.
func fieldOf(n *control.Note, name string) []string {
	switch name {
	case "":
		return []string{n.Policy, n.Target, n.Kind, n.Class, n.Outcome, n.Reason, n.Trace, n.Text, n.Instance}
	case "policy":
		return []string{n.Policy}
	case "target":
		return []string{n.Target}
	case "kind":
		return []string{n.Kind}
	case "class":
		return []string{n.Class}
	case "outcome":
		return []string{n.Outcome}
	case "reason":
		return []string{n.Reason}
	case "trace":
		return []string{n.Trace}
	case "instance":
		return []string{n.Instance}
	}
	return nil
}

func (f filter) match(n *control.Note) bool {
	for _, t := range f {
		if t.match(fieldOf(n, t.field)) == t.not {
			return false
		}
	}
	return true
}

func (t term) match(texts []string) bool {
	for _, s := range texts {
		s = strings.ToLower(s)
		if t.field == "" {
			if strings.Contains(s, t.pattern) {
				return true
			}
		} else if ok, err := path.Match(slashless.Replace(t.pattern), slashless.Replace(s)); s == t.pattern || ok && err == nil {
			return true
		}
	}
	return false
}
