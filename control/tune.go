package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relent-go/relent/observe/audit"
)

// Errors of commands.
var (
	ErrVersion    = errors.New("somebody changed it meanwhile: look again, then decide again")
	ErrIncomplete = errors.New("the command lacks something")
	ErrNotAudited = errors.New("the command could not be recorded, so it was not carried out: see the audit log")
)

// The decisions that this package has recorded, beside those of package audit.
const (
	decisionTune   audit.Decision = "tune"
	decisionConfig audit.Decision = "config"
)

// Tune implements [Commander]: it changes fields of an operation's policy for the calls that begin from then on. What is
// in force must be the version that the operator saw. The new policy is checked as a whole, then recorded, then put in
// force; if any of that fails, nothing changes.
func (r *Registry) Tune(ctx context.Context, t Tune) (PolicyView, error) {
	return r.tune(ctx, t, false)
}

// tune is Tune; promotes says that the reason is the proof of a promotion.
func (r *Registry) tune(ctx context.Context, t Tune, promotes bool) (PolicyView, error) {
	s := r.state()
	s.changing.Lock()
	defer s.changing.Unlock()
	o, next, err := r.tuned(t)
	record := audit.Record{
		Decision: decisionTune, Operation: clip(t.Operation), Actor: t.Actor, Why: t.Reason, Rule: Rule(t.Source, t.Claimed),
		Validation: changes(t.Fields), Count: t.Version,
	}
	if err != nil {
		return PolicyView{}, r.refuse(ctx, record, fmt.Errorf("tune %s: %w", t.Operation, err))
	}
	if promotes {
		next.promoted = t.Reason
	}
	record.Validation = o.difference(next)
	if err := r.record(ctx, record); err != nil {
		return PolicyView{}, fmt.Errorf("tune %s: %w", t.Operation, err)
	}
	if now := o.row(); !maps.Equal(now.override, next.override) || now.promoted != next.promoted {
		next.version++
		rows := slices.Clone(s.table.Load().rows)
		rows[o.index] = next
		r.publish(rows)
		r.Note(Note{Kind: "config", Policy: o.name, Text: fmt.Sprintf("tuned by %s: %s (%s)", t.Actor, record.Validation, t.Reason)})
	}
	return o.View(), nil
}

// tuned returns the row that a command asks for.
func (r *Registry) tuned(t Tune) (*Operation, *row, error) {
	o, err := r.Operation(t.Operation)
	if err != nil {
		return nil, nil, err
	}
	var missing []string
	for _, one := range []struct{ field, value string }{{"actor", t.Actor}, {"reason", t.Reason}} {
		if strings.TrimSpace(one.value) == "" {
			missing = append(missing, one.field)
		}
	}
	if len(missing) > 0 {
		return nil, nil, fmt.Errorf("%w: %s", ErrIncomplete, strings.Join(missing, ", "))
	}
	now := o.row()
	if t.Version != now.version {
		return nil, nil, fmt.Errorf("%w: it is at version %d, not %d", ErrVersion, now.version, t.Version)
	}
	override := maps.Clone(now.override)
	if override == nil {
		override = make(map[string]string)
	}
	known := Fields()
	var errs []error
	for name, text := range t.Fields {
		switch {
		case text != "":
			override[name] = text
		case !slices.Contains(known, name):
			errs = append(errs, fmt.Errorf("%s: %w", name, unknown("field", name, known)))
		default:
			delete(override, name)
		}
	}
	next := *now
	if _, mode := t.Fields["adaptive"]; mode {
		next.promoted = "" // the operator's word
	}
	if err := r.override(o, &next, override); err != nil {
		errs = append(errs, err)
	}
	return o, &next, errors.Join(errs...)
}

// override completes a row whose base is set: it keeps the fields in which override differs from the base, in their own
// words.
func (r *Registry) override(o *Operation, w *row, override map[string]string) error {
	policy, err := Tuned(w.base, override)
	if err != nil {
		return err
	}
	base, texts := Texts(w.base), Texts(policy)
	w.override = nil
	for name := range override {
		if texts[name] == base[name] {
			continue
		}
		if w.override == nil {
			w.override = make(map[string]string)
		}
		w.override[name] = texts[name]
	}
	if w.override["adaptive"] == "" {
		w.promoted = "" // the base says active, or nobody does
	}
	return r.leadable(r.row(o, w, policy))
}

// difference says what changes with a row.
func (o *Operation) difference(next *row) string {
	before, after := Texts(o.row().tuned), Texts(next.tuned)
	var all []string
	for _, f := range fields {
		if before[f.name] != after[f.name] {
			all = append(all, fmt.Sprintf("%s: %s -> %s", f.name, before[f.name], after[f.name]))
		}
	}
	if len(all) == 0 {
		return "nothing changes"
	}
	return strings.Join(all, ", ")
}

// changes lists what a command asks for.
func changes(texts map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, name+": "+texts[name])
	}
	return clip(strings.Join(all, ", "))
}

// record keeps a record of a command that is about to take effect.
func (r *Registry) record(ctx context.Context, c audit.Record) error {
	if r.Recorder == nil {
		return nil
	}
	if err := r.Recorder.Record(ctx, c); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAudited, err)
	}
	return nil
}

// refuse keeps a record of a command that was refused, and returns why it was, and what went wrong with the record.
func (r *Registry) refuse(ctx context.Context, c audit.Record, why error) error {
	c.State = string(c.Decision) // what was asked for
	c.Decision, c.Outcome, c.Validation = audit.Deny, audit.Failed, clip(why.Error())
	return errors.Join(why, r.record(ctx, c))
}
