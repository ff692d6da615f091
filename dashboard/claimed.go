package dashboard

import (
	"net/http"
	"strings"
	"unicode"
)

// longestName bounds the name that somebody gives, in bytes.
const longestName = 128

// Local is everybody where nobody signs in, but for those who give a name.
const Local = "local"

// Claimed returns who somebody says to be, where nobody signs in: the name in the header Relent-Actor. It is recorded as a
// claim. Without one it is [Local], which claims nothing.
func Claimed(r *http.Request) (name string, claims bool) {
	name = strings.Join(strings.FieldsFunc(r.Header.Get("Relent-Actor"), func(c rune) bool { return !unicode.IsGraphic(c) || unicode.IsSpace(c) }), " ")
	if name = strings.ToValidUTF8(name[:min(len(name), longestName)], ""); name == "" || name == Local {
		return Local, false
	}
	return name, true
}

// SourceOf says how a request came: from a page, by the command line, which says so in the header Relent-Source, or from
// another program.
func SourceOf(r *http.Request) string {
	switch {
	case r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "":
		return "dashboard"
	case r.Header.Get("Relent-Source") == "cli":
		return "cli"
	}
	return "api"
}
