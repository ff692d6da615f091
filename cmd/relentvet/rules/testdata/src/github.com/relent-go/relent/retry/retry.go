// Package retry has the names of the real one: analysistest reads no module.
package retry

import (
	"context"
	"iter"
	"time"
)

type Source interface{ Current() *Policy }

type Class uint8

const (
	Ambiguous Class = iota
	Transient
	Throttled
	Permanent
)

type Policy struct {
	MaxAttempts    int
	Idempotent     bool
	AttemptTimeout time.Duration
	Classify       func(error) Class
}

func (p *Policy) Current() *Policy { return p }

func Do[T any](context.Context, Source, func(context.Context) (T, error)) (v T, err error) { return }
func Run(context.Context, Source, func(context.Context) error) error                       { return nil }
func Attempts(context.Context, Source, *error) iter.Seq[context.Context]                   { return nil }
