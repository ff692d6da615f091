package lease

import (
	"strings"
	"testing"
)

// A process with an endless name is lent nothing, and is not remembered.
func TestNamesAreBounded(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	before := c.State(at(0)).Processes
	same(t, "a name that is too long", c.Grant(want(strings.Repeat("x", mostName+1), 1, 5000), at(0)).Tokens, int64(0))
	same(t, "remembered", c.State(at(0)).Processes, before)
	same(t, "the longest", c.Grant(want(strings.Repeat("x", mostName), 1, 5000), at(0)).Tokens, int64(5000))
}
