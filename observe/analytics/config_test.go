package analytics

import (
	"maps"
	"testing"
)

// Depends comes before DependsOn, and both before the venue that a name tells.
func TestDependsOn(t *testing.T) {
	c := Config{Depends: map[string][]string{"a.x": {"own"}}, DependsOn: func(name string) ([]string, bool) {
		return map[string][]string{"a.y": {"asked"}, "asked": {"further"}}[name], name != "a.z"
	}}
	for name, want := range map[string]map[string]int{"a.x": {"own": 1}, "a.y": {"asked": 1, "further": 2}, "a.z": {"a": 1}} {
		if got := c.above(name); !maps.Equal(got, want) {
			t.Errorf("above(%q) = %v; want %v", name, got, want)
		}
	}
}
