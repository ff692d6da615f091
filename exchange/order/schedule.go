package order

import (
	"container/heap"
	"time"
)

// A schedule holds what is due, the earliest first. It has each life once at most, so it is as bounded as they are.
type schedule []*life

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i+1, j+1
}

// Push is for container/heap.
func (s *schedule) Push(x any) {
	l := x.(*life)
	*s = append(*s, l)
	l.index = len(*s)
}

// Pop is for container/heap.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	l := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	l.index = 0
	return l
}

// plan makes a life due after d, or sooner if it is already planned for sooner.
func (m *Machine) plan(l *life, d time.Duration) {
	at := time.Now().Add(max(0, d))
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case l.index == 0:
		l.due = at
		heap.Push(&m.due, l)
	case at.Before(l.due):
		l.due = at
		heap.Fix(&m.due, l.index-1)
	default:
		return
	}
	if m.due[0] == l {
		m.nudge()
	}
}

// nudge wakes the loop of Run.
func (m *Machine) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// next takes what is due, or says how long that takes.
func (m *Machine) next(now time.Time) (l *life, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.due) == 0 {
		return nil, time.Hour
	}
	if wait = m.due[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&m.due).(*life), 0
}
