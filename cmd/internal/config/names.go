package config

import (
	"regexp"

	"github.com/invopop/jsonschema"
)

var (
	variable   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	plainName  = regexp.MustCompile(namePattern)
	scopeNames = regexp.MustCompile(scopePattern)
)

const (
	namePattern  = `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`
	scopePattern = `^[^/\s]{1,128}(/[^/\s]{1,128}){0,7}$`
)

// checkName says what is wrong with a name of a definition. sort is "" for most, "scope" for places of the emergency
// stop, "fact" for facts about venues.
func checkName(name, sort string) string {
	switch {
	case sort == "" && !plainName.MatchString(name):
		return "want letters, digits, dots, hyphens and underscores, at most 128, such as binance.place_order"
	case sort == "scope" && !scopeNames.MatchString(name):
		return "want up to 8 parts with slashes between them, such as equities/binance"
	case name == "":
		return "it is empty"
	}
	return ""
}

// JSONSchemaExtend says what names there may be.
func (Named[T]) JSONSchemaExtend(s *jsonschema.Schema) {
	pattern := namePattern
	switch any(*new(T)).(type) {
	case Scope:
		pattern = scopePattern
	case string:
		pattern = "."
	}
	s.PropertyNames = &jsonschema.Schema{Pattern: pattern}
}
