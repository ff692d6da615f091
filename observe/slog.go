package observe

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// Slog is a retry.Observer that logs what calls do. Messages are constant, facts are attributes:
//
//	attempt failed      debug, info from the third attempt on
//	retry refused       info: a part, and not the error, was why; only with Explain
//	call recovered      debug
//	call failed         warn; info if the caller gave up
//	outcome unknown     error: the call failed and may have had its effect
//	unclassified error  info, once per type of error
//
// Nothing is logged for a call that succeeds at once. More than 10 lines a second of the same
// policy, message and class become one, with the number of those left out in suppressed.
//
// The zero value logs to [slog.Default]. A Slog is safe for concurrent use, must not be copied after first use, and
// is as quick as its handler.
type Slog struct {
	Logger *slog.Logger                 // nil means slog.Default()
	Level  func(retry.Event) slog.Level // overrides the levels above; nil leaves them
	Redact func(error) string           // the text of an error; nil means Redact

	// Explain says in words what the end of a call means, and why there was no further attempt: control.Describe is one. Nil
	// leaves out outcome, and the lines that a retry was refused.
	Explain func(context.Context, retry.Event) (outcome, reason string)

	// Attrs adds what is known from the context to each line: a venue, the hash of a key. Nil adds nothing.
	Attrs func(context.Context, retry.Event) []slog.Attr

	mu    sync.Mutex
	lines map[line]*second    // guarded by mu
	types map[string]struct{} // reported as unclassified; guarded by mu
}

const (
	linesPerSecond = 10
	mostLines      = 1024 // kinds of line remembered; then all are forgotten
	mostTypes      = 256  // types of unclassified errors reported
)

// line is what makes two records the same.
type line struct {
	policy, message string
	class           retry.Class
}

// second counts the records of one line in one second.
type second struct {
	start      time.Time
	count      int
	suppressed int // since the last record that was written
}

// Observe implements [retry.Observer].
func (s *Slog) Observe(ctx context.Context, e retry.Event) {
	if e.Unclassified && e.Err != nil {
		s.unclassified(ctx, e)
	}
	message, level := describe(e)
	if message == "" {
		return
	}
	if s.Level != nil {
		level = s.Level(e)
	}
	logger := s.logger()
	if !logger.Enabled(ctx, level) {
		return
	}
	var outcome string
	if s.Explain != nil && e.Kind == retry.Finished {
		var reason string
		outcome, reason = s.Explain(ctx, e)
		s.refused(ctx, e, reason)
	}
	suppressed, ok := s.admit(line{e.Policy.Name, message, e.Class}, e.At)
	if !ok {
		return
	}
	attrs := s.attributes(e, suppressed)
	if outcome != "" {
		attrs = append(attrs, slog.String("outcome", outcome))
	}
	logger.LogAttrs(ctx, level, message, s.more(ctx, e, attrs)...)
}

// refusals are the reasons for which a retry was refused by a part.
var refusals = []string{"budget", "breaker", "limit", "stopped", "validate"}

// refused logs that a part refused the retry that would have come.
func (s *Slog) refused(ctx context.Context, e retry.Event, reason string) {
	if e.Attempts == 0 || !slices.Contains(refusals, reason) {
		return
	}
	level := slog.LevelInfo
	if s.Level != nil {
		level = s.Level(e)
	}
	if !s.logger().Enabled(ctx, level) {
		return
	}
	suppressed, ok := s.admit(line{e.Policy.Name, "retry refused", e.Class}, e.At)
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("policy", e.Policy.Name), slog.String("call_id", fmt.Sprintf("%016x", e.Call)), slog.Int("attempt", e.Attempts+1),
		slog.String("reason", reason), slog.String("class", e.Class.String()),
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	s.logger().LogAttrs(ctx, level, "retry refused", s.more(ctx, e, attrs)...)
}

func (s *Slog) more(ctx context.Context, e retry.Event, attrs []slog.Attr) []slog.Attr {
	if s.Attrs == nil {
		return attrs
	}
	return append(attrs, s.Attrs(ctx, e)...)
}

// SkipsFirstTry says that calls which succeed at once need not be told: they are not logged.
func (s *Slog) SkipsFirstTry() bool { return true }

// describe returns the message for an event, or none.
func describe(e retry.Event) (message string, level slog.Level) {
	switch {
	case e.Kind == retry.Retrying && e.Attempts >= 3:
		return "attempt failed", slog.LevelInfo
	case e.Kind == retry.Retrying:
		return "attempt failed", slog.LevelDebug
	case e.Succeeded() && e.Attempts == 1:
		return "", 0
	case e.Succeeded():
		return "call recovered", slog.LevelDebug
	case e.Unknown:
		return "outcome unknown", slog.LevelError
	case e.State == retry.Canceled:
		return "call failed", slog.LevelInfo
	}
	return "call failed", slog.LevelWarn
}

func (s *Slog) attributes(e retry.Event, suppressed int) []slog.Attr {
	attrs := make([]slog.Attr, 0, 9)
	attrs = append(attrs, slog.String("policy", e.Policy.Name), slog.String("call_id", fmt.Sprintf("%016x", e.Call)))
	if e.Kind == retry.Retrying {
		attrs = append(attrs, slog.Int("attempt", e.Attempts), slog.Duration("elapsed", e.Took), slog.Duration("next_delay", e.Wait))
	} else {
		attrs = append(attrs, slog.Int("attempts", e.Attempts), slog.Duration("elapsed", e.Elapsed))
	}
	if e.Reason != nil {
		attrs = append(attrs, slog.String("reason", s.text(e.Reason)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("class", e.Class.String()), slog.String("error", s.text(e.Err)))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	return attrs
}

// admit counts a record, and returns how many of its kind were left out since the last one
// written, or false to leave this one out.
func (s *Slog) admit(l line, now time.Time) (suppressed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil || len(s.lines) >= mostLines {
		s.lines = make(map[line]*second)
	}
	c := s.lines[l]
	if c == nil {
		c = &second{start: now}
		s.lines[l] = c
	}
	if now.Sub(c.start) >= time.Second {
		c.start, c.count = now, 0
	}
	if c.count++; c.count > linesPerSecond {
		c.suppressed++
		return 0, false
	}
	suppressed, c.suppressed = c.suppressed, 0
	return suppressed, true
}

// unclassified reports a type of error that no classification knows, the first time it is seen.
func (s *Slog) unclassified(ctx context.Context, e retry.Event) {
	name := fmt.Sprintf("%T", innermost(e.Err))
	s.mu.Lock()
	_, seen := s.types[name]
	full := len(s.types) >= mostTypes
	if !seen && !full {
		if s.types == nil {
			s.types = make(map[string]struct{})
		}
		s.types[name] = struct{}{}
	}
	s.mu.Unlock()
	if !seen && !full {
		s.logger().LogAttrs(ctx, slog.LevelInfo, "unclassified error", slog.String("policy", e.Policy.Name),
			slog.String("type", name), slog.String("error", s.text(e.Err)),
			slog.String("advice", "counts as ambiguous: mark it with retry.Mark, or classify it in the policy"))
	}
}

func innermost(err error) error {
	for {
		wrapper, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
			return err // whose methods may not bear it
		}
		inner := wrapper.Unwrap()
		if inner == nil {
			return err
		}
		err = inner
	}
}

func (s *Slog) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}

func (s *Slog) text(err error) string {
	if s.Redact == nil {
		return Redact(err)
	}
	return s.Redact(err)
}

// query finds the query string of a URL inside a text.
var query = regexp.MustCompile(`(https?://[^\s"'?#]*)\?[^\s"']*`)

// Redact returns the text of err without the query strings of URLs, which often hold keys and
// signatures.
func Redact(err error) string {
	text := fmt.Sprint(err) // which bears nil pointers with methods
	if strings.IndexByte(text, '?') < 0 {
		return text // most have no URL, and a regular expression costs more than all else that an event does
	}
	return query.ReplaceAllString(text, "$1?...")
}
