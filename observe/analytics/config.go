package analytics

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// DefaultMaxSubjects is what MaxSubjects means when it is 0, and the most that counts.
	DefaultMaxSubjects = 700

	// Other is the subject of names for which there was no room.
	Other = "other"

	// QueueSize is how many records may wait for an Analyzer's Run. Further ones are dropped and counted.
	QueueSize = 8192

	maxName   = 128 // bytes of a name that are kept
	maxShards = 64  // of a policy, the last one being Other
	maxKept   = 256 // findings
)

// A Config says how to analyse. The zero value is good.
type Config struct {
	// MaxSubjects is how many policies are told apart, from 1 to 700; 0, and what is odd, means 700. When there are more, one that
	// was idle for ten minutes gives way; if there is none, the new one is counted under Other.
	MaxSubjects int

	// Depends names what an operation, or a dependency, depends on directly. An operation without an entry depends on its venue,
	// which is its name before the first dot. It must not change while in use.
	Depends map[string][]string

	// DependsOn is asked for names that are not in Depends, when they are met first, and says whether it knows one. It must not call
	// the Analyzer. Nil knows none.
	DependsOn func(name string) (direct []string, known bool)

	// Code returns the code of an error, such as an HTTP status, from a closed list and never with a text. Nil, and an empty code,
	// mean the type of the innermost error. It runs in the goroutine of the call, after a failure only, and must be quick.
	Code func(error) string
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (c *Config) Check() error {
	var errs []error
	if c.MaxSubjects < 0 || c.MaxSubjects > DefaultMaxSubjects {
		errs = append(errs, fmt.Errorf("MaxSubjects: %d is not between 1 and %d, nor 0 for the default: %d is used", c.MaxSubjects, DefaultMaxSubjects, DefaultMaxSubjects))
	}
	for name := range c.Depends {
		if above := c.above(name); len(above) > 0 && above[name] > 0 {
			errs = append(errs, fmt.Errorf("Depends: %q depends on itself: remove one link of the circle", name))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) maxSubjects() int {
	if c.MaxSubjects < 1 || c.MaxSubjects > DefaultMaxSubjects {
		return DefaultMaxSubjects
	}
	return c.MaxSubjects
}

// above returns all that name depends on, with the number of steps to it, at most 64 names.
func (c *Config) above(name string) map[string]int {
	depth := map[string]int{}
	next, declared := c.direct(name)
	if !declared {
		if venue, _, ok := strings.Cut(name, "."); ok {
			next = []string{venue}
		}
	}
	for step := 1; len(next) > 0; step++ {
		var further []string
		for _, d := range next {
			if depth[d] == 0 && len(depth) < 64 {
				depth[d] = step
				more, _ := c.direct(d)
				further = append(further, more...)
			}
		}
		next = further
	}
	return depth
}

// direct returns what name depends on by one step, and whether anybody said so.
func (c *Config) direct(name string) ([]string, bool) {
	if list, ok := c.Depends[name]; ok || c.DependsOn == nil {
		return list, ok
	}
	return c.DependsOn(name)
}
