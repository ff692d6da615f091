package control

import (
	"fmt"

	"github.com/relent-go/relent/retry"
)

// A Part is what a configuration says of a part: which kind it is of, its name, and fields in their text form.
type Part struct {
	Name   string
	Fields map[string]string
}

// factories make parts from configuration, by kind.
type factories struct {
	gates       map[string]func(Part) (retry.Gate, error)
	observers   map[string]func(Part) (retry.Observer, error)
	classifiers map[string]func(error) retry.Class
}

// RegisterGate registers how gates of a kind, such as breaker, are made. A kind that exists is an error.
func (r *Registry) RegisterGate(kind string, make func(Part) (retry.Gate, error)) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return insert(&s.factories.gates, "kind of gate", kind, make)
}

// RegisterObserver registers how observers of a kind are made. A kind that exists is an error.
func (r *Registry) RegisterObserver(kind string, make func(Part) (retry.Observer, error)) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return insert(&s.factories.observers, "kind of observer", kind, make)
}

// RegisterClassifier registers a classification of errors under a name, such as that of a venue.
func (r *Registry) RegisterClassifier(name string, classify func(error) retry.Class) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return insert(&s.factories.classifiers, "classifier", name, classify)
}

// NewGate makes a gate of a registered kind, and registers it under the part's name. The error of an unknown kind lists
// those there are.
func (r *Registry) NewGate(kind string, p Part) (retry.Gate, error) {
	s := r.state()
	s.mu.Lock()
	make, err := find(s.factories.gates, "kind of gate", kind)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	g, err := make(p) // outside the lock: it is somebody else's code
	if err != nil {
		return nil, fmt.Errorf("gate %q: %w", p.Name, err)
	}
	return g, r.AddGate(p.Name, g)
}

// NewObserver makes an observer of a registered kind.
func (r *Registry) NewObserver(kind string, p Part) (retry.Observer, error) {
	s := r.state()
	s.mu.Lock()
	make, err := find(s.factories.observers, "kind of observer", kind)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	o, err := make(p)
	if err != nil {
		return nil, fmt.Errorf("observer %q: %w", p.Name, err)
	}
	return o, nil
}

// Classifier returns the classification of a name.
func (r *Registry) Classifier(name string) (func(error) retry.Class, error) {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return find(s.factories.classifiers, "classifier", name)
}
