package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// Settings are what a configuration says that may change while a server runs.
type Settings struct {
	Hash     string                       // of the configuration
	Policies map[string]map[string]string // fields in their text form, by operation: for the processes of the fleet
	Budgets  map[string]Budget            // that processes share
	Alerts   []Alert                      // who is told of findings
	Actor    string                       // who asked
	Source   string                       // file, signal, api, cli, start
	Changes  []string                     // for people, without secrets
}

// A File is a configuration that a server follows. It hands what it reads to [Server.Configure], and says what it
// refuses to [Server.Refuse].
type File interface {
	Begin(s *Server)                             // is called once, before requests are answered
	Run(ctx context.Context)                     // follows the file until ctx ends
	Reload(source, actor, hash string) Reloading // reads it now; a hash, unless empty, is that of the text that is meant
}

// A Reloading is how a reload on request ended.
type Reloading struct {
	V       int      `json:"v"`
	Result  string   `json:"result"` // ok, unchanged, error
	Hash    string   `json:"hash"`
	Before  string   `json:"before,omitempty"` // the hash of what was in force
	Changes []string `json:"changes,omitempty"`
	Errors  []string `json:"errors,omitempty"`
	Error   string   `json:"error,omitempty"` // all of them
}

// Configure puts settings in force, here and in the processes of the fleet, or changes nothing. Budgets that are lent keep
// their tokens as far as they fit, and get none; overrides of operators stay, but for fields that the settings now equal.
func (s *Server) Configure(ctx context.Context, c Settings) error {
	if err := checkAlerts(c.Alerts); err != nil {
		return err
	}
	if err := s.plane.configure(ctx, c); err != nil {
		return err
	}
	s.lend.change(c.Budgets)
	s.alerts.change(c.Alerts)
	s.registry.Reloaded(c.Hash, changed(c.Changes))
	return nil
}

// Refuse says that a configuration is not in force, and why: in the audit log, in health and to who watches.
func (s *Server) Refuse(ctx context.Context, c Settings, why error) {
	err := s.plane.record(ctx, audit.Record{Decision: decisionConfig, Actor: c.Actor, Rule: c.Source, Config: c.Hash}, why)
	s.registry.ReloadFailed(err)
}

// Recover says that the configuration in force is right again after one that was refused.
func (s *Server) Recover(hash string) { s.registry.Reloaded(hash, "the text in force was put back") }

func changed(changes []string) string {
	if len(changes) == 0 {
		return "nothing changes"
	}
	return strings.Join(changes, ", ")
}

// decisionConfig is what package control has a change of configuration recorded as.
const decisionConfig audit.Decision = "config"

// configure stores what settings say of policies, for all processes of the fleet. The record comes first. If another server
// was told the same, nothing is left to do.
func (p *plane) configure(ctx context.Context, c Settings) error {
	recorded := false
	err := p.update(ctx, func(s *shared) error {
		if s.Config != nil && s.Config.Hash == c.Hash {
			return errNothing
		}
		tunes, err := p.retune(s.Tunes, c.Policies)
		if err != nil {
			return err
		}
		if !recorded {
			text := changed(c.Changes)
			r := audit.Record{Decision: decisionConfig, Actor: c.Actor, Rule: c.Source, Config: c.Hash, Validation: text[:min(len(text), 512)]}
			if err := p.record(ctx, r, nil); err != nil {
				return fmt.Errorf("%w: %w", control.ErrNotAudited, err)
			}
			recorded = true
		}
		s.Tunes = tunes
		s.Config = &control.ConfigOrder{Hash: c.Hash, Actor: c.Actor, Source: c.Source, Policies: c.Policies}
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// retune checks overrides against policies that are new below them, and clears what these now equal.
func (p *plane) retune(tunes map[string]tuned, policies map[string]map[string]string) (map[string]tuned, error) {
	next := maps.Clone(tunes)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		known, heard := p.known(name)
		base := maps.Clone(known.Base)
		if base == nil {
			base = map[string]string{}
		}
		maps.Copy(base, policies[name])
		below, err := control.Tuned(stand(name, known, heard), base)
		if err != nil {
			errs = append(errs, fmt.Errorf("policies.%s: %w", name, err))
			continue
		}
		t := tunes[name]
		above, err := control.Tuned(below, t.Fields)
		if err != nil {
			errs = append(errs, fmt.Errorf("policies.%s: does not go with the override of %s: %w", name, t.Actor, err))
			continue
		}
		fields := maps.Clone(t.Fields)
		is, was := control.Texts(above), control.Texts(below)
		maps.DeleteFunc(fields, func(field, _ string) bool { return is[field] == was[field] })
		if len(fields) < len(t.Fields) {
			t.Fields, t.Version = fields, t.Version+1
			next[name] = t
		}
	}
	return next, errors.Join(errs...)
}

// reloads answers requests to read the configuration again.
type reloads struct {
	file     File
	readOnly bool
}

func (s *reloads) reload(w http.ResponseWriter, r *http.Request, who caller) {
	var what struct {
		Hash string `json:"hash"` // of the text that is meant; empty: whatever is there
	}
	switch {
	case s.readOnly:
		refuse(w, http.StatusForbidden, "this server is read-only: change its file, or send it SIGHUP")
		return
	case s.file == nil:
		refuse(w, http.StatusNotFound, "this server has no configuration file: start it with relent serve -c FILE")
		return
	case !understood(w, r, &what):
		return
	}
	done := s.file.Reload(control.Rule(who.source, who.claimed), who.name, what.Hash)
	done.V, done.Error = 1, strings.Join(done.Errors, "; ")
	code := http.StatusOK
	if done.Error != "" {
		code = http.StatusConflict
	}
	answer(w, code, done)
}
