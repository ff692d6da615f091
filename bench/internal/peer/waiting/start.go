package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

// A start begins one call of fn and returns at once.
type start func(ctx context.Context, fn peer.Func)

// starter returns how a subject begins calls whose attempts are wait apart, and the error that it
// retries.
func starter(name string, wait time.Duration) (begin start, fail error, err error) {
	switch name {
	case "AfterFunc":
		return func(ctx context.Context, fn peer.Func) {
			if _, err := fn(ctx); err != nil {
				time.AfterFunc(wait, func() { fn(ctx) })
			}
		}, errors.New("busy"), nil
	case "relent Go":
		s := find(peer.Relent)
		return s.Start(wait), s.Fail, nil
	}
	s := find(name)
	if s.Waiting == nil {
		return nil, nil, fmt.Errorf("subject %q: unknown, or its calls do not wait", name)
	}
	call := s.Waiting(wait)
	return func(ctx context.Context, fn peer.Func) { go call(ctx, fn) }, s.Fail, nil
}

// find returns the subject of a name, or an empty one.
func find(name string) peer.Subject {
	all := peer.All()
	if i := slices.IndexFunc(all, func(s peer.Subject) bool { return s.Name == name }); i >= 0 {
		return all[i]
	}
	return peer.Subject{}
}
