package analytics

import (
	"context"
	"log/slog"
)

// A Sink is told of findings. The same finding comes once when it opens or opens again, once for each time its severity rises,
// and once when it ends: compare ID and Ended.
type Sink interface {
	// Tell returns when the finding is told, or ctx ends. It may block: others wait.
	Tell(ctx context.Context, f Finding) error
}

// A SinkFunc is a function as a Sink. One that appends to an audit.Log is in the examples.
type SinkFunc func(context.Context, Finding) error

// Tell calls the function.
func (s SinkFunc) Tell(ctx context.Context, f Finding) error { return s(ctx, f) }

// Log is a Sink that writes findings to a log: a page as an error, a ticket as a warning, the rest, and ends, as info.
type Log struct {
	Logger *slog.Logger // nil means slog.Default()
}

// Tell implements [Sink].
func (l Log) Tell(ctx context.Context, f Finding) error {
	logger := l.Logger
	if logger == nil {
		logger = slog.Default()
	}
	message, level := "finding", slog.LevelInfo
	switch {
	case !f.Ended.IsZero():
		message = "finding ended"
	case f.Severity == Page:
		level = slog.LevelError
	case f.Severity == Ticket:
		level = slog.LevelWarn
	}
	logger.LogAttrs(ctx, level, message, slog.String("id", f.ID), slog.String("kind", string(f.Kind)), slog.String("subject", f.Subject.String()),
		slog.String("severity", f.Severity.String()), slog.String("text", f.Text), slog.String("action", f.Action.String()))
	return nil
}
