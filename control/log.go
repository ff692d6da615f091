package control

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// Describe is [Explain] in words, for the field Explain of an observe.Slog.
func Describe(ctx context.Context, e retry.Event) (outcome, reason string) {
	o, r := Explain(ctx, e)
	return o.String(), r.String()
}

func (r *Registry) log(level slog.Level, message string, attrs ...slog.Attr) {
	logger := r.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), level, message, attrs...)
}

// logCircuit logs a transition: a warning if nothing passes from then on.
func (r *Registry) logCircuit(policy, target string, t Transition) {
	level := slog.LevelInfo
	if t.To == "open" || t.To == "isolated" {
		level = slog.LevelWarn
	}
	r.log(level, "circuit changed", slog.String("policy", policy), slog.String("target", target),
		slog.String("from", t.From), slog.String("to", t.To), slog.String("cause", t.Cause))
}

// logStop logs what a tree recorded: an error if something is stopped, and a warning otherwise.
func (r *Registry) logStop(c halt.Record) {
	level := slog.LevelWarn
	if (c.Action == halt.ActionStop || c.Action == halt.ActionTrip) && !c.Drill && !errors.Is(c.Err, halt.ErrRefused) {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("action", string(c.Action)), slog.String("scope", string(c.Scope)), slog.String("state", c.State.String()), slog.Bool("drill", c.Drill),
		slog.String("actor", c.Who), slog.String("source", c.Source), slog.String("reason", c.Why), slog.Uint64("epoch", c.Epoch),
	}
	if c.Err != nil {
		attrs = append(attrs, slog.String("error", c.Err.Error()))
	}
	r.log(level, "emergency stop", attrs...)
}

func (r *Registry) logConfig(hash, changed string) {
	r.log(slog.LevelInfo, "config reloaded", slog.String("hash", hash), slog.String("changed", changed))
	r.Note(Note{Kind: "config", Text: "reloaded: " + changed})
}

// logLearned warns that what is learned begins anew, or is not kept.
func (r *Registry) logLearned(what string, err error) {
	r.log(slog.LevelWarn, "learning "+what, slog.String("error", err.Error()))
	r.Note(Note{Kind: "learning", Text: what + ": " + err.Error()})
}

func (r *Registry) logRefused(err error) {
	r.log(slog.LevelError, "config refused", slog.String("errors", strings.ReplaceAll(err.Error(), "\n", "; ")))
	r.Note(Note{Kind: "config", Text: "refused: " + err.Error()})
}
