package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// keepEvery is how often Run writes what was learned.
const keepEvery = time.Minute

// learned is where what was learned outlives the process.
type learned struct {
	file   string
	before []byte // what an earlier process wrote
	due    time.Time
}

// KeepLearned has what the learner knows outlive the process: it reads what an earlier one left in a file, for the operations
// there are and those to come, and from then on [Registry.Run] writes it there each minute and at its end. Call it once, before
// calls begin, and give each process a file of its own.
//
// The error says which records were refused, such as those of another version: their operations begin anew, as all do
// where there is no file. It is logged, too.
func (r *Registry) KeepLearned(file string) error {
	s := r.state()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	s.learned = learned{file: file, before: data, due: time.Now().Add(keepEvery)}
	var names []string
	for name := range s.operations {
		names = append(names, name)
	}
	s.mu.Unlock()
	if err == nil {
		err = s.learner.Load(data, time.Now(), names...)
	}
	if err != nil {
		err = fmt.Errorf("what was learned before, in %s: %w", file, err)
		r.logLearned("begins anew", err)
	}
	return err
}

// recall gives a model that was made a moment ago what an earlier process knew. changing is held.
func (r *Registry) recall(name string) {
	s := &r.live
	s.mu.Lock()
	data, known := s.learned.before, s.recalled[name]
	if s.recalled == nil {
		s.recalled = map[string]bool{}
	}
	s.recalled[name] = true
	s.mu.Unlock()
	if !known && len(data) > 0 {
		s.learner.Load(data, time.Now(), name) // KeepLearned said what is wrong with it
	}
}

// keep writes what was learned, if it is time or the last one.
func (r *Registry) keep(last bool) {
	s := &r.live
	now := time.Now()
	s.mu.Lock()
	file, due := s.learned.file, last || !now.Before(s.learned.due)
	if due {
		s.learned.due = now.Add(keepEvery)
	}
	s.mu.Unlock()
	if file == "" || !due {
		return
	}
	if err := s.learner.Save(file, now); err != nil {
		r.logLearned("is not kept", err)
	}
}
