package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A ConfigOrder is what the configuration of a control plane says of the policies of its processes. It comes between what
// the program of a process says and what operators override. Gates are the program's own, and so is whether a call may run
// twice: see [Tuned].
type ConfigOrder struct {
	Hash     string                       `json:"hash"`
	Actor    string                       `json:"actor,omitempty"`    // who asked
	Source   string                       `json:"source,omitempty"`   // file, signal, api, start
	Policies map[string]map[string]string `json:"policies,omitempty"` // fields in their text form, by operation
}

// follow puts what a control plane's configuration says in force for all operations at one moment, or refuses all of it. It
// is checked, compared, recorded and shown as a Set is. The same orders again do nothing.
func (r *Registry) follow(ctx context.Context, c ConfigOrder) error {
	s := r.state()
	s.changing.Lock()
	defer s.changing.Unlock()
	if c.Hash == s.heard {
		return nil
	}
	before := s.orders
	s.orders, s.heard = c, c.Hash
	rows := slices.Clone(s.table.Load().rows)
	var d Difference
	var errs []error
	s.mu.Lock()
	present := s.present()
	s.mu.Unlock()
	for _, o := range present {
		old := rows[o.index]
		same := Set{Components: map[string]string{o.name: old.component}, Timing: old.timing}
		next, err := r.rebase(o, old, old.program, same, &d)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.name, err))
			continue
		}
		if next.version != old.version {
			rows[o.index] = next
		}
	}
	record := audit.Record{Decision: decisionConfig, Actor: c.Actor, Rule: strings.TrimSpace("fleet " + c.Source), Config: c.Hash}
	err := r.settle(ctx, record, rows, nil, d, errors.Join(errs...))
	if err != nil {
		s.orders = before
	}
	if errors.Is(err, ErrNotAudited) {
		s.heard = "" // so that it is tried again
	}
	return err
}

// count returns how many operations there are.
func (r *Registry) count() int {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.present())
}

// ordered returns a program's policy with what the control plane's configuration says. changing is held.
func (r *Registry) ordered(name string, program *retry.Policy) (*retry.Policy, error) {
	fields := r.live.orders.Policies[name]
	if len(fields) == 0 {
		return program, nil
	}
	return Tuned(program, fields)
}
