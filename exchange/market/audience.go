package market

import (
	"slices"
	"sync"
)

// audience are those who listen to one symbol. Its lock guards what they are told of, too, so that each event is told once to
// whoever listened when it came.
type audience struct {
	mu    sync.Mutex
	feeds []*Feed // guarded by mu
}

func (a *audience) join(f *Feed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.feeds = append(a.feeds, f)
	f.leave = append(f.leave, a.leave)
}

func (a *audience) leave(f *Feed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.feeds = slices.DeleteFunc(a.feeds, func(g *Feed) bool { return g == f })
}

// emit tells all of them. mu is held.
func (a *audience) emit(e Event) {
	for _, f := range a.feeds {
		f.push(e)
	}
}
