package demo

import (
	"sync"
	"time"
)

// Sights are what a newcomer should see of relent, each with how long after the beginning it was seen first, in milliseconds;
// 0 means not at all.
type Sights struct {
	Retry   int64 `json:"retry_saved_a_call_ms"`
	Circuit int64 `json:"circuit_opened_and_closed_ms"`
	Budget  int64 `json:"budget_refused_ms"`
	Order   int64 `json:"order_reconciled_ms"` // its answer was lost, and its fate was found out
	Finding int64 `json:"finding_ms"`
}

// All says that everything was seen.
func (s Sights) All() bool {
	return s.Retry > 0 && s.Circuit > 0 && s.Budget > 0 && s.Order > 0 && s.Finding > 0
}

// A sighting notes when each of the sights was seen first.
type sighting struct {
	mu    sync.Mutex
	began time.Time // guarded by mu, as is all below
	Sights
}

// begin sets when time begins to count.
func (s *sighting) begin(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = at
}

// saw notes one of the fields of s.
func (s *sighting) saw(what *int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *what == 0 && !s.began.IsZero() {
		*what = max(1, time.Since(s.began).Milliseconds())
	}
}

func (s *sighting) all() Sights {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Sights
}
