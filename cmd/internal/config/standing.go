package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// Standing makes policies and gates for a program that only obeys the emergency stop, such as one command: others
// keep its file, and have it locked. Before each attempt the policies look at what the file says then.
func (f *File) Standing() (*Set, error) {
	s, err := f.Preview()
	if err != nil || f.Halt == nil {
		return s, err
	}
	for name, p := range s.Policies {
		def := f.Policies[name]
		p.Gates = slices.Clone(p.Gates)
		for i, g := range p.Gates {
			if _, ok := g.(*halt.Gate); ok {
				p.Gates[i] = &standing{halt: f.Halt, path: def.scope(name), reducing: def.RiskReducing}
			}
		}
	}
	return s, nil
}

// standing is a gate that obeys the stops of a file that somebody else keeps.
type standing struct {
	halt     *Halt
	path     []string
	reducing bool
}

var _ retry.Starter = (*standing)(nil)

// Admit refuses an attempt that the stops refuse now.
func (g *standing) Admit(ctx context.Context, a *retry.Attempt) error { return g.look(ctx, a) }

// Start looks again, after the wait.
func (g *standing) Start(ctx context.Context, a *retry.Attempt) error { return g.look(ctx, a) }

// Settle has nothing to do.
func (g *standing) Settle(*retry.Attempt, *retry.Outcome) {}

// triggerTime is how long a trigger file is looked at: an empty one is believed when it is empty twice, 50 ms apart.
const triggerTime = 300 * time.Millisecond

// look asks a tree of its own that has read a copy of the file.
func (g *standing) look(ctx context.Context, a *retry.Attempt) error {
	dir, err := os.MkdirTemp("", "relent-stops-")
	if err != nil {
		return g.blind(err)
	}
	defer os.RemoveAll(dir)
	tree := g.halt.tree()
	tree.Lease = 0 // is for those who hear a control plane
	if tree.File != "" {
		data, err := os.ReadFile(tree.File)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			tree.File = ""
		case err != nil:
			return g.blind(err)
		default:
			tree.File = filepath.Join(dir, "stops")
			if err := os.WriteFile(tree.File, data, 0o600); err != nil {
				return g.blind(err)
			}
		}
	}
	if err := g.halt.furnish(tree); err != nil {
		return g.blind(err)
	}
	if _, err := os.Stat(tree.Trigger); tree.Trigger != "" && !errors.Is(err, fs.ErrNotExist) {
		during, cancel := context.WithTimeout(ctx, triggerTime)
		tree.Poll = 10 * time.Millisecond
		tree.Run(during)
		cancel()
	}
	gate := tree.Gate(g.path...)
	if g.reducing {
		gate = gate.RiskReducing()
	}
	refusal := gate.Admit(ctx, a)
	if refusal == nil {
		refusal = gate.Start(ctx, a)
	}
	tree.Close()
	return refusal
}

// blind refuses because nobody can say what is stopped.
func (g *standing) blind(err error) error {
	return fmt.Errorf("%w: the emergency stop cannot be read: %w", halt.ErrHalted, err)
}
