package halt

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// mostUnrecorded is how many records may wait for the Recorder. More come only if it hangs for long.
const mostUnrecorded = 1024

var errUnrecorded = errors.New("the Recorder is too slow")

// A clerk saves and records what Run did, in a goroutine of its own.
type clerk struct {
	tree *Tree
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []Record // guarded by mu, as is dropped
	dropped int
}

// newClerk returns one that begins with what was found while opening.
func (t *Tree) newClerk() *clerk {
	c := &clerk{tree: t, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for range c.wake {
			c.work()
		}
		c.work()
	}()
	return c
}

// take has the tree saved and records written. It never waits. It must not be called after end.
func (c *clerk) take(records ...Record) {
	c.mu.Lock()
	room := min(len(records), max(0, mostUnrecorded-len(c.waiting)))
	c.waiting = append(c.waiting, records[:room]...)
	c.dropped += len(records) - room
	c.mu.Unlock()
	if room < len(records) && c.tree.Recorder != nil {
		c.tree.learn(&c.tree.recorderFails, errUnrecorded)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// work does what has been taken so far.
func (c *clerk) work() {
	c.mu.Lock()
	records, dropped := c.waiting, c.dropped
	c.waiting, c.dropped = nil, 0
	c.mu.Unlock()
	c.tree.open() // records what was found about the file
	err := wrap(ErrSave, c.tree.save(false))
	for _, r := range records {
		switch r.Action {
		case ActionLost:
			c.tree.note(r)
			continue
		case ActionStop:
			r.Saved = time.Since(r.At)
		}
		r.Err = errors.Join(r.Err, err)
		c.tree.record(r)
	}
	if dropped > 0 {
		c.tree.record(Record{
			Action: ActionLost, Scope: Global, Who: "tree", Source: "tree", At: time.Now(), Err: errUnrecorded,
			Why: fmt.Sprintf("%d records were dropped", dropped),
		})
	}
}

// end returns when all is done.
func (c *clerk) end() {
	close(c.wake)
	<-c.done
}
