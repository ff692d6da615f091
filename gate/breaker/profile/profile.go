package profile

import (
	"fmt"
	"strings"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A Gate is a breaker of any profile.
type Gate interface {
	retry.Gate
	State() breaker.State
}

var profiles = [...]struct {
	name string
	open func() Gate
}{
	{"hystrix", func() Gate { return Hystrix{}.New("hystrix") }},
	{"resilience4j", func() Gate { return Resilience4j{}.New("resilience4j") }},
	{"polly", func() Gate { return Polly{}.New("polly") }},
	{"failsafe", func() Gate { return Failsafe{}.New("failsafe") }},
	{"gobreaker", func() Gate { return Gobreaker{}.New("gobreaker") }},
	{"envoy", func() Gate { return Envoy{}.New().Host("envoy") }},
}

// New returns a breaker with the defaults of a profile: one of [Names]. The one of envoy is the host of a cluster
// of one, which no other host can be compared with.
func New(name string) (Gate, error) {
	for _, p := range profiles {
		if p.name == name {
			return p.open(), nil
		}
	}
	return nil, fmt.Errorf("unknown breaker profile %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of the profiles.
func Names() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}
