package adaptive

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// Others is the name under which operations beyond the bound share one model.
const Others = "other"

// DefaultMaxOperations is how many operations have models of their own.
const DefaultMaxOperations = 256

// A Learner keeps a model for each operation, by the name of its policy, and is the source of policies that feed it. The zero
// value is ready. A Learner is safe for concurrent use, and must not be copied.
type Learner struct {
	MaxOperations int          // with a model of their own; not positive means 256. Further ones share the model of Others
	Notice        func(Notice) // told of changes, in the goroutine that causes them; must be quick and safe for concurrent use

	mu     sync.Mutex
	models map[string]*model // guarded by mu
	others *model            // guarded by mu
}

// Source returns a source of the policies of inner, each with one more gate, its last, through which the learner sees what
// happens. The policies of inner are not changed. Terms are as of [Terms.Check]; a mistake in them leads to no advice.
//
// A policy is looked up anew for each call, as inner yields it.
func (l *Learner) Source(inner retry.Source, t Terms) *Source {
	return &Source{learner: l, inner: inner, terms: t}
}

// A Source is a retry.Source that teaches a [Learner], and is safe for concurrent use. [Learner.Source] makes one.
type Source struct {
	learner *Learner
	inner   retry.Source
	terms   Terms
	last    atomic.Pointer[pair]
	aside   atomic.Pointer[pair] // of Terms.Control
	calls   atomic.Uint64        // counted only where there is one
}

var _ retry.Source = (*Source)(nil)

// A pair is a policy with what became of it.
type pair struct {
	inner, watched *retry.Policy
	m              *model
}

// Current implements [retry.Source].
func (s *Source) Current() *retry.Policy {
	p := policy(s.inner)
	made := s.last.Load()
	if made == nil || made.inner != p {
		made = &pair{inner: p, m: s.learner.model(p.Name)}
		made.watch(&shadow{l: s.learner, m: made.m, terms: s.terms})
		s.last.Store(made)
	}
	switch mode := Mode(made.m.mode.Load()); {
	case mode == Off:
		return p
	case mode == Active && s.terms.Control != nil && made.m.led.Load() && control(s.calls.Add(1)):
		return s.control(made.m)
	}
	return made.watched
}

// control returns the policy of a call of the control arm.
func (s *Source) control(m *model) *retry.Policy {
	p := policy(s.terms.Control)
	made := s.aside.Load()
	if made == nil || made.inner != p || made.m != m {
		made = &pair{inner: p, m: m}
		made.watch(&shadow{l: s.learner, m: m, terms: s.terms, aside: true})
		s.aside.Store(made)
	}
	return made.watched
}

// watch puts a gate behind those of the policy.
func (p *pair) watch(g *shadow) {
	watched := *p.inner
	watched.Gates = append(slices.Clip(slices.Clone(p.inner.Gates)), g)
	p.watched = &watched
}

func policy(s retry.Source) *retry.Policy {
	if s != nil {
		if p := s.Current(); p != nil {
			return p
		}
	}
	return &retry.Policy{}
}

// model returns that of an operation, or the one that the others share.
func (l *Learner) model(name string) *model {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.models[name]; m != nil {
		return m
	}
	most := l.MaxOperations
	if most <= 0 {
		most = DefaultMaxOperations
	}
	if len(l.models) >= most || name == Others {
		if l.others == nil {
			l.others = fresh(Others)
		}
		return l.others
	}
	if l.models == nil {
		l.models = make(map[string]*model)
	}
	m := fresh(strings.Clone(name))
	l.models[name] = m
	return m
}

func fresh(name string) *model {
	m := &model{name: name}
	m.reset()
	return m
}

// known returns the model of an operation, if there is one.
func (l *Learner) known(name string) *model {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name == Others {
		return l.others
	}
	return l.models[name]
}

// Operations returns the names of the operations that have a model of their own, sorted.
func (l *Learner) Operations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.models))
	for name := range l.models {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
