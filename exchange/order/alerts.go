package order

import (
	"context"
	"log/slog"
)

// Alerts tells several, in their order.
type Alerts []Alert

// A LogAlert writes alarms to a log: as errors, and as information what is resolved. The message is constant, facts are attributes:
// kind, venue, account, id, symbol, side, state and text. It is as quick as the logger's handler.
type LogAlert struct {
	Logger *slog.Logger // nil means slog.Default()
}

var (
	_ Alert = Alerts(nil)
	_ Alert = LogAlert{}
)

// Raise is of [Alert].
func (a Alerts) Raise(ctx context.Context, x Alarm) {
	for _, one := range a {
		one.Raise(ctx, x)
	}
}

// Raise is of [Alert].
func (l LogAlert) Raise(ctx context.Context, x Alarm) {
	logger := l.Logger
	if logger == nil {
		logger = slog.Default()
	}
	level, attrs := slog.LevelError, []slog.Attr{
		slog.String("kind", string(x.Kind)), slog.String("venue", x.Scope.Venue), slog.String("account", x.Scope.Account),
	}
	if x.Kind == AlarmResolved {
		level = slog.LevelInfo
	}
	if x.ID != "" {
		attrs = append(attrs, slog.String("id", x.ID), slog.String("symbol", x.Symbol), slog.String("side", string(x.Side)), slog.String("state", x.State.String()))
	}
	logger.LogAttrs(ctx, level, "order alarm", append(attrs, slog.String("text", x.Text))...)
}
