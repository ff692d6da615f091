package halt

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A heartbeat with a time that was parsed from a message must not bind the lease to the wall clock.
func TestLeaseIsMonotonic(t *testing.T) {
	tree := &Tree{Lease: time.Minute}
	tree.open()
	tree.listen(time.Now())
	before := tree.until
	for _, ago := range []time.Duration{-time.Hour, 0} {
		tree.Heartbeat(time.Now().Add(-ago).Round(0))
		if s := tree.until.String(); !strings.Contains(s, "m=") || !tree.until.After(before) || tree.until.After(time.Now().Add(tree.Lease)) {
			t.Errorf("the lease ends at %s; want it to have a monotonic reading, and to be renewed", s)
		}
	}
	now := tree.until
	tree.Heartbeat(time.Now().Add(-time.Second).Round(0))
	if tree.until != now {
		t.Error("an older heartbeat changes the lease")
	}
	tree.leave(time.Now())
}

func TestExpiryIsMonotonicAfterRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stops")
	tree := &Tree{File: file}
	tree.Stop(Command{State: DrainOnly, Expires: time.Hour})
	tree.Close()
	tree = &Tree{File: file}
	tree.open()
	if s := tree.root.held[DrainOnly].Until.String(); !strings.Contains(s, "m=") {
		t.Errorf("expires at %s; want a monotonic reading", s)
	}
}
