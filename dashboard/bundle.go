package dashboard

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

var (
	importing = regexp.MustCompile(`(?m)^import (.+) from '(.+)';\n`)
	exporting = regexp.MustCompile(`(?m)^export (default )?((?:async function|function|const) (\w+))`)
)

// A bundle makes one script of the page's own modules: it packs much better, and comes with one request. Each module becomes
// a function that returns what it exports, after those that it imports; what was vendored is imported as it is.
type bundle struct {
	read    func(name string) string
	names   map[string]string // of modules, in the script
	imports strings.Builder
	body    strings.Builder
}

// add puts a module, and before it what it needs, into the script, and returns its name there. Modules do not import each other
// in circles, and have imports and exports of the forms above; a test says so if not.
func (b *bundle) add(file string) string {
	if name, ok := b.names[file]; ok {
		return name
	}
	if strings.HasPrefix(file, "vendor/") {
		fmt.Fprintf(&b.imports, "import * as %s from './%s';\n", b.name(file), file)
		return b.names[file]
	}
	var head strings.Builder
	text := b.read(file)
	for _, m := range importing.FindAllStringSubmatch(text, -1) {
		what, from := m[1], path.Join(path.Dir(file), m[2])
		name := b.add(from)
		if what[0] != '{' {
			what = "{ default: " + what + " }"
		}
		fmt.Fprintf(&head, "const %s = %s;\n", strings.ReplaceAll(what, " as ", ": "), name)
	}
	text = importing.ReplaceAllString(text, "")
	var gives []string
	for _, m := range exporting.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			gives = append(gives, "default: "+m[3])
		} else {
			gives = append(gives, m[3])
		}
	}
	name := b.name(file)
	fmt.Fprintf(&b.body, "const %s = (() => {\n%s%s\nreturn { %s };\n})();\n", name, head.String(), exporting.ReplaceAllString(text, "$2"), strings.Join(gives, ", "))
	return name
}

func (b *bundle) name(file string) string {
	b.names[file] = fmt.Sprintf("$%d", len(b.names))
	return b.names[file]
}

// script is everything that a module needs.
func (b *bundle) script(file string) []byte {
	b.names = map[string]string{}
	b.add(file)
	return []byte(b.imports.String() + b.body.String())
}
